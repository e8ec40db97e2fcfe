#include "core/checkpoint/config.h"

#include <algorithm>
#include <cctype>
#include <cinttypes>
#include <climits>
#include <cmath>
#include <initializer_list>
#include <iterator>
#include <utility>

#include "core/base/contains.h"
#include "core/base/file_map.h"
#include "core/base/status.h"
#include "core/checkpoint/settings/generation_config.h"
#include "core/checkpoint/settings/rope.h"
#include "core/json/json_fields.h"

namespace finback {
namespace {

constexpr size_t kMaxConfigBytes = 16u << 20;
constexpr const char* kSupported = "this library runs DeepSeek-V4 (model_type \"deepseek_v4\")";

// Bounds that no V4 so far comes near, and that keep every product of two sizes within 63 bits.
constexpr int64_t kMaxLayers = 1024, kMaxDrafts = 16, kMaxHidden = 1 << 17, kMaxVocab = 1 << 22;
constexpr int64_t kMaxHeads = 4096, kMaxHeadDim = 8192, kMaxRank = 1 << 16, kMaxExperts = 1 << 14;
constexpr int64_t kMaxWidth = 1 << 18, kMaxRatio = 1 << 16, kMaxPositions = INT32_MAX;

using Names = std::initializer_list<const char*>;

// The first of the synonyms that is there; the first of all when none is.
const char* NameOf(JsonFields* fields, Names names) {
  const auto there = [fields](const char* name) { return fields->Find(name) != nullptr; };
  const auto found = std::find_if(names.begin(), names.end(), there);
  return found == names.end() ? *names.begin() : *found;
}

int32_t Int32(JsonFields* fields, Names names, int64_t low, int64_t high) {
  const char* first = NameOf(fields, names);
  const int64_t value = fields->RequireInteger(first, low, high);
  for (const char* name : names) {
    const Json* other = fields->Find(name);
    if (other == nullptr || other->Integer(-1) == value) continue;
    fields->Fail(name, Format("expected %" PRId64 " as %s has it, found ", value, first) +
                           Described(*other));
  }
  return static_cast<int32_t>(value);
}

int64_t IntegerOr(JsonFields* fields, const char* name, int64_t low, int64_t high,
                  int64_t fallback) {
  fields->Integer(name, low, high, &fallback);
  return fallback;
}

double NumberOr(JsonFields* fields, const char* name, double low, double high, double fallback) {
  fields->Number(name, low, high, &fallback);
  return fallback;
}

float Float(JsonFields* fields, const char* name, double low, double high) {
  return static_cast<float>(fields->RequireNumber(name, low, high));
}

std::string StringOr(JsonFields* fields, const char* name, const char* fallback) {
  const std::string* text = fields->FindString(name);
  return text == nullptr ? fallback : *text;
}

[[noreturn]] void Missing(const JsonFields& fields, const char* name, const char* expected) {
  fields.Fail(name, std::string("is missing, expected ") + expected);
}

[[noreturn]] void Refuse(const JsonFields& fields, std::string_view name, const std::string& found,
                         const char* supported) {
  fields.FailAtPath(
      Code::kUnsupported, fields.Path(name),
      Format("found %s, which is not supported (supported: %s)", found.c_str(), supported));
}

[[noreturn]] void Wrong(const JsonFields& fields, std::string_view name, const std::string& found,
                        const std::string& expected) {
  fields.Fail(name, "expected " + expected + ", found " + found);
}

[[noreturn]] void RefuseModel(const JsonFields& root, const std::string& found) {
  root.FailAtPath(Code::kUnsupported, "",
                  "found " + found + ", an architecture that is not supported; " + kSupported);
}

// "DeepSeek_V4-1" -> "deepseekv41"
std::string Normalized(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (isalnum(static_cast<unsigned char>(c)))
      out += static_cast<char>(tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

[[noreturn]] void RefuseV41(const JsonFields& root, const std::string& found) {
  RefuseModel(root, "DeepSeek-V4.1 (" + found + ")");
}

void CheckName(const JsonFields& root, const char* field, const Json& value, Names accepted) {
  if (!value.IsString()) root.FailKind(field, "a string", value);
  for (const char* name : accepted) {
    if (value.text == name) return;
  }
  const std::string found = std::string(field) + " " + Described(value);
  if (Normalized(value.text).find("deepseekv41") != std::string::npos) RefuseV41(root, found);
  RefuseModel(root, found);
}

void CheckArchitecture(JsonFields* root) {
  const Json* type = root->Find("model_type");
  const Json* architectures = root->Find("architectures");
  if (type == nullptr && architectures == nullptr) Missing(*root, "model_type", "\"deepseek_v4\"");
  if (type != nullptr) CheckName(*root, "model_type", *type, {"deepseek_v4"});
  if (architectures != nullptr) {
    if (!architectures->IsArray() || architectures->items.empty()) {
      root->FailKind("architectures", "[\"DeepseekV4ForCausalLM\"]", *architectures);
    }
    for (const Json& name : architectures->items) {
      CheckName(*root, "architectures", name, {"DeepseekV4ForCausalLM", "DeepseekV4Model"});
    }
  }
  const auto integer = [root](const char* name) {
    const Json* value = root->Find(name);
    return value ? value->Integer(-1) : -1;
  };
  if (integer("hidden_size") == 5120 && integer("num_hidden_layers") == 40) {
    RefuseV41(*root, "hidden_size 5120, 40 layers");
  }
  const Json* ratios = root->Find("compress_ratios");
  if (ratios && ratios->IsArray()) {
    for (const Json& ratio : ratios->items) {
      if (ratio.Integer(-1) == 2) RefuseV41(*root, "compress_ratios contains 2");
    }
  }
}

// Switches that V4 has in one position only.
void CheckFixedChoices(JsonFields* root) {
  for (const char* name : {"num_key_value_heads", "n_shared_experts"}) {
    const int64_t number = IntegerOr(root, name, 0, INT32_MAX, 1);
    if (number != 1) Refuse(*root, name, Format("%" PRId64, number), "1");
  }
  for (const char* name : {"attention_bias", "mlp_bias", "tie_word_embeddings"}) {
    if (root->Bool(name, false)) Refuse(*root, name, "true", "false");
  }
  for (const char* name : {"norm_topk_prob", "rope_interleave"}) {
    if (!root->Bool(name, true)) Refuse(*root, name, "false", "true");
  }
  const std::pair<const char*, int64_t> numbers[] = {
      {"n_group", 1}, {"topk_group", 1}, {"first_k_dense_replace", 0}, {"moe_layer_freq", 1}};
  for (const auto& [name, only] : numbers) {
    const int64_t number = IntegerOr(root, name, 0, INT32_MAX, only);
    if (number != only) {
      Refuse(*root, name, Format("%" PRId64, number), only == 1 ? "1" : "0");
    }
  }
  if (const std::string method = StringOr(root, "topk_method", "noaux_tc"); method != "noaux_tc") {
    Refuse(*root, "topk_method", Quoted(method), "\"noaux_tc\"");
  }
  for (const char* name : {"text_config", "quantization", "compression_config"}) {
    const Json* value = root->Find(name);
    if (value != nullptr) Refuse(*root, name, Described(*value), "DeepSeek-V4's own fields");
  }
  if (const std::string act = StringOr(root, "hidden_act", "silu"); act != "silu") {
    Refuse(*root, "hidden_act", Quoted(act), "\"silu\"");
  }
  if (const std::string dtype = StringOr(root, "expert_dtype", "fp4");
      dtype != "fp4" && dtype != "fp8" && dtype != "bf16" && dtype != "bfloat16") {
    Refuse(*root, "expert_dtype", Quoted(dtype), "\"fp4\", \"fp8\"");
  }
}

// The published inference code has its own names for some fields; a file with both must agree.
void CheckInferenceNames(JsonFields* root) {
  static constexpr std::pair<const char*, const char*> kNames[] = {
      {"dim", "hidden_size"},
      {"n_layers", "num_hidden_layers"},
      {"n_heads", "num_attention_heads"},
      {"rope_head_dim", "qk_rope_head_dim"},
      {"window_size", "sliding_window"},
      {"moe_inter_dim", "moe_intermediate_size"},
      {"n_activated_experts", "num_experts_per_tok"},
      {"n_hash_layers", "num_hash_layers"},
      {"n_mtp_layers", "num_nextn_predict_layers"},
      {"norm_eps", "rms_norm_eps"},
      {"score_func", "scoring_func"},
      {"route_scale", "routed_scaling_factor"}};
  const auto same = [](const Json& a, const Json& b) {
    return a.IsNumber() && b.IsNumber() ? a.number == b.number : JsonText(a) == JsonText(b);
  };
  for (const auto& [name, published] : kNames) {
    const Json* other = root->Find(name);
    const Json* value = root->Find(published);
    if (other == nullptr || value == nullptr || same(*other, *value)) continue;
    Wrong(*root, name, Described(*other), Described(*value) + " as " + published + " has it");
  }
}

// Fields of the families that shape V4's layers; others of a family belong to another model.
void CheckFamilies(const JsonFields& root, const Json& document) {
  static constexpr std::string_view kFamilies[] = {"rope_",     "index_",  "hc_",     "swiglu_",
                                                   "compress_", "engram_", "logits_", "embedding_"};
  static constexpr std::string_view kKnown[] = {"rope_theta",        "rope_scaling",
                                                "rope_parameters",   "rope_interleave",
                                                "index_n_heads",     "index_head_dim",
                                                "index_topk",        "hc_mult",
                                                "hc_sinkhorn_iters", "hc_eps",
                                                "swiglu_limit",      "compress_ratios",
                                                "compress_rates",    "compress_rope_theta",
                                                "compress_rate_csa", "compress_rate_hca"};
  for (const auto& [name, value] : document.members) {
    const std::string_view field = name;
    const bool ours =
        std::any_of(std::begin(kFamilies), std::end(kFamilies),
                    [&](std::string_view family) { return field.starts_with(family); });
    const bool known = Contains(kKnown, field);
    if (ours && !known && !value.IsNull()) {
      Refuse(root, field, Described(value), "the fields of DeepSeek-V4");
    }
  }
}

// Fields that nobody here asked for are a note: they may belong to a newer model than this library.
void NoteUnknown(JsonFields* root, const Json& document, const UnknownMembers& unknown,
                 std::vector<std::string>* notes) {
  for (const char* name :
       {"attention_dropout", "auto_map", "dtype", "initializer_range", "output_router_logits",
        "pad_token_id", "pretraining_tp", "router_aux_loss_coef", "router_jitter_noise",
        "torch_dtype", "transformers_version", "use_cache"}) {
    root->Ignore(name);
  }
  for (const auto& [name, value] : document.members) {
    for (const char* family : {"_", "rope_", "index_", "hc_", "swiglu_", "compress_", "dspark_"}) {
      if (name.starts_with(family)) root->Ignore(name);
    }
  }
  root->RejectUnknown();
  if (unknown.count == 0) return;
  constexpr size_t kMostShown = 10;
  notes->push_back("ignored fields that this library does not know: " + unknown.Listed(kMostShown));
}

// Returns whether the checkpoint says that it is quantized.
bool CheckQuantization(JsonFields* root) {
  JsonFields quantization = root->Object("quantization_config");
  if (quantization.IsAbsent()) return false;
  const auto only = [&quantization](const char* name, const char* supported) {
    const Json* value = quantization.Find(name);
    if (value && !(value->IsString() && value->text == supported)) {
      Refuse(quantization, name, Described(*value), Quoted(supported).c_str());
    }
  };
  only("quant_method", "fp8");
  only("fmt", "e4m3");
  only("scale_fmt", "ue8m0");
  only("activation_scheme", "dynamic");
  if (quantization.Bool("dequantize", false)) Refuse(quantization, "dequantize", "true", "false");
  for (const auto& [name, value] : root->Find("quantization_config")->members) {
    static constexpr std::string_view kKnown[] = {
        "quant_method",      "fmt",          "scale_fmt",  "activation_scheme",
        "weight_block_size", "expert_dtype", "dequantize", "modules_to_not_convert",
        "ignored_layers",    "ignore"};
    const bool known = Contains(kKnown, name);
    if (!known && !value.IsNull()) {
      Refuse(quantization, name, Described(value), "the fields of block-wise FP8");
    }
  }
  const Json* block = quantization.Find("weight_block_size");
  if (block) {
    const bool right = block->IsArray() && block->items.size() == 2 &&
                       block->items[0].Integer(0) == 128 && block->items[1].Integer(0) == 128;
    if (!right) Refuse(quantization, "weight_block_size", Shown(JsonText(*block)), "[128, 128]");
  }
  return true;
}

void ParseSizes(JsonFields* root, const RopeSettings& rope, Config* config) {
  Config& c = *config;
  c.hidden = Int32(root, {"hidden_size"}, 1, kMaxHidden);
  c.layers_count = Int32(root, {"num_hidden_layers"}, 1, kMaxLayers);
  c.vocab = Int32(root, {"vocab_size"}, 1, kMaxVocab);
  c.heads = Int32(root, {"num_attention_heads"}, 1, kMaxHeads);
  c.head_dim = Int32(root, {"head_dim", "qk_head_dim", "v_head_dim"}, 2, kMaxHeadDim);
  double part = static_cast<double>(rope.partial_factor);
  const bool has_part = root->Number("partial_rotary_factor", 0.0, 1.0, &part) || part != 0;
  const auto width = static_cast<int32_t>(std::lround(c.head_dim * part));
  c.rope_dim = has_part && root->Find("qk_rope_head_dim") == nullptr
                   ? width
                   : Int32(root, {"qk_rope_head_dim"}, 2, c.head_dim);
  const auto other = static_cast<int32_t>(std::lround(c.head_dim * rope.partial_factor));
  if ((has_part && width != c.rope_dim) || (rope.partial_factor != 0 && other != c.rope_dim)) {
    Wrong(*root, "partial_rotary_factor",
          Format("%d of %d", width == c.rope_dim ? other : width, c.head_dim),
          Format("qk_rope_head_dim (%d), or the same factor everywhere", c.rope_dim));
  }
  if (c.rope_dim < 2 || c.rope_dim % 2 != 0) {
    Wrong(*root, "qk_rope_head_dim", Format("%d", c.rope_dim), "an even number, at least 2");
  }
  c.q_lora_rank = Int32(root, {"q_lora_rank"}, 1, kMaxRank);
  c.o_groups = Int32(root, {"o_groups"}, 1, c.heads);
  if (c.heads % c.o_groups != 0) {
    Wrong(*root, "o_groups", Format("%d", c.o_groups),
          Format("a divisor of num_attention_heads (%d)", c.heads));
  }
  c.o_lora_rank = Int32(root, {"o_lora_rank"}, 1, kMaxRank);
  c.window = Int32(root, {"sliding_window"}, 1, 65536);
  c.experts = Int32(root, {"n_routed_experts", "num_local_experts", "num_experts"}, 1, kMaxExperts);
  c.experts_per_token = Int32(root, {"num_experts_per_tok"}, 1, c.experts);
  c.expert_width = Int32(root, {"moe_intermediate_size", "intermediate_size"}, 1, kMaxWidth);
  c.hc_streams = Int32(root, {"hc_mult"}, 1, 16);
  c.hc_sinkhorn_iterations = Int32(root, {"hc_sinkhorn_iters"}, 1, 1000);
  c.max_position = root->RequireInteger("max_position_embeddings", 1, kMaxPositions);
}

void ParseIndexer(JsonFields* root, Config* config) {
  Config& c = *config;
  bool needed = false;
  for (const LayerSpec& layer : c.layers) needed |= layer.kind == LayerKind::kCsa;
  if (!needed) return;
  c.index_heads = Int32(root, {"index_n_heads"}, 1, kMaxHeads);
  c.index_head_dim = Int32(root, {"index_head_dim"}, 2, kMaxIndexHeadDim);
  c.index_topk = Int32(root, {"index_topk"}, 1, 1 << 20);
  const bool power_of_two = (c.index_head_dim & (c.index_head_dim - 1)) == 0;
  if (!power_of_two || c.index_head_dim < c.rope_dim) {
    Wrong(*root, "index_head_dim", Format("%d", c.index_head_dim),
          Format("a power of two, at least qk_rope_head_dim (%d)", c.rope_dim));
  }
}

// The ids that open a prompt and end an answer. One that is no id, or beyond the vocabulary, is
// never sampled, so it may stand beside others, but not alone.
void ParseEnds(JsonFields* root, Config* config) {
  Config& c = *config;
  const std::string expected = Format("a token id below vocab_size (%d)", c.vocab);
  const auto known = [&c](int64_t id) { return id >= 0 && id < c.vocab; };
  if (const Json* bos = root->Find("bos_token_id")) {
    const Json* first = bos->IsArray() && !bos->items.empty() ? &bos->items[0] : bos;
    if (!known(first->Integer(-1))) Wrong(*root, "bos_token_id", Described(*first), expected);
    c.bos_id = static_cast<int32_t>(first->Integer(-1));
  }
  const Json* eos = root->Find("eos_token_id");
  if (eos == nullptr) return;
  const TokenIds found = ReadTokenIds(*eos, c.vocab);
  if (found.ids.empty()) Wrong(*root, "eos_token_id", Described(*eos), expected);
  c.eos_ids = found.ids;
  if (!found.others.empty()) c.notes.push_back("eos_token_id: ignored " + found.others);
}

void ParseNumbers(JsonFields* root, Config* config) {
  Config& c = *config;
  c.rms_norm_eps = Float(root, "rms_norm_eps", 1e-30, 1.0);
  c.hc_eps = static_cast<float>(NumberOr(root, "hc_eps", 0.0, 1.0, 1e-6));
  c.routed_scale = Float(root, "routed_scaling_factor", 1e-6, 1e6);
  c.swiglu_limit = Float(root, "swiglu_limit", 0.0, 1e6);
  const Json* scoring = root->Find("scoring_func");
  if (!scoring) Missing(*root, "scoring_func", "\"sqrtsoftplus\", \"sigmoid\" or \"softmax\"");
  if (scoring->IsString() && scoring->text == "sqrtsoftplus") {
    c.scoring = Scoring::kSqrtSoftplus;
  } else if (scoring->IsString() && scoring->text == "sigmoid") {
    c.scoring = Scoring::kSigmoid;
  } else if (scoring->IsString() && scoring->text == "softmax") {
    c.scoring = Scoring::kSoftmax;
  } else {
    Refuse(*root, "scoring_func", Described(*scoring),
           "\"sqrtsoftplus\", \"sigmoid\", \"softmax\"");
  }
  ParseEnds(root, config);
}

void ParseRope(JsonFields* root, const RopeSettings& rope, Config* config) {
  config->rope_theta = rope.theta != 0 ? rope.theta : Float(root, "rope_theta", 1.001, 1e12);
  bool compressed = false;
  for (const LayerSpec& layer : config->layers) compressed |= layer.kind != LayerKind::kWindow;
  if (compressed) {
    config->compress_rope_theta = rope.compress_theta != 0
                                      ? rope.compress_theta
                                      : Float(root, "compress_rope_theta", 1.001, 1e12);
  }
  config->yarn_factor = rope.factor;
  config->yarn_beta_fast = rope.beta_fast;
  config->yarn_beta_slow = rope.beta_slow;
  config->yarn_original_positions = rope.original_positions;
}

LayerSpec SpecOfRatio(int64_t ratio) {
  LayerSpec spec;
  spec.ratio = static_cast<int32_t>(ratio);
  spec.kind = ratio == 0 ? LayerKind::kWindow : ratio == 4 ? LayerKind::kCsa : LayerKind::kHca;
  return spec;
}

std::vector<LayerSpec> SpecsOfRatios(JsonFields* root, const Json& ratios, const Config& config) {
  if (!ratios.IsArray() || ratios.items.size() < static_cast<size_t>(config.layers_count)) {
    Wrong(*root, "compress_ratios", Described(ratios),
          Format("one number per layer (%d) and draft block", config.layers_count));
  }
  if (ratios.items.size() > static_cast<size_t>(config.layers_count + 4 * kMaxDrafts)) {
    Wrong(*root, "compress_ratios", Described(ratios),
          Format("about one per layer (%d)", config.layers_count));
  }
  std::vector<LayerSpec> specs;
  for (size_t i = 0; i < ratios.items.size(); ++i) {
    const int64_t ratio = ratios.items[i].Integer(-1);
    if (!ratios.items[i].IsInteger() || ratio < 0 || ratio > kMaxRatio) {
      Wrong(*root, Format("compress_ratios[%zu]", i), Described(ratios.items[i]),
            "0, 4, 128 or another rate");
    }
    specs.push_back(SpecOfRatio(ratio));
  }
  return specs;
}

int64_t RateOf(JsonFields* root, const char* type, const char* legacy, int64_t published) {
  int64_t rate = published;
  if (root->Integer(legacy, 1, kMaxRatio, &rate)) return rate;
  JsonFields rates = root->Object("compress_rates");
  return IntegerOr(&rates, type, 1, kMaxRatio, published);
}

std::vector<LayerSpec> SpecsOfTypes(JsonFields* root, const Json& types, const Config& config) {
  if (!types.IsArray() || types.items.size() < static_cast<size_t>(config.layers_count) ||
      types.items.size() > static_cast<size_t>(config.layers_count + 4 * kMaxDrafts)) {
    Wrong(*root, "layer_types", Described(types),
          Format("one name per layer (%d)", config.layers_count));
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
        Refuse(*root, "compress_rates", Format("%" PRId64 " for %s", csa_rate, kCsa), "4");
      spec = {.kind = LayerKind::kCsa, .ratio = 4};
    } else if (type.IsString() && type.text == kHca) {
      spec = {.kind = LayerKind::kHca, .ratio = static_cast<int32_t>(hca_rate)};
    } else if (!type.IsString() || type.text != "sliding_attention") {
      Refuse(*root, Format("layer_types[%zu]", i), Described(type),
             "\"sliding_attention\", \"compressed_sparse_attention\", "
             "\"heavily_compressed_attention\"");
    }
    specs.push_back(spec);
  }
  return specs;
}

// The schedule of layers and draft blocks. It must be explicit: defaults in circulation contradict
// the published models.
void ParseSchedule(JsonFields* root, const Json& document, Config* config) {
  const Json* ratios = root->Find("compress_ratios");
  const Json* types = root->Find("layer_types");
  if (!ratios && !types) {
    Missing(*root, "compress_ratios", "one number per layer (or layer_types)");
  }
  std::vector<LayerSpec> specs;
  if (types) specs = SpecsOfTypes(root, *types, *config);
  if (ratios) {
    const std::vector<LayerSpec> by_type = std::move(specs);
    specs = SpecsOfRatios(root, *ratios, *config);
    const bool rates = root->Find("compress_rates") || root->Find("compress_rate_hca");
    const int64_t hca = RateOf(root, "heavily_compressed_attention", "compress_rate_hca", -1);
    for (size_t i = 0; rates && hca > 0 && i < static_cast<size_t>(config->layers_count); ++i) {
      if (specs[i].kind != LayerKind::kHca || specs[i].ratio == hca) continue;
      Wrong(*root, Format("compress_ratios[%zu]", i), Format("%d", specs[i].ratio),
            Format("%" PRId64 ", the rate of compress_rates", hca));
    }
    for (size_t i = 0; i < by_type.size() && i < specs.size(); ++i) {
      if (by_type[i].kind != specs[i].kind) {
        Wrong(*root, Format("layer_types[%zu]", i), Described(types->items[i]),
              Format("the kind of compress_ratios[%zu] (%d)", i, specs[i].ratio));
      }
    }
  }
  const size_t layers = static_cast<size_t>(config->layers_count);
  const size_t extra = specs.size() - layers;
  const int64_t blocks =
      IntegerOr(root, "num_nextn_predict_layers", 0, kMaxDrafts, extra > 0 ? 1 : 0);
  bool dspark = false;
  for (const auto& [name, value] : document.members) dspark |= name.starts_with("dspark_");
  if (dspark) config->effort_ladder = EffortLadder::k0731;
  // Names of the transformers library carry no draft blocks, and copies without the blocks often no
  // entries for them; entries beyond the blocks mean that the draft module is of another design.
  config->foreign_drafts = dspark || extra != static_cast<size_t>(blocks);
  config->drafts = config->foreign_drafts ? 0 : static_cast<int32_t>(blocks);
  specs.resize(layers + static_cast<size_t>(config->drafts));
  config->layers = std::move(specs);
}

void ParseHashLayers(JsonFields* root, Config* config) {
  const Json* types = root->Find("mlp_layer_types");
  if (root->Find("num_hash_layers") != nullptr || types == nullptr) {
    // More than there are layers means all of them, as it does for the published code.
    config->hash_layers =
        std::min(Int32(root, {"num_hash_layers"}, 0, kMaxLayers), config->layers_count);
    for (int32_t i = 0; i < config->hash_layers; ++i)
      config->layers[static_cast<size_t>(i)].hash_routed = true;
    if (types == nullptr) return;
  }
  const bool given = root->Find("num_hash_layers") != nullptr;
  if (!types->IsArray() || types->items.size() != static_cast<size_t>(config->layers_count)) {
    Wrong(*root, "mlp_layer_types", Described(*types),
          Format("one name per layer (%d)", config->layers_count));
  }
  for (size_t i = 0; i < types->items.size(); ++i) {
    const Json& type = types->items[i];
    const bool hash = type.IsString() && type.text == "hash_moe";
    if (!hash && !(type.IsString() && type.text == "moe")) {
      Refuse(*root, Format("mlp_layer_types[%zu]", i), Described(type), "\"hash_moe\", \"moe\"");
    }
    if (given && hash != config->layers[i].hash_routed) {
      Wrong(*root, Format("mlp_layer_types[%zu]", i), Described(type),
            Format("what num_hash_layers (%d) says", config->hash_layers));
    }
    config->layers[i].hash_routed = hash;
    config->hash_layers += hash && !given ? 1 : 0;
  }
}

JsonSource SourceOf(const std::string& path) { return {.code = Code::kCheckpoint, .file = path}; }

}  // namespace

Config ParseConfig(const std::string& text, const std::string& path) {
  UnknownMembers unknown;
  JsonSource source = SourceOf(path);
  source.unknown = &unknown;
  const Json document = ParseJsonFile(text, source, "hidden_size");
  JsonFields root(document, "", source);
  CheckArchitecture(&root);
  CheckFixedChoices(&root);
  CheckFamilies(root, document);
  CheckInferenceNames(&root);
  Config config;
  config.quantized = CheckQuantization(&root);
  const RopeSettings rope = ReadRope(&root);
  ParseSizes(&root, rope, &config);
  ParseSchedule(&root, document, &config);
  ParseHashLayers(&root, &config);
  ParseIndexer(&root, &config);
  ParseNumbers(&root, &config);
  ParseRope(&root, rope, &config);
  NoteUnknown(&root, document, unknown, &config.notes);
  config.quantized_cache = config.quantized && (config.head_dim - config.rope_dim) % 64 == 0 &&
                           config.index_head_dim % 32 == 0;
  return config;
}

Config LoadConfig(const std::string& folder) {
  const std::string path = folder + "/config.json";
  return ParseConfig(ReadFile(path, kMaxConfigBytes), path);
}

}  // namespace finback
