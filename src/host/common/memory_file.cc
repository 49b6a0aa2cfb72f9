#include "host/common/memory_file.h"

#include <algorithm>
#include <utility>

namespace fusebox::host {

namespace {

class MemoryReader final : public FileReader {
 public:
  MemoryReader(std::shared_ptr<const std::string> bytes, std::uint32_t mode) noexcept
      : bytes_(std::move(bytes)), mode_(mode) {}
  std::uint32_t mode() const noexcept override { return mode_; }
  std::optional<std::uint64_t> size() const noexcept override { return bytes_->size(); }
  base::Task<base::Result<std::size_t>> read_some(std::span<char> into) override {
    const std::size_t size = std::min(into.size(), bytes_->size() - at_);
    std::copy_n(bytes_->data() + at_, size, into.data());
    at_ += size;
    co_return size;
  }

 private:
  std::shared_ptr<const std::string> bytes_;
  std::uint32_t mode_;
  std::size_t at_ = 0;
};

class MemoryWriter final : public FileWriter {
 public:
  MemoryWriter(std::uint64_t bytes_max, TakeBytes take) noexcept : bytes_max_(bytes_max), take_(std::move(take)) {}
  base::Task<base::Result<void>> write(std::string_view piece) override {
    if (piece.size() > bytes_max_ - bytes_.size()) {
      co_return base::fail(base::Errc::exhausted,
                           "the file is larger than the " + std::to_string(bytes_max_) + " bytes that are free");
    }
    bytes_ += piece;
    co_return base::Result<void>();
  }
  base::Task<base::Result<std::uint64_t>> commit() override {
    const std::uint64_t size = bytes_.size();
    FB_CO_CHECK(take_(std::exchange(bytes_, {})));
    co_return size;
  }

 private:
  std::uint64_t bytes_max_;
  TakeBytes take_;
  std::string bytes_;
};

}  // namespace

std::unique_ptr<FileReader> read_memory(std::shared_ptr<const std::string> bytes, std::uint32_t mode) {
  return std::make_unique<MemoryReader>(std::move(bytes), mode);
}
std::unique_ptr<FileWriter> write_memory(std::uint64_t bytes_max, TakeBytes take) {
  return std::make_unique<MemoryWriter>(bytes_max, std::move(take));
}

}  // namespace fusebox::host
