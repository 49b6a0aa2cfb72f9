// Function names of guests, made readable. Names are the guest's bytes: the work is linear in their length.
//
// Threads  pure.
#pragma once

#include <string>
#include <string_view>

namespace fusebox::engine {

// Undoes the nested names of the Itanium scheme as C++ and Rust compilers write them for functions without template
// arguments ("_ZN3std2io5write17h0123456789abcdefE" -> "std::io::write"); everything else stays as it is. At most
// kFrameNameBytesMax bytes; empty when the name is not UTF-8.
std::string readable_function_name(std::string_view name);

}  // namespace fusebox::engine
