// Processes of a remote provider as streams. For src/host/wire alone.
//
// The stop of the context a stream was opened with ends the stream: next() then says `stopped`.
//
// Owner    a stream may be destroyed while a task waits in next(), which then ends with `stopped`.
// Threads  the loop's.
#pragma once

#include <memory>
#include <stop_token>

#include "base/executor.h"
#include "host/api/provider.h"
#include "http/async/async_client.h"

namespace fusebox::host {

// Over frames of fuse-exec/1.
std::unique_ptr<ProcessStream> process_of(http::Upgraded upgraded, base::Executor& executor, std::stop_token stop);

// One exec, told as a stream when it has ended: for agents without streams. A process whose input stays open begins when
// the input is closed. `unsupported`: terminal, signals.
base::Result<std::unique_ptr<ProcessStream>> process_by_exec(Provider& provider, base::Executor& executor,
                                                             CallContext context, std::string vm, ProcessSpec spec);

}  // namespace fusebox::host
