#include <iostream>
#include <span>

#include "cli/command.h"

int main(int count, char** values) {
  const std::span<const char* const> arguments(values, static_cast<std::size_t>(count));
  return fusebox::cli::run_command(arguments, {std::cout, std::cerr});
}
