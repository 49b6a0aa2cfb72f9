#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/verb_edge.h"
#include "edge/config/import_text.h"

namespace fusebox::cli {

void add_edge_imports(CLI::App& edge, VerbContext& context) {
  struct Options {
    bool header = false;
    bool markdown = false;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* verb = edge.add_subcommand("imports", "what a module may import, by HAL group");
  verb->footer("Example: fusebox edge imports --header > fuse_guest.h");
  auto* header = verb->add_flag("--header", options->header, "as the C header of guests");
  auto* markdown = verb->add_flag("--markdown", options->markdown, "as a table for documents");
  auto* json = verb->add_flag("--json", options->json, "as one JSON object");
  header->excludes(markdown)->excludes(json);
  markdown->excludes(json);
  verb->callback([options, &context] {
    namespace config = edge::config;
    context.streams.out << (options->header     ? config::imports_header()
                            : options->markdown ? config::imports_markdown()
                            : options->json     ? config::imports_json() + '\n'
                                                : config::imports_text());
  });
}

}  // namespace fusebox::cli
