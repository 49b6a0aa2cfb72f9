#include "container/daemon/threads.h"

#include <string>
#include <system_error>
#include <utility>

namespace fusebox::container {

base::Result<std::thread> start_thread(std::move_only_function<void()> run) {
  try {
    return std::thread(std::move(run));
  } catch (const std::system_error& error) {
    return base::fail(base::Errc::exhausted,
                      std::string("the engine has no thread for one more connection (") + error.code().message() +
                          "); close others, or raise its limit of processes",
                      "AGAIN");
  }
}

}  // namespace fusebox::container
