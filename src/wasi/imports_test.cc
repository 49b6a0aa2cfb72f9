// Contract 3.1: what a module may import besides preview1, and what stands for everything else.
#include "wasi/guest_test_support.h"

namespace fusebox::wasi {
namespace {

using namespace testing;

constexpr engine::ValType I = engine::ValType::i32;

TEST(Imports, EveryFunctionIsOfferedOnce) {
  const auto info = engine::must(engine::inspect(test::wat(sorted_everything())));
  const auto offers = imports(info);
  EXPECT_EQ(offers.size(), 46u + 45 + 13 + 1 + 2);
  for (const engine::HostImport& offer : offers) {
    const bool known = offer.module != "nowhere" && offer.field != "fd_imagine";
    EXPECT_EQ(offer.keep == nullptr, known) << offer.module << "." << offer.field;
  }
}

TEST(Imports, AFunctionOfAnotherTypeIsNotTheOneOffered) {
  const auto info = engine::must(
      engine::inspect(test::wat(R"((module (import "wasi_snapshot_preview1" "fd_write" (func (param i32) (result i32)))
                           (import "wasi_unstable" "sock_accept" (func (param i32 i32 i32) (result i32)))
                           (import "wanted" "other" (func (param i32 i32 i32) (result i32)))))")));
  const auto offers = imports(info);
  ASSERT_EQ(offers.size(), 3u);
  for (const engine::HostImport& offer : offers) EXPECT_NE(offer.keep, nullptr) << offer.field;
}

TEST(Imports, WhatIsNoFunctionIsLeftToTheLinker) {
  const auto info = engine::must(engine::inspect(test::wat(R"((module (import "env" "memory" (memory 1))))")));
  EXPECT_TRUE(imports(info).empty());
}

TEST(Imports, OnlyWhatMayWaitIsNamed) {
  EXPECT_EQ(may_ask_again(), (std::vector<std::string>{"wasi_snapshot_preview1", "wasi_unstable", "env.printf",
                                                       "env.puts", "env.putchar"}));
}

class Extras : public Guest {
 protected:
  Stream& out() { return *console_[1]; }
  std::int32_t of(const std::string& name, std::vector<std::int64_t> arguments) {
    return value("env." + name, std::move(arguments));
  }
  void put_string(std::uint32_t at, std::string_view what) {
    put_text(at, what);
    put<char>(at + static_cast<std::uint32_t>(what.size()), '\0');
  }
  // printf with arguments that lie in kVectors.
  std::string formatted(std::string_view format) {
    out().out.clear();
    put_string(kText, format);
    const std::int32_t size = of("printf", {kText, kVectors});
    EXPECT_EQ(static_cast<std::size_t>(size), out().out.size());
    return out().out;
  }
};

TEST_F(Extras, UnlinkedFunctionsEndTheRunWhenCalled) {
  EXPECT_EQ(end_of("nothing", {1}),
            "trapped: host function failed: failed to call unlinked import function (nowhere, nothing)");
  start({});
  EXPECT_EQ(end_of("imagine", {1}),
            "trapped: host function failed: failed to call unlinked import function (wasi_snapshot_preview1, "
            "fd_imagine)");
}

TEST_F(Extras, WantedAnswersZero) {
  EXPECT_EQ(value("wanted", {1, 2, 3}), 0);
}

TEST_F(Extras, PutsAndPutcharGoToTheOutput) {
  put_string(kText, "hello");
  EXPECT_EQ(of("puts", {kText}), 6);
  EXPECT_EQ(of("putchar", {0x121}), 0x21);
  EXPECT_EQ(out().out, "hello\n!");
}

TEST_F(Extras, PrintfKnowsCsConversions) {
  put<std::int32_t>(kVectors, -5);
  EXPECT_EQ(formatted("%d|"), "-5|");
  EXPECT_EQ(formatted("%i %%"), "-5 %");
  EXPECT_EQ(formatted("%u"), "4294967291");
  EXPECT_EQ(formatted("%08x"), "fffffffb");
  EXPECT_EQ(formatted("%#X"), "0XFFFFFFFB");
  EXPECT_EQ(formatted("%o"), "37777777773");
  EXPECT_EQ(formatted("%hhd %p"), "-5 0x" + std::string("0"));
  EXPECT_EQ(formatted("%hu"), "65531");
  EXPECT_EQ(formatted("%ld"), "-5") << "long is 32 bits";
  EXPECT_EQ(formatted("%c"), "\xfb");
  EXPECT_EQ(formatted("%+6d|"), "    -5|");
  EXPECT_EQ(formatted("%-6d|"), "-5    |");
  EXPECT_EQ(formatted("%.3d|"), "-005|");
  EXPECT_EQ(formatted("%zu"), "4294967291");
}

TEST_F(Extras, PrintfTakesArgumentsWhereClangPutsThem) {
  put<std::int32_t>(kVectors, 1);
  put<std::int64_t>(kVectors + 8, std::int64_t{1} << 40);  // aligned to its size
  put<double>(kVectors + 16, 2.5);
  put<std::uint32_t>(kVectors + 24, kPath);
  put_string(kPath, "text");
  EXPECT_EQ(formatted("%d %lld %.2f %s"), "1 1099511627776 2.50 text");
  put<std::int32_t>(kVectors, 7);
  put<std::int32_t>(kVectors + 4, 3);
  put<std::uint32_t>(kVectors + 8, kPath);
  EXPECT_EQ(formatted("%*.*s|"), "    tex|");
  put<std::int32_t>(kVectors, -7);
  EXPECT_EQ(formatted("%*.*s|"), "tex    |");
}

TEST_F(Extras, PrintfIsBounded) {
  put<std::int32_t>(kVectors, 100'000);
  put<std::int32_t>(kVectors + 4, 1);
  EXPECT_EQ(formatted("%*d").size(), 4096u);
  put<std::int32_t>(kVectors, 1);
  EXPECT_EQ(formatted("%999999999999d").size(), 4096u);
  put<std::uint32_t>(kVectors, 0);
  std::memset(memory().data(), 'x', 50'000);
  put<char>(50'000, '\0');
  put<std::uint32_t>(kVectors + 4, 0);
  EXPECT_EQ(formatted("%s%s").size(), 65536u) << "cut";
  put<double>(kVectors, 1e308);
  EXPECT_EQ(formatted("%.4096f").size(), 309u + 1 + 4096);
  EXPECT_EQ(formatted("a %y %d"), "a %y %d") << "what is not known goes out as it stands";
  EXPECT_EQ(formatted("100%"), "100%");
  EXPECT_EQ(formatted("%n%%"), "%");
}

TEST_F(Extras, ReachingOutsideMemoryEndsTheRun) {
  const std::int64_t last = kMemoryBytes - 1;
  put_string(kText, "%s");
  put<std::uint32_t>(kVectors, kMemoryBytes);
  put<char>(kMemoryBytes - 1, 'x');
  const std::pair<std::string, std::vector<std::int64_t>> cases[] = {
      {"printf", {kText, kVectors}},
      {"printf", {kText, kMemoryBytes - 3}},
      {"printf", {last, kVectors}},
      {"puts", {last}},
      {"strlen", {last}},
      {"strlen", {kMemoryBytes}},
      {"strcmp", {last, kText}},
      {"strcmp", {kText, last}},
      {"strncmp", {last, kText, 2}},
      {"strcpy", {kMemoryBytes - 2, kText}},
      {"strcpy", {kText, last}},
      {"strncpy", {kText, last, 2}},
      {"strncpy", {last, kText, 2}},
      {"strchr", {last, 'y'}},
      {"memset", {last, 0, 2}},
      {"memcpy", {last, 0, 2}},
      {"memmove", {0, last, 2}},
      {"memcmp", {0, last, 2}},
      {"memset", {0, 0, -1}},
  };
  for (const auto& [name, arguments] : cases) {
    start({});
    put_string(kText, "%s");
    put<std::uint32_t>(kVectors, kMemoryBytes);
    put<char>(kMemoryBytes - 1, 'x');
    EXPECT_EQ(end_of("env." + name, arguments), "trapped: host function failed: env." +
                                                    (name == "memcpy" ? std::string("memmove") : name) +
                                                    ": out of bounds memory access");
  }
}

TEST_F(Extras, CsMemoryFunctions) {
  put_text(kText, "0123456789");
  EXPECT_EQ(of("memmove", {kText + 2, kText, 8}), static_cast<std::int32_t>(kText + 2));
  EXPECT_EQ(text(kText, 10), "0101234567");
  EXPECT_EQ(of("memmove", {kText, kText + 2, 8}), static_cast<std::int32_t>(kText));
  EXPECT_EQ(text(kText, 8), "01234567");
  EXPECT_EQ(of("memcpy", {kPath, kText, 4}), static_cast<std::int32_t>(kPath));
  EXPECT_EQ(text(kPath, 4), "0123");
  EXPECT_EQ(of("memset", {kPath, 0x141, 3}), static_cast<std::int32_t>(kPath));
  EXPECT_EQ(text(kPath, 4), "AAA3");
  EXPECT_EQ(of("memcmp", {kText, kText, 8}), 0);
  EXPECT_EQ(of("memcmp", {kText, kPath, 1}), -1);
  EXPECT_EQ(of("memcmp", {kPath, kText, 1}), 1);
  EXPECT_EQ(of("memset", {kMemoryBytes, 0, 0}), static_cast<std::int32_t>(kMemoryBytes));
}

TEST_F(Extras, CsStringFunctions) {
  put_string(kText, "abc");
  put_string(kPath, "abd");
  EXPECT_EQ(of("strlen", {kText}), 3);
  EXPECT_EQ(of("strcmp", {kText, kPath}), -1);
  EXPECT_EQ(of("strcmp", {kPath, kText}), 1);
  EXPECT_EQ(of("strncmp", {kText, kPath, 2}), 0);
  EXPECT_EQ(of("strncmp", {kText, kPath, 3}), -1);
  EXPECT_EQ(of("strncmp", {kText, kText, 100}), 0);
  put<char>(kText + 1, '\xff');
  EXPECT_EQ(of("strcmp", {kText, kPath}), 1) << "bytes are unsigned";
  EXPECT_EQ(of("strcpy", {kPath2, kPath}), static_cast<std::int32_t>(kPath2));
  EXPECT_EQ(text(kPath2, 4), std::string("abd\0", 4));
  std::memset(memory().data() + kPath2, 'z', 8);
  EXPECT_EQ(of("strncpy", {kPath2, kPath, 6}), static_cast<std::int32_t>(kPath2));
  EXPECT_EQ(text(kPath2, 7), std::string("abd\0\0\0z", 7));
  EXPECT_EQ(of("strncpy", {kPath2, kPath, 2}), static_cast<std::int32_t>(kPath2));
  EXPECT_EQ(text(kPath2, 3), "abd");
  EXPECT_EQ(of("strchr", {kPath, 'd'}), static_cast<std::int32_t>(kPath + 2));
  EXPECT_EQ(of("strchr", {kPath, 0}), static_cast<std::int32_t>(kPath + 3));
  EXPECT_EQ(of("strchr", {kPath, 'x'}), 0);
}

TEST_F(Extras, PrintingWaitsUntilAllIsOut) {
  put_string(kText, "hello");
  out().room = 2;
  auto call = begin("env.puts", {kText});
  EXPECT_FALSE(call->poll());
  EXPECT_EQ(out().out, "he");
  out().room = 1;
  EXPECT_FALSE(call->poll());
  EXPECT_EQ(out().out, "hel");
  out().room = SIZE_MAX;
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->results()[0].i32, 6);
  EXPECT_EQ(out().out, "hello\n");
  EXPECT_EQ(of("putchar", {'x'}), 'x') << "the next call begins anew";
}

}  // namespace
}  // namespace fusebox::wasi
