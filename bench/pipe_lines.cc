#include "pipe_lines.h"

#include <thread>
#include <utility>
#include <vector>

#include "cli/bench_variants.h"
#include "vfs/blocking_wait.h"
#include "vfs/pipe/pipe_pool.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::uint32_t kRingBytes = 256u << 10;  // "large buffers": system.limits.pipeBytes, and each read and write
constexpr std::size_t kBytes = 250'000'000;       // of one sample
constexpr double kMillisecondsMax = 125;          // 2 GB/s

// One side of the pipe: moves kBytes with `step`, which answers how many bytes went or waits.
template <class Step>
void move_all(Step step) {
  const base::RealClock clock;
  vfs::WaitSet waits;
  for (std::size_t moved = 0; moved < kBytes;) {
    waits.clear();
    vfs::Call call{clock, waits, false, {}, {}};
    const std::size_t n = step(call);
    moved += n;
    if (n == 0 && !waits.changes().empty()) vfs::wait_any(waits);
  }
}

base::Result<void> pass(vfs::Mount& pipes) {
  const base::RealClock clock;
  vfs::WaitSet waits;
  vfs::Call call{clock, waits, false, {}, {}};
  auto in = pipes.open(call, "bench", {});
  auto out = pipes.open(call, "bench", {.read = false, .write = true});
  if (!in || !out) return base::fail(base::Errc::bug, "the pipe was not opened");
  std::thread writer([&] {
    const std::vector<std::byte> data(kRingBytes);
    const std::span<const std::byte> from[] = {data};
    move_all([&](vfs::Call& each) -> std::size_t {
      const auto n = (*out)->write(each, from);
      if (!n) (*out)->poll(each, true);
      return n.value_or(0);
    });
    out->reset();
  });
  std::vector<std::byte> data(kRingBytes);
  const std::span<std::byte> to[] = {data};
  move_all([&](vfs::Call& each) -> std::size_t { return (*in)->read(each, to).value_or(0); });
  writer.join();
  return {};
}

}  // namespace

Rows measure_pipe(const Conditions& conditions) {
  const auto pool = vfs::PipePool::create({.pipes = 1, .pipe_bytes = kRingBytes});
  const auto pipes = vfs::make_pipe_mount(pool, std::make_shared<vfs::PipeShare>());
  const Variant variants[] = {{"pipe", [&](Samples& samples) -> base::Result<void> {
                                 base::Result<void> passed;
                                 const double ns = conditions.watch->time_ns([&] { passed = pass(*pipes); });
                                 samples.add(ns / 1e6);
                                 return passed;
                               }}};
  FB_TRY(const auto taken, interleave(variants, conditions.rounds / 20 + 1));
  Row row = row_of("container.pipe", "250 MB from one thread to another through a pipe", "ms", taken[0]);
  row.target.median_max = kMillisecondsMax;
  return std::vector{row};
}

}  // namespace fusebox::cli::bench
