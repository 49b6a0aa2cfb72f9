// `fusebox run` for containers: one of them in the foreground, with an engine of its own, or handed to the background engine.
//
// Threads  one call at a time per process (SIGINT handling belongs to the process).
// Contract containers.md 18.4 for the exit status
#pragma once

#include <string>

#include "cli/container/launch_options.h"
#include "cli/sandbox_setup.h"
#include "cli/streams.h"
#include "container/control.h"

namespace fusebox::cli {

struct ContainerRun {
  std::string artifact;  // a file, an image layout folder, or the name of a stored image
  std::string name;      // "" = after the image
  bool detach = false;
  bool raw_terminal = false;
  bool json = false;
  bool verbose = false;
  LaunchOptions launch;
  SetupOptions setup;
};

// Whether `fusebox run` means a container: an image file, a layout folder, a WASI module, or a name that is no file.
bool is_container(const std::string& artifact);
int run_container(const ContainerRun& run, const Streams& streams);

// Exit code & 255; 126 failed before running; 134 trap; 137 limit or stopped.
int container_exit_status(const container::Status& status);
// One sentence for people, "" for a run that exited with 0.
std::string container_end_text(const container::Status& status);

}  // namespace fusebox::cli
