// fusebox hosts
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <map>
#include <ostream>

#include "base/files.h"
#include "cli/container/table.h"
#include "cli/fleet/environment_request.h"
#include "cli/fleet/groups.h"
#include "cli/fleet/output.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;
using base::Errc;

constexpr std::size_t kSecretFileBytesMax = 64u << 10;
constexpr std::size_t kCertificateBytesMax = 1u << 20;

struct AddOptions {
  std::string id, url, agent_token, agent_token_file, region, backend, arch;
  std::string cpus, ram, storage, max_vms, gpus, gpu_kind;
  std::vector<std::string> mig_profiles, labels;
  std::string agent_ca, fingerprint, client_cert, client_key;
};
struct DrainOptions {
  std::string id, timeout;
  bool evict = false;
};
struct ExplainOptions {
  std::string spec_text;
  SpecOptions spec;
};

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

class HostBody {
 public:
  explicit HostBody(const AddOptions& options) : options_(options) { out_.begin_object(); }
  base::Result<std::string> take() {
    text("id", options_.id);
    text("url", options_.url);
    text("token", options_.agent_token_file.empty()
                      ? options_.agent_token
                      : trimmed(file("--agent-token-file", options_.agent_token_file, kSecretFileBytesMax)));
    text("region", options_.region);
    text("backend", options_.backend);
    map("labels", "--label", options_.labels, false);
    capacity();
    tls();
    out_.end_object();
    if (!problems_.empty()) return base::fail(problems_.to_error());
    return out_.take();
  }

 private:
  void text(const char* key, const std::string& value) {
    if (!value.empty()) out_.key(key).string(base::to_utf8(value));
  }
  std::string file(const char* option, const std::string& path, std::size_t bytes_max) {
    return path.empty() ? std::string() : problems_.take(base::within(option, base::read_file(path, bytes_max)));
  }
  void number(const char* key, const char* option, const std::string& value) {
    if (!value.empty()) out_.key(key).integer(problems_.take(whole_number(option, value, 0, 1'000'000'000)));
  }
  void size(const char* key, const char* option, const std::string& value, std::uint64_t unit) {
    if (!value.empty()) out_.key(key).integer(problems_.take(size_in(option, value, unit)));
  }
  void map(const char* key, const char* option, const std::vector<std::string>& items, bool numbers) {
    if (items.empty()) return;
    std::map<std::string, std::string> sorted;
    for (const std::string& item : items) {
      const Pair pair = problems_.take(key_value(option, item));
      sorted.insert_or_assign(base::to_utf8(pair.first), base::to_utf8(pair.second));
    }
    out_.key(key).begin_object();
    for (const auto& [name, value] : sorted) {
      out_.key(name);
      if (numbers)
        out_.integer(problems_.take(whole_number(option, value, 1, 1'000'000)));
      else
        out_.string(value);
    }
    out_.end_object();
  }
  void capacity() {
    out_.key("capacity").begin_object();
    number("cpus", "--cpus", options_.cpus);
    size("ram_mb", "--ram", options_.ram, 1u << 20);
    size("storage_gb", "--storage", options_.storage, 1u << 30);
    number("vm_count", "--max-vms", options_.max_vms);
    text("arch", options_.arch);
    number("gpus", "--gpus", options_.gpus);
    text("gpu_kind", options_.gpu_kind);
    map("mig_profiles", "--mig-profile", options_.mig_profiles, true);
    out_.end_object();
  }
  void tls() {
    if ((options_.agent_ca + options_.fingerprint + options_.client_cert + options_.client_key).empty()) return;
    out_.key("tls").begin_object();
    text("ca_pem", file("--agent-ca", options_.agent_ca, kCertificateBytesMax));
    text("fingerprint_sha256", options_.fingerprint);
    text("client_cert_pem", file("--client-cert", options_.client_cert, kCertificateBytesMax));
    text("client_key_pem", file("--client-key", options_.client_key, kCertificateBytesMax));
    out_.end_object();
  }

  const AddOptions& options_;
  json::Writer out_;
  OptionProblems problems_;
};

base::Result<int> add_host(Session& session, const AddOptions& options) {
  ApiRequest request;
  request.method = "POST";
  request.path = "/v1/hosts";
  FB_TRY(request.json, HostBody(options).take());
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(const ApiReply reply, api->call(std::move(request)));
  FB_TRY(const json::Document host, reply.document());
  if (const json::Node* warnings = host.root->find("warnings"); warnings != nullptr)
    for (const json::Node& warning : warnings->elements()) session.note("warning: " + scalar_text(warning));
  return show_id(session, kHosts, reply);
}

base::Result<int> list(Session& session, const ListOptions& page) {
  ApiRequest request;
  request.path = "/v1/hosts";
  return show_list(session, kHosts, std::move(request), page);
}

base::Result<int> get(Session& session, const std::string& id) {
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(const ApiReply reply, api->call({.path = api_path({"v1", "hosts", id})}));
  return show_object(session, kHosts, reply);
}

base::Result<int> act(Session& session, const std::vector<std::string>& ids, const char* action, const char* sentence) {
  FB_TRY(ApiClient* const api, session.api());
  return for_each(session, kHosts, ids, [&](const std::string& id) -> base::Result<void> {
    FB_CHECK(api->call({.method = "POST", .path = api_path({"v1", "hosts", id}), .query = {{"action", action}}}));
    FB_CHECK(show_done(session, id, sentence));
    return {};
  });
}

base::Result<int> drain(Session& session, const DrainOptions& options) {
  json::Writer out;
  out.begin_object().key("evict").boolean(options.evict);
  if (!options.timeout.empty()) {
    FB_TRY(const std::int64_t seconds, seconds_in("--timeout", options.timeout));
    out.key("timeout_seconds").integer(seconds);
  }
  ApiRequest request{.method = "POST", .path = api_path({"v1", "hosts", options.id}), .query = {{"action", "drain"}}};
  request.json = out.end_object().take();
  FB_TRY(ApiClient* const api, session.api());
  FB_CHECK(api->call(std::move(request)));
  return show_done(session, options.id, options.evict ? "is draining; its environments will go" : "is draining");
}

base::Result<int> remove(Session& session, const std::vector<std::string>& ids) {
  FB_TRY(ApiClient* const api, session.api());
  return for_each(session, kHosts, ids, [&](const std::string& id) -> base::Result<void> {
    FB_CHECK(api->call({.method = "DELETE", .path = api_path({"v1", "hosts", id})}));
    FB_CHECK(show_done(session, id, "removed"));
    return {};
  });
}

// A file, "-", or the JSON itself; as {"spec":{...}} too, so that what was sent to create can be asked about.
base::Result<std::string> given_spec(const std::string& given) {
  std::string text = given;
  std::string file = "SPEC";
  if (given == "-") {
    FB_TRY(text, base::read_fd(STDIN_FILENO, kTextFileBytesMax));
  } else if (!given.starts_with('{')) {
    file = given;
    FB_TRY(text, base::read_file(given, kTextFileBytesMax));
  }
  FB_TRY(const json::Document document, json::parse(text, {.file = file}));
  if (!document.root->is_object()) return base::fail(Errc::invalid, file + ": a spec is an object");
  const json::Node* spec = document.root->find("spec");
  return json::canonical(spec != nullptr && spec->is_object() ? *spec : *document.root);
}

void print_explained(Session& session, const json::Node& answer) {
  Table table({"HOST", "FITS", "SCORE", "REASON"});
  if (const json::Node* hosts = answer.find("hosts"); hosts != nullptr) {
    for (const json::Node& host : hosts->elements()) {
      const json::Node* fits = host.find("fits");
      const bool yes = fits != nullptr && fits->kind() == json::Kind::boolean && fits->boolean();
      const std::string score = text_at(host, "score");
      table.add({cell(host, {"", "host_id"}, {}), yes ? "yes" : "no", score.empty() ? "-" : score,
                 cell(host, {"", "reason"}, {})});
    }
  }
  table.print(session.out());
  const json::Node* decision = answer.find("decision");
  if (decision == nullptr || !decision->is_object()) return;
  for (std::size_t i = 0; i < decision->keys().size(); ++i)
    session.out() << printable(decision->keys()[i]) << ": " << printable(scalar_text(decision->elements()[i])) << '\n';
}

// Status 6 when there are hosts and none fits, as create would leave.
base::Result<int> explain(Session& session, const ExplainOptions& options) {
  std::string spec;
  if (options.spec_text.empty()) {
    FB_TRY(spec, spec_json(options.spec));
  } else {
    FB_TRY(spec, given_spec(options.spec_text));
  }
  ApiRequest request{.method = "POST", .path = "/v1/hosts", .query = {{"action", "explain"}}};
  request.json = R"({"spec":)" + spec + "}";
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(const ApiReply reply, api->call(std::move(request)));
  FB_TRY(const json::Document answer, reply.document());
  std::vector<const json::Node*> fitting;
  if (const json::Node* hosts = answer.root->find("hosts"); hosts != nullptr)
    for (const json::Node& host : hosts->elements())
      if (text_at(host, "fits") == "true") fitting.push_back(&host);
  if (session.json()) {
    session.out() << json::canonical(*answer.root) << '\n';
  } else if (session.format() == Format::name) {
    for (const json::Node* host : fitting) session.out() << printable(text_member(*host, "host_id")) << '\n';
  } else {
    print_explained(session, *answer.root);
  }
  const json::Node* hosts = answer.root->find("hosts");
  const bool refused = fitting.empty() && hosts != nullptr && !hosts->elements().empty();
  return refused ? kUnavailable : kDone;
}

void add_registration(const Verbs& verbs) {
  auto options = std::make_shared<AddOptions>();
  CLI::App* verb = verbs.add("add", "register a host, or change one",
                             "add host-a --url https://10.0.0.5:9090 --agent-token-file agent.token --max-vms 50",
                             [options](Session& session) { return add_host(session, *options); });
  verb->add_option("ID", options->id, "its name")->required();
  verb->add_option("--url", options->url, "where its agent listens")->required();
  verb->add_option("--agent-token", options->agent_token, "the agent's token")->envname("FC_AGENT_TOKEN");
  verb->add_option("--agent-token-file", options->agent_token_file, "a file that holds it");
  verb->add_option("--region", options->region, "where it stands");
  verb->add_option("--backend", options->backend, "firecracker (default), qemu or wasm");
  verb->add_option("--arch", options->arch, "amd64 or arm64 (default: what the agent says)");
  verb->add_option("--cpus", options->cpus, "processors to give away (default: what the agent says, as below)");
  verb->add_option("--ram", options->ram, "memory: 64GiB; a number alone is MiB");
  verb->add_option("--storage", options->storage, "disk: 1000GiB; a number alone is GiB");
  verb->add_option("--max-vms", options->max_vms, "environments at most")->required();
  verb->add_option("--gpus", options->gpus, "graphics processors");
  verb->add_option("--gpu-kind", options->gpu_kind, "their model");
  verb->add_option("--mig-profile", options->mig_profiles, "PROFILE=COUNT; may be repeated")->allow_extra_args(false);
  verb->add_option("--label", options->labels, "KEY=VALUE; may be repeated")->allow_extra_args(false);
  verb->add_option("--agent-ca", options->agent_ca, "PEM file: authorities of the agent's certificate");
  verb->add_option("--fingerprint", options->fingerprint, "SHA-256 of the agent's certificate: exactly this one");
  verb->add_option("--client-cert", options->client_cert, "PEM file to show the agent");
  verb->add_option("--client-key", options->client_key, "and its key");
}

void add_reading(const Verbs& verbs) {
  auto page = std::make_shared<ListOptions>();
  CLI::App* ls = verbs.add("ls", "list hosts", "ls --all", [page](Session& session) { return list(session, *page); });
  add_list_options(*ls, *page);

  auto id = std::make_shared<std::string>();
  CLI::App* got = verbs.add("get", "show one host", "get host-a", [id](Session& session) { return get(session, *id); });
  got->add_option("ID", *id, "host")->required();

  auto asked = std::make_shared<ExplainOptions>();
  CLI::App* explained = verbs.add("explain", "why each host would or would not take an environment",
                                  R"(explain --cpus 4 --ram 8GiB --label zone=a)",
                                  [asked](Session& session) { return explain(session, *asked); });
  explained->add_option("SPEC", asked->spec_text, "JSON, a file of it, or -; instead of the options");
  add_spec_options(*explained, asked->spec);
}

void add_states(const Verbs& verbs) {
  struct Verb {
    const char *name, *what, *sentence;
  };
  for (const Verb& one : {Verb{"cordon", "give hosts no new environments", "is cordoned"},
                          Verb{"uncordon", "give hosts new environments again", "is active"}}) {
    auto ids = std::make_shared<std::vector<std::string>>();
    CLI::App* verb = verbs.add(one.name, one.what, std::string(one.name) + " host-a",
                               [ids, one](Session& session) { return act(session, *ids, one.name, one.sentence); });
    verb->add_option("ID", *ids, "hosts")->required();
  }
  auto drained = std::make_shared<DrainOptions>();
  CLI::App* drain_verb = verbs.add("drain", "empty a host", "drain host-a --evict --timeout 10m",
                                   [drained](Session& session) { return drain(session, *drained); });
  drain_verb->add_option("ID", drained->id, "host")->required();
  drain_verb->add_flag("--evict", drained->evict, "drain its environments, and remove them when the time is up");
  drain_verb->add_option("--timeout", drained->timeout, "10m by default");

  auto removed = std::make_shared<std::vector<std::string>>();
  CLI::App* rm = verbs.add("rm", "forget hosts; they must be empty", "rm host-a",
                           [removed](Session& session) { return remove(session, *removed); });
  rm->add_option("ID", *removed, "hosts")->required();
}

}  // namespace

void add_hosts(CLI::App& app, VerbContext& context) {
  const Verbs verbs = add_group(app, context, "hosts", "hosts of a control plane: register, watch, empty", "ls");
  add_registration(verbs);
  add_reading(verbs);
  add_states(verbs);
}

}  // namespace fusebox::cli::fleet
