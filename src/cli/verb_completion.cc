#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "cli/verb.h"
#include "cli/version.h"

namespace fusebox::cli {
namespace {

// "--json --policy ..." of one verb, long names only.
std::string options_of(const CLI::App& verb) {
  std::string text;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& name : option->get_lnames()) text += (text.empty() ? "--" : " --") + name;
  }
  return text;
}

std::string names_of(const std::vector<const CLI::App*>& verbs) {
  std::string text;
  for (const CLI::App* verb : verbs) text += (text.empty() ? "" : " ") + verb->get_name();
  return text;
}

std::vector<const CLI::App*> verbs_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

void print_bash(std::ostream& out, const CLI::App& app) {
  out << "# bash completion of fusebox; use: source <(fusebox completion bash)\n"
         "_fusebox() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]}\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then COMPREPLY=($(compgen -W \""
      << names_of(verbs_of(app)) << "\" -- \"$word\")); return; fi\n  case ${COMP_WORDS[1]} in\n";
  for (const CLI::App* verb : verbs_of(app)) {
    const std::string below = names_of(verbs_of(*verb));
    std::string words = options_of(*verb);
    for (const CLI::App* inner : verbs_of(*verb)) words += " " + options_of(*inner);
    out << "    " << verb->get_name() << ") COMPREPLY=($(compgen -f -W \"" << words << (below.empty() ? "" : " ")
        << below << "\" -- \"$word\"));;\n";
  }
  out << "  esac\n}\ncomplete -o filenames -F _fusebox fusebox\n";
}

void print_zsh(std::ostream& out, const CLI::App& app) {
  out << "#compdef fusebox\n# zsh completion of fusebox; use: source <(fusebox completion zsh)\n"
         "autoload -U +X bashcompinit && bashcompinit\n";
  print_bash(out, app);
}

void print_fish(std::ostream& out, const CLI::App& app) {
  out << "# fish completion of fusebox; use: fusebox completion fish | source\n";
  for (const CLI::App* verb : verbs_of(app)) {
    out << "complete -c fusebox -n __fish_use_subcommand -a " << verb->get_name() << " -d '" << verb->get_description()
        << "'\n";
    for (const CLI::Option* option : verb->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        out << "complete -c fusebox -n '__fish_seen_subcommand_from " << verb->get_name() << "' -l " << name << '\n';
      }
    }
    for (const CLI::App* inner : verbs_of(*verb)) {
      out << "complete -c fusebox -n '__fish_seen_subcommand_from " << verb->get_name() << "' -a " << inner->get_name()
          << '\n';
    }
  }
}

// roff wants a backslash, a leading dot and a leading quote guarded.
std::string roff(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool line_start = i == 0 || text[i - 1] == '\n';
    if (line_start && (text[i] == '.' || text[i] == '\'')) out += "\\&";
    if (text[i] == '\\') {
      out += "\\e";
    } else if (text[i] == '-') {
      out += "\\-";
    } else {
      out += text[i];
    }
  }
  return out;
}

void print_man_options(std::ostream& out, const CLI::App& verb) {
  for (const CLI::Option* option : verb.get_options()) {
    out << ".TP\n.B " << roff(option->get_name(false, true)) << '\n' << roff(option->get_description()) << '\n';
  }
}

void print_man(std::ostream& out, const CLI::App& app) {
  out << ".TH FUSEBOX 1 \"\" \"fusebox " << version() << "\"\n.SH NAME\nfusebox \\- " << roff(app.get_description())
      << "\n.SH SYNOPSIS\n.B fusebox\n.I VERB\n[options]\n.SH VERBS\n";
  for (const CLI::App* verb : verbs_of(app)) {
    out << ".SS fusebox " << verb->get_name() << '\n' << roff(verb->get_description()) << '\n';
    print_man_options(out, *verb);
    for (const CLI::App* inner : verbs_of(*verb)) {
      out << ".TP\n.B fusebox " << verb->get_name() << ' ' << inner->get_name() << '\n'
          << roff(inner->get_description()) << '\n';
      print_man_options(out, *inner);
    }
    out << ".PP\n.nf\n" << roff(verb->get_footer()) << "\n.fi\n";
  }
  out << ".SH EXIT STATUS\n.nf\n" << roff(app.get_footer()) << "\n.fi\n";
}

}  // namespace

void add_completion(CLI::App& app, VerbContext& context) {
  auto shell = std::make_shared<std::string>();
  CLI::App* verb = app.add_subcommand("completion", "print the completion script of a shell");
  verb->footer("Example: source <(fusebox completion bash)");
  verb->add_option("SHELL", *shell, "bash, zsh or fish; man prints the manual page")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish", "man"}));
  verb->callback([shell, &app, &context] {
    if (*shell == "bash") print_bash(context.streams.out, app);
    if (*shell == "zsh") print_zsh(context.streams.out, app);
    if (*shell == "fish") print_fish(context.streams.out, app);
    if (*shell == "man") print_man(context.streams.out, app);
  });
}

}  // namespace fusebox::cli
