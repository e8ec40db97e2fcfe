#include "core/checkpoint/config.h"

#include <cctype>
#include <cinttypes>
#include <climits>
#include <cmath>
#include <initializer_list>

#include "core/base/file_map.h"
#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/json/json.h"

namespace finback {
namespace {

constexpr size_t kMaxConfigBytes = 16u << 20;
constexpr const char* kSupported = "this library runs DeepSeek-V4 (model_type \"deepseek_v4\")";

// Bounds that no V4 so far comes near, and that keep every product of two sizes within 63 bits.
constexpr int64_t kMaxLayers = 1024, kMaxDrafts = 16, kMaxHidden = 1 << 17, kMaxVocab = 1 << 22;
constexpr int64_t kMaxHeads = 4096, kMaxHeadDim = 8192, kMaxRank = 1 << 16, kMaxExperts = 1 << 14;
constexpr int64_t kMaxWidth = 1 << 18, kMaxRatio = 1 << 16, kMaxPositions = INT32_MAX;

using Names = std::initializer_list<const char*>;

// How a value looks in a message.
std::string Found(const Json& value) {
  std::string text;
  switch (value.kind) {
    case Json::Kind::kNull:
      return "null";
    case Json::Kind::kBool:
      return value.boolean ? "true" : "false";
    case Json::Kind::kArray:
      return Format("an array of %zu", value.items.size());
    case Json::Kind::kObject:
      return "an object";
    case Json::Kind::kString:
      AppendJsonString(CutUtf8(value.text, 80), &text);
      return text;
    default:
      return std::string(CutUtf8(value.text, 80));
  }
}

// One JSON object of the file; `prefix` tells in messages where it sits ("rope_scaling.").
class Fields {
 public:
  Fields(const Json* object, const std::string& path, std::string prefix)
      : object_(object), path_(path), prefix_(std::move(prefix)) {}

  // The first of the synonyms that is there and not null; `*name` is then the one found.
  const Json* Find(Names names, const char** name = nullptr) const {
    for (const char* candidate : names) {
      const Json* value = object_ ? object_->Find(candidate) : nullptr;
      if (value && !value->IsNull()) {
        if (name) *name = candidate;
        return value;
      }
    }
    return nullptr;
  }
  bool Has(Names names) const { return Find(names) != nullptr; }

  int64_t Int(Names names, int64_t low, int64_t high) const {
    const std::string expected = Format("a whole number from %" PRId64 " to %" PRId64, low, high);
    const char* name = *names.begin();
    const Json* value = Find(names, &name);
    if (!value) Missing(name, expected);
    const int64_t number = value->Integer(INT64_MIN);
    if (!value->IsInteger() || number < low || number > high) Fail(name, Found(*value), expected);
    return number;
  }
  int32_t Int32(Names names, int64_t low, int64_t high) const {
    return static_cast<int32_t>(Int(names, low, high));
  }
  int64_t IntOr(Names names, int64_t low, int64_t high, int64_t fallback) const {
    return Has(names) ? Int(names, low, high) : fallback;
  }

  double Real(Names names, double low, double high) const {
    const std::string expected = Format("a number from %g to %g", low, high);
    const char* name = *names.begin();
    const Json* value = Find(names, &name);
    if (!value) Missing(name, expected);
    if (!value->IsNumber() || !(value->number >= low && value->number <= high)) {
      Fail(name, Found(*value), expected);
    }
    return value->number;
  }
  double RealOr(Names names, double low, double high, double fallback) const {
    return Has(names) ? Real(names, low, high) : fallback;
  }
  float Float(Names names, double low, double high) const {
    return static_cast<float>(Real(names, low, high));
  }

  bool BoolOr(const char* name, bool fallback) const {
    const Json* value = Find({name});
    if (!value) return fallback;
    if (!value->IsBool()) Fail(name, Found(*value), "true or false");
    return value->boolean;
  }

  std::string StringOr(const char* name, const char* fallback) const {
    const Json* value = Find({name});
    if (!value) return fallback;
    if (!value->IsString()) Fail(name, Found(*value), "a string");
    return value->text;
  }

  // The nested object, or an empty one.
  Fields Object(const char* name) const {
    const Json* value = Find({name});
    if (value && !value->IsObject()) Fail(name, Found(*value), "an object");
    return Fields(value, path_, prefix_ + name + ".");
  }
  bool present() const { return object_ != nullptr; }
  const Json& json() const { return *object_; }

  [[noreturn]] void Fail(const char* name, const std::string& found,
                         const std::string& expected) const {
    Throw(Code::kCheckpoint, "%s: %s%s: found %s, expected %s", path_.c_str(), prefix_.c_str(),
          name, found.c_str(), expected.c_str());
  }
  [[noreturn]] void Missing(const char* name, const std::string& expected) const {
    Throw(Code::kCheckpoint, "%s: %s%s: missing, expected %s", path_.c_str(), prefix_.c_str(), name,
          expected.c_str());
  }
  [[noreturn]] void Unsupported(const char* name, const std::string& found,
                                const char* supported) const {
    Throw(Code::kUnsupported, "%s: %s%s: found %s, which is not supported (supported: %s)",
          path_.c_str(), prefix_.c_str(), name, found.c_str(), supported);
  }

  const std::string& path() const { return path_; }

 private:
  const Json* object_;
  const std::string& path_;
  std::string prefix_;
};

// "DeepSeek_V4-1" -> "deepseekv41"
std::string Normalized(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (isalnum(static_cast<unsigned char>(c)))
      out += static_cast<char>(tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

[[noreturn]] void ThrowV41(const std::string& path, const std::string& found) {
  Throw(Code::kUnsupported,
        "%s: found DeepSeek-V4.1 (%s), an architecture that is not supported; %s", path.c_str(),
        found.c_str(), kSupported);
}

void CheckName(const Fields& root, const char* field, const Json& value, Names accepted) {
  if (!value.IsString()) root.Fail(field, Found(value), "a string");
  for (const char* name : accepted) {
    if (value.text == name) return;
  }
  const std::string found = Format("%s %s", field, Found(value).c_str());
  if (Normalized(value.text).find("deepseekv41") != std::string::npos) ThrowV41(root.path(), found);
  Throw(Code::kUnsupported, "%s: found %s, an architecture that is not supported; %s",
        root.path().c_str(), found.c_str(), kSupported);
}

void CheckArchitecture(const Fields& root) {
  const Json* type = root.Find({"model_type"});
  const Json* architectures = root.Find({"architectures"});
  if (!type && !architectures) root.Missing("model_type", "\"deepseek_v4\"");
  if (type) CheckName(root, "model_type", *type, {"deepseek_v4"});
  if (architectures) {
    if (!architectures->IsArray() || architectures->items.empty()) {
      root.Fail("architectures", Found(*architectures), "[\"DeepseekV4ForCausalLM\"]");
    }
    for (const Json& name : architectures->items) {
      CheckName(root, "architectures", name, {"DeepseekV4ForCausalLM", "DeepseekV4Model"});
    }
  }
  const auto integer = [&root](const char* name) {
    const Json* value = root.Find({name});
    return value ? value->Integer(-1) : -1;
  };
  if (integer("hidden_size") == 5120 && integer("num_hidden_layers") == 40) {
    ThrowV41(root.path(), "hidden_size 5120, 40 layers");
  }
  const Json* ratios = root.Find({"compress_ratios"});
  if (ratios && ratios->IsArray()) {
    for (const Json& ratio : ratios->items) {
      if (ratio.Integer(-1) == 2) ThrowV41(root.path(), "compress_ratios contains 2");
    }
  }
}

// Switches that V4 has in one position only.
void CheckFixedChoices(const Fields& root) {
  if (root.IntOr({"num_key_value_heads"}, 0, INT32_MAX, 1) != 1) {
    root.Unsupported("num_key_value_heads", Found(*root.Find({"num_key_value_heads"})), "1");
  }
  if (root.IntOr({"n_shared_experts"}, 0, INT32_MAX, 1) != 1) {
    root.Unsupported("n_shared_experts", Found(*root.Find({"n_shared_experts"})), "1");
  }
  for (const char* name : {"attention_bias", "mlp_bias", "tie_word_embeddings"}) {
    if (root.BoolOr(name, false)) root.Unsupported(name, "true", "false");
  }
  if (const std::string act = root.StringOr("hidden_act", "silu"); act != "silu") {
    root.Unsupported("hidden_act", Found(*root.Find({"hidden_act"})), "\"silu\"");
  }
  if (const std::string dtype = root.StringOr("expert_dtype", "fp4");
      dtype != "fp4" && dtype != "fp8" && dtype != "bf16" && dtype != "bfloat16") {
    root.Unsupported("expert_dtype", Found(*root.Find({"expert_dtype"})), "\"fp4\", \"fp8\"");
  }
}

// Returns whether the checkpoint says that it is quantized.
bool CheckQuantization(const Fields& root) {
  const Fields quantization = root.Object("quantization_config");
  if (!quantization.present()) return false;
  const auto only = [&quantization](const char* name, const char* supported) {
    const Json* value = quantization.Find({name});
    if (value && !(value->IsString() && value->text == supported)) {
      quantization.Unsupported(name, Found(*value), Format("\"%s\"", supported).c_str());
    }
  };
  only("quant_method", "fp8");
  only("fmt", "e4m3");
  const Json* block = quantization.Find({"weight_block_size"});
  if (block) {
    const bool right = block->IsArray() && block->items.size() == 2 &&
                       block->items[0].Integer(0) == 128 && block->items[1].Integer(0) == 128;
    if (!right) {
      std::string found;
      AppendPythonJson(*block, &found);
      quantization.Unsupported("weight_block_size", std::string(CutUtf8(found, 80)), "[128, 128]");
    }
  }
  return true;
}

void ParseSizes(const Fields& root, Config* config) {
  Config& c = *config;
  c.hidden = root.Int32({"hidden_size"}, 1, kMaxHidden);
  c.layers_count = root.Int32({"num_hidden_layers"}, 1, kMaxLayers);
  c.vocab = root.Int32({"vocab_size"}, 1, kMaxVocab);
  c.heads = root.Int32({"num_attention_heads"}, 1, kMaxHeads);
  c.head_dim = root.Int32({"head_dim"}, 2, kMaxHeadDim);
  if (!root.Has({"qk_rope_head_dim"}) && root.Has({"partial_rotary_factor"})) {
    c.rope_dim = static_cast<int32_t>(c.head_dim * root.Real({"partial_rotary_factor"}, 0.0, 1.0));
  } else {
    c.rope_dim = root.Int32({"qk_rope_head_dim"}, 2, c.head_dim);
  }
  if (c.rope_dim < 2 || c.rope_dim % 2 != 0) {
    root.Fail("qk_rope_head_dim", Format("%d", c.rope_dim), "an even number, at least 2");
  }
  c.q_lora_rank = root.Int32({"q_lora_rank"}, 1, kMaxRank);
  c.o_groups = root.Int32({"o_groups"}, 1, c.heads);
  if (c.heads % c.o_groups != 0) {
    root.Fail("o_groups", Format("%d", c.o_groups),
              Format("a divisor of num_attention_heads (%d)", c.heads));
  }
  c.o_lora_rank = root.Int32({"o_lora_rank"}, 1, kMaxRank);
  c.window = root.Int32({"sliding_window"}, 1, 65536);
  c.experts = root.Int32({"n_routed_experts", "num_local_experts"}, 1, kMaxExperts);
  c.experts_per_token = root.Int32({"num_experts_per_tok"}, 1, c.experts);
  c.expert_width = root.Int32({"moe_intermediate_size", "intermediate_size"}, 1, kMaxWidth);
  c.hc_streams = root.Int32({"hc_mult"}, 1, 16);
  c.hc_sinkhorn_iterations = root.Int32({"hc_sinkhorn_iters"}, 1, 1000);
  c.max_position = root.Int({"max_position_embeddings"}, 1, kMaxPositions);
}

void ParseIndexer(const Fields& root, Config* config) {
  Config& c = *config;
  bool needed = false;
  for (const LayerSpec& layer : c.layers) needed |= layer.kind == LayerKind::kCsa;
  if (!needed) return;
  c.index_heads = root.Int32({"index_n_heads"}, 1, kMaxHeads);
  c.index_head_dim = root.Int32({"index_head_dim"}, 2, kMaxHeadDim);
  c.index_topk = root.Int32({"index_topk"}, 1, 1 << 20);
  const bool power_of_two = (c.index_head_dim & (c.index_head_dim - 1)) == 0;
  if (!power_of_two || c.index_head_dim < c.rope_dim) {
    root.Fail("index_head_dim", Format("%d", c.index_head_dim),
              Format("a power of two, at least qk_rope_head_dim (%d)", c.rope_dim));
  }
}

void ParseNumbers(const Fields& root, Config* config) {
  Config& c = *config;
  c.rms_norm_eps = root.Float({"rms_norm_eps"}, 1e-30, 1.0);
  c.hc_eps = static_cast<float>(root.RealOr({"hc_eps"}, 0.0, 1.0, 1e-6));
  c.routed_scale = root.Float({"routed_scaling_factor"}, 1e-6, 1e6);
  c.swiglu_limit = root.Float({"swiglu_limit"}, 0.0, 1e6);
  const Json* scoring = root.Find({"scoring_func"});
  if (!scoring) root.Missing("scoring_func", "\"sqrtsoftplus\", \"sigmoid\" or \"softmax\"");
  if (scoring->IsString() && scoring->text == "sqrtsoftplus") {
    c.scoring = Scoring::kSqrtSoftplus;
  } else if (scoring->IsString() && scoring->text == "sigmoid") {
    c.scoring = Scoring::kSigmoid;
  } else if (scoring->IsString() && scoring->text == "softmax") {
    c.scoring = Scoring::kSoftmax;
  } else {
    root.Unsupported("scoring_func", Found(*scoring), "\"sqrtsoftplus\", \"sigmoid\", \"softmax\"");
  }
  const auto token = [&](const char* name, int32_t fallback) -> int32_t {
    const Json* value = root.Find({name});
    if (!value) return fallback;
    const Json* first = value->IsArray() && !value->items.empty() ? &value->items[0] : value;
    const int64_t id = first->Integer(-1);
    if (!first->IsInteger() || id < 0 || id >= c.vocab) {
      root.Fail(name, Found(*first), Format("a token id below vocab_size (%d)", c.vocab));
    }
    return static_cast<int32_t>(id);
  };
  c.bos_id = token("bos_token_id", 0);
  c.eos_id = token("eos_token_id", 1);
}

void ParseYarn(const Fields& rope, Config* config) {
  if (!rope.present()) return;
  const char* field = rope.Has({"rope_type"}) ? "rope_type" : "type";
  const std::string type = rope.StringOr(field, "default");
  if (type == "default") return;
  if (type != "yarn") rope.Unsupported(field, Found(*rope.Find({field})), "\"yarn\", \"default\"");
  config->yarn_factor = rope.Float({"factor"}, 1.0, 1e6);
  config->yarn_beta_fast = static_cast<float>(rope.RealOr({"beta_fast"}, 1e-3, 1e6, 32.0));
  config->yarn_beta_slow = static_cast<float>(rope.RealOr({"beta_slow"}, 1e-3, 1e6, 1.0));
  config->yarn_original_positions =
      rope.Int({"original_max_position_embeddings"}, 0, kMaxPositions);
  if (config->yarn_beta_fast < config->yarn_beta_slow) {
    rope.Fail("beta_fast", Format("%g", static_cast<double>(config->yarn_beta_fast)),
              Format("at least beta_slow (%g)", static_cast<double>(config->yarn_beta_slow)));
  }
}

// rope_scaling with two thetas, or the newer rope_parameters {"main": ..., "compress": ...}.
void ParseRope(const Fields& root, Config* config) {
  constexpr double kMinTheta = 1.001, kMaxTheta = 1e12;
  const Fields parameters = root.Object("rope_parameters");
  const Fields main = parameters.Object("main");
  const Fields compress = parameters.Object("compress");
  const Fields& main_source = main.Has({"rope_theta"}) ? main : root;
  config->rope_theta = main_source.Float({"rope_theta"}, kMinTheta, kMaxTheta);
  if (main.present() && main.StringOr("rope_type", "default") != "default") {
    main.Unsupported("rope_type", Found(*main.Find({"rope_type"})), "\"default\"");
  }
  bool compressed = false;
  for (const LayerSpec& layer : config->layers) compressed |= layer.kind != LayerKind::kWindow;
  if (compressed) {
    config->compress_rope_theta = compress.Has({"rope_theta"})
                                      ? compress.Float({"rope_theta"}, kMinTheta, kMaxTheta)
                                      : root.Float({"compress_rope_theta"}, kMinTheta, kMaxTheta);
  }
  ParseYarn(compress.present() ? compress : root.Object("rope_scaling"), config);
}

LayerSpec SpecOfRatio(int64_t ratio) {
  LayerSpec spec;
  spec.ratio = static_cast<int32_t>(ratio);
  spec.kind = ratio == 0 ? LayerKind::kWindow : ratio == 4 ? LayerKind::kCsa : LayerKind::kHca;
  return spec;
}

std::vector<LayerSpec> SpecsOfRatios(const Fields& root, const Json& ratios, const Config& config) {
  if (!ratios.IsArray() || ratios.items.size() < static_cast<size_t>(config.layers_count)) {
    root.Fail("compress_ratios", Found(ratios),
              Format("one number per layer (%d) and draft block", config.layers_count));
  }
  if (ratios.items.size() > static_cast<size_t>(config.layers_count + 4 * kMaxDrafts)) {
    root.Fail("compress_ratios", Found(ratios),
              Format("about one per layer (%d)", config.layers_count));
  }
  std::vector<LayerSpec> specs;
  for (size_t i = 0; i < ratios.items.size(); ++i) {
    const int64_t ratio = ratios.items[i].Integer(-1);
    if (!ratios.items[i].IsInteger() || ratio < 0 || ratio > kMaxRatio) {
      root.Fail(Format("compress_ratios[%zu]", i).c_str(), Found(ratios.items[i]),
                "0, 4, 128 or another rate");
    }
    specs.push_back(SpecOfRatio(ratio));
  }
  return specs;
}

int64_t RateOf(const Fields& root, const char* type, const char* legacy, int64_t published) {
  if (root.Has({legacy})) return root.Int({legacy}, 1, kMaxRatio);
  return root.Object("compress_rates").IntOr({type}, 1, kMaxRatio, published);
}

std::vector<LayerSpec> SpecsOfTypes(const Fields& root, const Json& types, const Config& config) {
  if (!types.IsArray() || types.items.size() < static_cast<size_t>(config.layers_count) ||
      types.items.size() > static_cast<size_t>(config.layers_count + 4 * kMaxDrafts)) {
    root.Fail("layer_types", Found(types), Format("one name per layer (%d)", config.layers_count));
  }
  constexpr const char* kCsa = "compressed_sparse_attention";
  constexpr const char* kHca = "heavily_compressed_attention";
  const int64_t csa_rate = RateOf(root, kCsa, "compress_rate_csa", 4);
  const int64_t hca_rate = RateOf(root, kHca, "compress_rate_hca", 128);
  std::vector<LayerSpec> specs;
  for (size_t i = 0; i < types.items.size(); ++i) {
    const Json& type = types.items[i];
    LayerSpec spec;
    if (type.IsString() && type.text == kCsa) {
      if (csa_rate != 4)
        root.Unsupported("compress_rates", Format("%" PRId64 " for %s", csa_rate, kCsa), "4");
      spec = {.kind = LayerKind::kCsa, .ratio = 4};
    } else if (type.IsString() && type.text == kHca) {
      spec = {.kind = LayerKind::kHca, .ratio = static_cast<int32_t>(hca_rate)};
    } else if (!type.IsString() || type.text != "sliding_attention") {
      root.Unsupported(Format("layer_types[%zu]", i).c_str(), Found(type),
                       "\"sliding_attention\", \"compressed_sparse_attention\", "
                       "\"heavily_compressed_attention\"");
    }
    specs.push_back(spec);
  }
  return specs;
}

// The schedule of layers and draft blocks. It must be explicit: defaults in circulation contradict
// the published models.
void ParseSchedule(const Fields& root, Config* config) {
  const Json* ratios = root.Find({"compress_ratios"});
  const Json* types = root.Find({"layer_types"});
  if (!ratios && !types) root.Missing("compress_ratios", "one number per layer (or layer_types)");
  std::vector<LayerSpec> specs;
  if (types) specs = SpecsOfTypes(root, *types, *config);
  if (ratios) {
    const std::vector<LayerSpec> by_type = std::move(specs);
    specs = SpecsOfRatios(root, *ratios, *config);
    for (size_t i = 0; i < by_type.size() && i < specs.size(); ++i) {
      if (by_type[i].kind != specs[i].kind) {
        root.Fail(Format("layer_types[%zu]", i).c_str(), Found(types->items[i]),
                  Format("the kind of compress_ratios[%zu] (%d)", i, specs[i].ratio));
      }
    }
  }
  const size_t layers = static_cast<size_t>(config->layers_count);
  const size_t extra = specs.size() - layers;
  const int64_t blocks = root.IntOr({"num_nextn_predict_layers"}, 0, kMaxDrafts, extra > 0 ? 1 : 0);
  bool dspark = false;
  for (const auto& [name, value] : root.json().members)
    dspark |= name.compare(0, 7, "dspark_") == 0;
  if (dspark) config->effort_ladder = EffortLadder::k0731;
  // Names of the transformers library carry no draft blocks; entries beyond the MTP blocks mean
  // that the draft module is of another design.
  config->foreign_drafts = dspark || extra > static_cast<size_t>(blocks) || (!ratios && extra == 0);
  if (!config->foreign_drafts && extra < static_cast<size_t>(blocks)) {
    root.Fail("compress_ratios", Format("%zu entries", specs.size()),
              Format("%zu (%zu layers and %" PRId64 " draft blocks)",
                     layers + static_cast<size_t>(blocks), layers, blocks));
  }
  config->drafts = config->foreign_drafts ? 0 : static_cast<int32_t>(blocks);
  specs.resize(layers + static_cast<size_t>(config->drafts));
  config->layers = std::move(specs);
}

void ParseHashLayers(const Fields& root, Config* config) {
  const Json* types = root.Find({"mlp_layer_types"});
  if (root.Has({"num_hash_layers"}) || !types) {
    // More than there are layers means all of them, as it does for the published code.
    config->hash_layers =
        std::min(root.Int32({"num_hash_layers"}, 0, kMaxLayers), config->layers_count);
    for (int32_t i = 0; i < config->hash_layers; ++i)
      config->layers[static_cast<size_t>(i)].hash_routed = true;
    return;
  }
  if (!types->IsArray() || types->items.size() != static_cast<size_t>(config->layers_count)) {
    root.Fail("mlp_layer_types", Found(*types),
              Format("one name per layer (%d)", config->layers_count));
  }
  for (size_t i = 0; i < types->items.size(); ++i) {
    const Json& type = types->items[i];
    const bool hash = type.IsString() && type.text == "hash_moe";
    if (!hash && !(type.IsString() && type.text == "moe")) {
      root.Unsupported(Format("mlp_layer_types[%zu]", i).c_str(), Found(type),
                       "\"hash_moe\", \"moe\"");
    }
    config->layers[i].hash_routed = hash;
    config->hash_layers += hash ? 1 : 0;
  }
}

Json ParseObject(const std::string& text, const std::string& path) {
  Json document;
  try {
    document = ParseJson(text, path.c_str());
  } catch (const Error& error) {
    throw Error(Code::kCheckpoint, error.what());
  }
  if (!document.IsObject()) {
    Throw(Code::kCheckpoint, "%s: found %s, expected an object", path.c_str(),
          Found(document).c_str());
  }
  return document;
}

}  // namespace

Config ParseConfig(const std::string& text, const std::string& path) {
  const Json document = ParseObject(text, path);
  const Fields root(&document, path, "");
  CheckArchitecture(root);
  CheckFixedChoices(root);
  Config config;
  const bool quantized = CheckQuantization(root);
  ParseSizes(root, &config);
  ParseSchedule(root, &config);
  ParseHashLayers(root, &config);
  ParseIndexer(root, &config);
  ParseNumbers(root, &config);
  ParseRope(root, &config);
  config.quantized_cache =
      quantized && (config.head_dim - config.rope_dim) % 64 == 0 && config.index_head_dim % 32 == 0;
  return config;
}

Config LoadConfig(const std::string& folder) {
  const std::string path = folder + "/config.json";
  return ParseConfig(ReadFile(path, kMaxConfigBytes), path);
}

GenerationConfig LoadGenerationConfig(const std::string& folder) {
  const std::string path = folder + "/generation_config.json";
  GenerationConfig config;
  std::string text;
  try {
    text = ReadFile(path, kMaxConfigBytes);
  } catch (const Error& error) {
    if (error.code() == Code::kNotFound) return config;
    throw;
  }
  const Json document = ParseObject(text, path);
  const Fields root(&document, path, "");
  config.do_sample = root.BoolOr("do_sample", config.do_sample);
  config.temperature = root.RealOr({"temperature"}, 0.0, 100.0, config.temperature);
  config.top_p = root.RealOr({"top_p"}, 0.0, 1.0, config.top_p);
  config.top_k = static_cast<int32_t>(root.IntOr({"top_k"}, 0, INT32_MAX, config.top_k));
  config.has_thinking = root.Has({"thinking"});
  config.thinking = root.BoolOr("thinking", config.thinking);
  return config;
}

}  // namespace finback
