// A complete embedder: runs one guest under a policy and shows what it logged, what it returned and what it used.
//
//   embed MODULE.wasm [INPUT [POLICY.json]]
#include <cstdio>
#include <string>

#include <fusebox/sandbox.h>

using namespace fusebox::capability;

namespace {

int refused(const fusebox::base::Error& error) {
  std::fprintf(stderr, "%s\n", error_json(error).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s MODULE.wasm [INPUT [POLICY.json]]\n", argv[0]);
    return 2;
  }
  // Without a policy nothing is enabled and the limits are modest.
  Policy policy;
  if (argc > 3) {
    auto loaded = load_policy(argv[3]);
    if (!loaded) return refused(loaded.error());
    policy = std::move(*loaded);
  }
  auto sandbox = Sandbox::create(std::move(policy));
  if (!sandbox) return refused(sandbox.error());
  sandbox->set_log_sink([](const LogRecord& record) { std::fprintf(stderr, "%s\n", record.json().c_str()); });

  auto module = Module::from_file(argv[1]);
  if (!module) return refused(module.error());

  const std::string input = argc > 2 ? argv[2] : "";
  const auto output = sandbox->execute(*module, "run", input);
  if (!output) return refused(output.error());

  std::printf("%s\n", output->result.c_str());
  std::fprintf(stderr, "execution %s: %llu us of processor time, %llu host calls\n", output->id.text().c_str(),
               static_cast<unsigned long long>(output->usage.cpu_us),
               static_cast<unsigned long long>(output->usage.host_calls));
  return 0;
}
