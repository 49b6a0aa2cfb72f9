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

// Inside single quotes.
std::string fish_text(const std::string& text) {
  std::string out;
  for (const char c : text) out += (c == '\'' || c == '\\' ? "\\" : "") + std::string(1, c);
  return out;
}

// What may follow the words typed so far, as a case over the word at `depth`.
void print_bash_case(std::ostream& out, const CLI::App& verb, std::size_t depth) {
  const auto below = verbs_of(verb);
  const std::string indent(depth * 2 + 2, ' ');
  if (below.empty()) {
    out << "words=\"" << options_of(verb) << "\"";
    return;
  }
  out << "case ${typed[" << depth << "]} in\n";
  for (const CLI::App* inner : below) {
    out << indent << inner->get_name() << ") ";
    print_bash_case(out, *inner, depth + 1);
    out << ";;\n";
  }
  const std::string options = options_of(verb);
  out << indent << "*) words=\"" << names_of(below) << (depth == 0 || options.empty() ? "" : " " + options) << "\";;\n"
      << indent << "esac";
}

void print_bash(std::ostream& out, const CLI::App& app) {
  out << "# bash completion of fusebox; use: source <(fusebox completion bash)\n"
         "_fusebox() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} words\n"
         "  local -a typed=(\"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n  ";
  print_bash_case(out, app, 0);
  out << "\n  if [ \"$COMP_CWORD\" -eq 1 ]; then COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "  else COMPREPLY=($(compgen -f -W \"$words\" -- \"$word\")); fi\n"
         "}\ncomplete -o filenames -F _fusebox fusebox\n";
}

void print_zsh(std::ostream& out, const CLI::App& app) {
  out << "#compdef fusebox\n# zsh completion of fusebox; use: source <(fusebox completion zsh)\n"
         "autoload -U +X bashcompinit && bashcompinit\n";
  print_bash(out, app);
}

// A verb below others is offered once those were typed, its options once it was.
void print_fish_verb(std::ostream& out, const CLI::App& verb, const std::string& seen) {
  const std::string when = seen.empty() ? "__fish_use_subcommand" : "'" + seen + "'";
  out << "complete -c fusebox -n " << when << " -a " << verb.get_name() << " -d '" << fish_text(verb.get_description())
      << "'\n";
  const std::string here = (seen.empty() ? "" : seen + "; and ") + "__fish_seen_subcommand_from " + verb.get_name();
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& name : option->get_lnames())
      out << "complete -c fusebox -n '" << here << "' -l " << name << '\n';
  }
  for (const CLI::App* inner : verbs_of(verb)) print_fish_verb(out, *inner, here);
}

void print_fish(std::ostream& out, const CLI::App& app) {
  out << "# fish completion of fusebox; use: fusebox completion fish | source\n";
  for (const CLI::App* verb : verbs_of(app)) print_fish_verb(out, *verb, "");
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

void print_man_below(std::ostream& out, const CLI::App& verb, const std::string& path) {
  for (const CLI::App* inner : verbs_of(verb)) {
    const std::string name = path + " " + inner->get_name();
    out << ".TP\n.B " << roff(name) << '\n' << roff(inner->get_description()) << '\n';
    print_man_options(out, *inner);
    print_man_below(out, *inner, name);
  }
}

void print_man(std::ostream& out, const CLI::App& app) {
  out << ".TH FUSEBOX 1 \"\" \"fusebox " << version() << "\"\n.SH NAME\nfusebox \\- " << roff(app.get_description())
      << "\n.SH SYNOPSIS\n.B fusebox\n.I VERB\n[options]\n.SH VERBS\n";
  for (const CLI::App* verb : verbs_of(app)) {
    out << ".SS fusebox " << verb->get_name() << '\n' << roff(verb->get_description()) << '\n';
    print_man_options(out, *verb);
    print_man_below(out, *verb, "fusebox " + verb->get_name());
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
