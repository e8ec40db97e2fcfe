#include "core/local/sessions/written_answers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "core/base/sha256.h"
#include "core/base/status.h"
#include "core/chat/wire_strings.h"

namespace finback {
namespace {

constexpr char kMagic[8] = {'F', 'B', 'W', 'R', 'O', 'T', 'E', '1'};
constexpr const char* kRecordKind = "answer";

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// Each part with its length before it, so that no two lists of parts are the same bytes.
void AddPart(std::string_view part, std::string* bytes) {
  *bytes += Format("%zu:", part.size());
  *bytes += part;
}

// Numbers that are equal are spelled alike; integers, too, that a double has not exactly.
std::string NumberOf(const Json& json) {
  const bool exact = std::isfinite(json.number) && std::fabs(json.number) < 9e15;
  if (exact && json.number == std::floor(json.number)) {
    return Format("%.0f", json.number == 0 ? 0.0 : json.number);
  }
  return json.IsInteger() ? json.text : Format("%.17g", json.number);
}

void AddJson(const Json& json, std::string* bytes) {
  switch (json.kind) {
    case Json::Kind::kNull:
      *bytes += 'n';
      break;
    case Json::Kind::kBool:
      *bytes += json.boolean ? 't' : 'f';
      break;
    case Json::Kind::kInteger:
    case Json::Kind::kFloat:
      *bytes += '#';
      AddPart(NumberOf(json), bytes);
      break;
    case Json::Kind::kString:
      *bytes += '"';
      AddPart(json.text, bytes);
      break;
    case Json::Kind::kArray:
      *bytes += Format("[%zu:", json.items.size());
      for (const Json& item : json.items) AddJson(item, bytes);
      break;
    case Json::Kind::kObject: {
      std::vector<const std::pair<std::string, Json>*> members;
      for (const auto& member : json.members) members.push_back(&member);
      std::stable_sort(members.begin(), members.end(),
                       [](const auto* a, const auto* b) { return a->first < b->first; });
      *bytes += Format("{%zu:", members.size());
      for (const auto* member : members) {
        AddPart(member->first, bytes);
        AddJson(member->second, bytes);
      }
      break;
    }
  }
}

WrittenKey Hashed(const std::string& bytes) {
  Sha256 hash;
  hash.Update({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  return hash.Finish();
}

std::string_view TextOf(const WrittenKey& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

// As it was told.
std::string Told(std::span<const int32_t> ids, const Tokenizer& tokenizer) {
  std::string text;
  Detokenizer detokenizer(&tokenizer);
  for (const int32_t id : ids) detokenizer.Push(id, &text);
  detokenizer.Finish(&text);
  return text;
}

enum class Marks : uint8_t { kNone, kOfCalls };

bool HasOnly(Marks allowed, std::span<const int32_t> ids, const Tokenizer& tokenizer) {
  const int32_t dsml = tokenizer.FindToken(wire::kDsml);
  return std::all_of(ids.begin(), ids.end(), [&](int32_t id) {
    return !tokenizer.IsAdded(id) || (allowed == Marks::kOfCalls && id == dsml);
  });
}

}  // namespace

WrittenKey ReasoningKey(std::string_view reasoning) {
  std::string bytes = "reasoning ";
  AddPart(Trimmed(reasoning), &bytes);
  return Hashed(bytes);
}

WrittenKey AnswerKey(std::string_view content, const std::vector<ToolCall>& calls) {
  std::string bytes = "answer ";
  AddPart(Trimmed(content), &bytes);
  for (const ToolCall& call : calls) {
    AddPart(call.name, &bytes);
    try {
      std::string arguments;
      AddJson(ParseJson(call.arguments, "arguments", JsonNumbers::kPython), &arguments);
      AddPart(arguments, &bytes);
    } catch (const Error&) {
      bytes += "text ";
      AddPart(call.arguments, &bytes);
    }
  }
  return Hashed(bytes);
}

WrittenAnswers::WrittenAnswers(uint64_t most_bytes, MemoryBudget* budget, DiskCache* disk)
    : most_bytes_(most_bytes), budget_(budget), disk_(disk) {}

void WrittenAnswers::ForgetParent() {
  if (!mutex_.TakeOrphaned()) return;
  new (&list_) List();  // what was half changed is never freed
  new (&index_) Index();
  bytes_ = 0;
}

std::vector<WrittenAnswers::Record> WrittenAnswers::Remember(const WrittenAnswer& answer,
                                                             const Tokenizer& tokenizer) {
  std::vector<Record> records;
  if (answer.is_odd) return records;
  const std::span<const int32_t> ids = answer.ids;
  size_t rest = 0;
  if (answer.thinking) {
    const int32_t close = tokenizer.FindToken(wire::kThinkClose);
    const auto end = std::find(ids.begin(), ids.end(), close);
    const std::span<const int32_t> reasoning(ids.begin(), end);
    const std::string text = Told(reasoning, tokenizer);
    if (!reasoning.empty() && HasOnly(Marks::kNone, reasoning, tokenizer) &&
        Trimmed(text) == Trimmed(answer.reasoning)) {
      records.push_back({ReasoningKey(answer.reasoning), {reasoning.begin(), reasoning.end()}});
    }
    if (end == ids.end()) rest = ids.size();
    if (end != ids.end()) rest = reasoning.size() + 1;
  }
  const std::span<const int32_t> said = ids.subspan(rest);
  const std::string text = Told(said, tokenizer);
  const std::string_view content = Trimmed(answer.content);
  const Marks marks = answer.calls.empty() ? Marks::kNone : Marks::kOfCalls;
  const bool same =
      answer.calls.empty() ? Trimmed(text) == content : Trimmed(text).starts_with(content);
  if (!said.empty() && same && HasOnly(marks, said, tokenizer)) {
    records.push_back({AnswerKey(answer.content, answer.calls), {said.begin(), said.end()}});
  }
  const std::lock_guard<ForkMutex> lock(mutex_);
  ForgetParent();
  for (const Record& record : records) Put(record);
  return records;
}

void WrittenAnswers::Put(Record record) {
  constexpr uint64_t kBeside = sizeof(Entry) + 128;  // what list and index take for it
  const uint64_t bytes = kBeside + record.ids.size() * sizeof(int32_t);
  if (bytes > most_bytes_) return;
  const auto drop_last = [&] {
    bytes_ -= list_.back().charged.bytes();
    index_.erase(list_.back().record.key);
    list_.pop_back();
  };
  const auto known = index_.find(record.key);
  if (known != index_.end()) {
    list_.splice(list_.begin(), list_, known->second);
    // The last one that was sampled is what the next prompt goes on from.
    if (list_.front().record.ids.size() == record.ids.size()) {
      list_.front().record.ids = std::move(record.ids);
      return;
    }
    list_.splice(list_.end(), list_, list_.begin());
    drop_last();
  }
  while (bytes_ + bytes > most_bytes_) drop_last();
  Reservation charged = Reservation::Try(budget_, bytes);
  if (!charged.taken()) return;
  list_.push_front({std::move(record), std::move(charged)});
  try {
    index_[list_.front().record.key] = list_.begin();
  } catch (...) {
    list_.pop_front();
    throw;
  }
  bytes_ += bytes;
}

void WrittenAnswers::KeepOnDisk(std::span<const Record> records) noexcept {
  if (disk_ == nullptr) return;
  try {
    std::vector<std::vector<uint8_t>> bytes;
    std::vector<DiskCache::Record> written;
    for (const Record& record : records) bytes.push_back(Serialize(record.ids));
    for (size_t i = 0; i < records.size(); ++i) {
      written.push_back({TextOf(records[i].key), bytes[i]});
    }
    disk_->PutRecords(kRecordKind, written);
  } catch (const std::bad_alloc&) {  // it can do without
  }
}

std::optional<std::vector<int32_t>> WrittenAnswers::Find(const WrittenKey& key,
                                                         const Tokenizer& tokenizer) {
  {
    const std::lock_guard<ForkMutex> lock(mutex_);
    ForgetParent();
    const auto known = index_.find(key);
    if (known != index_.end()) {
      list_.splice(list_.begin(), list_, known->second);
      return list_.front().record.ids;
    }
  }
  if (disk_ == nullptr) return std::nullopt;
  const auto bytes = disk_->GetRecord(kRecordKind, TextOf(key));
  if (!bytes.has_value()) return std::nullopt;
  std::optional<std::vector<int32_t>> ids = Parse(*bytes, tokenizer);
  if (!ids.has_value()) return std::nullopt;
  const std::lock_guard<ForkMutex> lock(mutex_);
  ForgetParent();
  Put({key, *ids});
  return ids;
}

std::vector<uint8_t> WrittenAnswers::Serialize(std::span<const int32_t> ids) {
  std::vector<uint8_t> bytes(sizeof kMagic + ids.size_bytes());
  memcpy(bytes.data(), kMagic, sizeof kMagic);
  memcpy(bytes.data() + sizeof kMagic, ids.data(), ids.size_bytes());
  return bytes;
}

std::optional<std::vector<int32_t>> WrittenAnswers::Parse(std::span<const uint8_t> bytes,
                                                          const Tokenizer& tokenizer) {
  if (bytes.size() <= sizeof kMagic || (bytes.size() - sizeof kMagic) % sizeof(int32_t) != 0 ||
      memcmp(bytes.data(), kMagic, sizeof kMagic) != 0) {
    return std::nullopt;
  }
  std::vector<int32_t> ids((bytes.size() - sizeof kMagic) / sizeof(int32_t));
  memcpy(ids.data(), bytes.data() + sizeof kMagic, ids.size() * sizeof(int32_t));
  for (const int32_t id : ids) {
    if (id < 0 || tokenizer.Bytes(id).empty()) return std::nullopt;
  }
  if (!HasOnly(Marks::kOfCalls, ids, tokenizer)) return std::nullopt;
  return ids;
}

uint64_t WrittenAnswers::bytes() {
  const std::lock_guard<ForkMutex> lock(mutex_);
  return bytes_;
}

}  // namespace finback
