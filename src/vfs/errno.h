// What an operation of the namespace answers when it cannot do its work: WASI preview1's error numbers, name for name.
//
// Errors of guests are numbers, not sentences: they are made millions of times a second. What a person must be told is a
// base::Error (launch configurations, images).
// Threads  plain values.
// Contract containers.md 15.1
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace fusebox::vfs {

enum class Errno : std::uint16_t {
  success = 0,
  toobig = 1,
  acces = 2,
  addrinuse = 3,
  addrnotavail = 4,
  afnosupport = 5,
  again = 6,
  already = 7,
  badf = 8,
  badmsg = 9,
  busy = 10,
  canceled = 11,
  child = 12,
  connaborted = 13,
  connrefused = 14,
  connreset = 15,
  deadlk = 16,
  destaddrreq = 17,
  dom = 18,
  dquot = 19,
  exist = 20,
  fault = 21,
  fbig = 22,
  hostunreach = 23,
  idrm = 24,
  ilseq = 25,
  inprogress = 26,
  intr = 27,
  inval = 28,
  io = 29,
  isconn = 30,
  isdir = 31,
  loop = 32,
  mfile = 33,
  mlink = 34,
  msgsize = 35,
  multihop = 36,
  nametoolong = 37,
  netdown = 38,
  netreset = 39,
  netunreach = 40,
  nfile = 41,
  nobufs = 42,
  nodev = 43,
  noent = 44,
  noexec = 45,
  nolck = 46,
  nolink = 47,
  nomem = 48,
  nomsg = 49,
  noprotoopt = 50,
  nospc = 51,
  nosys = 52,
  notconn = 53,
  notdir = 54,
  notempty = 55,
  notrecoverable = 56,
  notsock = 57,
  notsup = 58,
  notty = 59,
  nxio = 60,
  overflow = 61,
  ownerdead = 62,
  perm = 63,
  pipe = 64,
  proto = 65,
  protonosupport = 66,
  prototype = 67,
  range = 68,
  rofs = 69,
  spipe = 70,
  srch = 71,
  stale = 72,
  timedout = 73,
  txtbsy = 74,
  xdev = 75,
  notcapable = 76,

  // Never seen by a guest:
  would_block = 0xfffe,  // the caller must wait for what Call::waits holds, then ask again
  redirect = 0xfffd,     // a symbolic link led elsewhere: Call::redirect is the path to continue at
};

template <class T>
using Io = std::expected<T, Errno>;
inline std::unexpected<Errno> fail(Errno error) noexcept {
  return std::unexpected(error);
}

// Of a host errno; what preview1 has no number for becomes `io`.
Errno from_host(int host_errno) noexcept;
// "NOENT", "WOULD_BLOCK", ...: contract notation without the number.
std::string_view to_string(Errno error) noexcept;

}  // namespace fusebox::vfs
