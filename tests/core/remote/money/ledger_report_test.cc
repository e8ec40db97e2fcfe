#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/core/remote/money/ledger_fixture.h"

namespace finback {
namespace {

// As a report does where nothing can be written.
TEST_F(LedgerTest, ReadingAloneChangesNothingAndMakesNoFiles) {
  folder_ += "/odd%20name?#";
  ASSERT_EQ(mkdir(folder_.c_str(), 0700), 0);
  path_ = folder_ + "/ledger.sqlite";
  {
    const auto ledger = Ledger::Open(Settings());
    ledger->Settle(ledger->Begin(Asking(1000)), Costing(120));
    ledger->Begin(Asking(500));
  }
  Execute(
      "UPDATE attempts SET state = 'reserved', cost_pico = NULL, process = '1 1 gone' WHERE id = 2");
  const auto bytes = [this] {
    std::ifstream file(path_, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const auto files = [this] {
    return std::distance(std::filesystem::directory_iterator(folder_), {});
  };
  const std::string before = bytes();
  ASSERT_EQ(files(), 1);
  LedgerSettings settings = Settings();
  settings.only_read = true;
  const auto ledger = Ledger::Open(settings);
  const std::vector<CostRow> rows = ReportCosts(CostGroup::kModel, 0, kMost, ledger.get());
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].attempts, 2);
  EXPECT_EQ(rows[0].open, 1);
  EXPECT_EQ(rows[0].cost_pico, 120);
  EXPECT_EQ(Caught([&] { ledger->Begin(Asking(1)); }).code(), Code::kIo);
  EXPECT_EQ(files(), 1);
  EXPECT_EQ(bytes(), before);
}

// What the log beside a ledger holds is read with it, while its writer is still there.
TEST_F(LedgerTest, ReadingAloneReadsTheLogToo) {
  const auto writer = Ledger::Open(Settings());
  writer->Settle(writer->Begin(Asking(1000)), Costing(120));
  LedgerSettings settings = Settings();
  settings.only_read = true;
  const auto ledger = Ledger::Open(settings);
  EXPECT_EQ(ReportCosts(CostGroup::kModel, 0, kMost, ledger.get()).size(), 1u);
}

TEST_F(LedgerTest, ReadingAloneRefusesWhatItWouldHaveToBringUpToDate) {
  std::ofstream file(path_);  // nothing yet
  ASSERT_TRUE(file.is_open());
  LedgerSettings settings = Settings();
  settings.only_read = true;
  const Error error = Caught([&] { Ledger::Open(settings); });
  EXPECT_EQ(error.code(), Code::kUnsupported);
  EXPECT_NE(std::string(error.what()).find("up to date"), std::string::npos) << error.what();
}

TEST_F(LedgerTest, ReportsGroupByEverythingThatIsAsked) {
  auto ledger = Ledger::Open(Settings());
  const auto add = [&](const char* conversation, const char* user, const char* model,
                       int64_t pico) {
    Attempt attempt = Asking(pico);
    attempt.conversation = conversation;
    attempt.user = user;
    attempt.model = model;
    ledger->Settle(ledger->Begin(attempt), Costing(pico));
  };
  add("c1", "ann", "deepseek-flash", 1'000'000'000'000);
  add("c2", "bob", "deepseek-flash", 20);
  now_ += kDayMs;
  add("c2", "ann", "deepseek-v4-pro", 300);
  ledger->Begin(Asking(7));
  const struct {
    CostGroup group;
    std::vector<std::pair<std::string, int64_t>> rows;
  } kCases[] = {
      {CostGroup::kDay, {{"2026-11-23", 1'000'000'000'020}, {"2026-11-24", 300}}},
      {CostGroup::kModel, {{"deepseek-flash", 1'000'000'000'020}, {"deepseek-v4-pro", 300}}},
      {CostGroup::kUser, {{"ann", 1'000'000'000'300}, {"bob", 20}}},
      {CostGroup::kTag, {{"test", 1'000'000'000'320}}},
      {CostGroup::kKey, {{"0a1b2c3d", 1'000'000'000'320}}},
      {CostGroup::kProvider, {{"deepseek", 1'000'000'000'320}}},
      {CostGroup::kConversation, {{"c1", 1'000'000'000'000}, {"c2", 320}}},
  };
  for (const auto& row : kCases) {
    std::vector<std::pair<std::string, int64_t>> found;
    for (const CostRow& cost : ReportCosts(row.group, 0, kMost, ledger.get())) {
      found.emplace_back(cost.group, cost.cost_pico);
    }
    EXPECT_EQ(found, row.rows);
  }
  const std::vector<CostRow> second =
      ReportCosts(CostGroup::kDay, kNoon + 1, kNoon + kDayMs, ledger.get());
  EXPECT_TRUE(second.empty());
  const CostRow last = ReportCosts(CostGroup::kDay, kNoon + 1, kMost, ledger.get()).at(0);
  EXPECT_EQ(last.open, 1);
  EXPECT_EQ(last.reserved_pico, 7);
  EXPECT_DOUBLE_EQ(last.CacheHitRatio(), 0.4);

  const auto json =
      nlohmann::json::parse(ReportCostsJson(CostGroup::kConversation, 0, kMost, ledger.get()));
  EXPECT_EQ(json["group_by"], "conversation");
  EXPECT_EQ(json["rows"][0]["group"], "c1");
  EXPECT_EQ(json["rows"][0]["cost"], "1.000000");
  EXPECT_EQ(json["rows"][0]["cost_pico"], 1'000'000'000'000);
  EXPECT_EQ(json["rows"][0]["cache_hit_ratio"], 0.4);
  EXPECT_EQ(json["rows"][0]["reserved"], "0.000000000007");
  EXPECT_EQ(json["rows"][1]["attempts"], 2);
}

TEST_F(LedgerTest, RepricingKeepsTheOldFigure) {
  auto ledger = Ledger::Open(Settings());
  Outcome unknown = Costing(0), reported = Costing(900);
  unknown.cost = Cost{};
  reported.usage.reported_cost_pico = 800;
  ledger->Settle(ledger->Begin(Asking(5)), Costing(777));
  ledger->Settle(ledger->Begin(Asking(5)), unknown);
  ledger->Settle(ledger->Begin(Asking(5)), reported);
  Attempt elsewhere = Asking(5);
  elsewhere.provider = "nowhere";
  ledger->Settle(ledger->Begin(elsewhere), Costing(555));
  ledger->Fail(ledger->Begin(Asking(5)), Outcome{});
  Attempt renamed = elsewhere;
  renamed.price_provider = "deepseek";
  ledger->Estimate(ledger->Begin(renamed), Costing(666));

  // 40 hits, 60 misses, 10 out.
  const PriceTable table = PriceTable::Load(
      R"({"prices": [{"provider": "deepseek", "model": "deepseek-flash", "hit": "0.000001",
                      "miss": "0.00001", "output": "0.0001"}]})",
      "");
  constexpr int64_t kNew = 40 + 600 + 1000;
  const Repricing first = Reprice(table, ledger.get());
  EXPECT_EQ(first.examined, 5);
  EXPECT_EQ(first.changed, 2);
  EXPECT_EQ(first.difference_pico, kNew - 777 + kNew - 666);
  EXPECT_EQ(first.found, 1);
  EXPECT_EQ(first.found_pico, kNew);
  EXPECT_EQ(first.without_price, 1);
  const std::string columns =
      "SELECT cost_pico, original_pico, cost_source, charge_pico, table_pico, difference_pico "
      "FROM attempts WHERE id = ";
  EXPECT_EQ(Query(columns + "1"), (Row{"1640", "777", "table", "1640", "1640", "NULL"}));
  EXPECT_EQ(Query(columns + "2"), (Row{"1640", "NULL", "table", "1640", "1640", "NULL"}));
  EXPECT_EQ(Query(columns + "3"), (Row{"800", "800", "reported", "800", "1640", "-840"}));
  EXPECT_EQ(Query(columns + "4"), (Row{"555", "NULL", "table", "555", "555", "NULL"}));
  EXPECT_EQ(Query(columns + "6"), (Row{"1640", "666", "estimated", "1640", "1640", "NULL"}));

  EXPECT_EQ(Reprice(table, ledger.get()).changed, 0);
  // Back to the built-in prices: the first figure is still there.
  const Repricing second = Reprice(PriceTable::Load("", ""), ledger.get());
  EXPECT_EQ(second.changed, 3);
  EXPECT_EQ(Query(columns + "1"), (Row{std::to_string(40 * 3000 + 60 * 150000 + 10 * 600000), "777",
                                       "table", "15120000", "15120000", "NULL"}));
}

}  // namespace
}  // namespace finback
