// Whatever a provider must do, it must do behind the wire as well: RemoteProvider -> agent server -> stub.
#include "host/wire/wire_test_support.h"

namespace fusebox::host {
namespace {

struct RemoteStubMaker {
  test::Rig rig;
  RemoteStubMaker() { rig.provider.only_stub = true; }
  base::Executor& executor() { return rig.loop; }
  Provider& provider() { return *rig.remote; }
  std::string image() const { return ""; }
  void settle(const std::function<bool()>& done) { rig.settle(done); }
};

INSTANTIATE_TYPED_TEST_SUITE_P(RemoteStub, ProviderConformance, RemoteStubMaker);

}  // namespace
}  // namespace fusebox::host
