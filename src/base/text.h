// Foreign text inside our own sentences.
//
// Threads  pure functions.
#pragma once

#include <string>
#include <string_view>

namespace fusebox::base {

// In double quotes, escaped as in JSON, cut to 64 bytes, invalid UTF-8 replaced: whatever the text is, the sentence
// around it stays one readable line.
std::string in_quotes(std::string_view text);

}  // namespace fusebox::base
