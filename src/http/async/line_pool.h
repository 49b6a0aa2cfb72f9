// Connections of a client that wait for another request to the same origin.
//
// An idle connection is watched: when its server closes it, or says anything unasked, it goes.
//
// Internal to src/http/async.
// Threads  the loop's.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "http/wire.h"

namespace fusebox::http {

class LinePool {
 public:
  LinePool(std::size_t idle_max, base::Nanos idle_limit) noexcept : idle_max_(idle_max), idle_limit_(idle_limit) {}
  ~LinePool();
  LinePool(const LinePool&) = delete;
  LinePool& operator=(const LinePool&) = delete;

  std::unique_ptr<Wire> take(const std::string& origin);  // the one used last, or null
  void keep(const std::string& origin, std::unique_ptr<Wire> wire);
  std::size_t idle() const noexcept { return lines_.size(); }

 private:
  struct Line {
    LinePool* pool;
    std::string origin;
    std::unique_ptr<Wire> wire;
    std::list<Line>::iterator self;
    bool is_quiet();
  };
  void watch(Line& line);
  void drop(Line& line) noexcept;

  const std::size_t idle_max_;
  const base::Nanos idle_limit_;
  std::list<Line> lines_;  // the one used last in front
};

}  // namespace fusebox::http
