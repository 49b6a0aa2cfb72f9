// One process of a wasm environment, as its environment keeps it: input, output, end, and the streams on it.
//
// Owner    its environment and its streams.
// Threads  the provider's executor; what the guest's side touches is in ProcessInput and ProcessOutput.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/executor.h"
#include "container/space.h"
#include "host/api/process.h"
#include "host/wasm/process_input.h"
#include "host/wasm/process_output.h"

namespace fusebox::host {

struct WasmProcess {
  WasmProcess(ProcessInfo of, std::shared_ptr<ProcessInput> in, std::shared_ptr<ProcessOutput> out) noexcept
      : info(std::move(of)), input(std::move(in)), output(std::move(out)) {}

  ProcessInfo info;
  std::shared_ptr<ProcessInput> input;
  std::shared_ptr<ProcessOutput> output;
  std::shared_ptr<container::SpaceProcess> guest;  // null when nothing could be run
  std::atomic<int> signal{0};                      // the first that was sent
  base::Nanos ended_at{0};                         // monotonic; set when its environment sees the end

  bool running() const { return !output->exit(); }
  // 1..31; the process ends with 128 + signal. `not_found` when it has ended.
  base::Result<void> kill(int number);
};

// "TERM", "SIGTERM", "15": its number; `invalid` for others.
base::Result<int> signal_number(std::string_view name);
std::string_view signal_name(int number) noexcept;

// The end of a guest in the words of the wire; what was wrong goes to its standard error.
ExitStatus exit_of(const container::SpaceEnd& end, int signal, ProcessOutput& output);

std::unique_ptr<ProcessStream> stream_of(std::shared_ptr<WasmProcess> process, base::Executor& executor,
                                         bool kill_with_stream);

}  // namespace fusebox::host
