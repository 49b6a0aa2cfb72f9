// What of an environment's logs was heard before a connection broke, so that a new one says none of it again.
//
// Records of one source come in the order of their times; those of several mix as they like.
//
// Threads  one thread.
// Limits   keeps the records of each source's newest time.
// Contract control-plane.md 5.6
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/json.h"

namespace fusebox::cli::fleet {

class HeardLogs {
 public:
  // False: it was heard over an earlier connection.
  bool is_new(const base::json::Node& record);
  // Another connection begins: what it is to ask for. A time that only one source has reached would hide others' records,
  // so `since` stays what it was; after the newest of a `limit`, which come in the order of time, it is the first of them.
  void go_on(std::string& since, std::string& limit);

 private:
  struct Source {
    base::Nanos newest{0};
    std::multiset<std::string> said;  // at that time
  };
  using Sources = std::map<std::string, Source, std::less<>>;
  bool was_heard(const std::string& source, base::Nanos at, const std::string& data);

  Sources heard_;
  Sources before_;     // as heard_ was when the connection broke, less what was said again since
  std::string first_;  // the time of the first record of all
};

}  // namespace fusebox::cli::fleet
