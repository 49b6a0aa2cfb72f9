// fusebox env exec, attach
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <ostream>

#include "base/bytes.h"
#include "base/files.h"
#include "cli/container/terminal.h"
#include "cli/fleet/duplex.h"
#include "cli/fleet/environment_request.h"
#include "cli/fleet/groups.h"
#include "cli/fleet/line_splitter.h"
#include "cli/fleet/output.h"
#include "cli/fleet/signal_watch.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;
using base::Errc;

constexpr std::size_t kWholeInputMax = 700u << 10;       // in base64 it must fit a body of 1 MiB
constexpr std::chrono::seconds kBufferedExecLimit{660};  // the longest a command may take, and the way there and back

struct ExecOptions {
  std::string id, timeout, cwd, user;
  std::vector<std::string> words, env;
  bool shell = false, input = false;
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

base::Result<std::string> exec_json(const ExecOptions& options, const std::string& input = {}) {
  OptionProblems problems;
  json::Writer out;
  out.begin_object();
  if (options.shell) {
    out.key("shell").string(base::to_utf8(joined(options.words)));
  } else {
    out.key("cmd").begin_array();
    for (const std::string& word : options.words) out.string(base::to_utf8(word));
    out.end_array();
  }
  if (!options.timeout.empty())
    out.key("timeout_ms").integer(problems.take(milliseconds_in("--timeout", options.timeout)));
  if (!options.env.empty()) {
    out.key("env").begin_object();
    for (const std::string& text : options.env) {
      const Pair pair = problems.take(key_value("--env", text));
      out.key(base::to_utf8(pair.first)).string(base::to_utf8(pair.second));
    }
    out.end_object();
  }
  if (!options.cwd.empty()) out.key("cwd").string(base::to_utf8(options.cwd));
  if (!options.user.empty()) out.key("user").string(base::to_utf8(options.user));
  if (!input.empty()) out.key("stdin_b64").string(base::to_base64(base::as_bytes(input)));
  out.end_object();
  if (!problems.empty()) return base::fail(problems.to_error());
  return out.take();
}

ApiRequest exec_request(const ExecOptions& options, std::string body) {
  ApiRequest request;
  request.method = "POST";
  request.path = api_path({"v1", "environments", options.id});
  request.query = {{"action", "exec"}};
  request.json = std::move(body);
  request.limit = kBufferedExecLimit;
  return request;
}

int status_of(Session& session, const json::Node& end) {
  const json::Node* timed_out = end.find("timed_out");
  if (timed_out != nullptr && timed_out->kind() == json::Kind::boolean && timed_out->boolean())
    session.note("the command was ended: its time was up (--timeout)");
  const json::Node* code = end.find("exit_code");
  return own_exit_status(code == nullptr ? -1 : code->as_i64().value_or(-1));
}

base::Result<int> show_buffered(Session& session, const std::string& body) {
  FB_TRY(const json::Document document,
         json::parse(body, {.file = "the server's answer", .bytes_max = kReplyBytesMax}));
  session.out() << text_member(*document.root, "stdout");
  session.out().flush();
  session.streams().err << text_member(*document.root, "stderr");
  if (document.root->find("truncated") != nullptr) session.note("the output was too much: its end is missing");
  return status_of(session, *document.root);
}

// One line of the stream; sets `status` at the last.
base::Result<void> show_stream_line(Session& session, std::string_view line, std::optional<int>& status) {
  if (line.empty()) return {};
  FB_TRY(const json::Document piece, json::parse(line, {.file = "output", .pointers = false}));
  if (piece.root->find("exit_code") != nullptr) status = status_of(session, *piece.root);
  const std::string stream = text_member(*piece.root, "stream");
  if (stream.empty()) return {};
  FB_TRY(const base::Bytes bytes, base::from_base64(text_member(*piece.root, "data_b64")));
  std::ostream& to = stream == "stderr" ? session.streams().err : session.out();
  to << base::as_text(bytes);
  to.flush();
  return {};
}

base::Result<int> exec_streamed(Session& session, ApiClient& api, ApiRequest request) {
  request.query.emplace_back("stream", "1");
  LineSplitter lines;
  std::optional<int> status;
  std::string whole;  // of a server that does not stream
  const auto ended =
      api.stream(std::move(request), [&](const ApiReply& head, std::string_view piece) -> base::Result<Flow> {
        if (head.header("content-type").starts_with("application/json")) {
          if (whole.size() + piece.size() > kReplyBytesMax)
            return base::fail(Errc::exhausted, "the answer is too large");
          whole += piece;
          return Flow::go_on;
        }
        FB_CHECK(lines.feed(piece, [&](std::string_view line) { return show_stream_line(session, line, status); }));
        return status ? Flow::enough : Flow::go_on;
      });
  if (!ended) return base::fail(ended.error());
  if (!whole.empty()) return show_buffered(session, whole);
  if (!status) return base::fail(Errc::unavailable, "the connection ended before the command did");
  return *status;
}

base::Result<int> exec_with_input(Session& session, const ExecOptions& options) {
  const BlockedSignals blocked(duplex_signals(false));
  ApiRequest request;
  request.path = api_path({"v1", "environments", options.id, "exec"});
  std::vector<std::string> words = options.words;
  if (options.shell) words = {"sh", "-lc", joined(options.words)};
  for (const std::string& word : words) request.query.emplace_back("cmd", word);
  if (!options.cwd.empty()) request.query.emplace_back("cwd", options.cwd);
  if (!options.timeout.empty()) {
    FB_TRY(const std::int64_t ms, milliseconds_in("--timeout", options.timeout));
    request.query.emplace_back("timeout_ms", std::to_string(ms));
  }
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(auto stream, api->upgrade(std::move(request), "fuse-exec/1"));
  return run_duplex(*api, std::move(stream), {.input_fd = STDIN_FILENO}, session.streams());
}

// The upgraded connection takes neither variables nor a user: with them the input goes along whole.
base::Result<int> exec_with_whole_input(Session& session, const ExecOptions& options) {
  FB_TRY(const std::string input,
         base::within("standard input, with --env or --user", base::read_fd(STDIN_FILENO, kWholeInputMax)));
  FB_TRY(std::string body, exec_json(options, input));
  FB_TRY(ApiClient* const api, session.api());
  return exec_streamed(session, *api, exec_request(options, std::move(body)));
}

base::Result<int> exec(Session& session, const ExecOptions& options) {
  if (options.words.empty()) return base::fail(Errc::invalid, "say what to run, after --");
  if (options.input && session.json()) return base::fail(Errc::invalid, "--stdin and --json exclude each other");
  if (options.input && !(options.env.empty() && options.user.empty())) return exec_with_whole_input(session, options);
  if (options.input) return exec_with_input(session, options);
  FB_TRY(std::string body, exec_json(options));
  FB_TRY(ApiClient* const api, session.api());
  ApiRequest request = exec_request(options, std::move(body));
  if (!session.json()) return exec_streamed(session, *api, std::move(request));
  FB_TRY(const ApiReply reply, api->call(std::move(request)));
  FB_TRY(const json::Document document, reply.document());
  session.out() << json::canonical(*document.root) << '\n';
  return status_of(session, *document.root);
}

base::Result<int> attach(Session& session, const ExecOptions& options) {
  if (session.format() != Format::table)
    return base::fail(Errc::invalid, "attach is a terminal and has no output for programs; exec --json has");
  const BlockedSignals blocked(duplex_signals(true));
  ApiRequest request;
  request.path = api_path({"v1", "environments", options.id, "attach"});
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) size = {24, 80, 0, 0};
  request.query = {{"tty", "1"}, {"rows", std::to_string(size.ws_row)}, {"cols", std::to_string(size.ws_col)}};
  for (const std::string& word : options.words) request.query.emplace_back("cmd", word);
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(auto stream, api->upgrade(std::move(request), "fuse-attach/1"));
  const RawTerminal raw(Keys::all);
  return run_duplex(*api, std::move(stream), {.input_fd = STDIN_FILENO, .terminal = true}, session.streams());
}

}  // namespace

void add_env_exec(const Verbs& verbs) {
  auto run = std::make_shared<ExecOptions>();
  CLI::App* exec_verb =
      verbs.add("exec", "run a command in an environment; the exit status is its own",
                "exec fuse-demo -- ls -l /workspace", [run](Session& session) { return exec(session, *run); });
  exec_verb->add_option("ID", run->id, "environment")->required();
  exec_verb->add_option("COMMAND", run->words, "program and arguments, after --");
  exec_verb->add_flag("--shell", run->shell, "COMMAND is a line for sh -lc");
  exec_verb->add_flag("--stdin,-i", run->input, "pass standard input on");
  exec_verb->add_option("--timeout", run->timeout, "the command is ended after: 90s, 5m (default 60s, at most 10m)");
  exec_verb->add_option("--env", run->env, "NAME=VALUE; may be repeated")->allow_extra_args(false);
  exec_verb->add_option("--cwd", run->cwd, "folder it starts in");
  exec_verb->add_option("--user", run->user, "user it runs as");

  auto joined = std::make_shared<ExecOptions>();
  CLI::App* attach_verb =
      verbs.add("attach", "a terminal in an environment; leave it with ~. on a line of its own", "attach fuse-demo",
                [joined](Session& session) { return attach(session, *joined); });
  attach_verb->add_option("ID", joined->id, "environment")->required();
  attach_verb->add_option("COMMAND", joined->words, "program and arguments, after -- (default: a login shell)");
}

}  // namespace fusebox::cli::fleet
