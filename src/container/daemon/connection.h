// One connection of a client: its requests, and what ends with it.
//
// Threads  run(): one. An attached connection has a second thread for the client's input, which ends before run() does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "container/daemon/channel.h"
#include "container/daemon/service.h"

namespace fusebox::container {

class Connection {
 public:
  Connection(Service& service, Channel& channel) : service_(service), channel_(channel) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  void run();

 private:
  using Node = base::json::Node;
  using Answer = base::Result<std::string>;  // the members of the answer's object after "ok", "" = none
  using Handler = Answer (Connection::*)(const Node& request, Message& message);
  struct Verb {
    std::string_view name;
    Handler handler;
  };
  static const Verb kVerbs[];

  Answer handle(Message& message);
  Answer hello(const Node&, Message&);
  Answer list(const Node&, Message&);
  Answer inspect(const Node&, Message&);
  Answer launch(const Node&, Message&);
  Answer start(const Node&, Message&);
  Answer stop(const Node&, Message&);
  Answer remove(const Node&, Message&);
  Answer wait(const Node&, Message&);
  Answer logs(const Node&, Message&);
  Answer exec(const Node&, Message&);
  Answer wait_exec(const Node&, Message&);
  Answer stop_exec(const Node&, Message&);
  Answer attach(const Node&, Message&);
  Answer volumes(const Node&, Message&);
  Answer create_volume(const Node&, Message&);
  Answer remove_volume(const Node&, Message&);
  Answer shutdown(const Node&, Message&);

  Answer started(const std::string& name);
  void stream(Attachment& attachment);
  Containers& containers() noexcept { return service_.containers(); }

  Service& service_;
  Channel& channel_;
  std::vector<std::uint64_t> execs_;        // not yet forgotten
  std::unique_ptr<Attachment> attachment_;  // set by attach(): what follows is a stream
};

}  // namespace fusebox::container
