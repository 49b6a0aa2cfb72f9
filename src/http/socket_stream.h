// A socket as a ByteStream: what is left of a connection after an upgrade.
#pragma once

#include <memory>
#include <string>

#include "http/byte_stream.h"
#include "http/socket.h"

namespace fusebox::http {

// `early`: bytes that came before and are read first. From now on TCP keepalive finds a peer that vanished.
std::unique_ptr<ByteStream> stream_of(std::shared_ptr<Socket> socket, std::string early);

}  // namespace fusebox::http
