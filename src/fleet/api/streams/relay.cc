#include "fleet/api/streams/relay.h"

#include <span>
#include <utility>
#include <vector>

#include "base/wait.h"

namespace fusebox::fleet {

namespace {

base::Task<void> go_to(base::Executor& from, base::Executor& to) {
  if (&from != &to) co_await base::resume_on(to);
}

// From the far side to the near one. Begins and ends at home.
base::Task<void> pump_down(base::Executor& home, http::ByteStream& near, base::Executor& there,
                           std::shared_ptr<http::ByteStream> far) {
  std::vector<char> buffer(kRelayBytes);
  while (true) {
    co_await go_to(home, there);
    const auto got = co_await far->read_some(buffer);
    co_await go_to(there, home);
    if (!got || *got == 0) break;
    const auto written = co_await near.write({buffer.data(), *got});
    if (!written) break;
  }
  near.close();
}

base::Task<void> pump_up(base::Executor& home, http::ByteStream& near, base::Executor& there,
                         std::shared_ptr<http::ByteStream> far) {
  std::vector<char> buffer(kRelayBytes);
  bool open = true;
  while (open) {
    const auto got = co_await near.read_some(buffer);
    co_await go_to(home, there);
    open = got && *got != 0;
    if (open) {
      const auto written = co_await far->write({buffer.data(), *got});
      open = written.has_value();
    }
    if (!open) far->close();
    co_await go_to(there, home);
  }
  near.close();
}

}  // namespace

base::Task<void> relay(base::Executor& home, http::ByteStream& near, base::Executor& there,
                       std::shared_ptr<http::ByteStream> far) {
  const base::Completion<bool> down;
  base::spawn(home, pump_down(home, near, there, far), [down] { down.set(true); });
  co_await pump_up(home, near, there, far);
  co_await down.wait(home);
}

}  // namespace fusebox::fleet
