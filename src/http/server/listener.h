// The listening socket of a server: opened once, accepted from on one loop.
//
// Internal to src/http/server.
// Errors   open: as Server::listen.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "http/socket.h"

namespace fusebox::http {

// An open, listening, non-blocking socket; the caller closes it (Socket::adopt does).
base::Result<int> open_listener(const std::string& address);
std::uint16_t port_of(int listener);

struct Accepted {
  int fd = -1;         // -1: none
  bool spent = false;  // out of descriptors or memory: later
  std::string address;
  std::uint16_t port = 0;
};
Accepted accept_from(int listener);

}  // namespace fusebox::http
