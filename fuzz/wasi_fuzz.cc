// A guest that makes any calls with any arguments: pointers, descriptors and flags are the input. Whatever it asks, the
// answer is a number preview1 has, a refusal leaves its memory as it was, and descriptors stay within their bound.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engine/async.h"
#include "engine/wasmtime_test_support.h"
#include "wasi/model_guest.h"
#include "wasi/process.h"

using namespace fusebox;
using namespace fusebox::wasi;
using namespace fusebox::wasi::testing;

namespace {

constexpr std::uint32_t kMemoryBytes = 2 * 65536;
constexpr std::uint32_t kCallsMax = 48;
constexpr std::uint32_t kTriesMax = 8;  // of one call that waits
constexpr std::uint32_t kFdsMax = 24;

void demand(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// The input, byte by byte; zeros behind its end.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  bool empty() const { return left_ == 0; }
  std::uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  std::uint64_t number(int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= std::uint64_t{byte()} << (8 * i);
    return value;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

std::shared_ptr<const engine::Program> program() {
  static const std::shared_ptr<const engine::Program> shared = [] {
    engine::EngineOptions options;
    options.pool_instances = 0;
    options.async = true;
    options.parallel_compilation = false;
    options.may_ask_again = may_ask_again();
    const auto engine = engine::Engine::create(options);
    const auto wasm = engine::testing::assemble(sorted_everything());
    demand(engine.has_value() && wasm.has_value(), "the guest assembles");
    const auto code = engine::Code::compile(*engine, *wasm);
    demand(code.has_value(), "the guest compiles");
    const auto linked = engine::Program::link(*code, imports((*code)->info()));
    demand(linked.has_value(), "the guest links");
    return *linked;
  }();
  return shared;
}

// Places in memory where something lies that makes sense as a path, an array of buffers or subscriptions.
constexpr const char* kPaths[] = {"file", "dir", "dir/new", "link", "/dev/s", "/data/file", "../x", "loop/y", "", "/"};
constexpr std::uint32_t kPathsAt = 1024;
constexpr std::uint32_t kPathRoom = 32;
constexpr std::uint32_t kVectorsAt = 4096;
constexpr std::uint32_t kSubscriptionsAt = 8192;

void furnish(std::span<std::byte> memory, Input& input) {
  const auto put = [&](std::uint32_t at, const auto& value) { std::memcpy(memory.data() + at, &value, sizeof value); };
  for (std::uint32_t i = 0; i < std::size(kPaths); ++i)
    std::memcpy(memory.data() + kPathsAt + i * kPathRoom, kPaths[i], std::strlen(kPaths[i]));
  for (std::uint32_t i = 0; i < 16; ++i) {
    put(kVectorsAt + i * 8, static_cast<std::uint32_t>(20'000 + i * 100));
    put(kVectorsAt + i * 8 + 4, static_cast<std::uint32_t>(input.byte()));
  }
  for (std::uint32_t i = 0; i < 4; ++i) {
    put(kSubscriptionsAt + i * 48 + 8, static_cast<std::uint8_t>(i % 3));
    put(kSubscriptionsAt + i * 48 + 16, std::uint32_t{input.byte()} % 8);
    put(kSubscriptionsAt + i * 48 + 24, input.number(2));
  }
}

// Mostly something of sense, so that calls get past their first check.
std::uint64_t argument(Input& input) {
  const std::uint8_t kind = input.byte();
  const std::uint8_t which = input.byte();
  switch (kind % 8) {
    case 0:
      return which % 12;  // a descriptor, a flag, a length
    case 1:
      return kPathsAt + which % std::size(kPaths) * kPathRoom;
    case 2:
      return kVectorsAt + which % 16 * 8u;
    case 3:
      return kSubscriptionsAt;
    case 4:
      return kMemoryBytes - which;
    case 5:
      return 0 - std::uint64_t{which};
    case 6:
      return std::uint64_t{1} << (which % 64);
    default:
      return input.number(8);
  }
}

std::uint64_t hash(std::span<const std::byte> memory) {
  std::uint64_t value = 1469598103934665603ULL;
  for (std::size_t i = 0; i + 8 <= memory.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, memory.data() + i, 8);
    value = (value ^ word) * 1099511628211ULL;
    value ^= value >> 29;
  }
  return value;
}

struct World {
  base::ManualClock clock;
  base::SeededRandom random{7};
  std::shared_ptr<ModelMount> root = std::make_shared<ModelMount>();
  std::shared_ptr<ModelMount> data = std::make_shared<ModelMount>();
  std::shared_ptr<ModelMount> fixed = std::make_shared<ModelMount>(true);
  std::shared_ptr<StreamMount> dev = std::make_shared<StreamMount>();
  std::shared_ptr<Stream> stream = std::make_shared<Stream>();
  std::unique_ptr<Process> process;
  std::unique_ptr<engine::Instance> instance;

  World() {
    clock.advance(base::Nanos{1000});
    root->add("file", FileType::regular, "0123456789");
    root->add("dir", FileType::directory);
    root->add("link", FileType::symlink, "/file");
    root->add("loop", FileType::symlink, "/loop");
    data->add("file", FileType::regular, "data");
    fixed->add("file", FileType::regular, "fixed");
    dev->streams["s"] = stream;
    auto names = vfs::Namespace::build(
        {.root = root, .mounts = {{"/dev", dev}, {"/data", data, true}, {"/fixed", fixed, true, true}}});
    demand(names.has_value(), "the namespace is built");
    ProcessOptions options;
    options.args = {"fuzz", "x"};
    options.envs = {"A=1"};
    options.names = *names;
    for (auto& console : options.console) console = std::make_unique<StreamFile>(stream);
    options.fds_max = kFdsMax;
    options.clock = &clock;
    options.random = &random;
    process = std::make_unique<Process>(std::move(options));
    auto started = engine::Instance::create(program(), {}, process.get(), {});
    demand(started.has_value() && started->instance != nullptr, "the guest starts");
    instance = std::move(started->instance);
  }

  // False when the run has ended.
  bool call(Input& input) {
    const std::uint8_t which = input.byte();
    const Signature& signature = kCalls[which % std::size(kCalls)];
    const std::string name = signature.name;
    if (name == "proc_exit" && input.byte() % 16 != 0) return true;
    const bool unstable = which >= 128 && name != "sock_accept";
    std::vector<engine::RawValue> arguments;
    for (const char* param = signature.params; *param != '\0'; ++param) {
      engine::RawValue raw{};
      raw.i64 = static_cast<std::int64_t>(argument(input));
      arguments.push_back(raw);
    }
    const std::uint64_t before = hash(instance->memory());
    auto started = engine::AsyncCall::start(*instance, (unstable ? "u." : "") + name, arguments, {});
    demand(started.has_value(), "the call starts");
    engine::AsyncCall& running = **started;
    for (std::uint32_t tries = 0; !running.poll(); ++tries) {
      if (!wait(input, tries)) return false;
    }
    return ended_well(running, before);
  }

 private:
  // Does what the guest waits for, or ends the run.
  bool wait(Input& input, std::uint32_t tries) {
    const vfs::WaitSet& waits = process->waits();
    if (tries == kTriesMax) return false;
    if (waits.deadline() != vfs::WaitSet::kNever && waits.deadline() > clock.monotonic())
      clock.advance(waits.deadline() - clock.monotonic());
    if (input.byte() % 2 == 0) stream->in += "input";
    return true;
  }
  bool ended_well(engine::AsyncCall& running, std::uint64_t before) {
    demand(process->open_fds() >= 3 && process->open_fds() <= kFdsMax, "descriptors stay within their bound");
    const engine::Outcome outcome = running.take_outcome();
    if (!outcome.completed()) {
      demand(process->exit_code().has_value() || process->raised().has_value(), "nothing else ends a run");
      return false;
    }
    if (running.results().empty()) return true;
    const std::int32_t answer = running.results()[0].i32;
    demand(answer >= 0 && answer <= 76, "the answer is a number preview1 has");
    const bool refused =
        answer == static_cast<int>(vfs::Errno::fault) || answer == static_cast<int>(vfs::Errno::badf) ||
        answer == static_cast<int>(vfs::Errno::notcapable) || answer == static_cast<int>(vfs::Errno::inval);
    demand(!refused || hash(instance->memory()) == before, "a refusal leaves memory as it was");
    return true;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  World world;
  furnish(world.instance->memory(), input);
  for (std::uint32_t i = 0; i < kCallsMax && !input.empty(); ++i) {
    if (!world.call(input)) break;
  }
  world.process->close_all();
  demand(world.process->open_fds() == 0, "nothing stays open");
  return 0;
}
