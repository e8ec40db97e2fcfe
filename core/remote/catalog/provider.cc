#include "core/remote/catalog/provider.h"

#include <algorithm>
#include <set>
#include <span>

#include "core/base/ascii.h"
#include "core/engine/effort.h"
#include "core/json/json_fields.h"
#include "core/remote/catalog/base_url.h"
#include "core/remote/catalog/data/data.h"

namespace finback {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;
using ModelRow = std::pair<std::string, ModelEntry>;

template <typename Value>
struct Named {
  const char* name;
  Value value;
};

constexpr Named<const char*> kWireFormats[] = {
#define FINBACK_WIRE_FORMAT(name, Name) {#name, #name},
#include "core/remote/catalog/wire_formats.inc"
#undef FINBACK_WIRE_FORMAT
};
constexpr Named<ThinkingStyle> kThinkingStyles[] = {
    {"thinking_object", ThinkingStyle::kThinkingObject},
    {"effort", ThinkingStyle::kEffort},
    {"reasoning_object", ThinkingStyle::kReasoningObject},
    {"reasoning_enabled", ThinkingStyle::kReasoningEnabled},
    {"chat_template_kwargs", ThinkingStyle::kChatTemplateKwargs},
    {"none", ThinkingStyle::kNone}};
constexpr Named<AuthStyle> kAuthStyles[] = {{"bearer", AuthStyle::kBearer},
                                            {"api_key_header", AuthStyle::kApiKeyHeader},
                                            {"none", AuthStyle::kNone}};
constexpr Named<Rescue> kRescues[] = {
    {"off", Rescue::kOff}, {"strip", Rescue::kStrip}, {"parse", Rescue::kParse}};

constexpr Named<LadderChoice> kLadders[] = {{"auto", LadderChoice::kAuto},
                                            {"preview", LadderChoice::kPreview},
                                            {"0731", LadderChoice::k0731}};

constexpr Named<bool ProviderSupport::*> kSupports[] = {
    {"json_object", &ProviderSupport::json_object},
    {"json_schema", &ProviderSupport::json_schema},
    {"strict_tools", &ProviderSupport::strict_tools},
    {"forced_tool_while_thinking", &ProviderSupport::forced_tool_while_thinking},
    {"logprobs", &ProviderSupport::logprobs},
    {"parallel_tool_calls", &ProviderSupport::parallel_tool_calls},
    {"images", &ProviderSupport::images},
    {"developer_role", &ProviderSupport::developer_role},
    {"latest_reminder", &ProviderSupport::latest_reminder},
    {"stream_usage", &ProviderSupport::stream_usage},
    {"sampling_extras", &ProviderSupport::sampling_extras},
    {"penalties", &ProviderSupport::penalties},
    {"thinking_budget", &ProviderSupport::thinking_budget},
    {"prefix", &ProviderSupport::prefix},
    {"optional_max_tokens", &ProviderSupport::optional_max_tokens},
    {"completions", &ProviderSupport::completions},
    {"fim", &ProviderSupport::fim},
    {"named_tool", &ProviderSupport::named_tool},
    {"reasoning_summary", &ProviderSupport::reasoning_summary}};

constexpr Named<std::string Provider::*> kProviderTexts[] = {
    {"reasoning_out", &Provider::reasoning_out}, {"user_field", &Provider::user_field},
    {"cost_field", &Provider::cost_field},       {"prices", &Provider::prices},
    {"peak_calendar", &Provider::peak_calendar}, {"models", &Provider::models},
    {"responses", &Provider::responses}};
constexpr Named<std::string Provider::*> kProviderUrls[] = {{"base_url", &Provider::base_url},
                                                            {"beta_url", &Provider::beta_url}};
constexpr Named<std::string Provider::*> kProviderPaths[] = {
    {"models_path", &Provider::models_path}, {"balance_path", &Provider::balance_path}};

constexpr Named<std::string ModelEntry::*> kModelTexts[] = {{"family", &ModelEntry::family},
                                                            {"price_id", &ModelEntry::price_id},
                                                            {"instead", &ModelEntry::instead},
                                                            {"reason", &ModelEntry::reason}};
constexpr Named<bool ModelEntry::*> kModelFlags[] = {
    {"images", &ModelEntry::images},
    {"thinking", &ModelEntry::thinking},
    {"replays_reasoning", &ModelEntry::replays_reasoning},
    {"refused", &ModelEntry::refused}};

constexpr int64_t kMaxTokens = int64_t{1} << 40;
constexpr int64_t kMaxRequests = 1'000'000;
constexpr int64_t kMaxStops = 1024;

bool IsLetterOrDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Names stand before the colon of a model and between the commas of a list.
bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return IsLetterOrDigit(c) || c == '-' || c == '_' || c == '.';
  });
}

template <typename Owner>
void ReadTexts(std::span<const Named<std::string Owner::*>> table, JsonFields* fields,
               Owner* owner) {
  for (const auto& [name, member] : table) {
    if (const std::string* text = fields->FindString(name)) owner->*member = *text;
  }
}

template <typename Owner>
void ReadFlags(std::span<const Named<bool Owner::*>> table, JsonFields* fields, Owner* owner) {
  for (const auto& [name, member] : table) owner->*member = fields->Bool(name, owner->*member);
}

template <typename Choice, size_t kCount, typename Value>
void ReadChoice(const char* name, const Named<Choice> (&choices)[kCount], JsonFields* fields,
                Value* value) {
  const std::string* text = fields->FindString(name);
  if (text == nullptr) return;
  std::string known;
  for (const Named<Choice>& choice : choices) {
    if (*text == choice.name) {
      *value = choice.value;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(choice.name);
  }
  fields->Fail(name, "unknown value \"" + Shown(*text) + "\"; it is one of " + known);
}

void ReadCount(const char* name, int64_t most, JsonFields* fields, int32_t* value) {
  int64_t number = 0;
  if (fields->Integer(name, 0, most, &number)) *value = static_cast<int32_t>(number);
}

void ReadList(const char* name, JsonFields* fields, std::vector<std::string>* values) {
  const Json* list = fields->FindArray(name);
  if (list == nullptr) return;
  values->clear();
  for (const Json& item : list->items) {
    if (!item.IsString() || item.text.empty()) {
      fields->Fail(name, "expected a list of strings that are not empty");
    }
    values->push_back(item.text);
  }
}

void ReadPairs(const char* name, JsonFields* fields, Pairs* pairs) {
  const Json* object = fields->FindObject(name);
  if (object == nullptr) return;
  pairs->clear();
  for (const auto& [key, value] : object->members) {
    if (key.empty() || !value.IsString() || value.text.empty()) {
      fields->FailAtPath(fields->Path(name) + "." + Shown(key),
                         "expected a string that is not empty");
    }
    pairs->emplace_back(key, value.text);
  }
}

void ReadUrl(const Named<std::string Provider::*>& field, JsonFields* fields, Provider* provider) {
  const std::string* text = fields->FindString(field.name);
  if (text == nullptr) return;
  const std::string problem = text->empty() ? "" : BaseUrlProblem(*text);
  if (!problem.empty()) fields->Fail(field.name, problem);
  provider->*field.value = WithoutSlash(*text);
}

void ReadPath(const Named<std::string Provider::*>& field, JsonFields* fields, Provider* provider) {
  const std::string* text = fields->FindString(field.name);
  if (text == nullptr) return;
  if (!text->empty() &&
      ((*text)[0] != '/' || !std::all_of(text->begin(), text->end(), IsVisibleAscii))) {
    fields->Fail(field.name, "expected a path that begins with /, or nothing");
  }
  provider->*field.value = *text;
}

// Nothing that could end a header line or begin another gets into one.
void CheckHeaders(const Pairs& headers, const JsonFields& fields) {
  const std::string path = fields.Path("headers");
  for (const auto& [name, value] : headers) {
    if (!IsName(name)) fields.FailAtPath(path + "." + Shown(name), "not a header's name");
    const bool printable = std::all_of(value.begin(), value.end(), [](char c) {
      return c == ' ' || c == '\t' || IsVisibleAscii(c);
    });
    if (!printable) fields.FailAtPath(path + "." + name, "a header's value is printable ASCII");
  }
}

void CheckEfforts(const Pairs& efforts, const JsonFields& fields) {
  for (const auto& [effort, spelling] : efforts) {
    if (effort != kNoEffort && !FindEffort(effort)) {
      fields.FailAtPath(
          fields.Path("efforts") + "." + Shown(effort),
          "unknown effort; it is one of " + std::string(kNoEffort) + ", " + EffortNames());
    }
  }
}

// Sets the fields that the row has; the rest of `provider` stays.
void ReadProvider(JsonFields* fields, Provider* provider) {
  ReadChoice("wire_format", kWireFormats, fields, &provider->wire_format);
  for (const auto& field : kProviderUrls) ReadUrl(field, fields, provider);
  for (const auto& field : kProviderPaths) ReadPath(field, fields, provider);
  ReadTexts<Provider>(kProviderTexts, fields, provider);
  ReadChoice("auth", kAuthStyles, fields, &provider->auth);
  ReadList("key_environment", fields, &provider->key_environment);
  provider->key_required = fields->Bool("key_required", provider->key_required);
  ReadPairs("headers", fields, &provider->headers);
  CheckHeaders(provider->headers, *fields);
  ReadChoice("thinking", kThinkingStyles, fields, &provider->thinking);
  ReadPairs("efforts", fields, &provider->efforts);
  CheckEfforts(provider->efforts, *fields);
  ReadChoice("effort_ladder", kLadders, fields, &provider->effort_ladder);
  ReadList("reasoning_in", fields, &provider->reasoning_in);
  provider->reasoning_required = fields->Bool("reasoning_required", provider->reasoning_required);
  if (const Json* supports = fields->FindObject("supports")) {
    JsonFields flags = fields->Within(*supports, fields->Path("supports"));
    ReadFlags<ProviderSupport>(kSupports, &flags, &provider->supports);
    flags.RejectUnknown();
  }
  ReadChoice("rescue", kRescues, fields, &provider->rescue);
  fields->Integer("max_tokens_limit", 0, kMaxTokens, &provider->max_tokens_limit);
  ReadList("forwarded", fields, &provider->forwarded);
  ReadCount("max_stop", kMaxStops, fields, &provider->max_stop);
  ReadCount("concurrency", kMaxRequests, fields, &provider->concurrency);
  ReadPairs("ids", fields, &provider->ids);
}

void ReadModel(JsonFields* fields, ModelEntry* entry) {
  ReadTexts<ModelEntry>(kModelTexts, fields, entry);
  ReadFlags<ModelEntry>(kModelFlags, fields, entry);
  fields->Integer("context_tokens", 0, kMaxTokens, &entry->context_tokens);
  fields->Integer("max_output_tokens", 0, kMaxTokens, &entry->max_output_tokens);
  ReadCount("concurrency", kMaxRequests, fields, &entry->concurrency);
  if (const Json* with = fields->FindObject("instead_with")) {
    entry->instead_with.clear();
    AppendPythonJson(*with, &entry->instead_with);
  }
}

const std::string& RequiredText(const char* name, JsonFields* fields) {
  const std::string* text = fields->FindString(name);
  if (text == nullptr || text->empty()) fields->Fail(name, "is missing");
  return *text;
}

// Tables are files that an option names, whatever is wrong with them.
constexpr Code kTable = Code::kInvalidArgument;

// Puts the rows of documents over those that are there.
class TableReader {
 public:
  TableReader(std::vector<Provider>* providers, std::vector<ModelRow>* models)
      : providers_(*providers), models_(*models) {}

  void Read(std::string_view text, const char* what) {
    const JsonSource source{.code = kTable, .document = what};
    const Json document = ParseJson(text, source);
    JsonFields fields(document, "", source);
    fields.Ignore("comment");
    ReadRows("providers", &fields, &TableReader::AddProvider);
    ReadRows("models", &fields, &TableReader::AddModel);
    fields.RejectUnknown();
    seen_.clear();
    models_added_ = 0;
  }

 private:
  void ReadRows(const char* list, JsonFields* fields,
                void (TableReader::*add)(const Json&, const std::string&)) {
    const Json* rows = fields->FindArray(list);
    if (rows == nullptr) return;
    for (size_t row = 0; row < rows->items.size(); ++row) {
      (this->*add)(rows->items[row], fields->Path(list, row));
    }
  }

  Provider* Find(std::string_view name) {
    const auto found = std::find_if(providers_.begin(), providers_.end(),
                                    [&](const Provider& row) { return row.name == name; });
    return found == providers_.end() ? nullptr : &*found;
  }

  void OnceOnly(const std::string& path) {
    if (seen_.insert(path).second) return;
    throw Error(kTable, path + ": there is an earlier row of that name");
  }

  void AddProvider(const Json& row, const std::string& path) {
    JsonFields numbered(row, path, {.code = kTable});
    const std::string& name = RequiredText("name", &numbered);
    if (!IsName(name)) {
      numbered.Fail("name",
                    "letters, digits, '-', '_' and '.' only; found \"" + Shown(name) + "\"");
    }
    JsonFields fields(row, "providers[" + name + "]", {.code = kTable});
    fields.Ignore("name");
    fields.Ignore("comment");
    OnceOnly("providers[" + name + "]");
    const std::string* like = fields.FindString("like");
    Provider* existing = Find(name);
    if (existing != nullptr) {
      if (like != nullptr) fields.Fail("like", "only a new provider is like another");
      ReadProvider(&fields, existing);
      fields.RejectUnknown();
      return;
    }
    const Provider* model = Find(like == nullptr ? std::string_view(kCustomProvider) : *like);
    if (like != nullptr && model == nullptr) {
      fields.Fail("like", "unknown provider \"" + Shown(*like) + "\"");
    }
    Provider provider = model == nullptr ? Provider() : *model;
    provider.name = name;
    provider.responses.clear();  // an address of the other's
    ReadProvider(&fields, &provider);
    fields.RejectUnknown();
    providers_.push_back(std::move(provider));
  }

  void AddModel(const Json& row, const std::string& path) {
    JsonFields numbered(row, path, {.code = kTable});
    const std::string& provider = RequiredText("provider", &numbered);
    const std::string& pattern = RequiredText("pattern", &numbered);
    if (provider != "*" && Find(provider) == nullptr) {
      numbered.Fail("provider", "unknown provider \"" + Shown(provider) + "\"");
    }
    JsonFields fields(row, "models[" + provider + ":" + Shown(pattern) + "]", {.code = kTable});
    for (const char* name : {"provider", "pattern", "comment"}) fields.Ignore(name);
    OnceOnly("models[" + provider + ":" + pattern + "]");
    const auto existing = std::find_if(models_.begin(), models_.end(), [&](const ModelRow& other) {
      return other.first == provider && other.second.pattern == pattern;
    });
    if (existing != models_.end()) {
      ReadModel(&fields, &existing->second);
    } else {
      ModelEntry entry;
      entry.pattern = pattern;
      ReadModel(&fields, &entry);
      models_.insert(models_.begin() + static_cast<ptrdiff_t>(models_added_++),
                     ModelRow(provider, std::move(entry)));
    }
    fields.RejectUnknown();
  }

  std::vector<Provider>& providers_;
  std::vector<ModelRow>& models_;
  std::set<std::string> seen_;  // rows of this document
  size_t models_added_ = 0;
};

}  // namespace

std::string_view Provider::EffortName(std::string_view effort) const {
  for (const auto& [ours, spelling] : efforts) {
    if (ours == effort) return spelling;
  }
  return effort;
}

ProviderTable ProviderTable::Load(std::string_view user_json) {
  ProviderTable table;
  TableReader reader(&table.providers_, &table.models_);
  reader.Read(kProvidersJson, "providers.json");
  reader.Read(kModelsJson, "models.json");
  if (!user_json.empty()) reader.Read(user_json, "providers file");
  for (const Provider& row : table.providers_) {
    if (row.responses.empty() || table.Find(row.responses) != nullptr) continue;
    throw Error(kTable, "providers[" + row.name + "].responses: unknown provider \"" +
                            Shown(row.responses) + "\"");
  }
  return table;
}

const Provider* ProviderTable::Find(std::string_view name) const {
  for (const Provider& provider : providers_) {
    if (provider.name == name) return &provider;
  }
  return nullptr;
}

std::string ProviderTable::Names() const {
  std::string names;
  for (const Provider& provider : providers_) {
    names += (names.empty() ? "" : ", ") + provider.name;
  }
  return names;
}

const ModelEntry& ProviderTable::Model(const Provider& provider, std::string_view model) const {
  for (const std::string_view owner : {std::string_view(provider.name),
                                       std::string_view(provider.models), std::string_view("*")}) {
    for (const auto& [name, entry] : models_) {
      if (name == owner && MatchesWildcard(entry.pattern, model)) return entry;
    }
  }
  return unknown_;
}

}  // namespace finback
