#include "core/bench/benchmark.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/base/status.h"
#include "core/bench/published_tensors.h"
#include "core/bench/random_checkpoint.h"
#include "core/bench/settings.h"
#include "core/bench/shapes.h"
#include "core/checkpoint/config.h"

namespace finback {
namespace {

using Json = nlohmann::json;

std::string ProblemOf(const char* settings) {
  try {
    ParseBenchmarkSettings(settings);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidRequest);
    return error.what();
  }
  return "";
}

TEST(BenchmarkSettings, NameWhatIsWrong) {
  EXPECT_EQ(ProblemOf("{}"), "");
  EXPECT_EQ(ProblemOf(R"({"shape": "orca"})"),
            "shape: unknown shape \"orca\", expected flash, pro or tiny");
  EXPECT_EQ(ProblemOf(R"({"kinds": [0, 2]})"),
            "kinds[1]: expected 0 (window), 4 (CSA) or a larger number (HCA)");
  EXPECT_EQ(ProblemOf(R"({"experts": 5})"),
            "experts: expected 0 or 6 to 256: a token is sent to 6 of them");
  EXPECT_EQ(ProblemOf(R"({"depths": [0, 1048577]})"),
            "depths[1]: expected a whole number of 0 to 1048576");
  EXPECT_EQ(ProblemOf(R"({"depths": ["8K"]})"),
            "depths[0]: expected a whole number of 0 to 1048576");
  EXPECT_NE(ProblemOf(R"({"depth": [0]})"), "");
  EXPECT_NE(ProblemOf(R"({"repeats": 0})"), "");
  EXPECT_NE(ProblemOf("[]"), "");
  EXPECT_NE(ProblemOf("{"), "");
}

TEST(BenchmarkSettings, MeasureEachOnce) {
  EXPECT_EQ(ParseBenchmarkSettings(R"({"depths": [8, 0, 8]})").depths,
            (std::vector<int64_t>{8, 0}));
}

BenchmarkTarget Target(int threads) {
  BenchmarkTarget target;
  target.threads = threads;
  target.memory_budget_bytes = 1200u << 20;  // the roofs' data is a part of it
  return target;
}

Json Measured(const BenchmarkTarget& target, const char* settings) {
  return Json::parse(RunBenchmark(target, settings));
}

constexpr char kSmall[] =
    R"({"shape": "tiny", "depths": [0, 600], "prefill": [40], "prefill_depths": [0, 100],
        "together": [2], "streams": [1, 3], "tokens": 4, "repeats": 2})";

TEST(Benchmark, ReportsEveryPart) {
  const Json report = Measured(Target(2), kSmall);
  EXPECT_EQ(report["checkpoint"]["layers"], 4);
  EXPECT_EQ(report["checkpoint"]["layers_of_whole"], 6);
  EXPECT_EQ(report["threads"], 2);
  ASSERT_EQ(report["decode"].size(), 2u);
  ASSERT_EQ(report["together"].size(), 1u);
  ASSERT_EQ(report["prefill"].size(), 2u);
  for (const char* kind : {"decode", "together", "prefill"}) {
    for (const Json& part : report[kind]) {
      EXPECT_TRUE(part["skipped"].is_null());
      EXPECT_EQ(part["repeats"], 2);
      EXPECT_GT(part["tokens_per_second"]["best"], 0);
      EXPECT_GE(part["tokens_per_second"]["best"], part["tokens_per_second"]["median"]);
      EXPECT_GT(part["whole_model_tokens_per_second"], 0);
      double sum = 0;
      for (const Json& share : part["phases"]) sum += share.get<double>();
      EXPECT_NEAR(sum, 1, 1e-3);
    }
  }
  EXPECT_EQ(report["prefill"][1]["depth"], 100);
  EXPECT_GT(report["roofs"]["read_bytes_per_second"]["best"], 0);
  EXPECT_GT(report["roofs"]["f32_operations_per_second"]["best"], 0);
  EXPECT_GT(report["memory"]["sequence_bytes"], 0);
}

TEST(Benchmark, CountsTheBytesOfAPass) {
  const Json report = Measured(Target(1), kSmall);
  const Json& one = report["decode"][0];
  // Two tokens read the rest once and at most twice as many experts.
  const Json& two = report["together"][0];
  EXPECT_GT(two["weight_bytes"], one["weight_bytes"]);
  EXPECT_LT(two["weight_bytes"], 2 * one["weight_bytes"].get<int64_t>());
  EXPECT_EQ(two["cost_of_one"]["predicted"].is_number(), true);
  EXPECT_LT(one["cache_bytes"], report["decode"][1]["cache_bytes"]);
}

TEST(Benchmark, DrivesStreamsByThreads) {
  const Json report = Measured(Target(2), kSmall);
  ASSERT_EQ(report["streams"].size(), 2u);
  const Json& one = report["streams"][0];
  EXPECT_EQ(one["streams"], 1);
  EXPECT_EQ(one["streams_per_pass"], 1);
  EXPECT_EQ(one["times_one"]["measured"], 1);
  EXPECT_EQ(one["times_one"]["predicted"], 1);
  const Json& three = report["streams"][1];
  EXPECT_GT(three["tokens_per_second"]["best"], 0);
  EXPECT_GE(three["streams_per_pass"], 1);
  EXPECT_LE(three["streams_per_pass"], 3);
  EXPECT_GT(three["times_one"]["measured"], 0);
  EXPECT_GT(three["times_one"]["predicted"], 0);
}

TEST(Benchmark, HasNoShareAloneWhereOneThreadIsAll) {
  const Json report = Measured(Target(1), kSmall);
  EXPECT_TRUE(report["decode"][0]["alone_share"].is_null());
  EXPECT_EQ(report["decode"][0]["forks_per_layer"], 0);
}

TEST(Benchmark, SkipsDepthsForWhichThereIsNoMemory) {
  BenchmarkTarget target = Target(1);
  target.precision = Precision::kFloat32;  // ten layers of it need more than that
  const Json report = Measured(target, R"({"shape": "tiny", "kinds": [4,4,4,4,4,4,4,4,4,4],
                                           "depths": [0, 1048576], "prefill": [],
                                           "together": [], "streams": [], "tokens": 1, "repeats": 1})");
  EXPECT_TRUE(report["decode"][0]["skipped"].is_null());
  ASSERT_TRUE(report["decode"][1]["skipped"].is_string());
  EXPECT_NE(report["decode"][1]["skipped"].get<std::string>().find("MB of memory"),
            std::string::npos);
  EXPECT_FALSE(report["decode"][1].contains("tokens_per_second"));
}

TEST(Benchmark, RefusesACheckpointForWhichThereIsNoMemory) {
  BenchmarkTarget target = Target(1);
  target.memory_budget_bytes = 1 << 20;
  for (const char* settings : {R"({"shape": "tiny"})", R"({"shape": "flash", "experts": 8})"}) {
    try {
      RunBenchmark(target, settings);
      FAIL() << settings;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kBudget);
      EXPECT_NE(std::string(error.what()).find("GB of memory is available"), std::string::npos)
          << error.what();
    }
  }
}

TEST(Benchmark, TakesFewerExpertsWhereNoNumberWasAskedFor) {
  BenchmarkTarget target = Target(1);
  const std::string config = ShapeConfig(*FindShape("tiny"), {0, 4, 128, 4}, 16);
  const auto tensors = PublishedTensors(ParseConfig(config, "config.json"));
  target.memory_budget_bytes = (uint64_t{1} << 30) + RandomCheckpoint::PlanBytes(tensors) - 1;
  const char* const parts =
      R"("depths": [0], "prefill": [], "together": [], "streams": [], "tokens": 1, "repeats": 1})";
  const Json report = Measured(target, (R"({"shape": "tiny", )" + std::string(parts)).c_str());
  EXPECT_EQ(report["checkpoint"]["experts"], 8);
  EXPECT_EQ(report["notes"].size(), 1u);
  EXPECT_THROW(
      Measured(target, (R"({"shape": "tiny", "experts": 16, )" + std::string(parts)).c_str()),
      Error);
}

TEST(Benchmark, TellsNothingOfAWholeModelThatHasOtherLayers) {
  const Json report = Measured(Target(1), R"({"shape": "tiny", "kinds": [0, 4], "depths": [0],
                                         "prefill": [], "together": [], "streams": [], "tokens": 1,
                                         "repeats": 1})");
  EXPECT_TRUE(report["decode"][0]["whole_model_tokens_per_second"].is_null());
}

TEST(Benchmark, StopsWhenItIsToldTo) {
  for (const std::string phase : {"make", "load", "benchmark"}) {
    BenchmarkTarget target = Target(1);
    bool told = false;
    target.progress = [&](const char* now, uint64_t, uint64_t) { return !(told |= now == phase); };
    try {
      RunBenchmark(target, kSmall);
      FAIL() << phase;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kCancelled);
      EXPECT_TRUE(told) << phase;
    }
  }
}

TEST(Benchmark, CountsWithoutMeasuring) {
  const Json report = Measured(Target(1), R"({"measure": false})");
  EXPECT_EQ(report["token"]["layers"], 43);
  EXPECT_FALSE(report.contains("decode"));
  EXPECT_EQ(report["token"]["at_depth"].size(), 5u);
}

}  // namespace
}  // namespace finback
