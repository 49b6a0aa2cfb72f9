// What a guest is given before it is said to run, and again after it lost its memory: tmpfs, files, script, agent.
//
// Internal to src/fleet/engine. Every step may be repeated but the script.
// Contract control-plane.md 9.2, 9.4 steps 6-9, 9.5
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fleet/engine/boot_material.h"
#include "fleet/engine/core.h"
#include "fleet/secrets/redactor.h"

namespace fusebox::fleet {

// Who stands behind a backend: the stub has nobody to arm, wasm has files and no agent, a VM has all.
struct GuestKind {
  bool profile_files = false;
  bool agent = false;
  bool scripts = false;  // startup_script can run
};
GuestKind guest_kind(std::string_view backend) noexcept;

struct GuestSetup {
  Core& core;
  const EnvironmentRow& row;
  const OperationRow* op;
  const BootMaterial& material;
  Place place;
  std::int32_t exit_code = -1;  // of the script or step that ran last; -1: it is not known how it ended

  base::Task<base::Result<void>> mount_tmpfs();
  base::Task<base::Result<void>> upload(bool caller_files);
  base::Task<base::Result<void>> run_script();  // or the steps, one event each
  base::Task<base::Result<std::vector<host::Endpoint>>> start_agent(bool expose);

 private:
  base::Task<base::Result<void>> upload_one(GuestFile file);
  base::Task<base::Result<host::ExecResult>> sh(std::vector<std::string> argv, base::Nanos limit);
  base::Task<base::Result<void>> run_text(std::string text, base::Nanos limit, std::string what);
  base::Task<base::Result<void>> run_steps();
  // `result`: its output without secrets.
  base::Result<void> script_failed(const host::ExecResult& result, base::Nanos limit) const;
};

Redactor redactor_of(const BootMaterial& material);
// A text that may hold secrets of this environment, without them (1.5).
std::string redacted(const BootMaterial& material, std::string_view text);

}  // namespace fusebox::fleet
