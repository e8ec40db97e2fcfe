#include "core/local/model_info.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>

#include "core/base/machine_memory.h"
#include "core/checkpoint/verify.h"
#include "core/json/json_writer.h"
#include "core/kernels/isa.h"
#include "core/local/isa_limit.h"
#include "core/network/profile/cache_bytes.h"

namespace finback {
namespace {

// By TensorKind: how a tensor takes part in decoding a token (docs/architecture.md 5.4).
constexpr const char* kKindNames[] = {
    "embedding",  "head",          "attention",      "compressor",        "indexer", "router",
    "hash_table", "shared_expert", "routed_experts", "hyper_connections", "norms",   "draft"};
static_assert(std::size(kKindNames) == kTensorKindCount);

constexpr size_t kDtypeCount = std::size(kDtypeNames);

struct Total {
  uint64_t count = 0, bytes = 0;
  void Add(uint64_t more) {
    ++count;
    bytes += more;
  }
};

struct Inventory {
  std::array<Total, kTensorKindCount> kinds;
  std::array<Total, kDtypeCount> dtypes;
  Total all;
  uint64_t parameters = 0;
};

Inventory TakeInventory(const Weights& weights) {
  Inventory inventory;
  for (const Tensor& tensor : weights.tensors()) {
    inventory.all.Add(tensor.bytes);
    inventory.kinds[static_cast<size_t>(tensor.kind)].Add(tensor.bytes);
    inventory.dtypes[static_cast<size_t>(tensor.dtype)].Add(tensor.bytes);
    // Scales and routing tables are no parameters (docs/architecture.md 2.6).
    if (tensor.is_scale || tensor.kind == TensorKind::kHashTable) continue;
    uint64_t values = 1;
    for (int32_t i = 0; i < tensor.rank; ++i) values *= static_cast<uint64_t>(tensor.shape[i]);
    inventory.parameters += values;
  }
  return inventory;
}

void WriteTotal(const char* name, const Total& total, JsonWriter* json) {
  json->Key(name).BeginObject();
  json->Key("count").Unsigned(total.count).Key("bytes").Unsigned(total.bytes).EndObject();
}

const char* PrecisionName(Precision precision) {
  switch (precision) {
    case Precision::kPublished:
      return "published";
    case Precision::kBf16:
      return "bf16";
    case Precision::kFloat32:
      return "float32";
  }
  return "?";
}

void WriteConfig(const Model& model, EffortLadder ladder, JsonWriter* json) {
  const Config& c = model.config();
  const bool foreign_drafts = c.foreign_drafts;
  json->Key("config").BeginObject();
  const std::pair<const char*, int64_t> numbers[] = {
      {"hidden", c.hidden},
      {"layers", c.layers_count},
      {"heads", c.heads},
      {"head_dim", c.head_dim},
      {"rope_dim", c.rope_dim},
      {"q_lora_rank", c.q_lora_rank},
      {"o_groups", c.o_groups},
      {"o_lora_rank", c.o_lora_rank},
      {"vocab", c.vocab},
      {"window", c.window},
      {"index_heads", c.index_heads},
      {"index_head_dim", c.index_head_dim},
      {"index_topk", c.index_topk},
      {"experts", c.experts},
      {"experts_per_token", c.experts_per_token},
      {"expert_width", c.expert_width},
      {"hash_layers", c.hash_layers},
      {"hc_streams", c.hc_streams},
      {"drafts", foreign_drafts ? 0 : c.drafts},
      {"max_position", c.max_position},
      {"bos_id", c.bos_id},
      {"eos_id", c.eos_ids.front()},
  };
  for (const auto& [name, value] : numbers) json->Key(name).Integer(value);
  json->Key("foreign_drafts").Bool(foreign_drafts);
  json->Key("effort_ladder").String(ladder == EffortLadder::k0731 ? "0731" : "preview");
  json->Key("compress_ratios").BeginList();
  for (const LayerSpec& layer : c.layers) json->Integer(layer.ratio);
  json->EndList().Key("eos_ids").BeginList();
  for (const int32_t id : c.eos_ids) json->Integer(id);
  json->EndList().EndObject();
}

void WriteTensors(const Inventory& inventory, const CheckpointTotals& expected, JsonWriter* json) {
  json->Key("parameters").Unsigned(inventory.parameters);
  json->Key("tensors").BeginObject();
  json->Key("count").Unsigned(inventory.all.count).Key("bytes").Unsigned(inventory.all.bytes);
  json->Key("expected").BeginObject().Key("count").Unsigned(expected.tensors);
  json->Key("bytes").Unsigned(expected.bytes).EndObject();
  json->Key("by_dtype").BeginObject();
  for (size_t i = 0; i < kDtypeCount; ++i) {
    if (inventory.dtypes[i].count > 0) {
      WriteTotal(kDtypeNames[i], inventory.dtypes[i], json);
    }
  }
  json->EndObject().Key("by_kind").BeginObject();
  for (size_t i = 0; i < kTensorKindCount; ++i) {
    if (inventory.kinds[i].count > 0) WriteTotal(kKindNames[i], inventory.kinds[i], json);
  }
  json->EndObject().EndObject();
}

void WriteReadPerToken(const Config& config, const Inventory& inventory, uint64_t cache_bytes,
                       JsonWriter* json) {
  json->Key("read_per_token").BeginObject();
  uint64_t total = 0;
  for (size_t i = 0; i < kTensorKindCount; ++i) {
    const auto kind = static_cast<TensorKind>(i);
    uint64_t bytes = inventory.kinds[i].bytes;
    if (bytes == 0 || kind == TensorKind::kDraft) continue;
    const uint64_t vocab = static_cast<uint64_t>(config.vocab);
    const bool one_row = kind == TensorKind::kEmbedding || kind == TensorKind::kHashTable;
    if (one_row) bytes /= vocab;
    if (kind == TensorKind::kRoutedExperts) {
      bytes = bytes / static_cast<uint64_t>(config.experts) *
              static_cast<uint64_t>(config.experts_per_token);
    }
    json->Key(kKindNames[i]).Unsigned(bytes);
    total += bytes;
  }
  json->Key("weights").Unsigned(total).Key("cache").Unsigned(cache_bytes);
  json->Key("total").Unsigned(total + cache_bytes).EndObject();
}

}  // namespace

std::string ModelInfoJson(const InfoInputs& inputs) {
  const Model& model = inputs.model;
  const Config& config = model.config();
  const Inventory inventory = TakeInventory(model.weights());
  const CacheBytes cache =
      CacheAt(config, model.precision(), static_cast<uint64_t>(inputs.context_tokens));
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("model").String(model.folder());
  json.Key("notes").BeginList();
  for (const std::string& note : inputs.notes) json.String(note);
  json.EndList().Key("precision").String(PrecisionName(model.precision()));
  json.Key("isa").String(IsaName(ActiveIsa()));
  json.Key("isa_reason").String(IsaReason(ActiveIsa(), IsaLimit()));
  json.Key("threads").Integer(model.compute().parallel.threads());
  WriteConfig(model, inputs.ladder, &json);
  json.Key("generation").BeginObject();
  const GenerationConfig& generation = inputs.generation;
  json.Key("temperature").Number(generation.do_sample ? generation.temperature : 0.0);
  json.Key("top_p").Number(generation.top_p).Key("top_k").Integer(generation.top_k);
  json.Key("thinking").Bool(generation.has_thinking ? generation.thinking : true).EndObject();
  WriteTensors(inventory, PublishedTotals(config), &json);
  json.Key("files").BeginList();
  const auto& files = model.weights().files();
  for (size_t i = 0; i < files.size(); ++i) {
    const size_t slash = files[i].rfind('/');
    json.BeginObject().Key("name").String(slash == std::string::npos ? files[i]
                                                                     : files[i].substr(slash + 1));
    json.Key("bytes").Unsigned(model.weights().file_bytes(static_cast<uint32_t>(i))).EndObject();
  }
  json.EndList().Key("memory").BeginObject();
  json.Key("context_tokens").Integer(inputs.context_tokens);
  json.Key("chunk_tokens").Integer(inputs.chunk_tokens);
  json.Key("sequence_bytes").Unsigned(inputs.sequence_bytes);
  json.Key("scratch_bytes").Unsigned(inputs.scratch_bytes);
  json.Key("cache_bytes").Unsigned(cache.sum()).Key("cache").BeginObject();
  json.Key("window").Unsigned(cache.window).Key("csa").Unsigned(cache.csa);
  json.Key("hca").Unsigned(cache.hca).Key("index").Unsigned(cache.index).EndObject();
  const uint64_t weights = model.weights().total_bytes();
  json.Key("mapped_bytes").Unsigned(inputs.copied_weights ? 0 : weights);
  json.Key("copied_bytes").Unsigned(inputs.copied_weights ? weights : 0);
  if (const std::optional<MachineMemory> memory = AvailableMemory()) {
    json.Key("available_bytes").Integer(memory->available_bytes);
    json.Key("available_limited").Bool(memory->limited);
  }
  json.Key("budget_bytes").Unsigned(inputs.budget_bytes).EndObject();
  WriteReadPerToken(config, inventory, cache.read, &json);
  json.EndObject();
  return out;
}

}  // namespace finback
