// What the sockets of src/http share with their loop. Internal to this folder.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <map>
#include <thread>
#include <unordered_map>
#include <utility>

#include "http/http_date.h"
#include "http/loop.h"

namespace fusebox::http {

struct Loop::Impl {
  explicit Impl(const base::Clock& of) : clock(of) {}
  // What still runs on the loop goes first: it may cancel timers and close sockets.
  ~Impl() { keepers.clear(); }

  void arm();   // the one alarm, for the earliest timer
  void fire();  // all timers that are due

  const base::Clock& clock;
  boost::asio::io_context context{1};
  // For as long as the loop lives: the end of the last guard stops a context for good.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> always{context.get_executor()};
  boost::asio::steady_timer alarm{context};
  base::Nanos alarm_at = base::Nanos::max();
  TimerId next_timer = 1;
  std::map<std::pair<base::Nanos, TimerId>, base::Work> timers;
  std::unordered_map<TimerId, base::Nanos> due;
  std::atomic<std::thread::id> runner{};     // the thread in run(), or nobody
  HttpDate date;                             // of the answers written on this thread
  std::list<std::shared_ptr<void>> keepers;  // what ends by itself while the loop runs, and with it otherwise
};

}  // namespace fusebox::http
