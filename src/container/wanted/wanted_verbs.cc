#include "container/wanted/wanted_verbs.h"

#include "container/core/core.h"

namespace fusebox::container {
namespace {

using vfs::Errno;
using vfs::Io;

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view without_tail(std::string_view text) noexcept {
  const std::size_t last = text.find_last_not_of(kBlanks);
  return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

// "create  meter" -> "create", "meter".
struct Verb {
  std::string_view word;
  std::string_view argument;
};
Verb split(std::string_view message) noexcept {
  const std::string_view text = without_tail(message);
  const std::size_t blank = text.find_first_of(" \t");
  if (blank == std::string_view::npos) return {text, {}};
  const std::size_t argument = text.find_first_not_of(" \t", blank);
  return {text.substr(0, blank), text.substr(argument)};
}

Io<void> answer(const Controlled<void>& done) {
  if (done) return {};
  return vfs::fail(done.error().code);
}

Io<void> host_verb(Containers::Core& core, const WantedHolder& holder, ContainersOptions::HostVerb verb) {
  if (holder.options.observe || holder.options.no_power || !core.options().host_verb) return vfs::fail(Errno::perm);
  core.options().host_verb(verb);
  return {};
}

}  // namespace

Io<void> root_verb(Containers::Core& core, const WantedHolder& holder, std::string_view message) {
  using HostVerb = ContainersOptions::HostVerb;
  const Verb verb = split(message);
  const bool create = verb.word == "create";
  if (create || verb.word == "delete") {
    if (verb.argument.empty()) return vfs::fail(Errno::inval);
    if (create && !core.valid_name(verb.argument)) return vfs::fail(Errno::inval);
    if (holder.options.observe) return vfs::fail(Errno::perm);
    // What a holder does not see is not there; that it may not be made is no secret.
    if (!sees(holder.options, verb.argument)) return vfs::fail(create ? Errno::perm : Errno::noent);
    return answer(create ? core.create_name(verb.argument) : core.remove(verb.argument));
  }
  if (!verb.argument.empty()) return vfs::fail(Errno::inval);
  if (verb.word == "poweroff") return host_verb(core, holder, HostVerb::poweroff);
  if (verb.word == "reboot") return host_verb(core, holder, HostVerb::reboot);
  if (verb.word == "reload-supervisor") return host_verb(core, holder, HostVerb::reload_supervisor);
  return vfs::fail(Errno::inval);
}

Io<void> wapp_verb(Containers::Core& core, const WantedHolder& holder, const std::string& name,
                   std::string_view message) {
  const Verb verb = split(message);
  if (verb.word == "stop" && verb.argument.empty()) {
    if (holder.options.observe) return vfs::fail(Errno::perm);
    return answer(core.stop(name));
  }
  if (verb.word != "start") return vfs::fail(Errno::inval);
  if (holder.options.observe) return vfs::fail(Errno::perm);
  StartOptions options;
  options.image = verb.argument;
  const bool privileged = core.options().privileged;
  const auto beyond = [&](LaunchConfig& config, bool written) {
    if (!written) narrow(holder, config, privileged);
    return exceeds(holder, name, config, privileged);
  };
  return answer(core.start(name, options, beyond));
}

Io<void> write_config(Containers::Core& core, const WantedHolder& holder, const std::string& name,
                      std::string_view message) {
  if (name == kSupervisorName && core.options().supervised) return vfs::fail(Errno::rofs);
  if (holder.options.observe) return vfs::fail(Errno::perm);
  auto config = parse_launch_config(message, core.options().profile);
  if (!config) return vfs::fail(config.error().code);
  narrow(holder, *config, core.options().privileged);
  if (!exceeds(holder, name, *config, core.options().privileged).empty()) return vfs::fail(Errno::perm);
  return answer(core.configure(name, std::move(*config)));
}

}  // namespace fusebox::container
