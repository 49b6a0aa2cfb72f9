// /proc: contract section 11.
#include "container/proc/proc_mount.h"

#include <gtest/gtest.h>

#include "container/container_test_support.h"

namespace fusebox::container {
namespace {

using vfs::Errno;

Nodes proc(World& world, ProcView view, std::string own = "me") {
  return Nodes(make_proc_mount(world.core(), std::move(own), view));
}

TEST(Proc, AnUnprivilegedContainerSeesTwoTexts) {
  World world;
  Nodes nodes = proc(world, ProcView::none);
  EXPECT_EQ(nodes.list(""), (std::vector<std::string>{"clock_quality/4", "wanted/4"}));
  EXPECT_EQ(code_of(nodes.read("memory")), Errno::acces);
  EXPECT_EQ(code_of(nodes.open("wapps")), Errno::acces);
  EXPECT_EQ(code_of(nodes.read("wapps/x/state")), Errno::acces);
  EXPECT_EQ(code_of(nodes.read("nothing")), Errno::noent);
  EXPECT_EQ(code_of(nodes.read("wanted/below")), Errno::noent);
  EXPECT_EQ(code_of(nodes.write("wanted", "x")), Errno::rofs);
  EXPECT_EQ(*nodes.read("clock_quality"), "\x03");
}

TEST(Proc, WantedIsTheContractsText) {
  World world({.profile = "constrained"});
  Nodes nodes = proc(world, ProcView::none);
  const std::string text = *nodes.read("wanted");
  EXPECT_EQ(text,
            "platform:\tlinux\nversion:\t1.2.3\nmax_wapps:\t3\nmax_wapp_name:\t15 B\nmax_path:\t256 B\n"
            "wasm_stack:\t8192 B\nwasm_heap:\t8192 B\nwasm_worker_stack:\t65536 B\nwasm_max_pages:\t1\n"
            "max_drivers:\t6\nmax_options:\t128 B\nlog_slots:\t3\n"
            "drivers:\tnull log platform 9p config socket sha256 ed25519 inflate wanted\nprofile:\tconstrained\n");
  EXPECT_LE(text.size(), 480u);
}

TEST(Proc, ThePrivilegedSeeRunsAndNoReservations) {
  World world;
  world.add_guest("hello");
  world.add_guest("sleeper");
  world.run("done", with_image("hello"));
  ASSERT_TRUE(world->launch("live", with_image("sleeper")).has_value());
  ASSERT_TRUE(world->create_name("only").has_value());
  world.until_running("live");
  Nodes nodes = proc(world, ProcView::all);
  EXPECT_EQ(nodes.list(""), (std::vector<std::string>{"wapps/3", "memory/4", "clock_quality/4", "wanted/4"}));
  EXPECT_EQ(nodes.list("wapps"), (std::vector<std::string>{"done/3", "live/3"}));
  EXPECT_EQ(code_of(nodes.read("wapps/only/state")), Errno::noent);
  EXPECT_EQ(nodes.list("wapps/done"),
            (std::vector<std::string>{"state/4", "image/4", "version/4", "id/4", "memory/4", "exit_code/4", "reason/4",
                                      "started/4", "cpu/4", "restarts/4", "digest/4"}));
  EXPECT_EQ(*nodes.read("wapps/done/state"), "exited");
  EXPECT_EQ(*nodes.read("wapps/done/image"), "hello");
  EXPECT_EQ(*nodes.read("wapps/done/id"), "0");
  EXPECT_EQ(*nodes.read("wapps/live/id"), "1");
  EXPECT_EQ(*nodes.read("wapps/done/exit_code"), "0");
  EXPECT_EQ(*nodes.read("wapps/live/exit_code"), "-1");
  EXPECT_EQ(*nodes.read("wapps/done/reason"), "exit");
  EXPECT_EQ(*nodes.read("wapps/live/reason"), "-");
  EXPECT_EQ(*nodes.read("wapps/done/restarts"), "0 none");
  EXPECT_EQ(*nodes.read("wapps/done/memory"), "linear_cur:\t0 B\nlinear_max:\t0 B\npages_cur:\t0\npages_max:\t0\n");
  EXPECT_TRUE(nodes.read("wapps/live/memory")->starts_with("linear_cur:\t65536 B\n"))
      << *nodes.read("wapps/live/memory");
  EXPECT_TRUE(nodes.read("wapps/done/digest")->starts_with("sha256:"));
  EXPECT_TRUE(nodes.read("wapps/live/cpu")->starts_with("user_ms:\t"));
  EXPECT_EQ(code_of(nodes.read("wapps/live/nothing")), Errno::noent);
  EXPECT_EQ(code_of(nodes.read("wapps/live/state/x")), Errno::noent);
  EXPECT_EQ(code_of(nodes.read("wapps/nobody")), Errno::noent);
  EXPECT_TRUE(nodes.read("memory")->starts_with("stack_size:\t131072 B\nheap_used:\t"));
}

TEST(Proc, SelfSeesItself) {
  World world;
  world.add_guest("hello");
  world.run("me", with_image("hello"));
  world.run("you", with_image("hello"));
  Nodes nodes = proc(world, ProcView::self);
  EXPECT_EQ(nodes.list(""), (std::vector<std::string>{"wapps/3", "clock_quality/4", "wanted/4"}));
  EXPECT_EQ(nodes.list("wapps"), std::vector<std::string>{"me/3"});
  EXPECT_EQ(*nodes.read("wapps/me/state"), "exited");
  EXPECT_EQ(code_of(nodes.read("wapps/you/state")), Errno::noent);
  EXPECT_EQ(code_of(nodes.read("memory")), Errno::acces);
}

TEST(Proc, EachOpenRendersAnew) {
  World world;
  world.add_guest("sleeper");
  ASSERT_TRUE(world->launch("a", with_image("sleeper")).has_value());
  world.until_running("a");
  Nodes nodes = proc(world, ProcView::all);
  auto first = nodes.open("wapps/a/state");
  EXPECT_EQ(*nodes.read_once(**first, 3), "run");
  ASSERT_TRUE(world->stop("a").has_value());
  world.ended("a");
  EXPECT_EQ(*nodes.read_once(**first, 30), "ning");
  EXPECT_EQ(*nodes.read_once(**first, 30), "");
  EXPECT_EQ(*nodes.read("wapps/a/state"), "exited");
}

}  // namespace
}  // namespace fusebox::container
