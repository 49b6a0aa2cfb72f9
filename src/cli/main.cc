#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/container/engine_run.h"
#include "cli/fleet/servers.h"

int main(int count, char** values) {
  if (count > 0 && std::filesystem::path(values[0]).filename() == "wanted-cli")
    return fusebox::cli::run_wanted_cli(count, values);
  if (count > 0 && std::filesystem::path(values[0]).filename() == "orchestrator")
    return fusebox::cli::serve(std::vector<std::string>(values + 1, values + count));
  const std::span<const char* const> arguments(values, static_cast<std::size_t>(count));
  return fusebox::cli::run_command(arguments, {std::cout, std::cerr});
}
