// What every layer needs to compute: the roundings in force, the kernels chosen at open, the
// threads, and the matrix product over a checkpoint's weights.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/parallel.h"
#include "core/checkpoint/config.h"
#include "core/checkpoint/weights.h"
#include "core/kernels/kernels.h"
#include "core/network/profile/profile.h"
#include "core/network/rotary.h"

namespace finback {

enum class Precision : uint8_t {
  kPublished,  // every rounding of the published model
  kBf16,       // inputs of quantized linears stay bfloat16
  kFloat32,    // no rounding anywhere: for the oracle
};

// The roundings of the published model (docs/architecture.md 3.13); all false is the plain float32
// network.
struct Numerics {
  bool bf16 = true;          // activations are rounded to bfloat16
  bool act_fp8 = true;       // inputs of FP8 and FP4 linears are quantized per 128 channels
  bool kv_fp8 = true;        // kv entries are stored packed
  bool weights_bf16 = true;  // softmax weights are rounded to bfloat16 before the values
  bool index_fp4 = true;     // index queries and keys are Hadamard-rotated and packed

  static Numerics Of(Precision precision, const Config& config);
};

// The shapes of a config as the graph counts with them.
struct Sizes {
  size_t layers, vocab, hidden, streams;
  size_t heads, head_dim, rope_pairs, window;
  size_t q_lora_rank, o_groups, o_lora_rank;
  size_t index_heads, index_head_dim, index_topk;
  size_t experts, experts_per_token, expert_width;

  explicit Sizes(const Config& config);

  size_t residual() const { return streams * hidden; }  // floats that a token has in all streams
};

// The format that a product over the weights takes.
GemmFormat FormatOf(const Linear& w);

// The forms in which products read one activation: as it is, quantized or not, prepared as the
// chosen kernels ask.
struct ActivationForms {
  struct Form {
    bool quantized;
    PrepareFunction prepare;  // null: nothing is asked

    bool operator==(const Form&) const = default;
  };
  Form form[1 + kGemmFormats] = {};  // the first is the activation as it is
  size_t count = 1;
  size_t of[kGemmFormats] = {};  // the form that products of a GemmFormat read

  ActivationForms(const Kernels& kernels, const Numerics& numerics);
};

struct Compute {
  const Config& config;
  const Sizes sizes;
  Numerics numerics;
  Kernels kernels;
  ActivationForms forms;
  RotaryFrequencies plain_rotary, compressed_rotary;  // layers without / with compression
  Profile* profile;                                   // null: time is not counted
  Parallel parallel;

  Compute(const Config& config, Precision precision, int threads, Profile* profile = nullptr);

  const GemmKernel& KernelOf(const Linear& w) const { return kernels.*GemmSlot(FormatOf(w)); }

  const RotaryFrequencies& RotaryOf(RotaryKind kind) const {
    return kind == RotaryKind::kPlain ? plain_rotary : compressed_rotary;
  }

  // Rounds x[n] to bfloat16 where the mode says so.
  void RoundBf16(float* x, size_t n) const {
    if (numerics.bf16) kernels.round_bf16(x, n);
  }
};

enum class Rounding : uint8_t { kBf16, kNone };

// The input of linears, in every form that their products may read.
struct Activation {
  const float* form[kGemmFormats];  // [rows, width] for weights of a GemmFormat
  size_t rows, width;
};

// Makes the forms of x [rows, width], once for all products that read it, in `scratch`, which has
// room for [CopiesOfActivation(kernels), rows, width].
Activation PrepareActivation(const Compute& compute, const float* x, size_t rows, size_t width,
                             float* scratch);
size_t CopiesOfActivation(const Kernels& kernels);

// The same for an input [rows, w.in] that `w` alone reads, never quantized; one copy at most.
Activation PrepareInput(const Compute& compute, const Linear& w, const float* x, size_t rows,
                        float* scratch);

// y[rows, w.out] = x * w^T, over all threads; returns y. The input form follows from w's dtype.
float* Project(const Compute& compute, const Linear& w, const Activation& x, Rounding rounding,
               float* y);

// x [rows, w.in], in place, as products with `w` read it; never quantized.
void PrepareInPlace(const Compute& compute, const Linear& w, size_t rows, float* x);

// The part of a product that one task computes: rows of x against outputs [begin, end).
struct ProductTask {
  const Linear* w;
  const float* x;  // as the kernel of w reads it
  size_t x_stride, rows;
  size_t begin, end;
  float* y;  // [rows, y_stride], output o at column o - y_origin
  size_t y_stride, y_origin;
  Rounding rounding;
};
void RunProduct(const Compute& compute, const ProductTask& task);

// The scope of a product with `w`, where it is not Project that makes it.
inline PhaseScope TimeProduct(const Compute& compute, const Linear& w) {
  return {compute.profile, ProductPhase(FormatOf(w))};
}

// Rows for one task of simple steps over rows of so many floats: few rows are no fork's worth.
constexpr size_t RowGrain(size_t floats) {
  constexpr size_t kFloats = 32768;  // a few microseconds, ten times what a fork costs
  return kFloats / (floats + 1) + 1;
}

// Outputs per task so that `outs` make a few tasks per thread.
size_t ProductGrain(const Compute& compute, size_t outs, size_t macs_per_output);

// out[i] = round(w[i] * (x[i] * rsqrt(mean(x^2) + eps))) for each of `rows` rows, which are as wide
// as w; returns out, which may be x.
float* RmsNorm(const Compute& compute, const float* x, size_t rows, const Vector& weight,
               float* out);

// Rotates the last 2 * angles.pairs of `width` channels in place, and rounds them; kInverse turns
// back.
enum class Turn : uint8_t { kForward, kInverse };
void Rotate(const Compute& compute, const RotaryAngles& angles, Turn turn, float* x, size_t width);

}  // namespace finback
