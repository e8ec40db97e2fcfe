#include "core/checkpoint/weight_binder.h"

#include <algorithm>
#include <cstring>

#include "core/base/number_formats.h"
#include "core/base/status.h"

namespace finback {

using enum TensorKind;

namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// "x.weight" -> "x.scale"
std::string ScaleName(const std::string& weight) {
  return weight.substr(0, weight.size() - 6) + "scale";
}

// float32 values of BF16 or F32 data at any alignment.
void Widen(const uint8_t* data, StoredType type, size_t count, float* out) {
  if (type == StoredType::kF32) {
    memcpy(out, data, count * sizeof(float));
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    Bf16 code;
    memcpy(&code, data + i * sizeof code, sizeof code);
    out[i] = Bf16ToFloat(code);
  }
}

}  // namespace

size_t WeightBinder::Require(const std::string& name, const char* dtypes, const int64_t* shape,
                             int rank) {
  const size_t tensor = store_.Find(name);
  if (tensor == TensorStore::kNotFound) {
    Throw(Code::kCheckpoint, "%s: tensor %s: not found, expected %s %s%s", store_.origin.c_str(),
          QuoteForMessage(name).c_str(), dtypes, ShapeText(shape, rank).c_str(),
          in_draft_
              ? "; the draft blocks are there in part: a checkpoint may leave out all of mtp.*"
              : "");
  }
  return tensor;
}

void WeightBinder::CheckShape(size_t tensor, const int64_t* shape, int rank) const {
  const SafetensorsEntry& entry = *store_.entries[tensor];
  if (entry.rank == rank && std::equal(shape, shape + rank, entry.shape)) return;
  Throw(Code::kCheckpoint, "%s: shape: found %s, expected %s", store_.Where(tensor).c_str(),
        ShapeText(entry.shape, entry.rank).c_str(), ShapeText(shape, rank).c_str());
}

void WeightBinder::ThrowDtype(size_t tensor, const char* expected) const {
  Throw(Code::kCheckpoint, "%s: dtype: found %s, expected %s", store_.Where(tensor).c_str(),
        StoredTypeName(store_.entries[tensor]->type), expected);
}

Tensor& WeightBinder::Mark(size_t index, TensorKind kind, Dtype dtype, const int64_t* shape,
                           int rank) {
  Tensor& tensor = store_.tensors[index];
  tensor.kind = in_draft_ ? kDraft : kind;
  tensor.dtype = dtype;
  tensor.rank = rank;
  std::copy(shape, shape + rank, tensor.shape);
  store_.bound[index] = true;
  return tensor;
}

const uint8_t* WeightBinder::Scale(TensorKind kind, const std::string& name, int64_t rows,
                                   int64_t columns) {
  constexpr const char* kDtypes = "F8_E8M0";
  const int64_t shape[] = {rows, columns};
  const size_t tensor = Require(name, kDtypes, shape, 2);
  const StoredType type = store_.entries[tensor]->type;
  if (type != StoredType::kF8E8m0 && type != StoredType::kU8 && type != StoredType::kF32) {
    ThrowDtype(tensor, "F8_E8M0, U8 or F32");
  }
  CheckShape(tensor, shape, 2);
  if (type != StoredType::kF32) {
    Mark(tensor, kind, Dtype::kF8E8m0, shape, 2).is_scale = true;
    return store_.tensors[tensor].data;
  }
  Mark(tensor, kind, Dtype::kF32, shape, 2).is_scale = true;
  store_.converted.push_back({tensor, Buffer<uint8_t>(static_cast<size_t>(rows * columns))});
  return store_.converted.back().codes.data();
}

Dtype WeightBinder::MatrixDtype(size_t tensor, Storage storage) const {
  const StoredType type = store_.entries[tensor]->type;
  if (type == StoredType::kF32) return Dtype::kF32;
  if (type == StoredType::kBf16) return Dtype::kBf16;
  const bool plain = storage == Storage::kFloat || storage == Storage::kFloat32;
  if (!plain && type == StoredType::kF8E4m3) return Dtype::kF8E4m3;
  const bool packed = type == StoredType::kI8 || type == StoredType::kU8 || type == StoredType::kF4;
  if (storage == Storage::kExpert && packed) return Dtype::kFp4Packed;
  ThrowDtype(tensor, ExpectedDtypes(storage));
}

const char* WeightBinder::ExpectedDtypes(Storage storage) {
  switch (storage) {
    case Storage::kFloat:
      return "BF16 or F32";
    case Storage::kFloat32:
      return "F32 or BF16";
    case Storage::kExpert:
      return "I8 (packed FP4), F8_E4M3, BF16 or F32";
    default:
      return "F8_E4M3, BF16 or F32";
  }
}

// Two elements a byte: the header may count bytes or, tagged F4, elements; the size decides.
void WeightBinder::CheckPacked(size_t tensor, int64_t out, int64_t in) const {
  const SafetensorsEntry& entry = *store_.entries[tensor];
  const int64_t logical[] = {out, in}, packed[] = {out, in / 2};
  const bool elements = entry.type == StoredType::kF4 && entry.rank == 2 && entry.shape[1] == in;
  CheckShape(tensor, elements ? logical : packed, 2);
  const uint64_t expected = static_cast<uint64_t>(out) * static_cast<uint64_t>(in) / 2;
  const uint64_t found = store_.tensors[tensor].bytes;
  if (found == expected) return;
  Throw(Code::kCheckpoint, "%s: found %llu bytes, expected %llu for packed FP4 %s",
        store_.Where(tensor).c_str(), static_cast<unsigned long long>(found),
        static_cast<unsigned long long>(expected), ShapeText(logical, 2).c_str());
}

Linear WeightBinder::Matrix(TensorKind kind, const std::string& name, Storage storage, int64_t out,
                            int64_t in) {
  const int64_t shape[] = {out, in};
  const size_t tensor = Require(name, ExpectedDtypes(storage), shape, 2);
  Linear linear;
  linear.dtype = MatrixDtype(tensor, storage);
  linear.out = static_cast<size_t>(out);
  linear.in = static_cast<size_t>(in);
  linear.weight = store_.tensors[tensor].data;
  const StoredType type = store_.entries[tensor]->type;
  const bool blocked = storage == Storage::kFp8 || storage == Storage::kExpert;
  if (linear.quantized() && !config_.quantized) {
    Throw(Code::kCheckpoint,
          "%s: found %s, but config.json has no quantization_config, without which caches would be "
          "rounded otherwise than the model was made for; restore the published config.json",
          store_.Where(tensor).c_str(), StoredTypeName(type));
  }
  if (linear.quantized() && blocked && in % 128 != 0) {
    Throw(Code::kUnsupported, "%s: found %s with %lld inputs, expected a multiple of 128",
          store_.Where(tensor).c_str(), StoredTypeName(type), static_cast<long long>(in));
  }
  if (linear.dtype == Dtype::kFp4Packed) {
    CheckPacked(tensor, out, in);
    Mark(tensor, kind, linear.dtype, shape, 2);
    linear.scale = Scale(kind, ScaleName(name), out, in / 32);
    return linear;
  }
  CheckShape(tensor, shape, 2);
  Mark(tensor, kind, linear.dtype, shape, 2);
  if (linear.quantized()) {
    linear.scale = Scale(kind, ScaleName(name), CeilDiv(out, 128), CeilDiv(in, 128));
  }
  if (storage == Storage::kFloat32 && linear.dtype == Dtype::kBf16) {
    store_.widened.emplace_back(static_cast<size_t>(out * in));
    Widen(linear.weight, type, static_cast<size_t>(out * in), store_.widened.back().data());
    linear.weight = reinterpret_cast<const uint8_t*>(store_.widened.back().data());
    linear.dtype = Dtype::kF32;
  }
  return linear;
}

Vector WeightBinder::Values(TensorKind kind, const std::string& name,
                            std::initializer_list<int64_t> shape) {
  constexpr const char* kDtypes = "F32 or BF16";
  const int rank = static_cast<int>(shape.size());
  const size_t tensor = Require(name, kDtypes, shape.begin(), rank);
  const StoredType type = store_.entries[tensor]->type;
  if (type != StoredType::kF32 && type != StoredType::kBf16) ThrowDtype(tensor, kDtypes);
  CheckShape(tensor, shape.begin(), rank);
  const bool f32 = type == StoredType::kF32;
  Mark(tensor, kind, f32 ? Dtype::kF32 : Dtype::kBf16, shape.begin(), rank);
  Vector vector;
  vector.values.resize(store_.tensors[tensor].bytes / (f32 ? 4 : 2));
  Widen(store_.tensors[tensor].data, type, vector.values.size(), vector.values.data());
  return vector;
}

HyperConnectionWeights WeightBinder::HyperConnection(const std::string& name, int64_t rows,
                                                     int64_t scales) {
  HyperConnectionWeights weights;
  const int64_t columns = static_cast<int64_t>(config_.hc_streams) * config_.hidden;
  weights.fn = Matrix(kHyperConnections, name + "_fn", Storage::kFloat32, rows, columns);
  weights.base = Values(kHyperConnections, name + "_base", {rows});
  weights.scale = Values(kHyperConnections, name + "_scale", {scales});
  return weights;
}

CompressorWeights WeightBinder::Compressor(TensorKind kind, const std::string& name,
                                           const LayerSpec& layer, int64_t width) {
  const int64_t channels = layer.kind == LayerKind::kCsa ? 2 * width : width;
  CompressorWeights weights;
  weights.wkv = Matrix(kind, name + ".wkv.weight", Storage::kFloat, channels, config_.hidden);
  weights.wgate = Matrix(kind, name + ".wgate.weight", Storage::kFloat, channels, config_.hidden);
  weights.ape = Values(kind, name + ".ape", {layer.ratio, channels});
  weights.norm = Values(kind, name + ".norm.weight", {width});
  return weights;
}

AttentionWeights WeightBinder::Attention(const std::string& prefix, const LayerSpec& layer) {
  const Config& c = config_;
  const int64_t query = static_cast<int64_t>(c.heads) * c.head_dim;
  const int64_t grouped = static_cast<int64_t>(c.o_groups) * c.o_lora_rank;
  AttentionWeights weights;
  weights.wq_a = Matrix(kAttention, prefix + "wq_a.weight", Storage::kFp8, c.q_lora_rank, c.hidden);
  weights.q_norm = Norm(prefix + "q_norm", c.q_lora_rank);
  weights.wq_b = Matrix(kAttention, prefix + "wq_b.weight", Storage::kFp8, query, c.q_lora_rank);
  weights.wkv = Matrix(kAttention, prefix + "wkv.weight", Storage::kFp8, c.head_dim, c.hidden);
  weights.kv_norm = Norm(prefix + "kv_norm", c.head_dim);
  weights.sink = Values(kAttention, prefix + "attn_sink", {c.heads});
  weights.wo_a = Matrix(kAttention, prefix + "wo_a.weight", Storage::kFp8Unblocked, grouped,
                        query / c.o_groups);
  weights.wo_b = Matrix(kAttention, prefix + "wo_b.weight", Storage::kFp8, c.hidden, grouped);
  if (layer.kind == LayerKind::kWindow) return weights;
  weights.compressor = Compressor(kCompressor, prefix + "compressor", layer, c.head_dim);
  if (layer.kind != LayerKind::kCsa) return weights;
  const int64_t index = static_cast<int64_t>(c.index_heads) * c.index_head_dim;
  weights.index_wq_b =
      Matrix(kIndexer, prefix + "indexer.wq_b.weight", Storage::kFp8, index, c.q_lora_rank);
  weights.index_weights = Matrix(kIndexer, prefix + "indexer.weights_proj.weight", Storage::kFloat,
                                 c.index_heads, c.hidden);
  weights.index_compressor =
      Compressor(kIndexer, prefix + "indexer.compressor", layer, c.index_head_dim);
  return weights;
}

ExpertWeights WeightBinder::Expert(TensorKind kind, const std::string& prefix, Storage storage) {
  ExpertWeights weights;
  weights.gate = Matrix(kind, prefix + "w1.weight", storage, config_.expert_width, config_.hidden);
  weights.up = Matrix(kind, prefix + "w3.weight", storage, config_.expert_width, config_.hidden);
  weights.down = Matrix(kind, prefix + "w2.weight", storage, config_.hidden, config_.expert_width);
  // Both read one input, quantized or not.
  if (weights.gate.quantized() != weights.up.quantized()) {
    Throw(Code::kUnsupported,
          "%s: found a quantized and a plain matrix in w1 and w3, expected both alike",
          store_.Where(store_.Find(prefix + "w3.weight")).c_str());
  }
  return weights;
}

MoeWeights WeightBinder::Moe(const std::string& prefix, const LayerSpec& layer) {
  MoeWeights weights;
  weights.router =
      Matrix(kRouter, prefix + "gate.weight", Storage::kFloat, config_.experts, config_.hidden);
  if (layer.hash_routed) {
    const int64_t shape[] = {config_.vocab, config_.experts_per_token};
    const size_t tensor = Require(prefix + "gate.tid2eid", "I64", shape, 2);
    const StoredType type = store_.entries[tensor]->type;
    if (type != StoredType::kI64 && type != StoredType::kI32) ThrowDtype(tensor, "I64 or I32");
    CheckShape(tensor, shape, 2);
    weights.token_experts_dtype = type == StoredType::kI64 ? Dtype::kI64 : Dtype::kI32;
    Mark(tensor, kHashTable, weights.token_experts_dtype, shape, 2);
    weights.token_experts = store_.tensors[tensor].data;
  } else {
    weights.bias = Values(kRouter, prefix + "gate.bias", {config_.experts});
  }
  weights.shared = Expert(kSharedExpert, prefix + "shared_experts.", Storage::kFp8);
  // Grown one by one: the config's count is worth nothing until the tensors are there.
  for (int32_t e = 0; e < config_.experts; ++e) {
    weights.experts.push_back(
        Expert(kRoutedExperts, prefix + "experts." + std::to_string(e) + ".", Storage::kExpert));
    const ExpertWeights &first = weights.experts.front(), &last = weights.experts.back();
    if (last.gate.dtype == first.gate.dtype && last.up.dtype == first.up.dtype &&
        last.down.dtype == first.down.dtype) {
      continue;
    }
    const std::string name = prefix + "experts." + std::to_string(e) + ".w1.weight";
    Throw(Code::kUnsupported,
          "%s: found dtypes other than expert 0's, expected one dtype for all experts",
          store_.Where(store_.Find(name)).c_str());
  }
  weights.experts.shrink_to_fit();
  return weights;
}

LayerWeights WeightBinder::Layer(const std::string& prefix, const LayerSpec& layer) {
  const int64_t m = config_.hc_streams;
  LayerWeights weights;
  weights.attn_norm = Norm(prefix + "attn_norm", config_.hidden);
  weights.ffn_norm = Norm(prefix + "ffn_norm", config_.hidden);
  weights.hc_attn = HyperConnection(prefix + "hc_attn", (2 + m) * m, 3);
  weights.hc_ffn = HyperConnection(prefix + "hc_ffn", (2 + m) * m, 3);
  weights.attn = Attention(prefix + "attn.", layer);
  weights.moe = Moe(prefix + "ffn.", layer);
  return weights;
}

void WeightBinder::BindAll(int32_t drafts, Weights* weights) {
  weights->embed =
      Matrix(kEmbedding, "embed.weight", Storage::kFloat, config_.vocab, config_.hidden);
  weights->head = Matrix(kHead, "head.weight", Storage::kFloat, config_.vocab, config_.hidden);
  weights->norm = Norm("norm", config_.hidden);
  weights->hc_head = HyperConnection("hc_head", config_.hc_streams, 1);
  for (int32_t i = 0; i < config_.layers_count; ++i) {
    weights->layers.push_back(
        Layer("layers." + std::to_string(i) + ".", config_.layers[static_cast<size_t>(i)]));
  }
  in_draft_ = true;
  for (int32_t i = 0; i < drafts; ++i) {
    const std::string prefix = "mtp." + std::to_string(i) + ".";
    DraftWeights draft;
    draft.layer = Layer(prefix, config_.layers[static_cast<size_t>(config_.layers_count + i)]);
    draft.e_proj =
        Matrix(kDraft, prefix + "e_proj.weight", Storage::kFp8, config_.hidden, config_.hidden);
    draft.h_proj =
        Matrix(kDraft, prefix + "h_proj.weight", Storage::kFp8, config_.hidden, config_.hidden);
    draft.enorm = Norm(prefix + "enorm", config_.hidden);
    draft.hnorm = Norm(prefix + "hnorm", config_.hidden);
    draft.norm = Norm(prefix + "norm", config_.hidden);
    draft.hc_head = HyperConnection(prefix + "hc_head", config_.hc_streams, 1);
    weights->drafts.push_back(std::move(draft));
  }
  for (size_t i = 0; i < store_.bound.size(); ++i) {
    if (store_.bound[i]) continue;
    Throw(Code::kCheckpoint, "%s: found, expected no tensor of this name in a model of this config",
          store_.Where(i).c_str());
  }
  std::sort(store_.converted.begin(), store_.converted.end(),
            [](const ConvertedScale& a, const ConvertedScale& b) { return a.tensor < b.tensor; });
}

}  // namespace finback
