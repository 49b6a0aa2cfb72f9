#include "base/mapped_file.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <utility>

namespace fusebox::base {
namespace {

constexpr std::uintptr_t kNothing = ~std::uintptr_t{0};

// Of one mapping. The handler may run at any time, so it takes no lock: `generation` tells it that a slot changed hands.
struct Slot {
  std::atomic<std::uint32_t> generation{0};
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};  // of its pages; 0 = the slot is free
  std::atomic<std::uintptr_t> lost_from{kNothing};
};

// Of the process, because a signal handler is: it is given nothing but an address.
constinit std::array<Slot, MappedFile::kMappingsMax> slots;
constinit std::atomic<std::size_t> slots_used{0};  // one more than the highest that was ever taken
constinit std::atomic<std::size_t> slots_lost{0};  // mappings alive that have lost something
constinit std::mutex slots_mutex;                  // for whoever takes and frees slots
struct sigaction handler_before;                   // written once, before the handler is there

std::uintptr_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

// Puts zeros in the place of the page at `address` and all behind it. False: it is of no mapping of ours.
bool fill(std::uintptr_t address) noexcept {
  const std::size_t used = slots_used.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < used; ++i) {
    Slot& slot = slots[i];
    const std::uint32_t generation = slot.generation.load(std::memory_order_acquire);
    const std::uintptr_t begin = slot.begin.load(std::memory_order_acquire);
    const std::uintptr_t end = slot.end.load(std::memory_order_acquire);
    if (address < begin || address >= end || slot.generation.load(std::memory_order_acquire) != generation) continue;
    const std::uintptr_t page = address - address % page_bytes();
    std::uintptr_t before = slot.lost_from.load();
    if (before == kNothing) slots_lost.fetch_add(slot.lost_from.compare_exchange_strong(before, page) ? 1 : 0);
    for (before = slot.lost_from.load(); before > page && !slot.lost_from.compare_exchange_weak(before, page);) {
    }
    return ::mmap(reinterpret_cast<void*>(page), end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                  0) != MAP_FAILED;
  }
  return false;
}

void on_bus_error(int number, siginfo_t* info, void* context) noexcept {
  const int saved_errno = errno;
  const bool filled = info->si_code == BUS_ADRERR && fill(reinterpret_cast<std::uintptr_t>(info->si_addr));
  errno = saved_errno;
  if (filled) return;
  if ((handler_before.sa_flags & SA_SIGINFO) != 0) {
    handler_before.sa_sigaction(number, info, context);
  } else if (handler_before.sa_handler != SIG_DFL && handler_before.sa_handler != SIG_IGN) {
    handler_before.sa_handler(number);
  } else {
    ::signal(number, SIG_DFL);  // the instruction runs again, and ends the process as it would have
  }
}

bool install() noexcept {
  static_cast<void>(page_bytes());  // asked here, not first in a handler
  if (::sigaction(SIGBUS, nullptr, &handler_before) != 0) return false;
  struct sigaction action{};
  action.sa_sigaction = &on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigemptyset(&action.sa_mask);
  return ::sigaction(SIGBUS, &action, nullptr) == 0;
}

// kMappingsMax when none is free.
std::size_t take_slot(std::uintptr_t begin, std::uintptr_t end) {
  static const bool installed = install();
  if (!installed) return MappedFile::kMappingsMax;
  const std::lock_guard lock(slots_mutex);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    Slot& slot = slots[i];
    if (slot.end.load() != 0) continue;
    slot.generation.fetch_add(1);
    slot.lost_from.store(kNothing);
    slot.begin.store(begin);
    slot.end.store(end);
    if (i >= slots_used.load()) slots_used.store(i + 1, std::memory_order_release);
    return i;
  }
  return MappedFile::kMappingsMax;
}

void free_slot(Slot& slot) noexcept {
  const std::lock_guard lock(slots_mutex);
  slot.generation.fetch_add(1);
  slot.end.store(0);
  if (slot.lost_from.exchange(kNothing) != kNothing) slots_lost.fetch_sub(1);
}

Result<Bytes> copy(int fd, std::size_t bytes) {
  Bytes out(bytes);
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got = ::pread(fd, out.data() + done, bytes - done, static_cast<off_t>(done));
    if (got == 0) return fail(Errc::corrupt, "the file became shorter while it was read");
    if (got < 0 && errno != EINTR) return fail(errno_error("read", errno));
    if (got > 0) done += static_cast<std::size_t>(got);
  }
  return out;
}

std::uintptr_t pages_end(std::uintptr_t begin, std::size_t bytes) noexcept {
  const std::uintptr_t page = page_bytes();
  return begin + (bytes + page - 1) / page * page;
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::map(int fd, std::size_t bytes) {
  if (bytes > kCopyBytesMax) {
    void* const at = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return fail(errno_error("map", errno));
    const auto begin = reinterpret_cast<std::uintptr_t>(at);
    const std::size_t slot = take_slot(begin, pages_end(begin, bytes));
    if (slot < kMappingsMax) {
      return std::shared_ptr<const MappedFile>(
          new MappedFile({static_cast<const std::byte*>(at), bytes}, slot, Bytes()));
    }
    ::munmap(at, bytes);
  }
  FB_TRY(Bytes own, copy(fd, bytes));
  const ByteView view = own;  // moving keeps the bytes where they are
  return std::shared_ptr<const MappedFile>(new MappedFile(view, kMappingsMax, std::move(own)));
}

MappedFile::~MappedFile() {
  if (slot_ == kMappingsMax) return;
  // Freed first: nothing else can be mapped here while the slot still says it is ours.
  free_slot(slots[slot_]);
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

bool MappedFile::lost(ByteView bytes) noexcept {
  if (slots_lost.load(std::memory_order_acquire) == 0 || bytes.empty()) return false;
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  const std::size_t used = slots_used.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < used; ++i) {
    const Slot& slot = slots[i];
    const std::uintptr_t lost_from = slot.lost_from.load(std::memory_order_acquire);
    if (begin + bytes.size() > lost_from && begin < slot.end.load(std::memory_order_acquire)) return true;
  }
  return false;
}

}  // namespace fusebox::base
