#include "core/network/layer.h"

#include <algorithm>
#include <cstring>

#include "core/base/number_formats.h"
#include "core/network/attention/attention.h"
#include "core/network/hyper_connections.h"
#include "core/network/moe.h"

namespace finback {
namespace {

// x [rows, hidden] -> the activation that attention or experts read.
Activation NormInput(const Pass& pass, const Vector& norm, const float* x) {
  const Compute& compute = pass.compute;
  const float* normed = RmsNorm(compute, x, pass.rows(), norm, pass.scratch->normed.data());
  return PrepareActivation(compute, normed, pass.rows(), compute.sizes.hidden,
                           pass.scratch->forms.data());
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

// Outputs [begin, end) of the head, in tiles: all rows read a piece of the weights together, and
// each has its own place for what comes out.
void ScatterLogits(const Compute& compute, const Linear& w, const float* x, size_t begin,
                   size_t end, std::span<float* const> logits) {
  constexpr size_t kTileFloats = 4096, kTileRows = 64;
  const size_t rows_at_once = std::min(kTileRows, logits.size());
  const size_t outs_at_once = kTileFloats / rows_at_once;
  float tile[kTileFloats];
  for (size_t out = begin; out < end; out += outs_at_once) {
    const size_t outs = std::min(outs_at_once, end - out);
    for (size_t row = 0; row < logits.size(); row += rows_at_once) {
      const size_t rows = std::min(rows_at_once, logits.size() - row);
      RunProduct(compute, {.w = &w,
                           .x = x + row * w.in,
                           .x_stride = w.in,
                           .rows = rows,
                           .begin = out,
                           .end = out + outs,
                           .y = tile,
                           .y_stride = outs,
                           .y_origin = out,
                           .rounding = Rounding::kNone});
      for (size_t i = 0; i < rows; ++i) {
        memcpy(logits[row + i] + out, tile + i * outs, outs * sizeof(float));
      }
    }
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

void PreparePass(const Pass& pass) {
  const Compute& compute = pass.compute;
  const size_t pairs = compute.sizes.rope_pairs;
  for (const PassSegment& segment : pass.segments) {
    compute.parallel.For(segment.rows, RowGrain(64 * pairs), [&](size_t begin, size_t end) {
      for (size_t row = segment.begin + begin; row < segment.begin + end; ++row) {
        for (const RotaryKind kind : {RotaryKind::kPlain, RotaryKind::kCompressed}) {
          RowAngles& angles = pass.scratch->angles[static_cast<size_t>(kind)];
          MakeRotaryAngles(compute.RotaryOf(kind), segment.PositionAt(row),
                           angles.cosine.data() + row * pairs, angles.sine.data() + row * pairs);
        }
      }
    });
  }
}

void RunLayer(const Pass& pass, const LayerWeights& w, size_t layer, float* streams) {
  const Compute& compute = pass.compute;
  const int32_t number = static_cast<int32_t>(layer);
  pass.weights.ReadAheadLayer(number);
  if (layer + 1 < compute.sizes.layers) pass.weights.ReadAheadLayer(number + 1);
  pass.weights.CheckLayer(number);

  const StreamMix for_attention =
      ReadStreams(compute, w.hc_attn, streams, pass.rows(), pass.scratch);
  const Activation attention_input = NormInput(pass, w.attn_norm, for_attention.x);
  const float* attended = Attend(pass, w.attn, layer, attention_input);
  WriteStreams(compute, for_attention, attended, pass.rows(), streams);

  const StreamMix for_experts = ReadStreams(compute, w.hc_ffn, streams, pass.rows(), pass.scratch);
  const Activation expert_input = NormInput(pass, w.ffn_norm, for_experts.x);
  const float* mixed = MixExperts(pass, w.moe, layer, expert_input);
  WriteStreams(compute, for_experts, mixed, pass.rows(), streams);
}

void Head(const Pass& pass, const HyperConnectionWeights& hc, const Vector& norm,
          const float* streams, std::span<float* const> logits) {
  const Compute& compute = pass.compute;
  const size_t rows = logits.size();
  const float* x = JoinStreams(compute, hc, streams, rows, pass.scratch);
  const float* normed = RmsNorm(compute, x, rows, norm, pass.scratch->normed.data());
  const Linear& w = pass.weights.head;
  const float* input =
      PrepareInput(compute, w, normed, rows, pass.scratch->forms.data()).form[FormatOf(w)];
  const PhaseScope timed = TimeProduct(compute, w);
  compute.parallel.For(
      w.out, ProductGrain(compute, w.out, rows * w.in),
      [&](size_t begin, size_t end) { ScatterLogits(compute, w, input, begin, end, logits); });
}

void RunDraft(const Pass& pass, const float* streams, DraftScratch* draft,
              std::span<float* const> logits) {
  const Compute& compute = pass.compute;
  const Weights& weights = pass.weights;
  Scratch* scratch = pass.scratch;
  const DraftWeights& w = weights.drafts[0];
  const size_t rows = pass.rows(), d = compute.sizes.hidden, m = compute.sizes.streams;
  weights.CheckGlobal();
  weights.CheckLayer(compute.config.layers_count);
  PreparePass(pass);
  // `count` rows of an input, normed -> `out`, through one of the block's two projections.
  const auto project = [&](const Linear& projection, const Vector& norm, const float* input,
                           size_t count, float* out) {
    const float* normed = RmsNorm(compute, input, count, norm, draft->normed.data());
    const Activation x = PrepareActivation(compute, normed, count, d, draft->forms.data());
    return Project(compute, projection, x, Rounding::kBf16, out);
  };
  float* embedded = scratch->x.data();
  for (size_t row = 0; row < rows; ++row) {
    EmbedToken(compute, weights.embed, pass.ids[row], embedded + row * d);
  }
  const float* shared = project(w.e_proj, w.enorm, embedded, rows, draft->embed.data());
  float* joined = project(w.h_proj, w.hnorm, streams, rows * m, draft->streams.data());
  for (size_t i = 0; i < rows * m; ++i) {
    float* out = joined + i * d;
    for (size_t ch = 0; ch < d; ++ch) out[ch] += shared[i / m * d + ch];
    compute.RoundBf16(out, d);
  }
  const size_t layer = compute.sizes.layers;
  if (logits.empty()) {
    const StreamMix mix = ReadStreams(compute, w.layer.hc_attn, joined, rows, scratch);
    AppendToWindow(pass, w.layer.attn, layer, NormInput(pass, w.layer.attn_norm, mix.x));
    return;
  }
  RunLayer(pass, w.layer, layer, joined);
  const size_t first = rows - logits.size();
  Head(pass, w.hc_head, w.norm, joined + first * compute.sizes.residual(), logits);
}

}  // namespace finback
