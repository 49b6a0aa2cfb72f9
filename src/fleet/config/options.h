// Every setting, once: its flag, its variable, its default, where it is kept. Internal to config.
#pragma once

#include <span>
#include <string_view>
#include <variant>

#include "fleet/config/config.h"

namespace fusebox::fleet {

struct Option {
  using Member = std::variant<std::string Config::*, std::int64_t Config::*, bool Config::*, Config::Span Config::*>;
  std::string_view name;  // of the flag and of the key in a file
  std::string_view env;   // "" = none; a name that ends in _SECONDS holds whole seconds
  std::string_view fallback;
  Member member;
  enum class Kind : std::uint8_t { plain, secret, secret_without_flag } kind = Kind::plain;
  std::string_view env_alias = {};
};
std::span<const Option> options() noexcept;

// Reads `text` as the option's type; `where` is what an error names.
base::Result<void> assign(Config& config, const Option& option, std::string_view text, bool seconds,
                          const std::string& where);
// What holds between settings (contract section 20); raises the script ceiling where it is below the default.
base::Result<void> check_config(Config& config);

}  // namespace fusebox::fleet
