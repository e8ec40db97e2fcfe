#include "core/remote/money/prices.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "core/base/status.h"

namespace finback {
namespace {

int64_t Utc(const char* text) {
  const std::optional<int64_t> instant = ParseUtc(text);
  EXPECT_TRUE(instant.has_value()) << text;
  return instant.value_or(0);
}

Usage Tokens(int64_t prompt, int64_t cached, int64_t completion) {
  Usage usage;
  usage.prompt_tokens = prompt;
  usage.cached_tokens = cached;
  usage.completion_tokens = completion;
  return usage;
}

const PriceTable& BuiltIn() {
  static const PriceTable* const table = new PriceTable(PriceTable::Load("", ""));
  return *table;
}

constexpr int64_t kPicoPerMicro = 1000000;  // of a dollar
constexpr const char* kOffPeak = "2026-11-23T05:00:00Z";
constexpr const char* kPeak = "2026-11-23T02:00:00Z";

TEST(DollarsTest, AreExactDecimals) {
  const struct {
    int64_t pico;
    const char* text;
  } kCases[] = {
      {0, "0.000000"},
      {3625, "0.000000003625"},
      {4770 * kPicoPerMicro, "0.004770"},
      {1, "0.000000000001"},
      {-4770 * kPicoPerMicro, "-0.004770"},
      {kPicoPerDollar, "1.000000"},
      {25 * kPicoPerDollar / 2 + 10, "12.50000000001"},
      {std::numeric_limits<int64_t>::max(), "9223372.036854775807"},
      {std::numeric_limits<int64_t>::min(), "-9223372.036854775808"},
  };
  for (const auto& row : kCases) {
    EXPECT_EQ(FormatDollars(row.pico), row.text);
    if (row.pico != std::numeric_limits<int64_t>::min()) {
      EXPECT_EQ(ParseDollars(row.text), row.pico) << row.text;
    }
  }
}

TEST(DollarsTest, ReadEverySpellingOfANumber) {
  const struct {
    const char* text;
    int64_t pico;
  } kCases[] = {
      {"0", 0},
      {"-0", 0},
      {"110.00", 110 * kPicoPerDollar},
      {"1e-05", 10'000'000},
      {"1.25E+2", 125 * kPicoPerDollar},
      {"0.00014190000000000001", 141'900'000},
      {"0.0000000000004", 0},
      {"0.0000000000005", 1},
      {"0.9999999999995", kPicoPerDollar},
      {"1e-13", 0},
      {"9e-13", 1},
      {"1e-400", 0},
      {"0e999999999999999999999", 0},
      {"0.000000000000000000000000001e27", kPicoPerDollar},
      {"000012", 12 * kPicoPerDollar},
      {"-2.5", -2'500'000'000'000},
      {"1000000000000e-12", kPicoPerDollar},
  };
  for (const auto& row : kCases) EXPECT_EQ(ParseDollars(row.text), row.pico) << row.text;
}

TEST(DollarsTest, RefuseWhatIsNoAmountOrDoesNotFit) {
  for (const char* text : {"", "-", ".", ".5", "5.", "1e", "1e+", "+1", " 1", "1 ", "0x10", "NaN",
                           "1,5", "1e2e3", "9223372.036854775808", "9223372.0368547758075", "1e7",
                           "1e400", "1e99999999999999999999"}) {
    EXPECT_EQ(ParseDollars(text), std::nullopt) << text;
  }
}

TEST(DollarsTest, SumsAndProductsStayInRange) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(SaturatingAdd(kMost, 1), kMost);
  EXPECT_EQ(SaturatingAdd(kLeast, -1), kLeast);
  EXPECT_EQ(SaturatingAdd(2, -3), -1);
  EXPECT_EQ(SaturatingMultiply(kMost, 2), kMost);
  EXPECT_EQ(SaturatingMultiply(kMost, -2), kLeast);
  EXPECT_EQ(SaturatingMultiply(-6, 7), -42);
}

TEST(PricesTest, TheCheckValuesAreMetToThePicoDollar) {
  const struct {
    const char *model, *instant;
    int64_t pico;
    const char* tariff;
  } kCases[] = {
      {"deepseek-flash", kOffPeak, 4770 * kPicoPerMicro, "off_peak"},
      {"deepseek-flash", kPeak, 9540 * kPicoPerMicro, "peak"},
      {"deepseek-v4-pro", kOffPeak, 18480 * kPicoPerMicro, "off_peak"},
      {"deepseek-v4-pro", kPeak, 36960 * kPicoPerMicro, "peak"},
  };
  for (const auto& row : kCases) {
    const int64_t sent = Utc(row.instant);
    const Cost cost =
        BuiltIn().PriceOf(Tokens(100000, 90000, 5000), "deepseek", row.model, sent, sent + 9000);
    EXPECT_TRUE(cost.known) << row.model;
    EXPECT_EQ(cost.pico, row.pico) << row.model << " " << row.instant;
    EXPECT_EQ(cost.tariff, row.tariff);
    EXPECT_FALSE(cost.tariff_ambiguous);
    EXPECT_FALSE(cost.counts_disagree);
    EXPECT_TRUE(cost.calendar_known);
    EXPECT_STREQ(cost.unknown_because, "");
  }
}

TEST(PricesTest, ReasoningIsNotCountedTwice) {
  Usage usage = Tokens(100000, 90000, 5000);
  usage.reasoning_tokens = 4000;
  const int64_t sent = Utc(kOffPeak);
  EXPECT_EQ(BuiltIn().PriceOf(usage, "deepseek", "deepseek-flash", sent, sent).pico,
            4770 * kPicoPerMicro);
}

TEST(PricesTest, PeakHoursAreThoseOfWorkingDays) {
  const struct {
    const char* instant;
    Tariff tariff;
  } kCases[] = {
      {"2026-11-23T00:59:59Z", Tariff::kOffPeak},
      {"2026-11-23T01:00:00Z", Tariff::kPeak},  // a Monday
      {"2026-11-23T03:59:59Z", Tariff::kPeak},
      {"2026-11-23T04:00:00Z", Tariff::kOffPeak},
      {"2026-11-23T05:59:59Z", Tariff::kOffPeak},
      {"2026-11-23T06:00:00Z", Tariff::kPeak},
      {"2026-11-23T09:59:59Z", Tariff::kPeak},
      {"2026-11-23T10:00:00Z", Tariff::kOffPeak},
      {"2026-11-27T02:00:00Z", Tariff::kPeak},     // Friday
      {"2026-11-28T02:00:00Z", Tariff::kOffPeak},  // Saturday
      {"2026-11-22T02:00:00Z", Tariff::kOffPeak},  // Sunday
      {"2026-10-01T02:00:00Z", Tariff::kOffPeak},  // a holiday, Thursday
      {"2026-10-07T02:00:00Z", Tariff::kOffPeak},  // its last day, Wednesday
      {"2026-10-08T02:00:00Z", Tariff::kPeak},
      {"2026-09-25T02:00:00Z", Tariff::kOffPeak},
      {"2026-10-10T02:00:00Z", Tariff::kOffPeak},  // a Saturday worked for a holiday
  };
  for (const auto& row : kCases) {
    const auto price = BuiltIn().Find("deepseek", "deepseek-flash", Utc(row.instant));
    ASSERT_TRUE(price.has_value());
    EXPECT_STREQ(TariffName(price->tariff), TariffName(row.tariff)) << row.instant;
  }
  const int64_t edge = Utc("2026-11-23T01:00:00Z");
  EXPECT_EQ(BuiltIn().Find("deepseek", "deepseek-flash", edge - 1)->tariff, Tariff::kOffPeak);
}

TEST(PricesTest, HistoryIsKept) {
  const struct {
    const char *model, *instant;
    int64_t hit, miss, output;
  } kCases[] = {
      {"deepseek-v4-flash", "2026-04-24T00:00:00Z", 28000, 140000, 280000},
      {"deepseek-v4-pro", "2026-04-24T00:00:00Z", 145000, 1'740'000, 3'480'000},
      {"deepseek-v4-flash", "2026-04-26T12:14:59Z", 28000, 140000, 280000},
      {"deepseek-v4-flash", "2026-04-26T12:15:00Z", 2800, 140000, 280000},
      {"deepseek-v4-pro", "2026-04-26T12:15:00Z", 3625, 435000, 870000},
      {"deepseek-v4-pro", "2026-05-31T12:00:00Z", 3625, 435000, 870000},
      {"deepseek-v4-pro", "2026-07-01T00:00:00Z", 3625, 435000, 870000},
      {"deepseek-v4-pro", "2026-08-16T15:59:59Z", 3625, 435000, 870000},
      {"deepseek-v4-pro", "2026-08-16T16:00:00Z", 22000, 660000, 1'980'000},
      {"deepseek-v4-pro", "2026-08-17T01:00:00Z", 44000, 1'320'000, 3'960'000},
      {"deepseek-v4-flash", "2026-08-17T00:00:00Z", 7000, 220000, 660000},
      {"deepseek-v4-flash", "2026-08-17T01:00:00Z", 14000, 440000, 1'320'000},
      {"deepseek-flash", "2026-09-10T03:59:59Z", 14000, 440000, 1'320'000},
      {"deepseek-flash", "2026-09-10T04:00:00Z", 3000, 150000, 600000},
      {"deepseek-flash", "2026-09-10T06:00:00Z", 6000, 300000, 1'200'000},
      {"deepseek-v4-pro", "2026-09-10T06:00:00Z", 44000, 1'320'000, 3'960'000},
  };
  for (const auto& row : kCases) {
    const auto price = BuiltIn().Find("deepseek", row.model, Utc(row.instant));
    ASSERT_TRUE(price.has_value()) << row.model << " " << row.instant;
    EXPECT_EQ(price->hit_pico, row.hit) << row.model << " " << row.instant;
    EXPECT_EQ(price->miss_pico, row.miss) << row.model << " " << row.instant;
    EXPECT_EQ(price->output_pico, row.output) << row.model << " " << row.instant;
    EXPECT_EQ(price->source[0], '[') << price->source;
  }
  EXPECT_FALSE(BuiltIn().Find("deepseek", "deepseek-v4-pro", Utc("2026-04-23")).has_value());
}

TEST(PricesTest, LegacyNamesAreBilledAsTheirSuccessor) {
  const struct {
    const char* alias;
    const char* billed_as;
  } kCases[] = {
      {"deepseek-v4-flash", "deepseek-flash"},
      {"deepseek-v4-flash-vision-exp", "deepseek-flash"},
      {"claude-opus-4-1", "deepseek-v4-pro"},
      {"claude-haiku", "deepseek-flash"},
  };
  for (const auto& row : kCases) {
    const auto price = BuiltIn().Find("deepseek", row.alias, Utc(kPeak));
    const auto successor = BuiltIn().Find("deepseek", row.billed_as, Utc(kPeak));
    ASSERT_TRUE(price && successor) << row.alias;
    EXPECT_EQ(price->output_pico, successor->output_pico) << row.alias;
  }
}

TEST(PricesTest, ResellersHavePricesOfTheirOwn) {
  const struct {
    const char *provider, *model;
    int64_t hit, miss, output;
  } kCases[] = {
      {"together", "deepseek-ai/DeepSeek-V4-Pro", 200000, 2'100'000, 4'400'000},
      {"together", "deepseek-ai/deepseek-v4-pro", 200000, 2'100'000, 4'400'000},
      {"fireworks", "accounts/fireworks/models/deepseek-v4p1-flash", -1, 220000, 660000},
      {"fireworks", "deepseek-v4p1-flash-fast", -1, 2'400'000, 9'600'000},
      {"novita", "deepseek/deepseek-v4.1-flash", -1, 300000, 1'200'000},
      {"novita", "deepseek/deepseek-v4-pro", 135000, 1'600'000, 3'200'000},
  };
  for (const auto& row : kCases) {
    const auto price = BuiltIn().Find(row.provider, row.model, Utc(kPeak));
    ASSERT_TRUE(price.has_value()) << row.provider << " " << row.model;
    EXPECT_EQ(price->hit_pico, row.hit);
    EXPECT_EQ(price->miss_pico, row.miss);
    EXPECT_EQ(price->output_pico, row.output);
    EXPECT_EQ(price->tariff, Tariff::kFlat);
  }
}

TEST(PricesTest, AnUnknownPriceIsNotZero) {
  const int64_t sent = Utc(kPeak);
  const struct {
    const char *provider, *model;
    Usage usage;
    int64_t sent;
  } kCases[] = {
      {"deepseek", "deepseek-v5", Tokens(1, 0, 1), sent},
      {"openrouter", "deepseek/deepseek-v4-pro", Tokens(1, 0, 1), sent},
      {"", "", Tokens(1, 0, 1), sent},
      {"deepseek", "deepseek-flash", Tokens(1, 0, 1), 0},
      {"deepseek", "deepseek-flash", Tokens(1, 0, 1), std::numeric_limits<int64_t>::min()},
      {"fireworks", "x/deepseek-v4p1-flash", Tokens(10, 1, 1), sent},  // no price of hits
  };
  for (const auto& row : kCases) {
    const Cost cost = BuiltIn().PriceOf(row.usage, row.provider, row.model, row.sent, row.sent);
    EXPECT_FALSE(cost.known) << row.provider << ":" << row.model;
    EXPECT_EQ(cost.pico, 0);
    EXPECT_STRNE(cost.unknown_because, "");
  }
  const Cost without_hits =
      BuiltIn().PriceOf(Tokens(10, 0, 1), "fireworks", "x/deepseek-v4p1-flash", sent, sent);
  EXPECT_TRUE(without_hits.known);
  EXPECT_EQ(without_hits.pico, 10 * 220000 + 660000);
}

TEST(PricesTest, CountsThatMakeNoSenseMakeNoCost) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const int64_t sent = Utc(kOffPeak);
  for (const Usage& usage :
       {Tokens(-1, 0, 0), Tokens(0, -1, 0), Tokens(0, 0, -1), Tokens(kMost, 0, 0),
        Tokens(0, kMost, 0), Tokens(0, 0, kMost), Tokens(kMost / 150000, 0, kMost / 600000)}) {
    const Cost cost = BuiltIn().PriceOf(usage, "deepseek", "deepseek-flash", sent, sent);
    EXPECT_FALSE(cost.known);
    EXPECT_STRNE(cost.unknown_because, "");
  }
  // The largest that fits.
  const Cost most =
      BuiltIn().PriceOf(Tokens(0, 0, kMost / 600000), "deepseek", "deepseek-flash", sent, sent);
  EXPECT_TRUE(most.known);
  EXPECT_EQ(most.pico, kMost / 600000 * 600000);
}

TEST(PricesTest, MoreHitsThanPromptIsMarkedAndTheHitsCount) {
  const int64_t sent = Utc(kOffPeak);
  const Cost cost =
      BuiltIn().PriceOf(Tokens(100, 150, 0), "deepseek", "deepseek-flash", sent, sent);
  EXPECT_TRUE(cost.known);
  EXPECT_TRUE(cost.counts_disagree);
  EXPECT_EQ(cost.pico, 150 * 3000);
}

TEST(PricesTest, ATariffThatChangesWhileARequestRunsIsMarked) {
  const struct {
    const char *model, *sent, *ended;
    bool ambiguous;
  } kCases[] = {
      {"deepseek-flash", "2026-11-23T00:59:59Z", "2026-11-23T01:00:00Z", true},
      {"deepseek-flash", "2026-11-23T00:59:58Z", "2026-11-23T00:59:59Z", false},
      {"deepseek-flash", "2026-11-23T01:00:00Z", "2026-11-23T03:59:59Z", false},
      {"deepseek-flash", "2026-11-23T03:59:59Z", "2026-11-23T04:00:00Z", true},
      {"deepseek-flash", "2026-11-23T00:30:00Z", "2026-11-23T05:00:00Z", true},   // over a peak
      {"deepseek-flash", "2026-11-21T00:30:00Z", "2026-11-22T23:00:00Z", false},  // week-end
      {"deepseek-flash", "2026-11-20T11:00:00Z", "2026-11-23T02:00:00Z", true},
      {"deepseek-flash", "2026-10-01T00:00:00Z", "2026-10-07T23:59:59Z", false},   // holidays
      {"deepseek-flash", "2026-09-10T03:30:00Z", "2026-09-10T04:30:00Z", true},    // a new price
      {"deepseek-v4-pro", "2026-05-21T23:00:00Z", "2026-05-22T01:00:00Z", false},  // the same price
      {"deepseek-v4-pro", "2026-08-16T15:59:59Z", "2026-08-16T16:00:01Z", true},
      {"deepseek-flash", "2026-11-23T01:00:01Z", "2026-11-23T00:59:59Z", true},  // clock set back
      {"deepseek-flash", "2026-11-23T02:00:00Z", "9999-12-31T00:00:00Z", true},
  };
  for (const auto& row : kCases) {
    const Cost cost =
        BuiltIn().PriceOf(Tokens(1, 0, 1), "deepseek", row.model, Utc(row.sent), Utc(row.ended));
    EXPECT_TRUE(cost.known);
    EXPECT_EQ(cost.tariff_ambiguous, row.ambiguous) << row.sent << " .. " << row.ended;
  }
  const Cost flat = BuiltIn().PriceOf(Tokens(1, 0, 1), "novita", "deepseek-v4-pro",
                                      Utc("2026-11-23T00:30:00Z"), Utc("2026-11-23T05:00:00Z"));
  EXPECT_FALSE(flat.tariff_ambiguous);
}

TEST(PricesTest, YearsWithoutHolidaysAreMarked) {
  const int64_t next = Utc("2027-10-01T02:00:00Z");  // a Friday
  const Cost cost = BuiltIn().PriceOf(Tokens(1, 0, 0), "deepseek", "deepseek-flash", next, next);
  EXPECT_EQ(cost.tariff, "peak");
  EXPECT_FALSE(cost.calendar_known);
  const PriceTable with_2027 = PriceTable::Load(
      "", R"({"calendars": {"deepseek": {"holidays": {"2027": ["2027-10-01..2027-10-07"]}}}})");
  const Cost known = with_2027.PriceOf(Tokens(1, 0, 0), "deepseek", "deepseek-flash", next, next);
  EXPECT_EQ(known.tariff, "off_peak");
  EXPECT_TRUE(known.calendar_known);
  // The other years stay.
  EXPECT_EQ(with_2027.Find("deepseek", "deepseek-flash", Utc("2026-10-01T02:00:00Z"))->tariff,
            Tariff::kOffPeak);
}

TEST(PricesTest, MakeUpDaysHavePeaksWhenTheCalendarSaysSo) {
  const PriceTable table =
      PriceTable::Load("", R"({"calendars": {"deepseek": {"make_up_days_are_peak": true}}})");
  EXPECT_EQ(table.Find("deepseek", "deepseek-flash", Utc("2026-10-10T02:00:00Z"))->tariff,
            Tariff::kPeak);
  EXPECT_EQ(table.Find("deepseek", "deepseek-flash", Utc("2026-10-11T02:00:00Z"))->tariff,
            Tariff::kOffPeak);
}

TEST(PricesTest, AUsersRowsGoFirst) {
  const PriceTable table = PriceTable::Load(R"({
    "prices": [
      {"provider": "*", "model": "*", "valid_from": "2026-11-01", "valid_to": "2026-11-02",
       "hit": "0", "miss": 0, "output": "0.000001"},
      {"provider": "deepseek", "model": "deepseek-v4-pro", "hit": 0.003625, "miss": "1",
       "output": "2e0", "cache_write": "1.25", "source": "our contract"},
      {"provider": "deepseek", "model": "special", "tariff": "peak", "miss": "4", "output": "8"},
      {"provider": "mine", "model": "*", "calendar": "deepseek", "tariff": "peak", "miss": "4",
       "output": "8"},
      {"provider": "mine", "model": "*", "calendar": "deepseek", "tariff": "off_peak", "miss": "2",
       "output": "4"}
    ],
    "aliases": [{"provider": "deepseek", "model": "deepseek-v4-flash", "billed_as": "deepseek-v4-pro"}]
  })",
                                            "");
  const auto pro = table.Find("deepseek", "deepseek-v4-pro", Utc("2026-04-01"));
  ASSERT_TRUE(pro.has_value());
  EXPECT_EQ(pro->hit_pico, 3625);
  EXPECT_EQ(pro->output_pico, 2'000'000);
  EXPECT_EQ(pro->cache_write_pico, 1'250'000);
  EXPECT_EQ(pro->source, "our contract");
  EXPECT_EQ(table.Find("deepseek", "deepseek-v4-flash", Utc(kPeak))->output_pico, 2'000'000);
  EXPECT_EQ(table.Find("x", "y", Utc("2026-11-01T12:00:00Z"))->output_pico, 1);
  EXPECT_FALSE(table.Find("x", "y", Utc("2026-11-02")).has_value());
  EXPECT_FALSE(table.Find("deepseek", "special", Utc(kOffPeak)).has_value());
  EXPECT_EQ(table.Find("deepseek", "special", Utc(kPeak))->miss_pico, 4'000'000);
  EXPECT_EQ(table.Find("mine", "any", Utc(kPeak))->miss_pico, 4'000'000);
  EXPECT_EQ(table.Find("mine", "any", Utc(kOffPeak))->miss_pico, 2'000'000);
  // The rest is as built in.
  EXPECT_EQ(table.Find("deepseek", "deepseek-flash", Utc(kPeak))->miss_pico, 300000);
}

TEST(PricesTest, WrittenCacheIsAMissUnlessItHasAPrice) {
  const PriceTable table = PriceTable::Load(
      R"({"prices": [{"provider": "p", "model": "m", "hit": "1", "miss": "10", "output": "0",
                      "cache_write": "12.5"}]})",
      "");
  Usage usage = Tokens(1000, 300, 0);
  usage.cache_write_tokens = 200;
  EXPECT_EQ(table.PriceOf(usage, "p", "m", 1, 1).pico,
            300 * 1'000'000LL + 200 * 12'500'000LL + 500 * 10'000'000LL);
  const int64_t sent = Utc(kOffPeak);
  EXPECT_EQ(table.PriceOf(usage, "deepseek", "deepseek-flash", sent, sent).pico,
            300 * 3000 + 700 * 150000);
}

TEST(PricesTest, TheWorstCaseIsAllMissesAtThePeak) {
  const int64_t worst = 100000 * 300000LL + 5000 * 1'200'000LL;
  for (const char* instant : {kPeak, kOffPeak}) {
    for (const char* model : {"deepseek-flash", "deepseek-v4-flash"}) {
      const WorstCase reserve =
          BuiltIn().WorstCaseOf("deepseek", model, Utc(instant), 100000, 5000);
      EXPECT_EQ(reserve.pico, worst) << model << " " << instant;
      EXPECT_FALSE(reserve.is_ceiling);
    }
  }
  EXPECT_EQ(BuiltIn().WorstCaseOf("deepseek", "deepseek-v5", Utc(kPeak), 1, 1).pico, -1);
  EXPECT_EQ(BuiltIn().WorstCaseOf("deepseek", "deepseek-flash", Utc(kPeak), -5, -5).pico, 0);
  EXPECT_EQ(BuiltIn()
                .WorstCaseOf("deepseek", "deepseek-flash", Utc(kPeak),
                             std::numeric_limits<int64_t>::max(), 1)
                .pico,
            std::numeric_limits<int64_t>::max());
}

TEST(PricesTest, ACeilingIsReservedButNeverACost) {
  const PriceTable table = PriceTable::Load(R"({"ceiling": {"input": "5", "output": "25"}})", "");
  const WorstCase reserve = table.WorstCaseOf("openrouter", "anything", Utc(kPeak), 1000, 100);
  EXPECT_EQ(reserve.pico, 1000 * 5'000'000LL + 100 * 25'000'000LL);
  EXPECT_TRUE(reserve.is_ceiling);
  EXPECT_FALSE(table.WorstCaseOf("deepseek", "deepseek-flash", Utc(kPeak), 1, 1).is_ceiling);
  EXPECT_FALSE(
      table.PriceOf(Tokens(1, 0, 1), "openrouter", "anything", Utc(kPeak), Utc(kPeak)).known);
}

TEST(PricesTest, FilesThatAreWrongAreRefusedByRowAndField) {
  const struct {
    const char *prices, *calendar, *part;
  } kCases[] = {
      {"[]", "", "price file: expected an object, found a list"},
      {"", "[]", "calendar file: expected an object, found a list"},
      {"{", "", "price file"},
      {R"({"price": []})", "", "price: unknown field"},
      {R"({"prices": [{"model": "m", "miss": "1", "output": "1"}]})", "", "prices[0].provider"},
      {R"({"prices": [{"provider": "p", "model": "m", "output": "1"}]})", "", "prices[0].miss"},
      {R"({"prices": [{"provider": "p", "model": "m", "miss": "1"}]})", "", "prices[0].output"},
      {R"({"prices": [{"provider": "p", "model": "m", "miss": "-1", "output": "1"}]})", "",
       "prices[0].miss"},
      {R"({"prices": [{"provider": "p", "model": "m", "miss": "1 dollar", "output": "1"}]})", "",
       "prices[0].miss"},
      {R"({"prices": [{"provider": "p", "model": "m", "miss": "0.0000001", "output": "1"}]})", "",
       "finer"},
      {R"({"prices": [{"provider": "p", "model": "m", "miss": true, "output": "1"}]})", "",
       "prices[0].miss"},
      {R"({"prices": [{"provider": "p", "model": "m", "miss": "1", "output": "1", "hits": "1"}]})",
       "", "prices[0].hits"},
      {R"({"prices": [{"provider": "p", "model": "m", "miss": "1", "output": "1",
                       "tariff": "night"}]})",
       "", "prices[0].tariff"},
      {R"({"prices": [{"provider": "p", "model": "m", "miss": "1", "output": "1",
                       "valid_from": "2026-02-30"}]})",
       "", "prices[0].valid_from"},
      {R"({"aliases": [{"provider": "p", "model": "m"}]})", "", "aliases[0].billed_as"},
      {R"({"ceiling": {"input": "1"}})", "", "ceiling.output"},
      {"", "{\"calendar\": 1}", "calendar: unknown field"},
      {"", R"({"calendars": {"c": {"peak_hours_utc": [["04:00", "01:00"]]}}})",
       "calendars.c.peak_hours_utc[0]"},
      {"", R"({"calendars": {"c": {"peak_hours_utc": [["01:00", "24:01"]]}}})",
       "calendars.c.peak_hours_utc[0]"},
      {"", R"({"calendars": {"c": {"peak_hours_utc": [["1:00", "2:00"]]}}})",
       "calendars.c.peak_hours_utc[0]"},
      {"", R"({"calendars": {"c": {"weekdays": ["monday"]}}})", "calendars.c.weekdays[0]"},
      {"", R"({"calendars": {"c": {"holidays": {"2027": ["2026-01-01"]}}}})",
       "calendars.c.holidays.2027[0]"},
      {"", R"({"calendars": {"c": {"holidays": {"27": []}}}})", "calendars.c.holidays.27"},
      {"", R"({"calendars": {"c": {"holidays": {"2027": ["2027-01-03..2027-01-01"]}}}})",
       "calendars.c.holidays.2027[0]"},
  };
  for (const auto& row : kCases) {
    try {
      PriceTable::Load(row.prices, row.calendar);
      ADD_FAILURE() << "taken: " << row.prices << row.calendar;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument) << error.what();
      EXPECT_NE(std::string(error.what()).find(row.part), std::string::npos) << error.what();
    }
  }
}

TEST(PricesTest, PatternsWithManyStarsTakeNoTime) {
  std::string pattern, model(4000, 'a');
  for (int i = 0; i < 200; ++i) pattern += "*a";
  pattern += "b";
  const PriceTable table =
      PriceTable::Load("{\"prices\": [{\"provider\": \"p\", \"model\": \"" + pattern +
                           "\", \"miss\": \"1\", \"output\": \"1\"}]}",
                       "");
  EXPECT_FALSE(table.Find("p", model, 0).has_value());
  EXPECT_TRUE(table.Find("p", model + "B", 0).has_value());
}

TEST(PeakCalendarTest, ReadsInstantsStrictly) {
  EXPECT_EQ(ParseUtc("1970-01-01"), 0);
  EXPECT_EQ(ParseUtc("2026-11-23T01:00:00Z"), 1'795'395'600'000);
  for (const char* text :
       {"", "2026", "2026-13-01", "2026-02-29", "2026-1-01", "2026-11-23T01:00Z",
        "2026-11-23 01:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T01:60:00Z",
        "2026-11-23T01:00:60Z", "2026-11-23T01:00:00+00:00", "2026-11-23T01:00:00Zx"}) {
    EXPECT_EQ(ParseUtc(text), std::nullopt) << text;
  }
}

TEST(PeakCalendarTest, MonthsBeginOnTheFirst) {
  EXPECT_EQ(MonthStart(Utc("2026-11-23T01:00:00Z")), Utc("2026-11-01"));
  EXPECT_EQ(MonthStart(Utc("2026-11-01")), Utc("2026-11-01"));
  EXPECT_EQ(MonthStart(Utc("2028-02-29T23:59:59Z")), Utc("2028-02-01"));
}

TEST(PriceTableTest, KnowsAServiceByItsOwnNameFirst) {
  const PriceTable table = PriceTable::Load(
      R"({"prices": [{"provider": "mine", "model": "m", "miss": "1", "output": "2"},
                     {"provider": "vllm", "model": "*", "miss": "0", "output": "0"},
                     {"provider": "*", "model": "any", "miss": "5", "output": "5"}]})",
      "");
  const int64_t now = Utc(kOffPeak);
  EXPECT_EQ(table.KeyOf("mine", "", "m", now), "mine");
  EXPECT_EQ(table.KeyOf("mine", "deepseek", "m", now), "mine");
  EXPECT_EQ(table.KeyOf("mine", "deepseek", "deepseek-v4-pro", now), "deepseek");
  EXPECT_EQ(table.KeyOf("vllm", "", "whatever", now), "vllm");
  EXPECT_EQ(table.KeyOf("deepseek-anthropic", "deepseek", "deepseek-v4-pro", now), "deepseek");
  EXPECT_EQ(table.KeyOf("other", "deepseek", "any", now), "deepseek");  // the same row
  EXPECT_TRUE(table.Find("mine", "m", now).has_value());
}

}  // namespace
}  // namespace finback
