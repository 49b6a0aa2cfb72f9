#include "edge/config/app_config.h"

#include <gmock/gmock.h>

#include "base/files.h"
#include "edge/config/config_test_tools.h"

namespace fusebox::edge::config {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

struct Case {
  const char* from;
  std::string to;
  std::string notes;  // all of them; "" = valid without a word
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.from) + " -> " + c.to.substr(0, 200));
    EXPECT_EQ(notes_of(demo_with(c.from, c.to)), c.notes);
  }
}

TEST(AppConfig, ReadsEveryValue) {
  const AppConfig config = read_demo(kDemo);
  EXPECT_EQ(config.name, "demo");
  EXPECT_EQ(config.max_modules, 2u);
  EXPECT_EQ(config.wamr_pool_bytes, 8388608u);
  EXPECT_EQ(config.log_pool_bytes, 65536u);
  EXPECT_THAT(config.hal_groups, ElementsAre("timer", "camera"));
  EXPECT_EQ(config.hal_mask, FUSE_CAP_TIMER | FUSE_CAP_CAMERA);
  ASSERT_EQ(config.events.size(), 2u);
  EXPECT_EQ(config.events[1].name, "DONE");
  EXPECT_EQ(config.events[1].bit, 31u);
  EXPECT_EQ(config.options.size, sizeof(fuse_options_t));
  ASSERT_EQ(config.modules.size(), 1u);
  const ModuleConfig& module = config.modules[0];
  EXPECT_EQ(module.name, "filter");
  EXPECT_EQ(module.binary, "out/filter.aot");
  EXPECT_TRUE(same_policy(module.policy.policy, {0x0C, 6, 8192, 8192, 5000, 0, 2, 1}));
  EXPECT_FALSE(module.policy.extended);
  EXPECT_EQ(notes_of(kDemo, true), "");
}

TEST(AppConfig, TopLevel) {
  EXPECT_EQ(notes_of("{}"), "c:1:1: key \"application\" is missing in app_config\n");
  EXPECT_EQ(notes_of("[]"), "c:1:1: app_config is an array; allowed is an object\n");
  EXPECT_THAT(notes_of(""), StartsWith("c:1:1: "));
  check({
      {R"("application": {)", R"("application": 5, "x-application": {)",
       "c:2:18: application is 5; allowed is an object\n"
       "c:15:26: capability CAMERA needs \"camera\" in application.hal_groups\n"
       "c:22:29: unknown event \"FRAME\"; no event is defined\n"},
      {R"("application": {)", R"("application": null, "x-application": {)",
       "c:2:18: application is null; allowed is an object\n"
       "c:15:26: capability CAMERA needs \"camera\" in application.hal_groups\n"
       "c:22:29: unknown event \"FRAME\"; no event is defined\n"},
  });
}

TEST(AppConfig, ApplicationName) {
  const std::string longest = "\"" + std::string(128, 'n') + "\"";
  std::string wide = "\"";
  for (int i = 0; i < 128; ++i) wide += "\xc3\xa9";  // 128 characters of two bytes
  check({
      {R"(    "name": "demo",
)",
       "", "c:2:18: key \"name\" is missing in application\n"},
      {R"("demo")", "7", "c:3:13: application.name must be a string, not 7\n"},
      {R"("demo")", "null", "c:3:13: application.name must be a string, not null\n"},
      {R"("demo")", R"("")", "c:3:13: application.name has 0 characters; allowed are 1 to 128\n"},
      {R"("demo")", R"("d")", ""},
      {R"("demo")", longest, ""},
      {R"("demo")", wide + "\"", ""},
      {R"("demo")", wide + "x\"", "c:3:13: application.name has 129 characters; allowed are 1 to 128\n"},
      {R"("demo")", R"("a\u0000b")", "c:3:13: application.name contains a control character\n"},
      {R"("demo")", R"("a\nb")", "c:3:13: application.name contains a control character\n"},
      {R"("demo")", R"("a\u007f")", "c:3:13: application.name contains a control character\n"},
      {R"("demo")", R"("a\u009f")", "c:3:13: application.name contains a control character\n"},
      {R"("demo")", R"("a\u00a0 \"\\ ~")", ""},
  });
}

TEST(AppConfig, ApplicationNumbers) {
  check({
      {R"(    "max_modules": 2,
)",
       "", "c:2:18: key \"max_modules\" is missing in application\n"},
      {R"("max_modules": 2)", R"("max_modules": 0)", "c:4:20: application.max_modules is 0; allowed is 1 to 8\n"},
      {R"("max_modules": 2)", R"("max_modules": 1)", ""},
      {R"("max_modules": 2)", R"("max_modules": 8)", ""},
      {R"("max_modules": 2)", R"("max_modules": 9)", "c:4:20: application.max_modules is 9; allowed is 1 to 8\n"},
      {R"("max_modules": 2)", R"("max_modules": true)",
       "c:4:20: application.max_modules must be an integer of 1 to 8, not true\n"},
      {R"("max_modules": 2)", R"("max_modules": 2.0)",
       "c:4:20: application.max_modules must be an integer of 1 to 8, not 2.0\n"},
      {R"("max_modules": 2)", R"("max_modules": "2")",
       "c:4:20: application.max_modules must be an integer of 1 to 8, not a string\n"},
      {R"(    "wamr_pool_bytes": 8388608,
)",
       "", "c:2:18: key \"wamr_pool_bytes\" is missing in application\n"},
      {"8388608", "0", "c:5:24: application.wamr_pool_bytes is 0; allowed is 1 to 4294967295\n"},
      {"8388608", "1", ""},
      {"8388608", "4294967295", ""},
      {"8388608", "4294967296", "c:5:24: application.wamr_pool_bytes is 4294967296; allowed is 1 to 4294967295\n"},
      {"8388608", "-1", "c:5:24: application.wamr_pool_bytes is -1; allowed is 1 to 4294967295\n"},
      {"8388608", "1e3", "c:5:24: application.wamr_pool_bytes must be an integer of 1 to 4294967295, not 1e3\n"},
      {"8388608", "false", "c:5:24: application.wamr_pool_bytes must be an integer of 1 to 4294967295, not false\n"},
      {R"(    "log_pool_bytes": 65536,
)",
       "", "c:2:18: key \"log_pool_bytes\" is missing in application\n"},
      {": 65536", ": 0", "c:6:23: application.log_pool_bytes is 0; allowed is 1 to 4294967295\n"},
      {": 65536", ": 143",
       "c:6:23: warning: application.log_pool_bytes is 143; one log entry takes 144 bytes, so nothing is kept\n"},
      {": 65536", ": 144", ""},
      {": 65536", ": 4294967295", ""},
      {": 65536", ": 4294967296", "c:6:23: application.log_pool_bytes is 4294967296; allowed is 1 to 4294967295\n"},
  });
}

TEST(AppConfig, HalGroups) {
  check({
      {R"(    "hal_groups": ["timer", "camera"],
)",
       "",
       "c:2:18: key \"hal_groups\" is missing in application\n"
       "c:14:26: capability CAMERA needs \"camera\" in application.hal_groups\n"},
      {R"(["timer", "camera"])", R"("camera")",
       "c:7:19: application.hal_groups must be a list, not a string\n"
       "c:15:26: capability CAMERA needs \"camera\" in application.hal_groups\n"},
      {R"("timer", "camera")", R"("timer")", "c:15:26: capability CAMERA needs \"camera\" in application.hal_groups\n"},
      {R"("timer", "camera")", R"("camera", 4)", "c:7:30: application.hal_groups must hold names, not 4\n"},
      {R"("timer", "camera")", R"("camera", "log")",
       "c:7:30: \"log\" is always present; leave it out of application.hal_groups\n"},
      {R"("timer", "camera")", R"("camera", "event")",
       "c:7:30: \"event\" is always present; leave it out of application.hal_groups\n"},
      {R"("timer", "camera")", R"("camera", "tmer")", "c:7:30: unknown HAL group \"tmer\"; did you mean \"timer\"?\n"},
      {R"("timer", "camera")", R"("camera", "lidar_array")",
       "c:7:30: unknown HAL group \"lidar_array\"; known are temp_sensor, timer, camera, gpio, uart\n"},
      {R"("timer", "camera")", R"("camera", "camera")",
       "c:7:30: warning: \"camera\" stands twice in application.hal_groups\n"},
      {R"("timer", "camera")", R"("uart", "gpio", "temp_sensor", "camera")", ""},
  });
}

TEST(AppConfig, Events) {
  const char* const kEvents = R"({"FRAME": 0, "DONE": 31})";
  check({
      {kEvents, "[]",
       "c:8:15: events must be an object of names and indices, not a list\n"
       "c:22:29: unknown event \"FRAME\"; no event is defined\n"},
      {kEvents, R"({"FRAME": 0, "DONE": 32})", "c:8:36: event \"DONE\" is 32; allowed is 0 to 31\n"},
      {kEvents, R"({"FRAME": 0, "DONE": -1})", "c:8:36: event \"DONE\" is -1; allowed is 0 to 31\n"},
      {kEvents, R"({"FRAME": 0, "DONE": true})", "c:8:36: event \"DONE\" must be an integer of 0 to 31, not true\n"},
      {kEvents, R"({"FRAME": 0, "DONE": "1"})", "c:8:36: event \"DONE\" must be an integer of 0 to 31, not a string\n"},
      {kEvents, R"({"FRAME": 0, "DONE": 0})", "c:8:36: events \"FRAME\" and \"DONE\" have the same index 0\n"},
      {kEvents, R"({"FRAME": 0, "frame": 1})",
       "c:8:28: events \"FRAME\" and \"frame\" get the same macro FUSE_EVENT_FRAME\n"},
      {kEvents, R"({"FRAME": 0, "a-b": 1, "a_B": 2})",
       "c:8:38: events \"a-b\" and \"a_B\" get the same macro FUSE_EVENT_A_B\n"},
      {kEvents, R"({"FRAME": 0, "\u00e9": 1, "-": 2})",
       "c:8:41: events \"\xc3\xa9\" and \"-\" get the same macro FUSE_EVENT__\n"},
      {kEvents, R"({"FRAME": 0, "ab": 1, "a_b": 2})", ""},
      {kEvents, R"({"FRAME": 0, "x-note": "a comment", "description": 3, "$schema": []})", ""},
      {R"(,
    "events": {"FRAME": 0, "DONE": 31})",
       "", "c:21:29: unknown event \"FRAME\"; no event is defined\n"},
  });
  EXPECT_EQ(read_demo(demo_with(kEvents, R"({"FRAME": 0, "description": 3, "x-note": "a"})")).events.size(), 2u);
  EXPECT_EQ(event_macro("data-captured.2\xc3\xa9z"), "DATA_CAPTURED_2_Z");
}

TEST(AppConfig, ModuleList) {
  std::string second = demo_with(R"(      }
    }
  ])",
                                 R"(      }
    }, {"name": "FILTER", "binary": "b.wasm", "policy": {"capabilities": [], "memory_pages_max": 0, "stack_size": 0,
      "heap_size": 0, "cpu_quota_us": 0, "step_interval_us": 0}}
  ])");
  EXPECT_EQ(notes_of(second), "c:24:17: module names \"filter\" and \"FILTER\" differ in upper and lower case only\n");
  std::string same = second;
  EXPECT_EQ(notes_of(same.replace(same.find("FILTER"), 6, "filter")),
            "c:24:17: module name \"filter\" is used twice\n");
  std::string two = second;
  two.replace(two.find("FILTER"), 6, "second");
  EXPECT_EQ(notes_of(two), "");
  two.replace(two.find(R"("max_modules": 2)"), 16, R"("max_modules": 1)");
  EXPECT_EQ(notes_of(two), "c:10:14: modules has 2 entries; application.max_modules allows 1\n");

  std::string none(kDemo);
  none.resize(none.find(",\n  \"modules\""));
  EXPECT_EQ(notes_of(none + "}"), "") << "platform only";
  EXPECT_TRUE(read_demo(none + "}").modules.empty());
  EXPECT_EQ(notes_of(none + R"(,"modules":[]})"),
            "c:9:15: modules is empty; leave the key out for a deployment without modules\n");
  EXPECT_EQ(notes_of(none + R"(,"modules":null})"), "c:9:15: modules must be a list, not null\n");
  EXPECT_EQ(notes_of(none + R"(,"modules":[7]})"), "c:9:16: module is 7; allowed is an object\n");
  EXPECT_EQ(notes_of(none + R"(,"modules":[{}]})"),
            "c:9:16: key \"name\" is missing in module\nc:9:16: key \"binary\" is missing in module\n"
            "c:9:16: key \"policy\" is missing in module\n");
}

TEST(AppConfig, ModuleNameAndBinary) {
  const std::string kTail = " must be a C identifier: letters, digits and _, not beginning with a digit\n";
  check({
      {R"("filter",)", R"("_f9",)", ""},
      {R"("filter",)", R"("9f",)", "c:12:15: module name \"9f\"" + kTail},
      {R"("filter",)", R"("a-b",)", "c:12:15: module name \"a-b\"" + kTail},
      {R"("filter",)", R"("../x",)", "c:12:15: module name \"../x\"" + kTail},
      {R"("filter",)", R"("\u00e9",)", "c:12:15: module name \"\xc3\xa9\"" + kTail},
      {R"("filter",)", R"("",)", "c:12:15: name is empty\n"},
      {R"("filter",)", R"("a\u0000",)", "c:12:15: name contains a NUL\n"},
      {R"("filter",)", R"(5,)", "c:12:15: name must be a string, not 5\n"},
      {R"("filter",)", "\"" + std::string(244, 'f') + "\",", ""},
      {R"("filter",)", "\"" + std::string(245, 'f') + "\",",
       "c:12:15: name is 245 bytes long; allowed are at most 244\n"},
      {R"("out/filter.aot")", R"("")", "c:13:17: binary is empty\n"},
      {R"("out/filter.aot")", "{}", "c:13:17: binary must be a string, not an object\n"},
      {R"("out/filter.aot")", R"("a\u0000b")", "c:13:17: binary contains a NUL\n"},
      {R"("out/filter.aot")", "\"" + std::string(4097, 'f') + "\"",
       "c:13:17: binary is 4097 bytes long; allowed are at most 4096\n"},
      {R"("out/filter.aot")", R"("b")", ""},
  });
}

TEST(AppConfig, UnknownKeysAreWarningsOutsidePoliciesAndErrorsWhenStrict) {
  const std::string top =
      demo_with(R"(  "modules": [)", R"(  "modulez": 1, "$schema": "s", "x-a": 1, "description": 3, "modules": [)");
  EXPECT_EQ(notes_of(top), "c:10:3: warning: unknown key \"modulez\" in app_config; did you mean \"modules\"?\n");
  EXPECT_EQ(notes_of(top, true), "c:10:3: unknown key \"modulez\" in app_config; did you mean \"modules\"?\n");
  const std::string application = demo_with(R"("max_modules": 2,)", R"("max_modules": 2, "hal_group": [], "x-": 0,)");
  EXPECT_EQ(notes_of(application),
            "c:4:23: warning: unknown key \"hal_group\" in application; did you mean \"hal_groups\"?\n");
  EXPECT_THAT(notes_of(application, true), StartsWith("c:4:23: unknown key"));
  const std::string module = demo_with(R"("name": "filter",)", R"("name": "filter", "path": "", "description": "d",)");
  EXPECT_THAT(notes_of(module), StartsWith("c:12:25: warning: unknown key \"path\" in module"));
  EXPECT_THAT(notes_of(module, true), StartsWith("c:12:25: unknown key \"path\" in module"));
  for (const char* key : {"x-a", "$schema", "description", "priority"}) {
    const std::string policy =
        demo_with(R"("heap_size": 8192)", R"("heap_size": 8192, ")" + std::string(key) + "\": 1");
    EXPECT_THAT(notes_of(policy), StartsWith("c:18:28: unknown key \"" + std::string(key) + "\" in policy")) << key;
  }
  EXPECT_EQ(notes_of(demo_with(R"("max_modules": 2,)", R"("max_modules": 2, "description": 1,)")),
            "c:4:38: application.description must be a string, not 1\n");
}

TEST(AppConfig, RuntimeOptions) {
  const auto with = [](const std::string& options) {
    return demo_with(R"("max_modules": 2,)", R"("max_modules": 2, "fusebox": )" + options + ",");
  };
  EXPECT_EQ(notes_of(with(R"({"lifecycle_budget_us": 5, "max_modules": 4096, "strict_policy": true, "strict_imports": 1,
    "wamr_heap_compat": false, "memory_pages_cap": 65536, "evidence_entries": 9, "description": "d"})")),
            "");
  const AppConfig config =
      read_demo(with(R"({"lifecycle_budget_us":5,"max_modules":4096,"strict_policy":true,"evidence_entries":9})"));
  EXPECT_EQ(config.options.lifecycle_budget_us, 5u);
  EXPECT_EQ(config.options.max_modules, 4096u);
  EXPECT_EQ(config.options.strict_policy, 1u);
  EXPECT_EQ(config.options.evidence_entries, 9u);
  EXPECT_EQ(config.options.step_ceiling_us, 0u);
  EXPECT_EQ(notes_of(with("7")), "c:4:34: application.fusebox is 7; allowed is an object\n");
  EXPECT_EQ(notes_of(with(R"({"max_modules":4097})")), "c:4:49: max_modules is 4097; allowed is 1 to 4096\n");
  EXPECT_EQ(notes_of(with(R"({"max_modules":0})")), "c:4:49: max_modules is 0; allowed is 1 to 4096\n");
  EXPECT_EQ(notes_of(with(R"({"strict_policy":2})")), "c:4:51: strict_policy is 2; allowed is 0 to 1\n");
  EXPECT_EQ(notes_of(with(R"({"evidence_entries":true})")),
            "c:4:54: evidence_entries must be an integer of 0 to 4294967295, not true\n");
  EXPECT_EQ(notes_of(with(R"({"memory_pages_cap":65537})")),
            "c:4:54: memory_pages_cap is 65537; allowed is 0 to 65536\n");
  EXPECT_THAT(notes_of(with(R"({"size":44})")),
              StartsWith("c:4:35: warning: unknown key \"size\" in application.fusebox"));
}

TEST(AppConfig, EverythingWrongIsReportedAtOnceInOrder) {
  const std::string text = R"({"application":{"name":"","max_modules":9,"hal_groups":["log"]},
"modules":[{"name":"1","policy":{"capabilities":["NONE"],"stack_size":-1}},{"binary":""}], "extra":0})";
  EXPECT_EQ(notes_of(text),
            "c:1:16: key \"wamr_pool_bytes\" is missing in application\n"
            "c:1:16: key \"log_pool_bytes\" is missing in application\n"
            "c:1:24: application.name has 0 characters; allowed are 1 to 128\n"
            "c:1:41: application.max_modules is 9; allowed is 1 to 8\n"
            "c:1:57: \"log\" is always present; leave it out of application.hal_groups\n"
            "c:2:12: key \"binary\" is missing in module\n"
            "c:2:20: module name \"1\" must be a C identifier: letters, digits and _, not beginning with a digit\n"
            "c:2:33: key \"memory_pages_max\" is missing in policy\n"
            "c:2:33: key \"heap_size\" is missing in policy\n"
            "c:2:33: key \"cpu_quota_us\" is missing in policy\n"
            "c:2:33: key \"step_interval_us\" is missing in policy\n"
            "c:2:50: unknown capability \"NONE\"; known are TEMP_SENSOR, TIMER, CAMERA, LOG, EVENT_POST, GPIO, UART\n"
            "c:2:71: stack_size is -1; allowed is 0 to 4294967295\n"
            "c:2:76: key \"name\" is missing in module\n"
            "c:2:76: key \"policy\" is missing in module\n"
            "c:2:86: binary is empty\n"
            "c:2:92: warning: unknown key \"extra\" in app_config; allowed are \"application\" and \"modules\"\n");
}

TEST(AppConfig, DuplicateKeysAreErrorsAtEveryLevel) {
  check({
      {R"("max_modules": 2,)", R"("max_modules": 2, "max_modules": 2,)",
       "c:4:23: key \"max_modules\" is given twice; each key may stand once in an object\n"},
      {R"("heap_size": 8192)", R"("heap_size": 8192, "heap_size": 1)",
       "c:18:28: key \"heap_size\" is given twice; each key may stand once in an object\n"},
      {R"({"FRAME": 0,)", R"({"FRAME": 0, "FRAME": 1,)",
       "c:8:28: key \"FRAME\" is given twice; each key may stand once in an object\n"},
  });
}

TEST(AppConfig, HostileText) {
  EXPECT_THAT(notes_of(std::string(100'000, '[')), HasSubstr("64"));
  EXPECT_THAT(notes_of(std::string(kConfigBytesMax + 1, ' ')),
              StartsWith("c:1:1: document is 1048577 bytes; allowed are at most 1048576"));
  EXPECT_THAT(notes_of("{\"application\": \"\xff\"}"), StartsWith("c:1:"));
  EXPECT_THAT(notes_of(std::string_view("{\"application\"\0: 1}", 19)), StartsWith("c:1:15: "));
  EXPECT_THAT(notes_of("\xef\xbb\xbf{}"), HasSubstr("byte-order mark"));
  EXPECT_THAT(notes_of(R"({"application": "\ud800"})"), StartsWith("c:1:"));
  std::string keys = "{";
  for (int i = 0; i < 40'000; ++i) keys += "\"x-" + std::to_string(i) + "\":0,\"k" + std::to_string(i) + "\":0,";
  keys.back() = '}';
  EXPECT_THAT(notes_of(keys), EndsWith("and 39900 more warnings\n"));
  std::string events;
  for (int i = 0; i < 1000; ++i)
    events += (i == 0 ? "\"E" : ",\"E") + std::to_string(i) + "\":" + std::to_string(i % 32);
  EXPECT_THAT(notes_of(demo_with(R"("FRAME": 0, "DONE": 31)", events)),
              HasSubstr("c:8:15: events has 1000 members; there are 32 events"));
}

TEST(AppConfig, TheFileIsReadWithItsBound) {
  const auto folder = base::TempDir::create("fusebox-config");
  ASSERT_TRUE(folder);
  const auto file = folder->path() / "app_config.json";
  Notes notes;
  EXPECT_EQ(load_app_config(file, {}, notes).error().code, base::Errc::not_found);
  ASSERT_TRUE(base::write_file_atomic(file, base::as_bytes(kDemo)));
  const auto config = load_app_config(file, {}, notes);
  ASSERT_TRUE(config && *config);
  EXPECT_EQ((*config)->name, "demo");
  ASSERT_TRUE(base::write_file_atomic(file, base::as_bytes(std::string(kConfigBytesMax + 1, ' '))));
  EXPECT_EQ(load_app_config(file, {}, notes).error().code, base::Errc::exhausted);
}

}  // namespace
}  // namespace fusebox::edge::config
