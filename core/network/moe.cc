#include "core/network/moe.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/status.h"

namespace finback {
namespace {

float Score(Scoring scoring, float z) {
  const double x = static_cast<double>(z);
  switch (scoring) {
    case Scoring::kSqrtSoftplus:
      return static_cast<float>(std::sqrt(x > 20 ? x : std::log1p(std::exp(x))));
    case Scoring::kSigmoid:
      return static_cast<float>(1 / (1 + std::exp(-x)));
    case Scoring::kSoftmax:
      break;  // normalized over the row by the caller
  }
  return z;
}

void ScoreRow(Scoring scoring, size_t experts, float* z) {
  for (size_t e = 0; e < experts; ++e) z[e] = Score(scoring, z[e]);
  if (scoring != Scoring::kSoftmax) return;
  const float top = *std::max_element(z, z + experts);
  double sum = 0;
  for (size_t e = 0; e < experts; ++e) sum += std::exp(static_cast<double>(z[e] - top));
  for (size_t e = 0; e < experts; ++e) {
    z[e] = static_cast<float>(std::exp(static_cast<double>(z[e] - top)) / sum);
  }
}

// The experts of largest score + bias, best first; the smaller id wins a tie, NaN ranks last.
void ChooseByScore(const Sizes& sizes, const MoeWeights& w, const float* score, int32_t* chosen) {
  const size_t k = sizes.experts_per_token;
  for (size_t slot = 0; slot < k; ++slot) {
    int32_t best = -1;
    float best_score = 0;
    for (size_t e = 0; e < sizes.experts; ++e) {
      const int32_t id = static_cast<int32_t>(e);
      if (std::find(chosen, chosen + slot, id) != chosen + slot) continue;
      float value = score[e] + (w.bias.values.empty() ? 0.0f : w.bias[e]);
      if (std::isnan(value)) value = -std::numeric_limits<float>::infinity();
      if (best < 0 || value > best_score) {
        best = id;
        best_score = value;
      }
    }
    chosen[slot] = best;
  }
}

void ChooseByToken(const Sizes& sizes, const MoeWeights& w, int32_t id, int32_t* chosen) {
  const size_t k = sizes.experts_per_token;
  for (size_t slot = 0; slot < k; ++slot) {
    const size_t i = static_cast<size_t>(id) * k + slot;
    int64_t expert = 0;
    if (w.token_experts_dtype == Dtype::kI64) {
      memcpy(&expert, w.token_experts + i * 8, 8);
    } else {
      int32_t narrow;
      memcpy(&narrow, w.token_experts + i * 4, 4);
      expert = narrow;
    }
    // The table was checked on first use, but it is a mapped file: check what is read.
    if (expert < 0 || static_cast<uint64_t>(expert) >= sizes.experts) {
      Throw(Code::kCheckpoint, "tid2eid: token %d names expert %lld, found outside 0..%zu", id,
            static_cast<long long>(expert), sizes.experts - 1);
    }
    chosen[slot] = static_cast<int32_t>(expert);
  }
}

void Route(const Compute& compute, const MoeWeights& w, std::span<const int32_t> ids,
           const Activation& x, Scratch* scratch) {
  const Config& config = compute.config;
  const Sizes& sizes = compute.sizes;
  const size_t experts = sizes.experts, k = sizes.experts_per_token;
  Project(compute, w.router, x, Rounding::kNone, scratch->router.data());
  for (size_t row = 0; row < x.rows; ++row) {
    float* score = scratch->router.data() + row * experts;
    int32_t* chosen = scratch->expert.data() + row * k;
    float* weight = scratch->expert_weight.data() + row * k;
    ScoreRow(config.scoring, sizes.experts, score);
    if (w.token_experts != nullptr) {
      ChooseByToken(sizes, w, ids[row], chosen);
    } else {
      ChooseByScore(sizes, w, score, chosen);
    }
    float sum = 0;
    for (size_t i = 0; i < k; ++i) sum += weight[i] = score[chosen[i]];
    if (config.scoring == Scoring::kSoftmax) sum = 1;
    for (size_t i = 0; i < k; ++i) weight[i] = weight[i] / sum * config.routed_scale;
  }
}

// (token, expert) pairs sorted by expert, tokens ascending within one; the shared expert comes last
// and takes every token. Groups are the experts that have pairs.
struct Pairs {
  size_t count = 0, groups = 0;
};

Pairs GroupByExpert(const Sizes& sizes, size_t rows, Scratch* scratch) {
  const size_t k = sizes.experts_per_token;
  const size_t experts = sizes.experts;
  // [experts + 2]: shared is expert number `experts`.
  int32_t* begin = scratch->expert_begin.data();
  std::fill(begin, begin + experts + 2, 0);
  for (size_t i = 0; i < rows * k; ++i) ++begin[scratch->expert[i] + 1];
  for (size_t e = 0; e < experts; ++e) begin[e + 1] += begin[e];
  begin[experts + 1] = begin[experts] + static_cast<int32_t>(rows);
  Pairs pairs{rows * (k + 1), 0};
  for (size_t e = 0; e <= experts; ++e) {
    if (begin[e + 1] > begin[e]) scratch->group[pairs.groups++] = static_cast<int32_t>(e);
  }
  // Fill; begin[e] moves to the end of e's pairs and is moved back after.
  for (size_t row = 0; row < rows; ++row) {
    for (size_t slot = 0; slot < k; ++slot) {
      const int32_t pair = begin[scratch->expert[row * k + slot]]++;
      scratch->pair_token[pair] = static_cast<int32_t>(row);
      scratch->pair_weight[pair] = scratch->expert_weight[row * k + slot];
      scratch->pair_of[row * (k + 1) + slot] = pair;
    }
    const int32_t pair = begin[experts] + static_cast<int32_t>(row);
    scratch->pair_token[pair] = static_cast<int32_t>(row);
    scratch->pair_weight[pair] = 1.0f;
    scratch->pair_of[row * (k + 1) + k] = pair;
    // Experts add up in ascending id order, the shared one last: pairs are numbered that way.
    std::sort(scratch->pair_of.data() + row * (k + 1),
              scratch->pair_of.data() + (row + 1) * (k + 1));
  }
  for (size_t e = experts; e-- > 1;) begin[e] = begin[e - 1];
  begin[0] = 0;
  // begin[experts] was never advanced.
  return pairs;
}

// Runs one product per group, all groups' outputs in one fork: y[pair, o] = x[pair] * w(group)^T.
template <typename LinearOf>
void ProjectGroups(const Compute& compute, const Pairs& pairs, const Scratch& scratch,
                   const LinearOf& linear_of, const float* x, float* y) {
  const Linear& first = linear_of(scratch.group[0]);
  const size_t outs = first.out, in = first.in;
  const size_t grain = std::min(outs, ProductGrain(compute, outs * pairs.groups, in));
  const size_t tasks = (outs + grain - 1) / grain;
  compute.parallel.For(pairs.groups * tasks, 1, [&](size_t begin, size_t end) {
    for (size_t task = begin; task < end; ++task) {
      const int32_t expert = scratch.group[task / tasks];
      const size_t from = static_cast<size_t>(scratch.expert_begin[expert]);
      const size_t to = static_cast<size_t>(scratch.expert_begin[expert + 1]);
      const size_t out = task % tasks * grain;
      RunProduct(compute, {.w = &linear_of(expert),
                           .x = x + from * in,
                           .x_stride = in,
                           .rows = to - from,
                           .begin = out,
                           .end = std::min(outs, out + grain),
                           .y = y + from * outs,
                           .y_stride = outs,
                           .y_origin = 0,
                           .rounding = Rounding::kBf16});
    }
  });
}

// h = weight * silu(min(gate, limit)) * clamp(up), rounded, then quantized for the down projection.
void Activate(const Compute& compute, float weight, const float* up, float* gate, size_t width) {
  const float limit = compute.config.swiglu_limit;
  for (size_t i = 0; i < width; ++i) {
    float g = gate[i], u = up[i];
    if (limit > 0) {
      g = std::min(g, limit);
      u = std::clamp(u, -limit, limit);
    }
    const float h = g / (1.0f + std::exp(-g)) * u;
    gate[i] = weight * h;
  }
  compute.RoundBf16(gate, width);
}

}  // namespace

void MixExperts(const Pass& pass, const MoeWeights& w, int32_t layer, const Activation& x) {
  const Compute& compute = pass.compute;
  Scratch* scratch = pass.scratch;
  const Sizes& sizes = compute.sizes;
  const size_t d = sizes.hidden, k = sizes.experts_per_token, width = sizes.expert_width;
  Route(compute, w, pass.ids, x, scratch);
  const Pairs pairs = GroupByExpert(sizes, x.rows, scratch);
  const int32_t shared_id = static_cast<int32_t>(sizes.experts);
  for (size_t i = 0; i < pairs.groups; ++i) {
    if (scratch->group[i] != shared_id) pass.weights.CheckExpert(layer, scratch->group[i]);
  }
  // The first pair of the shared expert.
  const size_t routed = x.rows * k;
  const auto expert = [&](int32_t e) -> const ExpertWeights& {
    return e != shared_id ? w.experts[static_cast<size_t>(e)] : w.shared;
  };

  // A checkpoint's experts share one dtype per matrix, quantized or not;
  // the shared expert may differ.
  compute.parallel.For(pairs.count, 4, [&](size_t begin, size_t end) {
    for (size_t pair = begin; pair < end; ++pair) {
      const bool shared = pair >= routed;
      const Linear& gate = shared ? w.shared.gate : w.experts[0].gate;
      const float* from = gate.quantized() ? x.quantized : x.plain;
      memcpy(scratch->pair_x.data() + pair * d,
             from + static_cast<size_t>(scratch->pair_token[pair]) * d, d * sizeof(float));
    }
  });
  ProjectGroups(
      compute, pairs, *scratch, [&](int32_t e) -> const Linear& { return expert(e).gate; },
      scratch->pair_x.data(), scratch->pair_gate.data());
  ProjectGroups(
      compute, pairs, *scratch, [&](int32_t e) -> const Linear& { return expert(e).up; },
      scratch->pair_x.data(), scratch->pair_up.data());
  compute.parallel.For(pairs.count, 1, [&](size_t begin, size_t end) {
    for (size_t pair = begin; pair < end; ++pair) {
      float* h = scratch->pair_gate.data() + pair * width;
      Activate(compute, scratch->pair_weight[pair], scratch->pair_up.data() + pair * width, h,
               width);
      const bool shared = pair >= routed;
      const Linear& down = shared ? w.shared.down : w.experts[0].down;
      if (compute.numerics.act_fp8 && down.quantized()) compute.kernels.quantize_fp8(h, width, 128);
    }
  });
  ProjectGroups(
      compute, pairs, *scratch, [&](int32_t e) -> const Linear& { return expert(e).down; },
      scratch->pair_gate.data(), scratch->pair_y.data());

  compute.parallel.For(x.rows, 4, [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      float* y = scratch->y.data() + row * d;
      std::fill(y, y + d, 0.0f);
      for (size_t slot = 0; slot <= k; ++slot) {
        const size_t pair = static_cast<size_t>(scratch->pair_of[row * (k + 1) + slot]);
        const float* from = scratch->pair_y.data() + pair * d;
        for (size_t i = 0; i < d; ++i) y[i] += from[i];
      }
      compute.RoundBf16(y, d);
    }
  });
}

}  // namespace finback
