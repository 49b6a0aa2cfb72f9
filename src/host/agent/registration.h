// Keeps a control plane told of this host: registers it, then says every ten seconds that it lives and what runs on it.
//
// A control plane that restarts, moves or forgets the host is asked again, with growing pauses; nothing that runs here
// depends on it.
//
// Owner    provider, executor, random and logger outlive it; run() has ended before it is destroyed.
// Threads  one executor.
// Errors   logged, never fatal: the control plane may come back.
// Contract control-plane.md 11.2, 11.3
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/executor.h"
#include "base/log.h"
#include "base/random.h"
#include "base/task.h"
#include "base/wait.h"
#include "host/agent/host_options.h"
#include "host/api/provider.h"
#include "http/async/async_client.h"

namespace fusebox::host {

inline constexpr std::chrono::seconds kHeartbeatEvery{10};   // contract 11.4: suspect after 30
inline constexpr std::chrono::seconds kRegisterPauseMin{1};  // doubled after each failure
inline constexpr std::chrono::seconds kRegisterPauseMax{60};
inline constexpr std::chrono::seconds kRegisterCallLimit{20};  // the control plane asks us back, for up to 10 s
inline constexpr std::size_t kHeartbeatVmsMax = 2000;          // a control plane reads 64 KiB; it lists the rest itself
inline constexpr std::size_t kHeartbeatImagesMax = 200;        // the same; it asks for the rest itself

// How requests leave: AsyncClient::send, or a test's.
using SendRequest = std::function<base::Task<base::Result<http::AsyncReply>>(http::AsyncRequest)>;

struct RegistrationParts {
  Provider& provider;
  base::Executor& executor;
  base::Random& random;
  base::Logger& logger;
};

class Registration {
 public:
  // `url` and `token`: how the control plane reaches this host.
  Registration(const RegistrationParts& parts, JoinOptions join, std::string url, std::string token, SendRequest send);

  base::Task<void> run();  // until stop()
  void stop();
  bool is_registered() const noexcept { return registered_; }

 private:
  base::Task<base::Result<int>> send(std::string target, std::string body);  // the answer's status
  base::Task<base::Result<void>> register_host();
  base::Task<base::Result<void>> heartbeat();
  base::Task<void> pause(base::Nanos span);
  base::Nanos next_pause();

  Provider& provider_;
  base::Executor& executor_;
  base::Random& random_;
  base::Logger& logger_;
  const JoinOptions join_;
  const std::string url_, token_;
  const SendRequest send_;
  std::stop_source stopping_;
  bool registered_ = false;
  base::Nanos pause_ = kRegisterPauseMin;
  std::string last_error_;  // the same one is logged once
};

}  // namespace fusebox::host
