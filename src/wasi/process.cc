#include "wasi/process.h"

#include "wasi/process_impl.h"

namespace fusebox::wasi {
namespace {

constexpr std::uint32_t kConsoles = 3;

// The directory `path`, as fd `number`. One that cannot be opened leaves its number free.
void open_preopen(Process::Impl& process, std::uint32_t number, std::string_view path, vfs::Rights rights) {
  vfs::OpenRequest request;
  request.directory = true;
  auto made = process.options.names->open(process.call, {}, path, request);
  if (!made) return;
  vfs::Descriptor descriptor;
  descriptor.file = std::move(made->file);
  descriptor.path = std::move(made->path);
  descriptor.confined_to = std::move(made->confined_to);
  descriptor.base = rights;
  descriptor.inheriting = rights;
  descriptor.preopen = true;
  process.fds.put(number, std::move(descriptor));
}

void open_console(Process::Impl& process, std::uint32_t number) {
  if (!process.options.console[number]) return;
  vfs::Descriptor descriptor;
  descriptor.file = std::move(process.options.console[number]);
  descriptor.base = vfs::right::stdio;
  descriptor.inheriting = vfs::right::stdio;
  descriptor.writable = true;
  descriptor.console = true;
  process.fds.put(number, std::move(descriptor));
}

}  // namespace

Process::Impl::Impl(ProcessOptions given)
    : options(std::move(given)),
      fds(options.fds_max),
      call{.clock = *options.clock, .waits = waits, .nonblocking = false, .first_asked = {}, .redirect = {}} {}

Process::Process(ProcessOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {
  for (std::uint32_t i = 0; i < kConsoles; ++i) open_console(*impl_, i);
  if (!impl_->options.names) return;
  std::uint32_t number = kConsoles;
  for (const vfs::Namespace::MountAt* mount : impl_->options.names->preopens()) {
    open_preopen(*impl_, number++, mount->path, mount->read_only ? vfs::right::read_only : vfs::right::full);
  }
  open_preopen(*impl_, number, "/", vfs::right::full);
}
Process::~Process() = default;

const vfs::WaitSet& Process::waits() const noexcept {
  return impl_->waits;
}
std::optional<std::int32_t> Process::exit_code() const noexcept {
  return impl_->exit_code;
}
std::optional<std::uint8_t> Process::raised() const noexcept {
  return impl_->raised;
}

void Process::close_all() noexcept {
  impl_->waits.clear();
  impl_->fds.clear();
}

std::uint32_t Process::open_fds() const noexcept {
  return impl_->fds.open_count();
}

}  // namespace fusebox::wasi
