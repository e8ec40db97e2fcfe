// The tables that users add to, from any bytes: providers and models, prices, calendars, rules of
// routing. What is loaded must answer; what is not must say what is wrong with it.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/status.h"
#include "core/engine/request.h"
#include "core/remote/catalog/model_name.h"
#include "core/remote/catalog/provider.h"
#include "core/remote/money/prices.h"
#include "core/remote/policy/router.h"

namespace {

using finback::PriceTable;
using finback::ProviderTable;

void Require(bool condition) {
  if (!condition) __builtin_trap();
}

void AskProviders(std::string_view json) {
  const ProviderTable table = ProviderTable::Load(json);
  for (const char* name : {"deepseek", "vllm", "mine"}) {
    const finback::Provider* provider = table.Find(name);
    if (provider == nullptr) continue;
    for (const char* model : {"deepseek-v4-pro", "deepseek-chat", "x"}) {
      table.Model(*provider, model);
    }
  }
}

void AskPrices(std::string_view prices, std::string_view calendar) {
  const PriceTable table = PriceTable::Load(prices, calendar);
  finback::Usage usage;
  usage.prompt_tokens = 1000;
  usage.cached_tokens = 400;
  usage.completion_tokens = INT64_MAX / 2;
  // From 1970 to 2200, at odd times of the day.
  for (int64_t ms = 0; ms < 7'300'000'000'000; ms += 290'123'456'789) {
    for (const char* model : {"deepseek-v4-pro", "deepseek-flash", "x"}) {
      table.Find("deepseek", model, ms);
      const finback::Cost cost = table.PriceOf(usage, "deepseek", model, ms, ms + 600'000);
      Require(cost.known ? cost.pico >= 0 : cost.pico == 0);
      Require(table.WorstCaseOf("deepseek", model, ms, 1000, 1000).pico >= -1);
    }
  }
}

void AskRouter(std::string_view json) {
  static const ProviderTable table = ProviderTable::Load("");
  static const finback::Request request = finback::ParseChatRequest(
      R"({"messages": [{"role": "user", "content": "Prove it, please."}]})");
  const finback::Router router(
      finback::ResolveModels("deepseek:deepseek-v4-pro", table, finback::RefusedIds::kRefuse), json,
      table, finback::RefusedIds::kRefuse);
  for (const size_t target : router.Order(request)) Require(target < router.targets().size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (data[0] % 4) {
      case 0:
        AskProviders(text);
        break;
      case 1:
        AskPrices(text, "");
        break;
      case 2:
        AskPrices("", text);
        break;
      default:
        AskRouter(text);
    }
  } catch (const finback::Error& error) {
    Require(error.code() == finback::Code::kInvalidArgument && error.what()[0] != '\0');
  }
  return 0;
}
