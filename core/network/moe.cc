#include "core/network/moe.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/status.h"
#include "core/network/products.h"

namespace finback {
namespace {

constexpr size_t kActivationBlock = 128;  // channels that are quantized together

void ScoreRow(const Compute& compute, size_t experts, float* z) {
  switch (compute.config.scoring) {
    case Scoring::kSqrtSoftplus:
      compute.kernels.sqrt_softplus(z, experts);
      return;
    case Scoring::kSigmoid:
      compute.kernels.sigmoid(z, experts);
      return;
    case Scoring::kSoftmax:
      break;
  }
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

// The experts of each row, and how much each counts.
struct Routing {
  const int32_t* expert;  // [rows, experts_per_token]
  const float* weight;    // [rows, experts_per_token]
};

Routing Route(const Pass& pass, const MoeWeights& w, const Activation& x) {
  const Compute& compute = pass.compute;
  const Config& config = compute.config;
  const size_t experts = compute.sizes.experts, k = compute.sizes.experts_per_token;
  float* scores = Project(compute, w.router, x, Rounding::kNone, pass.scratch->router.data());
  int32_t* expert = pass.scratch->expert.data();
  float* weights = pass.scratch->expert_weight.data();
  for (size_t row = 0; row < x.rows; ++row) {
    float* score = scores + row * experts;
    int32_t* chosen = expert + row * k;
    float* weight = weights + row * k;
    ScoreRow(compute, experts, score);
    if (w.token_experts != nullptr) {
      ChooseByToken(compute.sizes, w, pass.ids[row], chosen);
    } else {
      ChooseByScore(compute.sizes, w, score, chosen);
    }
    float sum = 0;
    for (size_t i = 0; i < k; ++i) sum += weight[i] = score[chosen[i]];
    if (config.scoring == Scoring::kSoftmax) sum = 1;
    for (size_t i = 0; i < k; ++i) weight[i] = weight[i] / sum * config.routed_scale;
  }
  if (pass.trace != nullptr) {
    pass.trace->experts.insert(pass.trace->experts.end(), expert, expert + x.rows * k);
  }
  return {expert, weights};
}

// (token, expert) pairs sorted by expert, tokens ascending within one; the shared expert comes
// last, as number `experts`, and takes every token. Groups are the experts that have pairs.
struct Pairs {
  size_t count, routed, groups;  // all pairs; those before the shared expert's
  const int32_t* group;          // [groups] experts, ascending
  const int32_t* begin;          // [experts + 2] an expert's first pair
  const int32_t* token;          // [count] the pair's row
  const float* weight;           // [count]
  const int32_t* of_token;       // [rows, experts_per_token + 1] the row's pairs, ascending
};

Pairs GroupByExpert(const Sizes& sizes, const Routing& routing, size_t rows, Scratch* scratch) {
  const size_t k = sizes.experts_per_token, experts = sizes.experts;
  int32_t* begin = scratch->expert_begin.data();
  int32_t* group = scratch->group.data();
  int32_t* token = scratch->pair_token.data();
  float* weight = scratch->pair_weight.data();
  int32_t* of_token = scratch->pair_of.data();
  std::fill(begin, begin + experts + 2, 0);
  for (size_t i = 0; i < rows * k; ++i) ++begin[routing.expert[i] + 1];
  for (size_t e = 0; e < experts; ++e) begin[e + 1] += begin[e];
  begin[experts + 1] = begin[experts] + static_cast<int32_t>(rows);
  size_t groups = 0;
  for (size_t e = 0; e <= experts; ++e) {
    if (begin[e + 1] > begin[e]) group[groups++] = static_cast<int32_t>(e);
  }
  // Fill; begin[e] moves to the end of e's pairs and is moved back after.
  for (size_t row = 0; row < rows; ++row) {
    int32_t* mine = of_token + row * (k + 1);
    for (size_t slot = 0; slot < k; ++slot) {
      const int32_t pair = begin[routing.expert[row * k + slot]]++;
      token[pair] = static_cast<int32_t>(row);
      weight[pair] = routing.weight[row * k + slot];
      mine[slot] = pair;
    }
    const int32_t pair = begin[experts] + static_cast<int32_t>(row);
    token[pair] = static_cast<int32_t>(row);
    weight[pair] = 1.0f;
    mine[k] = pair;
    // Experts add up in ascending id order, the shared one last: pairs are numbered that way.
    std::sort(mine, mine + k + 1);
  }
  for (size_t e = experts; e-- > 1;) begin[e] = begin[e - 1];
  begin[0] = 0;
  // begin[experts] was never advanced.
  return {rows * (k + 1), rows * k, groups, group, begin, token, weight, of_token};
}

const ExpertWeights& ExpertOf(const MoeWeights& w, int32_t expert) {
  const size_t e = static_cast<size_t>(expert);
  return e < w.experts.size() ? w.experts[e] : w.shared;
}

const Linear& MatrixOf(const MoeWeights& w, const Pairs& pairs, Linear ExpertWeights::*matrix,
                       size_t pair) {
  const int32_t* end = pairs.begin + w.experts.size() + 1;
  const int32_t* after = std::upper_bound(pairs.begin, end, static_cast<int32_t>(pair));
  return ExpertOf(w, static_cast<int32_t>(after - pairs.begin) - 1).*matrix;
}

// What the pairs' rows of a matrix are read from: [pairs, width], or one row for all of them.
struct PairInput {
  const float* rows;
  size_t stride;  // 0: one row
};

// The pairs' inputs of a matrix, side by side, in `out` [pairs, hidden]; where there is one token,
// what it is computed from.
PairInput GatherInputs(const Compute& compute, const MoeWeights& w, Linear ExpertWeights::*matrix,
                       const Pairs& pairs, const Activation& x, float* out) {
  const size_t d = compute.sizes.hidden;
  compute.parallel.For(pairs.count, RowGrain(d), [&](size_t begin, size_t end) {
    for (size_t pair = begin; pair < end; ++pair) {
      const float* from = x.form[FormatOf(MatrixOf(w, pairs, matrix, pair))];
      memcpy(out + pair * d, from + static_cast<size_t>(pairs.token[pair]) * d, d * sizeof(float));
    }
  });
  return {out, d};
}

// The product of a group's rows with its expert's matrix: y[pair, o] = x[pair] * matrix^T.
Product ProductOfGroup(const Linear& matrix, const Pairs& pairs, size_t group, const PairInput& x,
                       float* y) {
  const int32_t expert = pairs.group[group];
  const size_t from = static_cast<size_t>(pairs.begin[expert]);
  const size_t to = static_cast<size_t>(pairs.begin[expert + 1]);
  return {.task = {.w = &matrix,
                   .x = x.rows + from * x.stride,
                   .x_stride = matrix.in,
                   .rows = to - from,
                   .begin = 0,
                   .end = matrix.out,
                   .y = y + from * matrix.out,
                   .y_stride = matrix.out,
                   .y_origin = 0,
                   .rounding = Rounding::kBf16}};
}

// Whether gate and up of all groups read the same form of x.
bool ShareInput(const MoeWeights& w, const Pairs& pairs, const Activation& x) {
  return std::all_of(pairs.group, pairs.group + pairs.groups, [&](int32_t e) {
    const ExpertWeights& expert = ExpertOf(w, e);
    return x.form[FormatOf(expert.gate)] == x.form[FormatOf(expert.up)];
  });
}

// What gate and up are read from, and where they are written.
struct Hidden {
  float* gate;  // [pairs, expert_width]
  float* up;
};

// Channels [begin, end) of a group's rows: the input of the down projection, in place of `gate`.
void ActivateGroup(const Compute& compute, const Pairs& pairs, const ProductPiece& piece,
                   const Hidden& hidden) {
  const size_t width = compute.sizes.expert_width;
  const int32_t expert = pairs.group[piece.product];
  for (int32_t pair = pairs.begin[expert]; pair < pairs.begin[expert + 1]; ++pair) {
    const size_t at = static_cast<size_t>(pair) * width + piece.begin;
    compute.kernels.swiglu({.up = hidden.up + at,
                            .n = piece.end - piece.begin,
                            .limit = compute.config.swiglu_limit,
                            .weight = pairs.weight[pair],
                            .bf16 = compute.numerics.bf16,
                            .gate = hidden.gate + at});
  }
}

// h [pairs, expert_width], in place, as the products of the down projection read it.
const float* PrepareHidden(const Compute& compute, const MoeWeights& w, const Pairs& pairs,
                           float* h) {
  const size_t width = compute.sizes.expert_width;
  compute.parallel.For(pairs.count, RowGrain(width), [&](size_t begin, size_t end) {
    for (size_t pair = begin; pair < end; ++pair) {
      const Linear& down = MatrixOf(w, pairs, &ExpertWeights::down, pair);
      float* row = h + pair * width;
      if (compute.numerics.act_fp8 && down.quantized()) {
        compute.kernels.quantize_fp8(row, width, kActivationBlock);
      }
      PrepareRows(compute.KernelOf(down), width, 1, row, width);
    }
  });
  return h;
}

// The input of the down projection, [pairs, expert_width], as its products read it.
const float* MakeHidden(const Pass& pass, const MoeWeights& w, const Pairs& pairs,
                        const Activation& x) {
  const Compute& compute = pass.compute;
  Scratch* scratch = pass.scratch;
  const Hidden hidden{scratch->pair_gate.data(), scratch->pair_up.data()};
  Product* products = scratch->products.data();
  const bool share = ShareInput(w, pairs, x);
  const auto fill = [&](Linear ExpertWeights::*matrix, const PairInput& input, float* y) {
    for (size_t group = 0; group < pairs.groups; ++group) {
      const Linear& of_group = ExpertOf(w, pairs.group[group]).*matrix;
      const PairInput one{x.form[FormatOf(of_group)], 0};
      products[group] =
          ProductOfGroup(of_group, pairs, group, input.rows == nullptr ? one : input, y);
    }
  };
  const auto gather = [&](Linear ExpertWeights::*matrix) {
    if (x.rows == 1) return PairInput{nullptr, 0};
    return GatherInputs(compute, w, matrix, pairs, x, scratch->pair_x.data());
  };
  const std::span<Product> all{products, pairs.groups};
  fill(&ExpertWeights::gate, gather(&ExpertWeights::gate), hidden.gate);
  if (share) {
    for (size_t group = 0; group < pairs.groups; ++group) {
      const ProductTask& task = products[group].task;
      products[group].twin = &ExpertOf(w, pairs.group[group]).up;
      products[group].twin_x = task.x;
      products[group].twin_y = hidden.up + (task.y - hidden.gate);
    }
  } else {
    RunProducts(compute, all);
    fill(&ExpertWeights::up, gather(&ExpertWeights::up), hidden.up);
  }
  RunProducts(compute, all,
              [&](const ProductPiece& piece) { ActivateGroup(compute, pairs, piece, hidden); });
  return PrepareHidden(compute, w, pairs, hidden.gate);
}

// [rows, hidden]: every row's pairs, added up.
const float* SumPairs(const Compute& compute, const Pairs& pairs, size_t rows, const float* of_pair,
                      float* out) {
  const size_t d = compute.sizes.hidden, mine = compute.sizes.experts_per_token + 1;
  compute.parallel.For(rows, RowGrain(mine * d), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      compute.kernels.sum_rows({.x = of_pair,
                                .row = pairs.of_token + row * mine,
                                .count = mine,
                                .n = d,
                                .bf16 = compute.numerics.bf16,
                                .y = out + row * d});
    }
  });
  return out;
}

}  // namespace

const float* MixExperts(const Pass& pass, const MoeWeights& w, size_t layer, const Activation& x) {
  const Compute& compute = pass.compute;
  Scratch* scratch = pass.scratch;
  const Routing routing = Route(pass, w, x);
  const Pairs pairs = GroupByExpert(compute.sizes, routing, x.rows, scratch);
  for (size_t i = 0; i + 1 < pairs.groups; ++i) {  // the last group is the shared expert
    pass.weights.ReadAheadExpert(static_cast<int32_t>(layer), pairs.group[i]);
  }
  for (size_t i = 0; i + 1 < pairs.groups; ++i) {
    pass.weights.CheckExpert(static_cast<int32_t>(layer), pairs.group[i]);
  }
  if (compute.profile != nullptr) compute.profile->routed_experts += pairs.groups - 1;
  const float* hidden = MakeHidden(pass, w, pairs, x);
  Product* products = scratch->products.data();
  float* y = scratch->pair_y.data();
  for (size_t group = 0; group < pairs.groups; ++group) {
    const Linear& down = ExpertOf(w, pairs.group[group]).down;
    products[group] = ProductOfGroup(down, pairs, group, {hidden, down.in}, y);
  }
  RunProducts(compute, {products, pairs.groups});
  return SumPairs(compute, pairs, x.rows, y, scratch->y.data());
}

}  // namespace finback
