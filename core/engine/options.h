// What an engine is opened with, already validated. capi/options.inc has a row for each member that
// a user may set: it names, bounds and explains it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace finback {

enum class PrecisionChoice : uint8_t { kPublished, kBf16, kFloat32 };
enum class WeightsChoice : uint8_t { kMapped, kCopied };
enum class LadderChoice : uint8_t { kAuto, kPreview, k0731 };
enum class DraftChoice : uint8_t { kOff, kLookup, kBlock, kAuto };
enum class LogLevel : int32_t { kError = 0, kWarning = 1, kInformation = 2 };  // FINBACK_LOG_*

// Returns false to stop the work.
using ProgressFunction = std::function<bool(const char* phase, uint64_t done, uint64_t total)>;
using LogFunction = std::function<void(LogLevel level, const char* message)>;

enum class ReplayReasoning : uint8_t { kAuto, kAlways, kNever };
enum class ForcedTools : uint8_t { kDisableThinking, kRefuse };
enum class UnknownFields : uint8_t { kNotice, kRefuse };
enum class MarkupRescue : uint8_t { kAuto, kOff, kStrip, kParse };
enum class BudgetPeriod : uint8_t { kTotal, kDay, kMonth };
enum class BudgetScope : uint8_t { kTotal, kKey, kModel, kUser, kTag };
enum class UnknownPrice : uint8_t { kAllow, kRefuse };

// What only a service needs. Paths are of files or folders; "" is none.
struct ServiceOptions {
  std::string base_url, api_key;
  std::string wire_format = "auto";
  std::string providers_file, prices_file, calendar_file, routing_file;
  bool translate_models = false;
  ReplayReasoning replay_reasoning = ReplayReasoning::kAuto;
  ForcedTools forced_tools = ForcedTools::kDisableThinking;
  MarkupRescue markup_rescue = MarkupRescue::kAuto;
  bool stream = true;
  int32_t schema_repairs = 1;
  std::string proxy, ca_file, http_headers;
  bool environment_proxy = true;
  int64_t connect_timeout_ms = 0, first_token_timeout_ms = 0, idle_timeout_ms = 0,
          total_timeout_ms = 0;
  int32_t max_retries = 0, max_concurrency = 0;
  std::string ledger, ledger_user, ledger_tag;
  std::string budget;  // dollars in decimal; "": no limit
  BudgetPeriod budget_period = BudgetPeriod::kTotal;
  BudgetScope budget_scope = BudgetScope::kTotal;
  UnknownPrice unknown_price = UnknownPrice::kRefuse;
  std::string record, replay;
};

struct EngineOptions {
  std::string user_agent;  // what the library calls itself to services
  std::string model;       // a folder, or PROVIDER:MODEL, once the engine is being opened
  PrecisionChoice precision = PrecisionChoice::kPublished;
  WeightsChoice weights = WeightsChoice::kMapped;
  bool prefault = false;
  int threads = 0;
  int64_t context_tokens = 0;  // 0: kDefaultContextTokens, or the model's limit if that is less
  int32_t chunk_tokens = 0;    // 0: as ChooseChunkTokens() has it
  int32_t most_together = 16;
  int32_t prefill_pause_ms = 250;
  uint64_t memory_budget_bytes = 0;  // 0: no limit
  LadderChoice effort_ladder = LadderChoice::kAuto;
  bool trust_all = false;
  int32_t kept_conversations = 16;
  int32_t restore_points = 8;
  std::string cache_folder;  // "": conversations are not kept
  uint64_t cache_bytes = 0;  // 0: as DiskCache has it
  DraftChoice draft = DraftChoice::kAuto;
  UnknownFields unknown_fields = UnknownFields::kNotice;
  ServiceOptions service;
  ProgressFunction progress;  // may be empty
  LogFunction log;            // may be empty
};

inline constexpr int64_t kDefaultContextTokens = 32768;

}  // namespace finback
