// The table of HAL groups as texts: the guest's C header, a table for the documentation, a list, JSON.
//
// guest/fuse_guest.h and the marked section of docs/edge.md are what these functions give; a test compares them.
// Threads  pure functions.
#pragma once

#include <string>

#include "edge/hal/table.h"

namespace fusebox::edge::config {

std::string imports_header();    // guest/fuse_guest.h
std::string imports_markdown();  // one row per import
std::string imports_json();      // {"groups": [{"name", "capability", "bit", "imports": [...]}]}
std::string imports_text();      // for people at a terminal

// "(i32, i32) -> i64", as the text format and the log name types.
std::string type_text(const ImportRow& row);
// "unsigned long long camera_last_frame(void* buf, unsigned int max_len)"
std::string c_declaration(const ImportRow& row);

}  // namespace fusebox::edge::config
