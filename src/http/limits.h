// The bounds of this folder. Each says why it has the value it has.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace fusebox::http {

inline constexpr std::size_t kResponseHeaderBytesMax = 64 * 1024;  // contract capability.md section 10
inline constexpr std::size_t kResponseHeaderLinesMax = 100;        // contract capability.md section 10
inline constexpr std::size_t kRequestHeadersMax = 64;             // curl sends 64 KiB at most; more names are an attack
inline constexpr std::size_t kPinnedAddressesMax = 16;            // tried in turn; a name with more is still reachable
inline constexpr std::size_t kLookupsMax = 64;                    // threads waiting for a name server at one time
inline constexpr std::size_t kIdleLinesMax = 32;                  // kept connections; each holds a socket and ~50 KiB
inline constexpr std::chrono::seconds kIdleConnectionAgeMax{30};  // servers close idle connections after about a minute
inline constexpr std::chrono::milliseconds kStopPollInterval{10};  // how late a stop is noticed while nothing arrives

// Server and tasks' client.
inline constexpr std::size_t kHeaderLinesMax = 256;     // 64 KiB of empty header lines would be a megabyte of strings
inline constexpr std::size_t kPathSegmentsMax = 32;     // the deepest route has about ten
inline constexpr std::size_t kQueryPairsMax = 1024;     // argument lists of `attach` are the longest known
inline constexpr std::size_t kMethodBytesMax = 32;      // the longest registered method has 17
inline constexpr std::size_t kChunkSizeDigitsMax = 16;  // of a 64-bit size
inline constexpr std::size_t kChunkExtensionBytesMax = 1024;   // a chunk; nobody known sends any
inline constexpr std::size_t kTrailerBytesMax = 16 * 1024;     // all trailers of a message; they are thrown away
inline constexpr std::size_t kReadBufferBytes = 4 * 1024;      // a connection's first: most heads fit
inline constexpr std::size_t kKeptBufferBytes = 16 * 1024;     // an idle connection gives larger buffers back
inline constexpr std::size_t kUnreadBodyBytesMax = 64 * 1024;  // drained to keep a connection whose handler ignored it
inline constexpr std::size_t kCoalescedBytesMax = 64 * 1024;   // answers to pipelined requests collected into one write
inline constexpr std::size_t kCopiedBodyBytesMax = 16 * 1024;  // larger bodies are sent from where they are
inline constexpr unsigned kRequestsPerTurn = 64;               // answered before other connections get their turn
inline constexpr std::size_t kLingerBytesMax = 256 * 1024;     // thrown away so that a refusal reaches its sender
inline constexpr std::chrono::seconds kLingerTime{1};          // as above
inline constexpr std::chrono::seconds kTcpKeepalive{30};       // contract control-plane.md 6.1
inline constexpr std::chrono::milliseconds kAcceptPause{50};   // no descriptors left: others may give some back
inline constexpr std::chrono::seconds kServerCloseTime{2};     // for handlers to end when a server is destroyed

}  // namespace fusebox::http
