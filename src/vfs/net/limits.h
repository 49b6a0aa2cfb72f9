// Bounds of /net, each with its reason.
#pragma once

#include <cstddef>

#include "base/clock.h"

namespace fusebox::vfs {

// Names, all addresses and the handshake together (contract 10.2).
inline constexpr base::Nanos kConnectTime{10'000'000'000};
// Addresses of one name that are tried: each gets a share of the connect time.
inline constexpr std::size_t kAddressesMax = 16;
// Lookups that run at a time: half of the threads there are for what blocks (container/scheduler/offload.h), so that images
// load while every lookup hangs.
inline constexpr std::size_t kLookupsAtOnce = 8;
// Lookups that wait for one of those. A socket has one and a container at most 66 sockets: one cannot fill it.
inline constexpr std::size_t kLookupsWaitingMax = 1024;
// The largest payload of a UDP datagram over IPv4 (contract 10.2).
inline constexpr std::size_t kDatagramBytesMax = 65507;
// The largest payload of a TLS or DTLS record.
inline constexpr std::size_t kRecordBytesMax = 16384;
// Connections the host keeps for a listening socket before it is asked for them.
inline constexpr int kBacklog = 128;
// Buffers of one guest call that go to the host as they are; more are joined first.
inline constexpr std::size_t kVectorsMax = 16;

}  // namespace fusebox::vfs
