// Where a verb writes: data to `out`, talk to `err`. Tests give their own.
//
// Threads  one thread.
#pragma once

#include <iosfwd>
#include <string_view>

#include "base/result.h"

namespace fusebox::cli {

struct Streams {
  std::ostream& out;
  std::ostream& err;
};

// Exit statuses scripts rely on (README "Exit statuses").
enum ExitStatus : int {
  kExitOk = 0,
  kExitDifference = 1,  // the question was answered, and the answer is no: widened, not verified, problems found
  kExitStopped = 124,   // by a time or tick limit
  kExitRefused = 125,   // before any guest code ran, or no result could be delivered
  kExitDenied = 126,    // by policy while running
  kExitInterrupted = 130,
  kExitTrapped = 134,
};

// "fusebox: message", several lines indented under the first; returns kExitRefused.
int report(const Streams& streams, const base::Error& error);
int report(const Streams& streams, std::string_view message);

}  // namespace fusebox::cli
