#include "cli/streams.h"

#include <ostream>
#include <string>

namespace fusebox::cli {

int report(const Streams& streams, const base::Error& error) {
  return report(streams, error.message);
}

int report(const Streams& streams, std::string_view message) {
  while (message.ends_with('\n')) message.remove_suffix(1);
  streams.err << "fusebox: ";
  for (const char c : message) {
    streams.err << c;
    if (c == '\n') streams.err << "  ";
  }
  streams.err << '\n';
  return kExitRefused;
}

}  // namespace fusebox::cli
