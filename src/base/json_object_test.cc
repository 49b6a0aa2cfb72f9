#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "base/json.h"

namespace fusebox::base::json {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kTop = std::numeric_limits<std::uint64_t>::max();

// A document and a reader of its root, and the sentences the reader found.
class ObjectReaderTest : public testing::Test {
 protected:
  ObjectReader reader(std::string_view text, std::string what = "limits") {
    document_ = parse(text, {.file = "policy.json"}).value();
    return ObjectReader(document_, *document_.root, problems_, std::move(what));
  }
  std::vector<std::string> sentences() const {
    std::vector<std::string> out;
    for (const Problem& problem : problems_.list()) out.push_back(problem.text());
    return out;
  }

  Document document_;
  Problems problems_;
};

TEST_F(ObjectReaderTest, ReadsGoodValuesWithoutAWord) {
  ObjectReader r = reader(R"({"u":5,"b":true,"s":"x","c":"hash","l":["p","q"],"n":null})");
  EXPECT_EQ(r.u64("u", 1, 5, 5), 5u);
  EXPECT_TRUE(r.boolean("b", false));
  EXPECT_EQ(r.string("s", "d"), "x");
  constexpr std::string_view kNames[] = {"none", "hash", "signature"};
  EXPECT_EQ(r.choice("c", 0, kNames), 1u);
  EXPECT_THAT(r.strings("l", {}), ElementsAre("p", "q"));
  EXPECT_TRUE(r.has("n"));
  r.finish();
  EXPECT_THAT(sentences(), IsEmpty());
}

TEST_F(ObjectReaderTest, GivesDefaultsForWhatIsAbsent) {
  ObjectReader r = reader("{}");
  EXPECT_EQ(r.u64("u", 7, 0, 1), 7u);
  EXPECT_TRUE(r.boolean("b", true));
  EXPECT_EQ(r.string("s", "d"), "d");
  EXPECT_EQ(r.choice("c", 2, {}), 2u);
  EXPECT_THAT(r.strings("l", {"x"}), ElementsAre("x"));
  EXPECT_FALSE(r.has("n"));
  EXPECT_EQ(r.optional("o"), nullptr);
  r.finish();
  EXPECT_THAT(sentences(), IsEmpty());
}

TEST_F(ObjectReaderTest, NumbersNameValueRangeAndUnit) {
  ObjectReader r = reader(
      R"({"memory_bytes":70000,"low":0,"neg":-1,"e":1e3,"f":1.5,"big":99999999999999999999,"t":"64MiB","a":[],"n":null,"one":2})");
  EXPECT_EQ(r.u64("memory_bytes", 9, 1, 65536, "bytes"), 9u);
  EXPECT_EQ(r.u64("low", 9, 1, 65536, "ms"), 9u);
  r.u64("neg", 9, 0, 10);
  r.u64("e", 9, 0, 10000);
  r.u64("f", 9, 0, 10, "ms");
  r.u64("big", 9, 0, kTop);
  r.u64("t", 9, 0, 10, "bytes");
  r.u64("a", 9, 0, 10);
  r.u64("n", 9, 0, 10);
  r.u64("one", 9, 1, 1);
  r.finish();
  EXPECT_THAT(sentences(),
              ElementsAre("policy.json:1:17: memory_bytes is 70000; allowed are 1 to 65536 bytes",
                          "policy.json:1:29: low is 0; allowed are 1 to 65536 ms",
                          "policy.json:1:37: neg is -1; allowed are 0 to 10",
                          "policy.json:1:44: e is 1e3; allowed are whole numbers, 0 to 10000",
                          "policy.json:1:52: f is 1.5; allowed are whole numbers, 0 to 10 ms",
                          "policy.json:1:62: big is 99999999999999999999; allowed are 0 to 18446744073709551615",
                          "policy.json:1:87: t is \"64MiB\"; allowed are whole numbers, 0 to 10 bytes",
                          "policy.json:1:99: a is an array; allowed are whole numbers, 0 to 10",
                          "policy.json:1:106: n is null; allowed are whole numbers, 0 to 10",
                          "policy.json:1:117: one is 2; allowed is 1"));
}

TEST_F(ObjectReaderTest, BothEndsOfARangeAreAllowed) {
  ObjectReader r = reader(R"({"min":3,"max":9,"top":18446744073709551615})");
  EXPECT_EQ(r.u64("min", 0, 3, 9), 3u);
  EXPECT_EQ(r.u64("max", 0, 3, 9), 9u);
  EXPECT_EQ(r.u64("top", 0, 0, kTop), kTop);
  EXPECT_THAT(sentences(), IsEmpty());
}

TEST_F(ObjectReaderTest, WrongTypesAreNamed) {
  ObjectReader r = reader(R"({"b":"yes","s":5,"l":"x","m":["ok",false,{}]})");
  EXPECT_FALSE(r.boolean("b", false));
  EXPECT_EQ(r.string("s", "d"), "d");
  EXPECT_THAT(r.strings("l", {"d"}), ElementsAre("d"));
  EXPECT_THAT(r.strings("m", {"d"}), ElementsAre("d"));
  EXPECT_THAT(sentences(), ElementsAre("policy.json:1:6: b is \"yes\"; allowed are true and false",
                                       "policy.json:1:16: s is 5; allowed is a string",
                                       "policy.json:1:22: l is \"x\"; allowed is a list of strings",
                                       "policy.json:1:36: an element of m is false; allowed are strings",
                                       "policy.json:1:42: an element of m is an object; allowed are strings"));
  EXPECT_EQ(problems_.list()[4].pointer, "/m/2");
}

TEST_F(ObjectReaderTest, LengthsHaveLimits) {
  ObjectReader r = reader(R"({"s":"abcd","l":["a","b"]})");
  EXPECT_EQ(r.string("s", "d", 4), "abcd");
  EXPECT_EQ(r.string("s", "d", 3), "d");
  EXPECT_THAT(r.strings("l", {}, 2), ElementsAre("a", "b"));
  EXPECT_THAT(r.strings("l", {}, 1), IsEmpty());
  EXPECT_THAT(sentences(), ElementsAre("policy.json:1:6: s is 4 bytes long; allowed are at most 3 bytes",
                                       "policy.json:1:17: l has 2 elements; allowed are at most 1"));
}

TEST_F(ObjectReaderTest, ChoicesNameAllAndTheNearest) {
  constexpr std::string_view kNames[] = {"none", "hash", "signature"};
  ObjectReader r = reader(R"({"a":"hsah","b":"whatever","c":1})", "integrity");
  EXPECT_EQ(r.choice("a", 2, kNames), 2u);
  r.choice("b", 0, kNames);
  r.choice("c", 0, kNames);
  EXPECT_THAT(
      sentences(),
      ElementsAre(
          "policy.json:1:6: a is \"hsah\"; allowed are \"none\", \"hash\" and \"signature\"; did you mean \"hash\"?",
          "policy.json:1:17: b is \"whatever\"; allowed are \"none\", \"hash\" and \"signature\"",
          "policy.json:1:32: c is 1; allowed are \"none\", \"hash\" and \"signature\""));
}

TEST_F(ObjectReaderTest, UnknownKeysComeWithASuggestion) {
  ObjectReader r = reader("{\n \"memroy_bytes\":1,\n \"zzz\":2,\"cpu_ms\":3}");
  r.u64("memory_bytes", 1, 1, 9);
  r.u64("cpu_ms", 1, 1, 9);
  r.finish();
  EXPECT_THAT(
      sentences(),
      ElementsAre("policy.json:2:2: unknown key \"memroy_bytes\" in limits; did you mean \"memory_bytes\"?",
                  "policy.json:3:2: unknown key \"zzz\" in limits; allowed are \"memory_bytes\" and \"cpu_ms\""));
  EXPECT_EQ(problems_.list()[0].pointer, "/memroy_bytes");
}

TEST_F(ObjectReaderTest, UnknownKeysOfAnEmptyOrLargeObjectAreOnlyNamed) {
  reader("{\"x\":1}").finish();
  ObjectReader large = reader("{\"x\":1}");
  for (int i = 0; i < 13; ++i) large.has("some_key_" + std::to_string(i));
  large.finish();
  EXPECT_THAT(sentences(), ElementsAre("policy.json:1:2: unknown key \"x\" in limits",
                                       "policy.json:1:2: unknown key \"x\" in limits"));
}

TEST_F(ObjectReaderTest, MissingKeysAreNamedAtTheObject) {
  ObjectReader r = reader(R"({"here":1})", "policy");
  EXPECT_NE(r.required("here"), nullptr);
  EXPECT_EQ(r.required("version"), nullptr);
  EXPECT_THAT(sentences(), ElementsAre("policy.json:1:1: key \"version\" is missing in policy"));
}

TEST_F(ObjectReaderTest, SomethingElseThanAnObjectIsReportedOnce) {
  ObjectReader r = reader("[1]");
  EXPECT_EQ(r.u64("a", 3, 0, 9), 3u);
  EXPECT_EQ(r.required("b"), nullptr);
  r.finish();
  EXPECT_THAT(sentences(), ElementsAre("policy.json:1:1: limits is an array; allowed is an object"));
}

TEST_F(ObjectReaderTest, OwnProblemsCarryTheirPlace) {
  ObjectReader r = reader("{\"a\":\n 1}");
  r.problem(*r.optional("a"), "a is odd");
  r.problem_here("limits are odd");
  EXPECT_THAT(sentences(), ElementsAre("policy.json:2:2: a is odd", "policy.json:1:1: limits are odd"));
  EXPECT_EQ(&r.problems(), &problems_);
  EXPECT_EQ(&r.document(), &document_);
}

TEST_F(ObjectReaderTest, HostileKeysStayReadable) {
  reader("{\"" + std::string(100'000, 'k') + "\\n\":1}").finish();
  ASSERT_EQ(problems_.count(), 1u);
  EXPECT_EQ(problems_.list()[0].message, "unknown key \"" + std::string(64, 'k') + "...\" in limits");
}

TEST(Nearest, FindsSlipsOfTheFingersOnly) {
  constexpr std::string_view kNames[] = {"memory_bytes", "cpu_ms", "ticks", "hosts"};
  EXPECT_EQ(nearest("memroy_bytes", kNames), "memory_bytes");
  EXPECT_EQ(nearest("memory-bytes", kNames), "memory_bytes");
  EXPECT_EQ(nearest("Memory_Bytes", kNames), "memory_bytes");
  EXPECT_EQ(nearest("memory_byte", kNames), "memory_bytes");
  EXPECT_EQ(nearest("cpums", kNames), "cpu_ms");
  EXPECT_EQ(nearest("tick", kNames), "ticks");
  EXPECT_EQ(nearest("hsots", kNames), "hosts");
  EXPECT_EQ(nearest("fuel", kNames), "");
  EXPECT_EQ(nearest("", kNames), "");
  EXPECT_EQ(nearest("x", {}), "");
  EXPECT_EQ(nearest(std::string(65, 'x'), kNames), "");
  const std::string longest(64, 'x');
  const std::string_view candidate[] = {longest};
  EXPECT_EQ(nearest(longest.substr(1), candidate), longest);
}

}  // namespace
}  // namespace fusebox::base::json
