// Which functions a module may import, and what stands for those that nobody offers.
#include <algorithm>
#include <array>
#include <string>

#include "wasi/bind.h"
#include "wasi/calls.h"
#include "wasi/env.h"
#include "wasi/process.h"

namespace fusebox::wasi {
namespace {

constexpr std::string_view kPreview1 = "wasi_snapshot_preview1";
constexpr std::string_view kUnstable = "wasi_unstable";

struct Offer {
  std::string_view module;
  std::string_view field;
  engine::HostFunction function;
  engine::FuncType (*type)();
};

template <auto Function>
constexpr Offer offer(std::string_view module, std::string_view field) {
  return {module, field, &Bound<Function>::call, &Bound<Function>::type};
}

using namespace calls;

template <Snapshot S>
constexpr auto calls_of(std::string_view module) {
  return std::array{
      offer<&args_get>(module, "args_get"),
      offer<&args_sizes_get>(module, "args_sizes_get"),
      offer<&environ_get>(module, "environ_get"),
      offer<&environ_sizes_get>(module, "environ_sizes_get"),
      offer<&clock_res_get>(module, "clock_res_get"),
      offer<&clock_time_get>(module, "clock_time_get"),
      offer<&fd_advise>(module, "fd_advise"),
      offer<&fd_allocate>(module, "fd_allocate"),
      offer<&fd_close>(module, "fd_close"),
      offer<&fd_datasync>(module, "fd_datasync"),
      offer<&fd_fdstat_get>(module, "fd_fdstat_get"),
      offer<&fd_fdstat_set_flags>(module, "fd_fdstat_set_flags"),
      offer<&fd_fdstat_set_rights>(module, "fd_fdstat_set_rights"),
      offer<&fd_filestat_get<S>>(module, "fd_filestat_get"),
      offer<&fd_filestat_set_size>(module, "fd_filestat_set_size"),
      offer<&fd_filestat_set_times>(module, "fd_filestat_set_times"),
      offer<&fd_pread>(module, "fd_pread"),
      offer<&fd_prestat_get>(module, "fd_prestat_get"),
      offer<&fd_prestat_dir_name>(module, "fd_prestat_dir_name"),
      offer<&fd_pwrite>(module, "fd_pwrite"),
      offer<&fd_read>(module, "fd_read"),
      offer<&fd_readdir>(module, "fd_readdir"),
      offer<&fd_renumber>(module, "fd_renumber"),
      offer<&fd_seek<S>>(module, "fd_seek"),
      offer<&fd_sync>(module, "fd_sync"),
      offer<&fd_tell>(module, "fd_tell"),
      offer<&fd_write>(module, "fd_write"),
      offer<&path_create_directory>(module, "path_create_directory"),
      offer<&path_filestat_get<S>>(module, "path_filestat_get"),
      offer<&path_filestat_set_times>(module, "path_filestat_set_times"),
      offer<&path_link>(module, "path_link"),
      offer<&path_open>(module, "path_open"),
      offer<&path_readlink>(module, "path_readlink"),
      offer<&path_remove_directory>(module, "path_remove_directory"),
      offer<&path_rename>(module, "path_rename"),
      offer<&path_symlink>(module, "path_symlink"),
      offer<&path_unlink_file>(module, "path_unlink_file"),
      offer<&poll_oneoff<S>>(module, "poll_oneoff"),
      offer<&proc_exit>(module, "proc_exit"),
      offer<&proc_raise>(module, "proc_raise"),
      offer<&sched_yield>(module, "sched_yield"),
      offer<&random_get>(module, "random_get"),
      offer<&sock_recv>(module, "sock_recv"),
      offer<&sock_send>(module, "sock_send"),
      offer<&sock_shutdown>(module, "sock_shutdown"),
  };
}

constexpr auto kPreview1Calls = calls_of<Snapshot::preview1>(kPreview1);
constexpr auto kUnstableCalls = calls_of<Snapshot::unstable>(kUnstable);

constexpr std::array kOthers = {
    offer<&sock_accept>(kPreview1, "sock_accept"),  // the snapshot before had none
    offer<&env::wanted_func>("wanted", "func"),
    offer<&env::printf>("env", "printf"),
    offer<&env::puts>("env", "puts"),
    offer<&env::putchar>("env", "putchar"),
    offer<&env::memcpy>("env", "memcpy"),
    offer<&env::memmove>("env", "memmove"),
    offer<&env::memset>("env", "memset"),
    offer<&env::memcmp>("env", "memcmp"),
    offer<&env::strlen>("env", "strlen"),
    offer<&env::strcmp>("env", "strcmp"),
    offer<&env::strncmp>("env", "strncmp"),
    offer<&env::strcpy>("env", "strcpy"),
    offer<&env::strncpy>("env", "strncpy"),
    offer<&env::strchr>("env", "strchr"),
};

const Offer* find(const engine::Import& import) {
  for (const std::span<const Offer> offers :
       {std::span<const Offer>(kPreview1Calls), std::span<const Offer>(kUnstableCalls),
        std::span<const Offer>(kOthers)}) {
    const auto found = std::ranges::find_if(offers, [&](const Offer& offer) {
      return offer.module == import.module && offer.field == import.field && offer.type() == import.function;
    });
    if (found != offers.end()) return &*found;
  }
  return nullptr;
}

struct Unlinked {  // what the message names
  std::string module;
  std::string field;
};

bool call_unlinked(engine::HostContext& context, void* env, engine::RawValue*) {
  const auto& import = *static_cast<const Unlinked*>(env);
  context.trap("failed to call unlinked import function (" + import.module + ", " + import.field + ")");
  return false;
}

engine::HostImport unlinked(const engine::Import& import) {
  auto names = std::make_shared<Unlinked>(import.module, import.field);
  return {.module = import.module,
          .field = import.field,
          .type = import.function,
          .function = &call_unlinked,
          .env = names.get(),
          .keep = std::move(names)};
}

}  // namespace

std::vector<std::string> may_ask_again() {
  return {std::string(kPreview1), std::string(kUnstable), "env.printf", "env.puts", "env.putchar"};
}

std::vector<engine::HostImport> imports(const engine::ModuleInfo& info) {
  std::vector<engine::HostImport> out;
  const std::vector<std::string> asking = may_ask_again();
  for (const engine::Import& import : info.imports) {
    if (import.kind != engine::ExternKind::function) continue;
    const auto same = [&](const engine::HostImport& known) {
      return known.module == import.module && known.field == import.field && known.type == import.function;
    };
    if (std::ranges::any_of(out, same)) continue;
    const Offer* const found = find(import);
    out.push_back(found == nullptr ? unlinked(import)
                                   : engine::HostImport{.module = import.module,
                                                        .field = import.field,
                                                        .type = import.function,
                                                        .function = found->function});
    out.back().may_ask_again = engine::may_ask_again(import, asking);
  }
  return out;
}

}  // namespace fusebox::wasi
