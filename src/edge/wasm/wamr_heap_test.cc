#include "edge/wasm/wamr_heap.h"

#include "edge/wasm/backend_fixture.h"

namespace fusebox::edge::test {
namespace {

UnitLimits with_heap(std::uint32_t heap_bytes, std::uint32_t pages_max = 65536) {
  UnitLimits limits = limits_with(pages_max);
  limits.heap_compat = true;
  limits.heap_bytes = heap_bytes;
  return limits;
}

std::string module(std::string_view memory, std::string_view more = "") {
  return "(module (memory " + std::string(memory) + ") " + std::string(more) + R"((func (export "module_step")
    (i32.store (i32.const 0) (memory.size))
    (i32.store (i32.const 4) (memory.grow (i32.const 1)))
    (i32.store (i32.const 8) (memory.grow (i32.const 1))))))";
}

struct Sizes {
  int at_start;
  int first_grow;
  int second_grow;
  bool operator==(const Sizes&) const = default;
};

class WamrHeap : public ::testing::Test {
 protected:
  Sizes sizes_of(const std::string& wat, const UnitLimits& limits) {
    const Guest guest(*backend_, wat, sink_, limits);
    EXPECT_EQ(guest.refusal(), Refusal{});
    if (guest.refusal().end != LoadEnd::ok) return {};
    EXPECT_EQ(guest.step().end, CallEnd::completed);
    return {guest.peek<int>(0), guest.peek<int>(4), guest.peek<int>(8)};
  }
  std::unique_ptr<EngineBackend> backend_ = small_backend();
  RecordingSink sink_;
};

TEST_F(WamrHeap, IsWholePagesMoreAtTheStartAndAtMost) {
  EXPECT_EQ(sizes_of(module("1"), with_heap(65536, 1)), (Sizes{2, -1, -1})) << "on top of the cap";
  EXPECT_EQ(sizes_of(module("1"), with_heap(65537, 2)), (Sizes{3, 3, -1}));
  EXPECT_EQ(sizes_of(module("1 2"), with_heap(1)), (Sizes{2, 2, -1})) << "on top of the declared maximum";
}

TEST_F(WamrHeap, IsNothingWithoutTheOptionOrAHeap) {
  UnitLimits off = with_heap(65536);
  off.heap_compat = false;
  EXPECT_EQ(sizes_of(module("1 2"), off), (Sizes{1, 1, -1}));
  EXPECT_EQ(sizes_of(module("1 2"), with_heap(0)), (Sizes{1, 1, -1}));
}

TEST_F(WamrHeap, IsNothingBesideAnAllocatorOfTheModule) {
  constexpr char kMalloc[] = R"((func (export "malloc") (param i32) (result i32) (i32.const 0)))";
  constexpr char kFree[] = R"((func (export "free") (param i32)))";
  EXPECT_EQ(sizes_of(module("1 2", std::string(kMalloc) + kFree), with_heap(65536)), (Sizes{1, 1, -1}));
  EXPECT_EQ(sizes_of(module("1 2", kMalloc), with_heap(65536)), (Sizes{2, 2, -1})) << "malloc alone";
}

TEST_F(WamrHeap, DoesNotCountAgainstThePolicysPages) {
  const Guest fits(*backend_, module("3"), sink_, with_heap(65536, 3));
  EXPECT_EQ(fits.refusal(), Refusal{});
  const Guest beyond(*backend_, module("3"), sink_, with_heap(65536, 2));
  EXPECT_EQ(beyond.refusal(), (Refusal{LoadEnd::not_linked, "memory min 3 pages exceeds policy max 2"}));
}

TEST_F(WamrHeap, CannotStandBehindAMemoryOfOnePage) {
  const Guest guest(*backend_, module("1 1"), sink_, with_heap(8192));
  EXPECT_EQ(guest.refusal(),
            (Refusal{LoadEnd::refused,
                     "wamr_heap_compat: a memory of exactly one page cannot be widened; link the module with a larger "
                     "maximum memory"}));
  EXPECT_EQ(sizes_of(module("1 1"), with_heap(0)), (Sizes{1, -1, -1}));
}

TEST_F(WamrHeap, FitsIn4GiBOrNot) {
  const base::Bytes wasm = fusebox::test::wat(R"((module (memory 1 65535) (func (export "module_step"))))");
  const auto fits = with_wamr_heap(wasm, 65536);
  ASSERT_TRUE(fits);
  EXPECT_EQ(fits->pages, 1u);
  const auto beyond = with_wamr_heap(wasm, 65537);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().message, "wamr_heap_compat: memory and heap exceed 4 GiB");
}

TEST_F(WamrHeap, ModulesWithoutMemoryStayAsTheyAre) {
  EXPECT_EQ(Guest(*backend_, R"((module (func (export "module_step"))))", sink_, with_heap(65536)).refusal(),
            Refusal{});
}

TEST_F(WamrHeap, LeavesBytesThatAreNoModuleAlone) {
  const base::Bytes wasm = fusebox::test::wat(module("1 2"));
  for (std::size_t size = 0; size < wasm.size(); ++size) {
    const auto cut = with_wamr_heap(base::ByteView(wasm).first(size), 65536);
    ASSERT_TRUE(cut) << size;
    EXPECT_LE(cut->wasm.size(), size + 8) << size;
  }
  for (std::size_t at = 0; at < wasm.size(); ++at) {
    base::Bytes bad = wasm;
    bad[at] = std::byte{0xFF};
    (void)with_wamr_heap(bad, 65536);  // whatever it says, it reads nothing it should not
  }
}

}  // namespace
}  // namespace fusebox::edge::test
