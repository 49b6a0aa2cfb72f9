#include "wasi/env.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "wasi/format.h"
#include "wasi/limits.h"
#include "wasi/opened.h"

namespace fusebox::wasi::env {
namespace {

constexpr std::uint32_t kStdout = 1;

// What compiled code would do: the run ends.
u32 out_of_bounds(Caller& caller, std::string_view function) {
  caller.host.trap("env." + std::string(function) + ": out of bounds memory access");
  caller.ended = true;
  return 0;
}

// Puts all of `text` out, over as many waits as it takes.
i32 print(Caller& caller, std::string_view text) {
  const Opened open = opened(caller, kStdout, vfs::right::fd_write);
  if (open.failed() || !open->writable) return -1;
  std::uint64_t& done = caller.process.progress;
  while (done < text.size()) {
    const std::span<const std::byte> left[] = {base::as_bytes(text.substr(done))};
    const auto wrote = open.file().write(caller.call_on(open.file()), left);
    if (!wrote && wrote.error() == vfs::Errno::would_block) {
      caller.process.asked_again = true;
      return engine::kCallAgain;
    }
    if (!wrote || *wrote == 0) return -1;
    done += *wrote;
  }
  return static_cast<i32>(text.size());
}

// Calls `piece(at, size)` over [0, size), upwards or downwards, as long as nobody wants the guest to stop.
template <class Piece>
void in_pieces(Caller& caller, u32 size, bool downwards, Piece piece) {
  for (u32 done = 0; done < size && !caller.host.stop_requested();) {
    const u32 n = std::min<u32>(size - done, kMemoryPieceBytes);
    piece(downwards ? size - done - n : done, n);
    done += n;
  }
}

i32 compare(std::string_view a, std::string_view b) noexcept {
  return a.compare(b) < 0 ? -1 : (a == b ? 0 : 1);
}

}  // namespace

i32 printf(Caller& caller, u32 format, u32 arguments) {
  const std::optional<std::string> text = format_text(caller.memory, format, arguments);
  if (!text) return static_cast<i32>(out_of_bounds(caller, "printf"));
  return print(caller, *text);
}

i32 puts(Caller& caller, u32 text) {
  const auto found = text_at(caller.memory, text);
  if (!found) return static_cast<i32>(out_of_bounds(caller, "puts"));
  return print(caller, std::string(found->substr(0, kPrintBytesMax)) + "\n");
}

i32 putchar(Caller& caller, u32 character) {
  const char one = static_cast<char>(character);
  const i32 answer = print(caller, {&one, 1});
  return answer == 1 ? static_cast<i32>(static_cast<unsigned char>(one)) : answer;
}

u32 memcpy(Caller& caller, u32 to, u32 from, u32 size) {
  return memmove(caller, to, from, size);
}

u32 memmove(Caller& caller, u32 to, u32 from, u32 size) {
  if (!caller.memory.has(to, size) || !caller.memory.has(from, size)) return out_of_bounds(caller, "memmove");
  in_pieces(caller, size, to > from, [&](u32 at, u32 n) {
    std::memmove(caller.memory.bytes(to + at, n).data(), caller.memory.bytes(from + at, n).data(), n);
  });
  return to;
}

u32 memset(Caller& caller, u32 to, u32 value, u32 size) {
  if (!caller.memory.has(to, size)) return out_of_bounds(caller, "memset");
  in_pieces(caller, size, false, [&](u32 at, u32 n) {
    std::memset(caller.memory.bytes(to + at, n).data(), static_cast<unsigned char>(value), n);
  });
  return to;
}

i32 memcmp(Caller& caller, u32 a, u32 b, u32 size) {
  if (!caller.memory.has(a, size) || !caller.memory.has(b, size))
    return static_cast<i32>(out_of_bounds(caller, "memcmp"));
  return compare(caller.memory.text(a, size), caller.memory.text(b, size));
}

u32 strlen(Caller& caller, u32 text) {
  const auto found = text_at(caller.memory, text);
  return found ? static_cast<u32>(found->size()) : out_of_bounds(caller, "strlen");
}

i32 strcmp(Caller& caller, u32 a, u32 b) {
  const auto first = text_at(caller.memory, a);
  const auto second = text_at(caller.memory, b);
  if (!first || !second) return static_cast<i32>(out_of_bounds(caller, "strcmp"));
  return compare(*first, *second);
}

i32 strncmp(Caller& caller, u32 a, u32 b, u32 size) {
  const auto text = [&](u32 at) -> std::optional<std::string_view> {
    if (!caller.memory.has(at, size)) {
      const auto found = text_at(caller.memory, at);
      return found;
    }
    const std::string_view all = caller.memory.text(at, size);
    return all.substr(0, all.find('\0'));
  };
  const auto first = text(a);
  const auto second = text(b);
  if (!first || !second) return static_cast<i32>(out_of_bounds(caller, "strncmp"));
  return compare(*first, *second);
}

u32 strcpy(Caller& caller, u32 to, u32 from) {
  const auto text = text_at(caller.memory, from);
  if (!text || !caller.memory.has(to, text->size() + 1)) return out_of_bounds(caller, "strcpy");
  return memmove(caller, to, from, static_cast<u32>(text->size() + 1));
}

u32 strncpy(Caller& caller, u32 to, u32 from, u32 size) {
  if (size == 0) return to;
  if (!caller.memory.has(to, size) || !caller.memory.has(from, 1)) return out_of_bounds(caller, "strncpy");
  const auto room = static_cast<u32>(std::min<std::uint64_t>(size, caller.memory.size() - from));
  const std::string_view all = caller.memory.text(from, room);
  const std::size_t end = all.find('\0');
  if (end == all.npos && room < size) return out_of_bounds(caller, "strncpy");
  const auto length = static_cast<u32>(std::min<std::size_t>(end, size));
  memmove(caller, to, from, length);
  memset(caller, to + length, 0, size - length);
  return to;
}

u32 strchr(Caller& caller, u32 text, u32 character) {
  const auto found = text_at(caller.memory, text);
  if (!found) return out_of_bounds(caller, "strchr");
  const char wanted = static_cast<char>(character);
  const std::size_t at = wanted == '\0' ? found->size() : found->find(wanted);
  return at == found->npos ? 0 : text + static_cast<u32>(at);
}

i32 wanted_func(Caller&, u32, u32, u32) {
  return 0;
}

}  // namespace fusebox::wasi::env
