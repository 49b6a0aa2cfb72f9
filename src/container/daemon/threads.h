// How the background engine gets a thread for a connection: with an answer where the kernel has none to give.
//
// Threads  any.
#pragma once

#include <functional>
#include <thread>

#include "base/result.h"

namespace fusebox::container {

// `exhausted` when no thread is to be had; `run` has then not run, and what it held is gone.
using StartThread = std::function<base::Result<std::thread>(std::move_only_function<void()> run)>;
base::Result<std::thread> start_thread(std::move_only_function<void()> run);

}  // namespace fusebox::container
