#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "fleet/metrics/engine_meters.h"
#include "fleet/metrics/process.h"
#include "fleet/metrics/registry.h"

namespace fusebox::fleet {
namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Registry, ShowsWhatHasNoLabelsFromTheStart) {
  const std::string text = Registry().text();
  EXPECT_TRUE(has_line(text, "# TYPE orchestrator_reconcile_cycles_total counter"));
  EXPECT_TRUE(has_line(text, "orchestrator_reconcile_cycles_total 0"));
  EXPECT_TRUE(has_line(text, "orchestrator_reconcile_duration_seconds_bucket{le=\"+Inf\"} 0"));
  EXPECT_EQ(text.find("orchestrator_host_reachable"), std::string::npos);
}

TEST(Registry, CountsBySeries) {
  Registry registry;
  Counter& counter = registry.counter(Metric::http_requests, {"/v1/hosts", "GET", "200"});
  counter.add();
  counter.add(2);
  EXPECT_EQ(&counter, &registry.counter(Metric::http_requests, {"/v1/hosts", "GET", "200"}));
  registry.gauge(Metric::sse_subscribers).add(-3);
  registry.gauge(Metric::host_reachable, {"a\"b\\c\nd"}).set(1);
  const std::string text = registry.text();
  EXPECT_TRUE(has_line(text, R"(orchestrator_http_requests_total{route="/v1/hosts",method="GET",code="200"} 3)"));
  EXPECT_TRUE(has_line(text, "orchestrator_sse_subscribers -3"));
  EXPECT_TRUE(has_line(text, R"(orchestrator_host_reachable{host="a\"b\\c\nd"} 1)"));
}

TEST(Registry, HistogramsAreCumulative) {
  Registry registry;
  Histogram& histogram = registry.histogram(Metric::reconcile_duration);
  for (const double value : {0.005, 0.006, 11.0}) histogram.observe(value);
  const std::string text = registry.text();
  EXPECT_TRUE(has_line(text, "orchestrator_reconcile_duration_seconds_bucket{le=\"0.005\"} 1"));
  EXPECT_TRUE(has_line(text, "orchestrator_reconcile_duration_seconds_bucket{le=\"0.01\"} 2"));
  EXPECT_TRUE(has_line(text, "orchestrator_reconcile_duration_seconds_bucket{le=\"10\"} 2"));
  EXPECT_TRUE(has_line(text, "orchestrator_reconcile_duration_seconds_bucket{le=\"+Inf\"} 3"));
  EXPECT_TRUE(has_line(text, "orchestrator_reconcile_duration_seconds_sum 11.011"));
  EXPECT_TRUE(has_line(text, "orchestrator_reconcile_duration_seconds_count 3"));
}

TEST(Registry, SeriesAreBounded) {
  Registry registry;
  for (std::size_t i = 0; i < Registry::kSeriesMax + 100; ++i) {
    registry.counter(Metric::auth_failures, {std::to_string(i)}).add();
  }
  EXPECT_TRUE(has_line(registry.text(), "orchestrator_auth_failures_total{reason=\"other\"} 100"));
}

TEST(Registry, AHostThatIsGoneIsNotShown) {
  Registry registry;
  registry.gauge(Metric::host_reachable, {"h1"}).set(1);
  registry.gauge(Metric::host_reachable, {"h2"}).set(1);
  registry.hide(Metric::host_reachable, "h1");
  EXPECT_EQ(registry.text().find("h1"), std::string::npos);
  EXPECT_NE(registry.text().find("h2"), std::string::npos);
  registry.gauge(Metric::host_reachable, {"h1"});
  EXPECT_NE(registry.text().find("h1"), std::string::npos);
}

TEST(EngineMeters, CountCorrectionsAndWhatRuns) {
  Registry registry;
  RegistryMeters meters(registry);
  EXPECT_TRUE(has_line(registry.text(), "orchestrator_reconcile_allocations_corrected_total 0"));
  meters.count(EngineMeters::Count::drift_corrected, 2);
  meters.count(EngineMeters::Count::cycles, 1);
  meters.operation_running("create", 1);
  meters.operation_running("create", 1);
  meters.operation_running("create", -1);
  meters.operation_ended("create", "done");
  const std::string text = registry.text();
  for (const char* line :
       {"orchestrator_reconcile_allocations_corrected_total 2", "orchestrator_reconcile_cycles_total 1",
        R"(orchestrator_operations_running{kind="create"} 1)",
        R"(orchestrator_operations_total{kind="create",outcome="done"} 1)"})
    EXPECT_TRUE(has_line(text, line)) << line;
}

TEST(EngineMeters, ShowWhatHostsKeepOfSnapshotsUntilTheyAreGone) {
  Registry registry;
  RegistryMeters meters(registry);
  meters.snapshots("", 1, 10, 0);
  meters.snapshots("h1", 2, 3'000'000'000, 40);
  meters.agent_request("h1", "create", 503, 0.2);
  std::string text = registry.text();
  for (const char* line :
       {R"(orchestrator_snapshots{host=""} 1)", R"(orchestrator_snapshots{host="h1"} 2)",
        R"(orchestrator_snapshot_bytes{host="h1"} 3000000000)", R"(orchestrator_snapshot_leaked_bytes{host="h1"} 40)",
        R"(orchestrator_agent_requests_total{host="h1",op="create",code="503"} 1)",
        R"(orchestrator_agent_request_duration_seconds_count{host="h1",op="create",code="503"} 1)"})
    EXPECT_TRUE(has_line(text, line)) << line;
  meters.snapshots("h1", 0, 0, 0);
  EXPECT_TRUE(has_line(registry.text(), R"(orchestrator_snapshot_leaked_bytes{host="h1"} 0)"));
  meters.host_gone("h1");
  text = registry.text();
  EXPECT_EQ(text.find("h1"), std::string::npos) << text;
  EXPECT_TRUE(has_line(text, R"(orchestrator_snapshots{host=""} 1)"));
}

TEST(Registry, CountsFromManyThreads) {
  Registry registry;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) {
        registry.counter(Metric::sse_events, {j % 2 == 0 ? "state" : "step"}).add();
        registry.histogram(Metric::scheduling_duration).observe(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(registry.counter(Metric::sse_events, {"state"}).value(), 2000u);
  EXPECT_EQ(registry.histogram(Metric::scheduling_duration).sum(), 4000);
}

TEST(MetricTable, NamesAreThoseOfTheContract) {
  for (const MetricSpec& spec : metric_table()) {
    EXPECT_TRUE(spec.name.starts_with("orchestrator_")) << spec.name;
    EXPECT_EQ(spec.kind == MetricKind::counter, spec.name.ends_with("_total")) << spec.name;
    EXPECT_EQ(spec.kind == MetricKind::histogram, !spec.buckets.empty()) << spec.name;
  }
  EXPECT_EQ(metric_method("GET"), "GET");
  EXPECT_EQ(metric_method("BREW"), "other");
}

TEST(ProcessMetrics, AreReadFromTheKernelsTexts) {
  ProcessFiles files;
  files.stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 51 0 0 20 0 3 0 250 4096000 100 18446744073709551615";
  files.limits = "Limit  Soft Limit  Hard Limit\nMax open files            1024                 4096   files\n";
  files.system_stat = "cpu 1 2 3\nbtime 1700000000\n";
  files.open_fds = 9;
  const std::string text = process_metrics(files);
  EXPECT_TRUE(has_line(text, "process_cpu_seconds_total 2.01"));
  EXPECT_TRUE(has_line(text, "process_start_time_seconds 1700000002.50"));
  EXPECT_TRUE(has_line(text, "process_virtual_memory_bytes 4096000"));
  EXPECT_TRUE(has_line(text, "process_resident_memory_bytes 409600"));
  EXPECT_TRUE(has_line(text, "process_open_fds 9"));
  EXPECT_TRUE(has_line(text, "process_max_fds 1024"));
  EXPECT_EQ(process_metrics({}), "");
  EXPECT_TRUE(process_metrics(read_process_files()).find("process_resident_memory_bytes") != std::string::npos);
}

}  // namespace
}  // namespace fusebox::fleet
