#include "edge/config/read_policy.h"

#include <gmock/gmock.h>

#include "base/bytes.h"
#include "edge/config/config_test_tools.h"

namespace fusebox::edge::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

struct Case {
  const char* from;
  std::string to;
  std::string notes;
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.from) + " -> " + c.to);
    EXPECT_EQ(notes_of(demo_with(c.from, c.to)), c.notes);
  }
}

fuse_policy_t policy_with(std::string_view from, std::string_view to) {
  return read_demo(demo_with(from, to)).modules.at(0).policy.policy;
}

TEST(ReadPolicy, EveryNumberIsRequiredAndBounded) {
  struct Key {
    const char* name;
    const char* value;
    int line;
    std::uint64_t max;
  };
  for (const Key& key : {Key{"memory_pages_max", "6", 16, 65536}, Key{"stack_size", "8192", 17, 4294967295},
                         Key{"heap_size", "8192", 18, 4294967295}, Key{"cpu_quota_us", "5000", 19, 4294967295},
                         Key{"step_interval_us", "0", 20, 4294967295}}) {
    SCOPED_TRACE(key.name);
    const std::string start = "        \"" + std::string(key.name) + "\": ";
    const std::string written = start + key.value + ",\n";
    const std::string place = "c:" + std::to_string(key.line) + ":" + std::to_string(start.size() + 1) + ": ";
    const std::string range = "0 to " + std::to_string(key.max);
    const auto with = [&](const std::string& value) { return notes_of(demo_with(written, start + value + ",\n")); };
    EXPECT_EQ(notes_of(demo_with(written, "")),
              "c:14:17: key \"" + std::string(key.name) + "\" is missing in policy\n");
    EXPECT_EQ(with("0"), "");
    EXPECT_EQ(with("-0"), "");
    EXPECT_EQ(with(std::to_string(key.max)), "");
    EXPECT_EQ(with(std::to_string(key.max + 1)),
              place + key.name + " is " + std::to_string(key.max + 1) + "; allowed is " + range + "\n");
    EXPECT_EQ(with("-1"), place + key.name + " is -1; allowed is " + range + "\n");
    EXPECT_EQ(with("99999999999999999999"), place + key.name + " is 99999999999999999999; allowed is " + range + "\n");
    for (const char* wrong : {"true", "false", "null", "1.5", "1.0", "1e2"})
      EXPECT_EQ(with(wrong), place + key.name + " must be an integer of " + range + ", not " + wrong + "\n");
    EXPECT_EQ(with("\"1\""), place + key.name + " must be an integer of " + range + ", not a string\n");
    EXPECT_EQ(with("[1]"), place + key.name + " must be an integer of " + range + ", not a list\n");
    EXPECT_EQ(with("{}"), place + key.name + " must be an integer of " + range + ", not an object\n");
  }
}

TEST(ReadPolicy, Capabilities) {
  const char* const kList = R"(["CAMERA", "LOG"])";
  check({
      {R"(        "capabilities": ["CAMERA", "LOG"],
)",
       "", "c:14:17: key \"capabilities\" is missing in policy\n"},
      {kList, "[]", ""},
      {kList, "0", ""},
      {kList, "12", ""},
      {kList, R"(["LOG", "LOG"])", ""},
      {kList, R"(["CAMRA"])", "c:15:26: unknown capability \"CAMRA\"; did you mean \"CAMERA\"?\n"},
      {kList, R"(["FUSE_CAP_LOG"])", "c:15:26: unknown capability \"FUSE_CAP_LOG\"; did you mean \"LOG\"?\n"},
      {kList, R"(["log"])", "c:15:26: unknown capability \"log\"; did you mean \"LOG\"?\n"},
      {kList, R"(["LOG", 4])", "c:15:33: capabilities must hold names, not 4\n"},
      {kList, R"(["LOG", null])", "c:15:33: capabilities must hold names, not null\n"},
      {kList, R"(["TEMP_SENSOR"])",
       "c:15:26: capability TEMP_SENSOR needs \"temp_sensor\" in application.hal_groups\n"},
      {kList, R"(["GPIO"])", "c:15:26: capability GPIO needs \"gpio\" in application.hal_groups\n"},
      {kList, "1", "c:15:25: capability TEMP_SENSOR needs \"temp_sensor\" in application.hal_groups\n"},
      {kList, "128", "c:15:25: capabilities is 128, which has the unknown bits 0x80; known are 0x7F\n"},
      {kList, "4294967296", "c:15:25: capabilities is 4294967296; allowed is 0 to 4294967295\n"},
      {kList, "-1", "c:15:25: capabilities is -1; allowed is 0 to 4294967295\n"},
      {kList, "1.0", "c:15:25: capabilities must be an integer of 0 to 4294967295, not 1.0\n"},
      {kList, "true", "c:15:25: capabilities must be a list of names or an integer mask, not true\n"},
      {kList, "null", "c:15:25: capabilities must be a list of names or an integer mask, not null\n"},
      {kList, R"("LOG")", "c:15:25: capabilities must be a list of names or an integer mask, not a string\n"},
      {kList, "{}", "c:15:25: capabilities must be a list of names or an integer mask, not an object\n"},
  });
  const EdgePolicy mask = read_demo(demo_with(kList, "12")).modules.at(0).policy;
  EXPECT_EQ(mask.policy.capabilities, 12u);
  EXPECT_THAT(mask.capability_names, ElementsAre("CAMERA", "LOG"));
  const EdgePolicy list = read_demo(demo_with(kList, R"(["LOG", "CAMERA", "LOG"])")).modules.at(0).policy;
  EXPECT_EQ(list.policy.capabilities, 12u);
  EXPECT_THAT(list.capability_names, ElementsAre("LOG", "CAMERA", "LOG"));
}

TEST(ReadPolicy, ListsAreBounded) {
  const auto logs = [](int count) {
    std::string list = "[\"LOG\"";
    for (int i = 1; i < count; ++i) list += ",\"LOG\"";
    return list + "]";
  };
  check({{R"(["CAMERA", "LOG"])", logs(64), ""},
         {R"(["CAMERA", "LOG"])", logs(65), "c:15:25: capabilities has 65 elements; allowed are at most 64\n"}});
}

TEST(ReadPolicy, BothSpellingsOfActivation) {
  const char* const kKey = R"("activation": ["EVENT"])";
  check({
      {kKey, R"("activation_mask": ["EVENT"])", ""},
      {kKey, R"("activation": 2)", ""},
      {kKey, R"("activation_mask": 2)", ""},
      {kKey, R"("activation": ["EVENT"], "activation_mask": 2)", ""},
      {kKey, R"("activation": ["EVENT"], "activation_mask": ["INTERVAL", "EVENT"])",
       "c:21:53: activation is 0x02 and activation_mask is 0x03; they are two names of one key: keep one\n"},
      {kKey, R"("activation_mask": 1, "activation": 2)",
       "c:21:28: activation is 0x02 and activation_mask is 0x01; they are two names of one key: keep one\n"},
      {kKey, R"("activation": ["EVNT"])", "c:21:24: unknown activation \"EVNT\"; did you mean \"EVENT\"?\n"},
      {kKey, R"("activation": ["SOMETIMES"])",
       "c:21:24: unknown activation \"SOMETIMES\"; known are INTERVAL, EVENT, MANUAL\n"},
      {kKey, R"("activation": [2])", "c:21:24: activation must hold names, not 2\n"},
      {kKey, R"("activation_mask": "EVENT")",
       "c:21:28: activation_mask must be a list of names or an integer mask, not a string\n"},
      {kKey, R"("activation": false)", "c:21:23: activation must be a list of names or an integer mask, not false\n"},
      {kKey, R"("activation": null)", "c:21:23: activation must be a list of names or an integer mask, not null\n"},
      {kKey, R"("activation": 2.5)", "c:21:23: activation must be an integer of 0 to 4294967295, not 2.5\n"},
      {kKey, R"("activation": 8)", "c:21:23: activation is 8, which has the unknown bits 0x08; known are 0x07\n"},
      {kKey, R"("activation_mask": -1)", "c:21:28: activation_mask is -1; allowed is 0 to 4294967295\n"},
  });
  for (const char* same : {R"("activation_mask": ["EVENT"])", R"("activation": 2)", R"("activation_mask": 2)"})
    EXPECT_TRUE(same_policy(policy_with(kKey, same), read_demo(kDemo).modules[0].policy.policy)) << same;
}

TEST(ReadPolicy, ActivationDefaultsAndEmptyList) {
  const char* const kBoth = R"(,
        "activation": ["EVENT"],
        "event_subscribe": ["FRAME"])";
  EXPECT_EQ(policy_with(kBoth, "").activation_mask, 1u);
  EXPECT_EQ(policy_with(kBoth, "").event_subscribe, 0u);
  EXPECT_EQ(policy_with(kBoth, R"(, "activation": [])").activation_mask, 0u);
  EXPECT_EQ(policy_with(kBoth, R"(, "activation_mask": 0)").activation_mask, 0u);
  EXPECT_EQ(policy_with(kBoth, R"(, "activation": ["MANUAL"])").activation_mask, 4u);
}

TEST(ReadPolicy, EventSubscribe) {
  const char* const kList = R"(["FRAME"])";
  check({
      {kList, R"(["FRAME", "DONE", 5])", ""},
      {kList, "[0]", ""},
      {kList, "[31]", ""},
      {kList, "[32]", "c:22:29: an event index is 32; allowed is 0 to 31\n"},
      {kList, "[-1]", "c:22:29: an event index is -1; allowed is 0 to 31\n"},
      {kList, "[true]", "c:22:29: event_subscribe must hold event names and indices, not true\n"},
      {kList, "[1.0]", "c:22:29: an event index must be an integer of 0 to 31, not 1.0\n"},
      {kList, "[null]", "c:22:29: event_subscribe must hold event names and indices, not null\n"},
      {kList, R"(["FRAM"])", "c:22:29: unknown event \"FRAM\"; did you mean \"FRAME\"?\n"},
      {kList, R"(["frame"])", "c:22:29: unknown event \"frame\"; did you mean \"FRAME\"?\n"},
      {kList, R"(["OVERHEATED"])", "c:22:29: unknown event \"OVERHEATED\"; known are FRAME, DONE\n"},
      {kList, "4294967295", ""},
      {kList, "4294967296", "c:22:28: event_subscribe is 4294967296; allowed is 0 to 4294967295\n"},
      {kList, R"("FRAME")",
       "c:22:28: event_subscribe must be a list of event names and indices or an integer mask, not a string\n"},
      {kList, "false",
       "c:22:28: event_subscribe must be a list of event names and indices or an integer mask, not false\n"},
  });
  EXPECT_EQ(policy_with(kList, R"(["FRAME", "DONE", 5, 5])").event_subscribe, 0x80000021u);
  EXPECT_EQ(policy_with(kList, "5").event_subscribe, 5u) << "a number alone is the whole mask";
  EXPECT_EQ(policy_with(kList, "[5]").event_subscribe, 32u) << "a number in a list is an index";
  EXPECT_EQ(policy_with(kList, "4294967295").event_subscribe, 0xFFFFFFFFu);
}

TEST(ReadPolicy, Warnings) {
  check({
      {R"("event_subscribe": ["FRAME"])", R"("event_subscribe": [])",
       "c:21:23: warning: EVENT activates the module, and it subscribes to no event\n"},
      {R"(["EVENT"])", R"(["INTERVAL"])",
       "c:22:28: warning: events are subscribed to, and EVENT does not activate the module\n"},
      {R"(["EVENT"])", R"(["EVENT", "MANUAL"])",
       "c:21:23: warning: MANUAL is combined with another activation; MANUAL wins\n"},
      {R"(["EVENT"])", R"(["EVENT", "INTERVAL"])", ""},
      {R"(["CAMERA", "LOG"])", R"(["EVENT_POST"])", ""},
  });
  std::string lonely = demo_with(R"("activation": ["EVENT"],
        "event_subscribe": ["FRAME"])",
                                 R"("activation": ["INTERVAL"])");
  EXPECT_EQ(notes_of(lonely), "");
  lonely.replace(lonely.find(R"("LOG")"), 5, R"("EVENT_POST")");
  EXPECT_EQ(notes_of(lonely), "c:15:25: warning: EVENT_POST is granted, and no module subscribes to any event\n");
}

std::string extension(const std::string& members) {
  return demo_with(R"("heap_size": 8192,)", R"("heap_size": 8192, "fusebox": {)" + members + "},");
}

TEST(ReadPolicy, ExtensionValues) {
  const std::string hash(64, 'a');
  const EdgePolicy policy =
      read_demo(extension(R"("tick_budget":9223372036854775807,"priority":-2147483648,"phase_us":1,"deadline_us":2,
        "drift_free":true,"init_budget_us":3,"log_entries_per_step":4,"sha256":")" +
                          hash + R"(","on_fault":{"restart":"limited","max":5,"backoff_us":4294967295})"))
          .modules.at(0)
          .policy;
  EXPECT_TRUE(policy.extended);
  EXPECT_EQ(policy.ext.size, sizeof(fuse_policy_ext_t));
  EXPECT_EQ(policy.ext.tick_budget, 9223372036854775807u);
  EXPECT_EQ(policy.ext.priority, -2147483648);
  EXPECT_EQ(policy.ext.phase_us, 1u);
  EXPECT_EQ(policy.ext.deadline_us, 2u);
  EXPECT_EQ(policy.ext.flags, FUSE_EXT_DRIFT_FREE | FUSE_EXT_SHA256);
  EXPECT_EQ(policy.ext.init_budget_us, 3u);
  EXPECT_EQ(policy.ext.log_entries_per_step, 4u);
  EXPECT_EQ(policy.ext.restart, FUSE_RESTART_LIMITED);
  EXPECT_EQ(policy.ext.restart_max, 5u);
  EXPECT_EQ(policy.ext.restart_backoff_us, 4294967295u);
  EXPECT_EQ(policy.ext.sha256[31], 0xaa);
  const EdgePolicy empty = read_demo(extension("")).modules.at(0).policy;
  EXPECT_TRUE(empty.extended);
  EXPECT_EQ(empty.ext.flags, 0u);
}

TEST(ReadPolicy, ExtensionErrors) {
  const std::string at = "c:18:";
  const auto says = [&](const std::string& members, const std::string& notes) {
    EXPECT_EQ(notes_of(extension(members)), notes) << members;
  };
  says(R"("tick_budget":9223372036854775808)",
       "c:18:54: tick_budget is 9223372036854775808; allowed is 0 to 9223372036854775807\n");
  says(R"("priority":2147483648)",
       "c:18:51: priority must be an integer of -2147483648 to 2147483647, not 2147483648\n");
  says(R"("priority":2147483647)", "");
  says(R"("priority":true)", "c:18:51: priority must be an integer of -2147483648 to 2147483647, not true\n");
  says(R"("phase_us":4294967296)", "c:18:51: phase_us is 4294967296; allowed is 0 to 4294967295\n");
  says(R"("drift_free":1)", "c:18:53: drift_free is 1; allowed are true and false\n");
  says(R"("sha256":"abc")", "c:18:49: sha256 must be 64 hexadecimal digits\n");
  says(R"("sha256":")" + std::string(63, 'a') + "g\"", "c:18:49: sha256 must be 64 hexadecimal digits\n");
  says(R"("sha256":")" + std::string(64, 'F') + "\"", "");
  says(R"("sha256":null)", "c:18:49: sha256 must be 64 hexadecimal digits\n");
  says(R"("on_fault":"always")", "c:18:51: on_fault is \"always\"; allowed is an object\n");
  says(R"("on_fault":{})", "c:18:51: key \"restart\" is missing in on_fault\n");
  says(R"("on_fault":{"restart":"limited"})",
       "c:18:51: key \"max\" is missing in on_fault; with \"limited\" it says how many restarts there are\n");
  says(R"("on_fault":{"restart":"always","backoff_us":1})", "");
  says(R"("on_fault":{"restart":"never"})", "");
  says(R"("on_fault":{"restart":"often"})",
       "c:18:62: restart is \"often\"; allowed are \"never\", \"limited\" and \"always\"\n");
  says(R"("on_fault":{"restart":"always","max":-1})", "c:18:77: max is -1; allowed is 0 to 4294967295\n");
  EXPECT_THAT(notes_of(extension(R"("on_fault":{"restart":"always","times":1})")),
              HasSubstr("c:18:71: unknown key \"times\" in on_fault"));
  EXPECT_THAT(notes_of(extension(R"("x-note":1)")), StartsWith("c:18:40: unknown key \"x-note\" in fusebox"));
}

TEST(ReadPolicy, TheFlatFormOfPolicyToBin) {
  Notes notes;
  const PolicyContext flat{.activation_default = 0};
  const auto policy = parse_policy(
      R"({"capabilities":28,"memory_pages_max":6,"stack_size":8192,"heap_size":8192,"cpu_quota_us":5000,"step_interval_us":0,
          "activation_mask":2,"event_subscribe":1})",
      "p", flat, notes);
  ASSERT_TRUE(policy) << notes.text();
  EXPECT_EQ(base::to_hex(policy_to_bin(policy->policy)),
            "1c0000000600000000200000002000008813000000000000"
            "0200000001000000");
  constexpr const char* kShort =
      R"({"capabilities":["CAMERA"],"memory_pages_max":1,"stack_size":0,"heap_size":0,"cpu_quota_us":0,"step_interval_us":0})";
  EXPECT_EQ(parse_policy(kShort, "p", flat, notes)->policy.activation_mask, 0u);
  EXPECT_EQ(parse_policy(kShort, "p", {}, notes)->policy.activation_mask, 1u);
  EXPECT_FALSE(parse_policy("7", "p", flat, notes));
  EXPECT_EQ(notes.text(), "p:1:1: policy is 7; allowed is an object\n");
}

TEST(EdgePolicy, BytesThereAndBack) {
  const fuse_policy_t policy = {0x1c, 6, 8192, 0x01020304, 0xfffffffe, 5, 2, 0x80000000};
  const PolicyBin bytes = policy_to_bin(policy);
  EXPECT_EQ(base::to_hex(bytes),
            "1c00000006000000002000000403020"
            "1feffffff050000000200000000000080");
  ASSERT_TRUE(policy_from_bin(bytes));
  EXPECT_TRUE(same_policy(*policy_from_bin(bytes), policy));
  EXPECT_FALSE(policy_from_bin(std::span(bytes).first(31)));
  EXPECT_FALSE(policy_from_bin(base::as_bytes(std::string(33, 'a'))));
}

TEST(EdgePolicy, WrittenAsJsonItSaysTheSame) {
  for (const fuse_policy_t& policy :
       {fuse_policy_t{0x1c, 6, 8192, 8192, 5000, 0, 2, 1}, fuse_policy_t{},
        fuse_policy_t{0x7f, 65536, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 7, 0xffffffff}}) {
    Notes notes;
    const auto again = parse_policy(policy_json(policy), "p", {}, notes);
    ASSERT_TRUE(again) << notes.text();
    EXPECT_TRUE(same_policy(again->policy, policy));
    EXPECT_TRUE(unknown_parts(policy).empty());
  }
  EXPECT_EQ(policy_json({0x1c, 6, 8192, 8192, 5000, 0, 2, 3}),
            "{\n"
            "  \"capabilities\": [\"CAMERA\", \"LOG\", \"EVENT_POST\"],\n"
            "  \"memory_pages_max\": 6,\n"
            "  \"stack_size\": 8192,\n"
            "  \"heap_size\": 8192,\n"
            "  \"cpu_quota_us\": 5000,\n"
            "  \"step_interval_us\": 0,\n"
            "  \"activation\": [\"EVENT\"],\n"
            "  \"event_subscribe\": [0, 1]\n"
            "}\n");
  const fuse_policy_t unknown = {0x180, 65537, 0, 0, 0, 0, 9, 0};
  EXPECT_THAT(policy_json(unknown), HasSubstr("\"capabilities\": 384,"));
  EXPECT_THAT(policy_json(unknown), HasSubstr("\"activation\": 9,"));
  EXPECT_THAT(unknown_parts(unknown), ElementsAre("capability bits 0x180 are unknown to this build and grant nothing",
                                                  "activation bits 0x08 are unknown and ignored",
                                                  "memory_pages_max is 65537 and counts as 65536"));
}

}  // namespace
}  // namespace fusebox::edge::config
