// Processes of wasm environments: how they are found, started, streamed and ended.
#include <algorithm>
#include <array>
#include <csignal>
#include <stop_token>

#include "base/text.h"
#include "host/wasm/wasm_provider.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

constexpr std::int32_t kExitNotFound = 127;
constexpr std::uint64_t kPagesPerMb = 16;
constexpr std::uint64_t kPageBytes = 65536;
constexpr std::array<std::string_view, 5> kShells{"sh", "bash", "ash", "dash", "zsh"};

std::string_view base_name(std::string_view path) noexcept {
  return path.substr(path.rfind('/') + 1);
}
std::string_view without_suffix(std::string_view name) noexcept {
  return name.ends_with(".wasm") ? name.substr(0, name.size() - 5) : name;
}

// Where the module of `name` lies, nothing when nowhere.
std::optional<std::string> find_program(const WasmEnvironment& environment, std::string_view name,
                                        std::string_view cwd) {
  const EnvFiles& files = environment.live->files;
  if (name.find('/') != std::string_view::npos) {
    std::string path(name);
    if (!name.starts_with('/')) path = (cwd.empty() ? "/" : std::string(cwd) + "/") + path;
    return files.is_file(path) ? std::optional(path) : std::nullopt;
  }
  for (const std::string_view place : {"/bin/", "/usr/bin/", "/"}) {
    const std::string path = std::string(place).append(name);
    if (files.is_file(path)) return path;
  }
  if (const std::string path = "/" + std::string(name) + ".wasm"; files.is_file(path)) return path;
  const image::Image& image = *environment.image.image;
  const std::string_view module = base_name(image.module_path());
  if (name == environment.image.name || name == module || name == without_suffix(module))
    return std::string(image.module_path());
  return std::nullopt;
}

}  // namespace

void WasmProvider::stop(WasmEnvironment& environment, int signal) noexcept {
  for (const auto& [pid, process] : environment.processes) (void)process->kill(signal);
}

std::vector<std::shared_ptr<WasmProcess>> WasmProvider::running_in(const WasmEnvironment& environment) {
  std::vector<std::shared_ptr<WasmProcess>> all;
  for (const auto& [pid, process] : environment.processes) {
    if (process->running()) all.push_back(process);
  }
  return all;
}

// Soon, for each of them was told to.
Task<void> WasmProvider::all_ended(std::vector<std::shared_ptr<WasmProcess>> processes) {
  for (const auto& process : processes) {
    const base::Completion<bool> ended = process->output->ended();
    co_await ended.wait(executor());
  }
}

void WasmProvider::forget_ended(WasmEnvironment& environment) {
  const base::Nanos now = executor().clock().monotonic();
  std::size_t ended = 0;
  for (auto at = environment.processes.rbegin(); at != environment.processes.rend(); ++at)
    ended += at->second->running() ? 0 : 1;
  for (auto at = environment.processes.begin(); at != environment.processes.end();) {
    WasmProcess& process = *at->second;
    if (process.running()) {
      ++at;
      continue;
    }
    if (process.ended_at.count() == 0) process.ended_at = now;
    const bool goes = ended > kEndedProcessesKept || now - process.ended_at > kExitKept;
    if (goes && process.guest)
      environment.cpu_us_ended += static_cast<std::uint64_t>(process.guest->cpu_time().count()) / 1000;
    ended -= goes ? 1 : 0;
    at = goes ? environment.processes.erase(at) : std::next(at);
  }
}

std::shared_ptr<WasmProcess> WasmProvider::add_process(WasmEnvironment& environment, const ProcessSpec& spec,
                                                       bool collects) {
  ProcessInfo info{environment.next_pid++, spec.argv, spec.tag, spec.cwd, wall()};
  auto process =
      std::make_shared<WasmProcess>(std::move(info), std::make_shared<ProcessInput>(spec.stdin_bytes, spec.stdin_open),
                                    std::make_shared<ProcessOutput>(collects ? spec.output_bytes_max : 0));
  environment.processes.emplace(process->info.pid, process);
  return process;
}

Result<std::shared_ptr<WasmProcess>> WasmProvider::start(WasmEnvironment& environment, const ProcessSpec& spec,
                                                         bool collects) {
  if (spec.argv.empty() || spec.argv[0].empty()) return fail(Errc::invalid, "cmd must name a program");
  if (spec.terminal) return fail(Errc::unsupported, "environments of the wasm provider have no terminals");
  forget_ended(environment);
  if (environment.live->space->running() >= kProcessesPerEnvironment) {
    return fail(Errc::exhausted, environment.kept.id + " runs " + std::to_string(kProcessesPerEnvironment) +
                                     " processes; that is the most allowed");
  }
  if (running() >= options_.processes_max) {
    return fail(Errc::exhausted,
                "this host runs " + std::to_string(options_.processes_max) + " processes; that is the most allowed");
  }
  auto program = find_program(environment, spec.argv[0], spec.cwd);
  auto process = add_process(environment, spec, collects);
  if (!program) {
    const std::string_view name = base_name(spec.argv[0]);
    const bool is_shell = std::ranges::find(kShells, name) != kShells.end();
    const std::string text = is_shell ? std::string("no shell in this image")
                                      : base::in_quotes(spec.argv[0]) + " is no program of this environment";
    process->output->write(ProcessEvent::Kind::err, "fusebox: " + text + "\n");
    process->output->finish({kExitNotFound, {}, false});
    return process;
  }
  if (auto started = start_guest(environment, process, spec, std::move(*program)); !started) {
    environment.processes.erase(process->info.pid);
    return fail(std::move(started.error()));
  }
  return process;
}

Result<void> WasmProvider::start_guest(WasmEnvironment& environment, const std::shared_ptr<WasmProcess>& process,
                                       const ProcessSpec& spec, std::string program) {
  const std::uint64_t memory_max =
      static_cast<std::uint64_t>(environment.kept.spec.memory_mb) * kPagesPerMb * kPageBytes;
  std::uint64_t used = 0;
  for (const auto& [pid, other] : environment.processes) {
    if (other->guest) used += other->guest->memory_bytes();
  }
  if (used + kPageBytes > memory_max) {
    return fail(Errc::exhausted, environment.kept.id + " has used its " +
                                     std::to_string(environment.kept.spec.memory_mb) + " MB of memory");
  }
  container::SpaceExec exec;
  exec.program = std::move(program);
  exec.args = spec.argv;
  for (const auto& [key, value] : spec.env) exec.envs.push_back(key + "=" + value);
  if (!spec.cwd.empty()) exec.envs.push_back("PWD=" + spec.cwd);
  exec.consoles = {process->input->console(), process->output->console(1), process->output->console(2)};
  exec.memory_pages_max = std::min<std::uint64_t>((memory_max - used) / kPageBytes, 65536);
  exec.wall_max = spec.timeout;
  exec.ended = [process, running = running_](const container::SpaceEnd& end) {
    --*running;
    process->output->finish(exit_of(end, process->signal, *process->output));
  };
  ++*running_;
  auto started = environment.live->space->start(std::move(exec));
  if (!started) {
    --*running_;
    return fail(Errc::exhausted, started.error().message);
  }
  process->guest = std::move(*started);
  return {};
}

Task<Result<ExecResult>> WasmProvider::exec(CallContext context, std::string vm, ProcessSpec spec) {
  auto used = co_await use(context, std::move(vm));
  FB_CO_TRY(WasmEnvironment * environment, std::move(used));
  FB_CO_TRY(const std::shared_ptr<WasmProcess> process, start(*environment, spec, true));
  const std::stop_callback stopped(context.stop, [process] { (void)process->kill(SIGKILL); });
  const base::Completion<bool> ended = process->output->ended();
  co_await ended.wait(executor());
  co_return process->output->collected();
}

Task<Result<std::unique_ptr<ProcessStream>>> WasmProvider::start_process(CallContext context, std::string vm,
                                                                         ProcessSpec spec) {
  auto used = co_await use(context, std::move(vm));
  FB_CO_TRY(WasmEnvironment * environment, std::move(used));
  FB_CO_TRY(std::shared_ptr<WasmProcess> process, start(*environment, spec, false));
  co_return stream_of(std::move(process), executor(), spec.kill_with_stream);
}

Task<Result<std::unique_ptr<ProcessStream>>> WasmProvider::connect_process(CallContext context, std::string vm,
                                                                           std::uint64_t pid) {
  FB_CO_TRY(WasmEnvironment * environment, find(context, vm));
  forget_ended(*environment);
  const auto at = environment->processes.find(pid);
  if (at == environment->processes.end())
    co_return fail(Errc::not_found, "process " + std::to_string(pid) + " not found");
  co_return stream_of(at->second, executor(), false);
}

Task<Result<std::vector<ProcessInfo>>> WasmProvider::processes(CallContext context, std::string vm) {
  FB_CO_TRY(WasmEnvironment * environment, find(context, vm));
  forget_ended(*environment);
  std::vector<ProcessInfo> all;
  for (const auto& [pid, process] : environment->processes) {
    if (process->running()) all.push_back(process->info);
  }
  co_return all;
}

Task<Result<std::unique_ptr<http::ByteStream>>> WasmProvider::attach(CallContext context, std::string vm, AttachSpec) {
  FB_CO_CHECK(find(context, vm));
  co_return fail(Errc::unsupported, "environments of the wasm provider have no terminals; exec passes input on");
}

}  // namespace fusebox::host
