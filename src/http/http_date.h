// The value of the Date header, made once a second.
//
// Threads  one.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"

namespace fusebox::http {

class HttpDate {
 public:
  std::string_view at(base::Nanos wall);  // "Sun, 06 Nov 1994 08:49:37 GMT"; good until the next call

 private:
  std::int64_t second_ = -1;
  std::string text_;
};

}  // namespace fusebox::http
