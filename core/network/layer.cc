#include "core/network/layer.h"

#include <cstring>

#include "core/base/number_formats.h"
#include "core/network/attention.h"
#include "core/network/hyper_connections.h"
#include "core/network/moe.h"

namespace finback {
namespace {

// x [rows, hidden] -> the activation that attention or experts read.
Activation NormInput(const Pass& pass, const Vector& norm, const float* x) {
  const Compute& compute = pass.compute;
  const float* normed = RmsNorm(compute, x, pass.rows(), norm, pass.scratch->normed.data());
  return QuantizeActivation(compute, normed, pass.rows(), compute.sizes.hidden,
                            pass.scratch->quantized.data());
}

// out [hidden] = the token's embedding.
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

}  // namespace

void Embed(const Compute& compute, const Weights& weights, std::span<const int32_t> ids,
           float* streams) {
  const size_t d = compute.sizes.hidden, m = compute.sizes.streams;
  for (size_t row = 0; row < ids.size(); ++row) {
    float* first = streams + row * m * d;
    EmbedToken(compute, weights.embed, ids[row], first);
    for (size_t j = 1; j < m; ++j) memcpy(first + j * d, first, d * sizeof(float));
  }
}

void RunLayer(const Pass& pass, const LayerWeights& w, int32_t layer, float* streams,
              LayerState* state) {
  const Compute& compute = pass.compute;
  pass.weights.CheckLayer(layer);

  const StreamMix for_attention =
      ReadStreams(compute, w.hc_attn, streams, pass.rows(), pass.scratch);
  const Activation attention_input = NormInput(pass, w.attn_norm, for_attention.x);
  const float* attended = Attend(pass, w.attn, attention_input, state);
  WriteStreams(compute, for_attention, attended, pass.rows(), streams);

  const StreamMix for_experts = ReadStreams(compute, w.hc_ffn, streams, pass.rows(), pass.scratch);
  const Activation expert_input = NormInput(pass, w.ffn_norm, for_experts.x);
  const float* mixed = MixExperts(pass, w.moe, layer, expert_input);
  WriteStreams(compute, for_experts, mixed, pass.rows(), streams);
}

void Head(const Pass& pass, const HyperConnectionWeights& hc, const Vector& norm,
          const float* streams, size_t rows, float* logits) {
  const Compute& compute = pass.compute;
  const float* x = JoinStreams(compute, hc, streams, rows, pass.scratch);
  const float* normed = RmsNorm(compute, x, rows, norm, pass.scratch->normed.data());
  const Activation input{normed, normed, rows, compute.sizes.hidden};
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
  // `count` rows of an input, normed -> `out`, through one of the block's two projections.
  const auto project = [&](const Linear& projection, const Vector& norm, const float* input,
                           size_t count, float* out) {
    const float* normed = RmsNorm(compute, input, count, norm, scratch->normed.data());
    const Activation x = QuantizeActivation(compute, normed, count, d, scratch->quantized.data());
    return Project(compute, projection, x, Rounding::kBf16, out);
  };
  float* embedded = scratch->x.data();
  for (size_t row = 0; row < rows; ++row) {
    EmbedToken(compute, weights.embed, pass.ids[row], embedded + row * d);
  }
  const float* shared = project(w.e_proj, w.enorm, embedded, rows, draft->embed.data());
  float* joined = draft->streams.data();
  for (size_t i = 0; i < rows * m; ++i) {
    float* out = project(w.h_proj, w.hnorm, streams + i * d, 1, joined + i * d);
    for (size_t ch = 0; ch < d; ++ch) out[ch] += shared[i / m * d + ch];
    compute.RoundBf16(out, d);
  }
  RunLayer(pass, w.layer, compute.config.layers_count, joined, state);
  Head(pass, w.hc_head, w.norm, joined, rows, logits);
}

}  // namespace finback
