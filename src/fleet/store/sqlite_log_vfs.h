// A file layer for SQLite that writes the frames of a commit to the write-ahead log in one piece. Internal to fleet/store.
//
// SQLite writes each page of a commit with two system calls, some sixty for a single create. Nobody reads them before the
// flush that ends the commit: until then they are collected here, where they follow each other.
//
// Owner    SQLite's, for the process: registered at the first call, never the default.
// Threads  register: any. Each file is its connection's.
// Errors   what the collected write meets is what the flush returns, and the commit fails as if the flush had.
#pragma once

namespace fusebox::fleet {

// For a connection that flushes every commit (synchronous = FULL). The name to open it with; null when SQLite has none to
// build on.
const char* sqlite_log_vfs();

}  // namespace fusebox::fleet
