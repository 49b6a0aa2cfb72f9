#include "image/layers/private_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

namespace fusebox::image {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kFirstBytes = 64 * 1024;

std::size_t pages(std::size_t bytes) noexcept {
  return (bytes + (kPageBytes - 1)) / kPageBytes * kPageBytes;
}

std::unexpected<base::Error> no_memory(std::size_t bytes) {
  return base::fail(base::Errc::exhausted, "no memory for " + std::to_string(bytes) + " bytes of an image");
}

}  // namespace

PrivateMemory::PrivateMemory(PrivateMemory&& from) noexcept
    : data_(std::exchange(from.data_, nullptr)),
      size_(std::exchange(from.size_, 0)),
      capacity_(std::exchange(from.capacity_, 0)) {}

PrivateMemory& PrivateMemory::operator=(PrivateMemory&& from) noexcept {
  std::swap(data_, from.data_);
  std::swap(size_, from.size_);
  std::swap(capacity_, from.capacity_);
  return *this;
}

PrivateMemory::~PrivateMemory() {
  if (data_ != nullptr) ::munmap(data_, capacity_);
}

base::Result<std::span<std::byte>> PrivateMemory::room(std::size_t bytes) {
  if (bytes > capacity_ - size_) {
    const std::size_t wanted = pages(std::max({size_ + bytes, 2 * capacity_, kFirstBytes}));
    void* const at = data_ == nullptr
                         ? ::mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                         : ::mremap(data_, capacity_, wanted, MREMAP_MAYMOVE);
    if (at == MAP_FAILED) return no_memory(wanted);
    data_ = static_cast<std::byte*>(at);
    capacity_ = wanted;
  }
  return std::span(data_ + size_, capacity_ - size_);
}

base::Result<LayerBytes> PrivateMemory::seal() && {
  if (data_ == nullptr) return LayerBytes{};
  const std::size_t kept = std::max(pages(size_), kPageBytes);
  if (kept < capacity_ && ::munmap(data_ + kept, capacity_ - kept) == 0) capacity_ = kept;
  if (::mprotect(data_, capacity_, PROT_READ) != 0) return no_memory(capacity_);
  const base::ByteView bytes(data_, size_);
  auto owner = std::make_shared<Mapping>(std::exchange(data_, nullptr), std::exchange(capacity_, 0));
  return LayerBytes{std::move(owner), bytes};
}

Mapping::~Mapping() {
  ::munmap(at_, bytes_);
}

}  // namespace fusebox::image
