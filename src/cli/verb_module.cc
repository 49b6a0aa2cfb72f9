#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/units.h"
#include "capability/module_store.h"
#include "cli/artifact.h"
#include "cli/sandbox_setup.h"
#include "cli/verb.h"
#include "engine/engine.h"
#include "policy/load.h"
#include "policy/signature.h"

namespace fusebox::cli {
namespace {

using capability::ModuleStore;

constexpr std::size_t kSeedFileBytes = 32;
constexpr int kHashDigitsShown = 12;

struct ModuleOptions {
  std::string store;
  std::string policy_file;
  std::string reference;
  std::string file;
  std::string tag;
  std::string key;
  bool json = false;
};

base::Result<void> validate(base::ByteView wasm) {
  FB_TRY(const std::shared_ptr<engine::Engine> engine, engine_without_pool());
  return engine->validate(wasm);
}

base::Result<void> compile(base::ByteView wasm) {
  FB_TRY(const std::shared_ptr<engine::Engine> engine, engine_without_pool());
  FB_CHECK(engine::Code::compile(engine, wasm));
  return {};
}

// The store with the integrity rules of the policy, if one was given.
base::Result<ModuleStore> open_store(const ModuleOptions& options, const base::Clock& clock) {
  capability::StoreOptions store;
  store.root = options.store.empty() ? store_path() : std::filesystem::path(options.store);
  if (!options.policy_file.empty()) {
    FB_TRY(const policy::Policy policy, policy::load(options.policy_file));
    store.integrity = policy.integrity;
    store.module_bytes_max = policy.limits.module_bytes;
  }
  store.validate = validate;
  store.compile = compile;
  return ModuleStore(std::move(store), clock);
}

base::Result<std::pair<std::string, std::string>> split_tag(const std::string& tag) {
  const std::size_t at = tag.find('@');
  if (at == 0 || at == std::string::npos || at + 1 == tag.size()) {
    return base::fail(base::Errc::invalid, "--tag " + tag + ": write it as ID@MAJOR.MINOR.PATCH");
  }
  return std::pair(tag.substr(0, at), tag.substr(at + 1));
}

base::Result<std::string> add(const ModuleOptions& options, ModuleStore& store) {
  FB_TRY(const Artifact artifact, read_artifact_file(options.file));
  if (artifact.compiled)
    return base::fail(base::Errc::invalid, options.file + " is compiled code; the store keeps modules");
  FB_TRY(const base::Sha256 hash,
         base::within(options.file, store.put(artifact.wasm, artifact.sides.signature, artifact.sides.manifest)));
  if (!options.tag.empty()) {
    FB_TRY(const auto tag, split_tag(options.tag));
    FB_CHECK(store.tag(tag.first, tag.second, hash));
    return hash.hex() + "  " + options.tag + '\n';
  }
  return hash.hex() + '\n';
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string listing_json(const std::vector<capability::ListedModule>& modules) {
  base::json::Writer out;
  out.begin_array();
  for (const auto& module : modules) {
    out.begin_object();
    out.key("hash").string(module.hash.hex()).key("size_bytes").unsigned_integer(module.size_bytes);
    out.key("tags").begin_array();
    for (const std::string& tag : module.tags) out.string(tag);
    out.end_array().key("signed_by").string(module.signed_by).key("first_stored").string(module.first_stored);
    out.key("in_use").boolean(module.in_use).end_object();
  }
  out.end_array();
  return out.take() + '\n';
}

base::Result<std::string> list(const ModuleOptions& options, ModuleStore& store) {
  FB_TRY(const auto modules, store.list());
  if (options.json) return listing_json(modules);
  std::string text;
  for (const auto& module : modules) {
    text += module.hash.hex().substr(0, kHashDigitsShown) + "  " + base::format_count(module.size_bytes) + " bytes  " +
            (module.signed_by.empty() ? "unsigned" : "signed by " + module.signed_by) + "  " + joined(module.tags) +
            '\n';
  }
  return text.empty() ? "no modules; add one: fusebox module add FILE\n" : text;
}

base::Result<std::string> inspect(const ModuleOptions& options, ModuleStore& store) {
  FB_TRY(const capability::StoredModule module, store.load(options.reference));
  base::json::Writer out;
  out.begin_object();
  out.key("hash").string(module.hash.hex());
  out.key("size_bytes").unsigned_integer(module.wasm.size());
  out.key("signed_by").string(module.signed_by);
  out.key("manifest");
  if (module.manifest) {
    const capability::Manifest& manifest = *module.manifest;
    out.begin_object().key("id").string(manifest.id).key("version").string(manifest.version.text());
    out.key("abi").string(manifest.abi).key("description").string(manifest.description);
    out.key("entry").string(manifest.entry).key("permissions").begin_array();
    for (const std::string& permission : manifest.permissions) out.string(permission);
    out.end_array().end_object();
  } else {
    out.null();
  }
  out.end_object();
  return out.take() + '\n';
}

base::Result<std::string> remove(const ModuleOptions& options, ModuleStore& store) {
  FB_CHECK(store.remove(options.reference));
  return "removed " + options.reference + '\n';
}

base::Result<std::string> verify(const ModuleOptions&, ModuleStore& store) {
  FB_TRY(const capability::StoreReport checked, store.verify());
  if (checked.problems.empty()) return "verified: " + base::format_count(checked.objects) + " modules\n";
  std::string text;
  for (const auto& problem : checked.problems) text += problem.object + ": " + problem.message + '\n';
  return base::fail(base::Errc::corrupt, text, "INTEGRITY");
}

base::Result<std::string> upgrade(const ModuleOptions& options, ModuleStore& store) {
  FB_TRY(const base::Sha256 hash, store.resolve(options.file));
  FB_CHECK(store.upgrade(options.reference, hash));
  return options.reference + " is now " + hash.hex() + '\n';
}

base::Result<std::string> rollback(const ModuleOptions& options, ModuleStore& store) {
  FB_TRY(const base::Sha256 hash, store.rollback(options.reference));
  return options.reference + " is again " + hash.hex() + '\n';
}

base::Result<base::Ed25519Key> read_key(const std::string& path) {
  FB_TRY(const std::string seed, base::within("--key", base::read_file(path, kSeedFileBytes)));
  return base::within("--key " + path, base::Ed25519Key::from_seed(base::as_bytes(seed)));
}

base::Result<std::string> sign(const ModuleOptions& options) {
  FB_TRY(const Artifact artifact, read_artifact_file(options.file));
  FB_TRY(const base::Ed25519Key key, read_key(options.key));
  policy::ModuleHashes hashes{base::sha256(artifact.wasm), {}};
  if (!artifact.sides.manifest.empty()) hashes.manifest = base::sha256(base::as_bytes(artifact.sides.manifest));
  FB_TRY(const policy::SignatureEnvelope envelope, policy::sign_module(key, hashes));
  const std::string output = std::filesystem::path(options.file).replace_extension().string() + ".sig.json";
  FB_CHECK(base::write_file_atomic(output, base::as_bytes(envelope.json() + "\n"), 0644));
  return output + ": signed by " + envelope.key_id + '\n';
}

base::Result<std::string> make_key(const ModuleOptions& options) {
  if (std::filesystem::exists(options.file)) {
    return base::fail(base::Errc::exists, options.file + " exists; a key is never overwritten");
  }
  base::SystemRandom random;
  FB_TRY(const base::Ed25519Key key, base::Ed25519Key::generate(random));
  FB_CHECK(base::write_file_atomic(options.file, key.seed(), 0600));
  const base::Ed25519PublicKey open = key.public_key();
  return "{\"id\":\"" + open.id() + "\",\"public_key\":\"" + base::to_base64(open.bytes) + "\"}\n";
}

int finish(const Streams& streams, const base::Result<std::string>& said) {
  if (!said) {
    report(streams, said.error());
    return said.error().code == base::Errc::corrupt ? kExitDifference : kExitRefused;
  }
  streams.out << *said;
  return kExitOk;
}

using StoreAction = base::Result<std::string> (*)(const ModuleOptions&, ModuleStore&);

base::Result<std::string> in_store(const ModuleOptions& options, StoreAction action) {
  const base::RealClock clock;
  FB_TRY(ModuleStore store, open_store(options, clock));
  return action(options, store);
}

struct Verbs {
  CLI::App* parent;
  std::shared_ptr<ModuleOptions> options;
  VerbContext& context;

  CLI::App* add(const char* name, const char* what, const char* example, StoreAction action) const {
    CLI::App* verb = parent->add_subcommand(name, what);
    verb->footer(std::string("Example: fusebox module ") + example);
    verb->add_option("--store", options->store, "folder of the store (default: in the user's data folder)");
    verb->add_option("--policy", options->policy_file, "verify under the integrity rules of this policy");
    verb->callback([options = options, action, &context = context] {
      context.status = finish(context.streams, in_store(*options, action));
    });
    return verb;
  }
};

void add_store_verbs(const Verbs& verbs) {
  ModuleOptions& options = *verbs.options;
  CLI::App* added = verbs.add("add", "store a module with its NAME.sig.json and NAME.manifest.json",
                              "add transform.wasm --tag transform@1.0.0", add);
  added->add_option("FILE", options.file, ".wasm or .wat")->required();
  added->add_option("--tag", options.tag, "ID@VERSION by which it can be found");
  CLI::App* listed = verbs.add("ls", "list stored modules", "ls", list);
  listed->add_flag("--json", options.json, "print one JSON array");
  const auto with_reference = [&options](CLI::App* verb) {
    verb->add_option("REF", options.reference, "hash, ID or ID@VERSION")->required();
  };
  with_reference(verbs.add("inspect", "show a stored module: hash, signature, manifest", "inspect transform", inspect));
  with_reference(verbs.add("rm", "remove a tag, and the module with its last one", "rm transform@1.0.0", remove));
  verbs.add("verify", "re-hash everything; changes nothing", "verify    (exit status 1 when something does not match)",
            verify);
  CLI::App* upgraded =
      verbs.add("upgrade", "make another stored module what ID means", "upgrade transform transform@1.1.0", upgrade);
  with_reference(upgraded);
  upgraded->add_option("TO", options.file, "hash or ID@VERSION")->required();
  with_reference(
      verbs.add("rollback", "back to what ID meant before the last upgrade", "rollback transform", rollback));
}

void add_key_verbs(const Verbs& verbs) {
  ModuleOptions& options = *verbs.options;
  CLI::App* key =
      verbs.parent->add_subcommand("keygen", "make a signing key; prints the entry for integrity.trusted_keys");
  key->footer("Example: fusebox module keygen release.key");
  key->add_option("FILE", options.file, "where the private key goes; only you can read it")->required();
  key->callback([options = verbs.options, &context = verbs.context] {
    context.status = finish(context.streams, make_key(*options));
  });

  CLI::App* signed_verb = verbs.parent->add_subcommand("sign", "sign a module: writes NAME.sig.json beside it");
  signed_verb->footer("Example: fusebox module sign transform.wasm --key release.key");
  signed_verb->add_option("FILE", options.file, ".wasm or .wat")->required();
  signed_verb->add_option("--key", options.key, "private key of `fusebox module keygen`")->required();
  signed_verb->callback([options = verbs.options, &context = verbs.context] {
    context.status = finish(context.streams, sign(*options));
  });
}

}  // namespace

void add_module(CLI::App& app, VerbContext& context) {
  CLI::App* verb = app.add_subcommand("module", "keep modules by content, id and version; sign them");
  verb->footer("Example: fusebox module add transform.wasm --tag transform@1.0.0");
  verb->require_subcommand(1);
  const Verbs verbs{verb, std::make_shared<ModuleOptions>(), context};
  add_store_verbs(verbs);
  add_key_verbs(verbs);
}

}  // namespace fusebox::cli
