#include "image/transfer/location.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace fusebox::image {
namespace {

using Form = Location::Form;

struct Prefix {
  std::string_view word;
  Form form;
  bool takes_reference;
};
constexpr std::array<Prefix, 6> kPrefixes = {{{"oci", Form::oci, true},
                                              {"oci-archive", Form::oci_archive, true},
                                              {"docker-archive", Form::docker_archive, true},
                                              {"tar", Form::tar, false},
                                              {"wapp", Form::wapp, false},
                                              {"wasm", Form::wasm, false}}};

}  // namespace

base::Result<Location> parse_location(std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto* prefix = std::ranges::find(kPrefixes, text.substr(0, colon), &Prefix::word);
  Location out;
  std::string_view rest = text;
  if (colon != text.npos && prefix != kPrefixes.end()) {
    out.form = prefix->form;
    rest.remove_prefix(colon + 1);
    const std::size_t end = prefix->takes_reference ? rest.find(':') : rest.npos;
    if (end != rest.npos) out.reference = rest.substr(end + 1);
    rest = rest.substr(0, end);
  }
  out.path = std::filesystem::path(rest);
  if (out.path.empty()) {
    return base::fail(base::Errc::invalid, base::in_quotes(text) +
                                               " names no file: write FILE, oci:DIR[:REF], oci-archive:FILE[:REF], "
                                               "docker-archive:FILE[:REF], tar:FILE, wapp:FILE or wasm:FILE");
  }
  return out;
}

}  // namespace fusebox::image
