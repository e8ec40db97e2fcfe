#include "core/network/forward.h"

#include <cstring>

#include "core/base/number_formats.h"
#include "core/network/attention.h"
#include "core/network/hyper_connections.h"
#include "core/network/moe.h"

namespace finback {
namespace {

// The rotary angles of a chunk, for the kind of layer.
void SetRotary(const Compute& compute, LayerKind kind, size_t position, size_t rows,
               Scratch* scratch) {
  const RotaryFrequencies& rotary =
      kind == LayerKind::kWindow ? compute.plain_rotary : compute.compressed_rotary;
  for (size_t row = 0; row < rows; ++row) {
    MakeRotaryAngles(rotary, position + row, scratch->cosine.data() + row * rotary.size(),
                     scratch->sine.data() + row * rotary.size());
  }
}

// Normed layer input in scratch.x -> the activation that attention or experts read.
Activation NormInput(const Compute& compute, const Vector& norm, size_t rows, Scratch* scratch) {
  RmsNorm(compute, scratch->x.data(), rows, norm, scratch->normed.data());
  return QuantizeActivation(compute, scratch->normed.data(), rows, compute.sizes.hidden,
                            scratch->quantized.data());
}

void Record(const Sizes& sizes, const LayerState& state, size_t rows, const Scratch& scratch,
            LayerTrace* trace) {
  const size_t k = sizes.experts_per_token;
  trace->experts.insert(trace->experts.end(), scratch.expert.data(),
                        scratch.expert.data() + rows * k);
  if (state.kind != LayerKind::kCsa) return;
  for (size_t row = 0; row < rows; ++row) {
    const int32_t* chosen = scratch.selected.data() + row * sizes.index_topk;
    trace->selected.emplace_back(chosen, chosen + scratch.selected_count[row]);
  }
}

}  // namespace

void EmbedToken(const Compute& compute, const Linear& embed, int32_t id, float* out) {
  const size_t d = compute.sizes.hidden;
  const size_t row = static_cast<size_t>(id) * d;
  if (embed.dtype == Dtype::kF32) {
    memcpy(out, embed.weight + row * sizeof(float), d * sizeof(float));
    compute.RoundBf16(out, d);
    return;
  }
  for (size_t i = 0; i < d; ++i) {
    Bf16 code;
    memcpy(&code, embed.weight + (row + i) * sizeof code, sizeof code);
    out[i] = Bf16ToFloat(code);
  }
}

void Embed(const Compute& compute, const Weights& weights, std::span<const int32_t> ids,
           float* streams) {
  const size_t d = compute.sizes.hidden;
  const size_t m = compute.sizes.streams;
  for (size_t row = 0; row < ids.size(); ++row) {
    float* first = streams + row * m * d;
    EmbedToken(compute, weights.embed, ids[row], first);
    for (size_t j = 1; j < m; ++j) memcpy(first + j * d, first, d * sizeof(float));
  }
}

void RunLayer(const Pass& pass, const LayerWeights& w, int32_t layer, float* streams,
              LayerState* state, LayerTrace* trace) {
  const Compute& compute = pass.compute;
  Scratch* scratch = pass.scratch;
  const size_t rows = pass.rows();
  pass.weights.CheckLayer(layer);
  SetRotary(compute, state->kind, pass.position, rows, scratch);

  HyperConnectionPre(compute, w.hc_attn, streams, rows, scratch);
  const Activation attention_input = NormInput(compute, w.attn_norm, rows, scratch);
  Attend(pass, w.attn, attention_input, state);
  HyperConnectionPost(compute, scratch->y.data(), rows, *scratch, streams);

  HyperConnectionPre(compute, w.hc_ffn, streams, rows, scratch);
  const Activation expert_input = NormInput(compute, w.ffn_norm, rows, scratch);
  MixExperts(pass, w.moe, layer, expert_input);
  HyperConnectionPost(compute, scratch->y.data(), rows, *scratch, streams);

  if (trace != nullptr) Record(compute.sizes, *state, rows, *scratch, trace);
}

void Head(const Pass& pass, const HyperConnectionWeights& hc, const Vector& norm,
          const float* streams, size_t rows, float* logits) {
  const Compute& compute = pass.compute;
  Scratch* scratch = pass.scratch;
  HyperConnectionHead(compute, hc, streams, rows, scratch, scratch->x.data());
  RmsNorm(compute, scratch->x.data(), rows, norm, scratch->normed.data());
  const float* y = scratch->normed.data();
  const Activation input{y, y, rows, compute.sizes.hidden};
  Project(compute, pass.weights.head, input, Rounding::kNone, logits);
}

void RunDraft(const Pass& pass, const float* streams, LayerState* state, DraftScratch* draft,
              float* logits) {
  const Compute& compute = pass.compute;
  const Weights& weights = pass.weights;
  Scratch* scratch = pass.scratch;
  const DraftWeights& w = weights.drafts[0];
  const size_t rows = pass.rows(), d = compute.sizes.hidden, m = compute.sizes.streams;
  weights.CheckGlobal();
  weights.CheckLayer(compute.config.layers_count);
  float* embedded = scratch->x.data();
  for (size_t row = 0; row < rows; ++row) {
    EmbedToken(compute, weights.embed, pass.ids[row], embedded + row * d);
  }
  RmsNorm(compute, embedded, rows, w.enorm, scratch->normed.data());
  const Activation e =
      QuantizeActivation(compute, scratch->normed.data(), rows, d, scratch->quantized.data());
  Project(compute, w.e_proj, e, Rounding::kBf16, draft->embed.data());
  for (size_t row = 0; row < rows; ++row) {  // each token's streams are m rows of the h projection
    float* out = draft->streams.data() + row * m * d;
    for (size_t j = 0; j < m; ++j) {
      RmsNorm(compute, streams + (row * m + j) * d, 1, w.hnorm, scratch->normed.data());
      const Activation h =
          QuantizeActivation(compute, scratch->normed.data(), 1, d, scratch->quantized.data());
      Project(compute, w.h_proj, h, Rounding::kBf16, out + j * d);
      const float* shared = draft->embed.data() + row * d;
      for (size_t i = 0; i < d; ++i) out[j * d + i] += shared[i];
    }
    compute.RoundBf16(out, m * d);
  }
  RunLayer(pass, w.layer, compute.config.layers_count, draft->streams.data(), state, nullptr);
  Head(pass, w.hc_head, w.norm, draft->streams.data(), rows, logits);
}

}  // namespace finback
