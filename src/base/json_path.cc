#include "base/json_path.h"

namespace fusebox::base::json {

std::string pointer_step(std::string_view key) {
  std::string out = "/";
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string Path::pointer() const {
  std::string out;
  for (std::size_t i = 0; i < depth_ && steps_[i].index != 0; ++i) {
    const Step& step = steps_[i];
    if (step.key.size() > kPointerBytesMax) break;  // before a copy is made of it
    const std::string next = step.object ? pointer_step(step.key) : pointer_step(std::to_string(step.index - 1));
    if (out.size() + next.size() > kPointerBytesMax) break;
    out += next;
  }
  return out;
}

}  // namespace fusebox::base::json
