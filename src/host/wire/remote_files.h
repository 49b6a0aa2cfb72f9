// Readers and writers of a remote provider's files. For src/host/wire alone.
//
// Threads  the loop's.
#pragma once

#include <memory>
#include <string>

#include "host/api/provider.h"
#include "host/wire/remote_wire.h"
#include "http/async/async_client.h"

namespace fusebox::host {

// A reply's body; mode and size by its headers.
std::unique_ptr<FileReader> read_reply(std::unique_ptr<http::ReplyStream> stream);

// A file read piece by piece through exec, for agents without a route for it.
std::unique_ptr<FileReader> read_by_exec(RemoteProvider& provider, CallContext context, std::string vm,
                                         std::string path, const FileEntry& entry);

// Bytes that are here already.
std::unique_ptr<FileReader> read_bytes(std::string bytes);

// Gathers a file and sends it whole at commit: by PUT, or by upload where there is no route.
std::unique_ptr<FileWriter> write_by_wire(RemoteProvider& provider, RemoteWire& wire, CallContext context,
                                          std::string vm, std::string path, std::uint32_t mode, bool has_route);

}  // namespace fusebox::host
