#include "edge/config/generate.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/bytes.h"
#include "edge/config/names.h"

namespace fusebox::edge::config {
namespace {

constexpr std::string_view kNotice = "Auto-generated from app_config.json by tools/gen_app_config.py — DO NOT EDIT";
constexpr std::size_t kSuffixColumns = 18;
constexpr std::size_t kRuleColumns = 60;
constexpr std::string_view kTrigraphEnds = "=/'()!<>-";

class Lines {
 public:
  void add(std::string_view line) { text_.append(line).append("\n"); }
  void blank() { add(""); }
  void comment(std::string_view text) { add("/* " + std::string(text) + " */"); }
  void define(std::string_view name_and_space, std::string_view value) {
    add("#define " + std::string(name_and_space) + std::string(value));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string unsigned_decimal(std::uint32_t value) {
  return std::to_string(value) + "U";
}

std::string c_literal(std::string_view text) {
  return "\"" + c_escaped(text) + "\"";
}

std::string octal(char byte) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "\\%03o", static_cast<unsigned>(static_cast<unsigned char>(byte)));
  return text.data();
}

bool is_control(char byte) noexcept {
  return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f;
}

// Cannot end the comment it stands in, nor its line.
std::string in_comment(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_control(c)) {
      out += octal(c);
      continue;
    }
    if (c == '/' && out.ends_with('*')) out += '\\';
    out += c;
  }
  return out;
}

// "A | B = 0x03".
std::string mask_comment(const std::vector<std::string>& names, std::uint32_t mask) {
  std::string out;
  for (const std::string& name : names) out.append(out.empty() ? "" : " | ").append(name);
  return out + " = " + hex(mask);
}

void render_head(Lines& out, const AppConfig& config, std::string_view source) {
  out.comment(kNotice);
  out.comment("Source: " + in_comment(source));
  out.add("#pragma once");
  out.blank();
  out.comment("Application-level constants");
  out.define("FUSE_APP_NAME            ", c_literal(config.name));
  out.define("FUSE_APP_MAX_MODULES      ", unsigned_decimal(config.max_modules));
  out.define("FUSE_APP_WAMR_POOL_BYTES  ", unsigned_decimal(config.wamr_pool_bytes));
  out.define("FUSE_APP_LOG_POOL_BYTES   ", unsigned_decimal(config.log_pool_bytes));
  out.blank();
  out.comment("HAL groups enabled on this platform");
  for (const std::string& group : config.hal_groups) out.define(group_named(group)->flag, "  1");
}

void render_events(Lines& out, const AppConfig& config) {
  if (config.events.empty()) return;
  out.blank();
  out.comment("---- Application-defined events ----");
  for (const EventName& event : config.events)
    out.define("FUSE_EVENT_" + event_macro(event.name) + "  ", std::to_string(event.bit) + "u");
}

void render_module(Lines& out, const ModuleConfig& module) {
  const fuse_policy_t& policy = module.policy.policy;
  const std::string prefix = "FUSE_POLICY_" + event_macro(module.name) + "_";
  const auto define = [&](std::string suffix, std::string_view value) {
    suffix.resize(std::max(suffix.size(), kSuffixColumns), ' ');
    out.define(prefix + suffix, value);
  };
  const std::size_t rule = kRuleColumns - std::min(kRuleColumns, module.name.size());
  out.blank();
  out.comment("---- Module: " + module.name + " " + std::string(rule, '-'));
  out.comment("policy capabilities bitmask: " + mask_comment(module.policy.capability_names, policy.capabilities));
  define("CAPABILITIES", unsigned_decimal(policy.capabilities));
  define("MEMORY_PAGES_MAX", unsigned_decimal(policy.memory_pages_max));
  define("STACK_SIZE", unsigned_decimal(policy.stack_size));
  define("HEAP_SIZE", unsigned_decimal(policy.heap_size));
  define("CPU_QUOTA_US", unsigned_decimal(policy.cpu_quota_us));
  define("STEP_INTERVAL_US", unsigned_decimal(policy.step_interval_us));
  out.comment("activation: " + mask_comment(module.policy.activation_names, policy.activation_mask));
  define("ACTIVATION_MASK", hex(policy.activation_mask) + "U");
  define("EVENT_SUBSCRIBE", hex(policy.event_subscribe, 8) + "U");
  define("BINARY", c_literal(module.binary));
}

std::string render_flags(const AppConfig& config) {
  Lines out;
  out.add("# " + std::string(kNotice));
  for (const std::string& group : config.hal_groups) out.add("set(" + std::string(group_named(group)->flag) + "  1)");
  return out.take();
}

}  // namespace

std::string c_escaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool trigraph = c == '?' && i > 0 && text[i - 1] == '?' && i + 1 < text.size() &&
                          kTrigraphEnds.find(text[i + 1]) != std::string_view::npos;
    if (c == '"' || c == '\\' || trigraph)
      out.append("\\").push_back(c);
    else
      out += is_control(c) ? octal(c) : std::string(1, c);
  }
  return out;
}

std::vector<OutputFile> render(const AppConfig& config, std::string_view source) {
  Lines header;
  render_head(header, config, source);
  render_events(header, config);
  for (const ModuleConfig& module : config.modules) render_module(header, module);
  std::vector<OutputFile> files = {{"fuse_app_config.h", header.take()},
                                   {"fuse_hal_flags.cmake", render_flags(config)}};
  for (const ModuleConfig& module : config.modules)
    files.push_back({module.name + "_policy.bin", std::string(base::as_text(policy_to_bin(module.policy.policy)))});
  return files;
}

}  // namespace fusebox::edge::config
