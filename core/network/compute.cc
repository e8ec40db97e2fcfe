#include "core/network/compute.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/kernels/isa.h"

namespace finback {
namespace {

size_t Size(int32_t value) { return static_cast<size_t>(value); }

}  // namespace

Numerics Numerics::Of(Precision precision, const Config& config) {
  if (precision == Precision::kFloat32) return {false, false, false, false, false};
  const bool published = precision == Precision::kPublished;
  return {true, published, config.quantized_cache, published, config.quantized_cache};
}

Sizes::Sizes(const Config& c)
    : layers(Size(c.layers_count)),
      vocab(Size(c.vocab)),
      hidden(Size(c.hidden)),
      streams(Size(c.hc_streams)),
      heads(Size(c.heads)),
      head_dim(Size(c.head_dim)),
      rope_pairs(Size(c.rope_dim) / 2),
      window(Size(c.window)),
      q_lora_rank(Size(c.q_lora_rank)),
      o_groups(Size(c.o_groups)),
      o_lora_rank(Size(c.o_lora_rank)),
      index_heads(Size(c.index_heads)),
      index_head_dim(Size(c.index_head_dim)),
      index_topk(Size(c.index_topk)),
      experts(Size(c.experts)),
      experts_per_token(Size(c.experts_per_token)),
      expert_width(Size(c.expert_width)) {}

Compute::Compute(const Config& config_in, Precision precision, int threads, Profile* profile_in)
    : config(config_in),
      sizes(config_in),
      numerics(Numerics::Of(precision, config_in)),
      kernels(PickKernels(numerics.bf16 ? ActiveIsa() : ActiveIsa() & ~kIsaBf16Activations)),
      forms(kernels, numerics),
      plain_rotary(MakeRotaryFrequencies(config_in, RotaryKind::kPlain)),
      compressed_rotary(MakeRotaryFrequencies(config_in, RotaryKind::kCompressed)),
      profile(profile_in),
      parallel(threads, profile_in == nullptr ? nullptr : &profile_in->forks) {}

ActivationForms::ActivationForms(const Kernels& kernels, const Numerics& numerics) {
  for (const GemmFormat format : {kGemmF32, kGemmBf16, kGemmFp8, kGemmFp4}) {
    const bool scaled = format == kGemmFp8 || format == kGemmFp4;
    const Form wanted = {numerics.act_fp8 && scaled, (kernels.*GemmSlot(format)).prepare};
    of[format] = static_cast<size_t>(std::find(form, form + count, wanted) - form);
    if (of[format] == count) form[count++] = wanted;
  }
}

size_t CopiesOfActivation(const Kernels& kernels) {
  return ActivationForms(kernels, Numerics()).count - 1;
}

Activation PrepareActivation(const Compute& compute, const float* x, size_t rows, size_t width,
                             float* scratch) {
  const ActivationForms& forms = compute.forms;
  const float* made[1 + kGemmFormats] = {x};
  for (size_t i = 1; i < forms.count; ++i) {
    const bool quantize = forms.form[i].quantized && width % 128 == 0;
    const PrepareFunction prepare = forms.form[i].prepare;
    made[i] = x;
    if (!quantize && prepare == nullptr) continue;
    float* copy = scratch + (i - 1) * rows * width;
    made[i] = copy;
    compute.parallel.For(rows, RowGrain(width), [&](size_t begin, size_t end) {
      for (size_t row = begin; row < end; ++row) {
        float* out = copy + row * width;
        memcpy(out, x + row * width, width * sizeof(float));
        if (quantize) compute.kernels.quantize_fp8(out, width, 128);
        if (prepare != nullptr) prepare(out, width);
      }
    });
  }
  Activation activation = {{}, rows, width};
  for (size_t format = 0; format < kGemmFormats; ++format) {
    activation.form[format] = made[forms.of[format]];
  }
  return activation;
}

Activation PrepareInput(const Compute& compute, const Linear& w, const float* x, size_t rows,
                        float* scratch) {
  if (compute.KernelOf(w).prepare != nullptr) {
    memcpy(scratch, x, rows * w.in * sizeof(float));
    PrepareInPlace(compute, w, rows, scratch);
    x = scratch;
  }
  return {{x, x, x, x}, rows, w.in};
}

void PrepareInPlace(const Compute& compute, const Linear& w, size_t rows, float* x) {
  const GemmKernel& kernel = compute.KernelOf(w);
  if (kernel.prepare == nullptr) return;
  compute.parallel.For(rows, RowGrain(w.in), [&](size_t begin, size_t end) {
    PrepareRows(kernel, w.in, end - begin, x + begin * w.in, w.in);
  });
}

GemmFormat FormatOf(const Linear& w) {
  return w.dtype == Dtype::kF32      ? kGemmF32
         : w.dtype == Dtype::kBf16   ? kGemmBf16
         : w.dtype == Dtype::kF8E4m3 ? kGemmFp8
                                     : kGemmFp4;
}

void RunProduct(const Compute& compute, const ProductTask& task) {
  const Linear& w = *task.w;
  compute.KernelOf(w).multiply({.weight = w.weight,
                                .scale = w.scale,
                                .in = w.in,
                                .out_begin = task.begin,
                                .out_end = task.end,
                                .x = task.x,
                                .x_stride = task.x_stride,
                                .rows = task.rows,
                                .y = task.y,
                                .y_stride = task.y_stride,
                                .y_origin = task.y_origin});
  if (task.rounding == Rounding::kNone) return;
  for (size_t row = 0; row < task.rows; ++row) {
    compute.RoundBf16(task.y + row * task.y_stride + (task.begin - task.y_origin),
                      task.end - task.begin);
  }
}

size_t ProductGrain(const Compute& compute, size_t outs, size_t macs_per_output) {
  constexpr size_t kManyMacs = size_t{1} << 18;
  const size_t threads = static_cast<size_t>(compute.parallel.threads());
  if (threads == 1) return outs;
  // A fork costs microseconds: below some ten thousand multiply-adds a task is not worth one.
  const size_t least = std::max<size_t>(16, 32768 / std::max<size_t>(1, macs_per_output));
  // Tasks of many rows read these anew, each.
  const size_t tasks = macs_per_output < kManyMacs ? 16 : 8;
  const size_t share = (outs / (threads * tasks) + 15) / 16 * 16;
  return std::max(least, share);
}

float* Project(const Compute& compute, const Linear& w, const Activation& x, Rounding rounding,
               float* y) {
  const PhaseScope timed = TimeProduct(compute, w);
  const size_t outs = w.out;
  const float* input = x.form[FormatOf(w)];
  compute.parallel.For(outs, ProductGrain(compute, outs, x.rows * x.width),
                       [&](size_t begin, size_t end) {
                         RunProduct(compute, {.w = &w,
                                              .x = input,
                                              .x_stride = x.width,
                                              .rows = x.rows,
                                              .begin = begin,
                                              .end = end,
                                              .y = y,
                                              .y_stride = outs,
                                              .y_origin = 0,
                                              .rounding = rounding});
                       });
  return y;
}

float* RmsNorm(const Compute& compute, const float* x, size_t rows, const Vector& weight,
               float* out) {
  const size_t width = weight.values.size();
  compute.parallel.For(rows, RowGrain(width), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      compute.kernels.rms_norm({.x = x + row * width,
                                .weight = weight.data(),
                                .n = width,
                                .eps = compute.config.rms_norm_eps,
                                .bf16 = compute.numerics.bf16,
                                .y = out + row * width});
    }
  });
  return out;
}

void Rotate(const Compute& compute, const RotaryAngles& angles, Turn turn, float* x, size_t width) {
  compute.kernels.rotate({.cosine = angles.cosine,
                          .sine = angles.sine,
                          .pairs = angles.pairs,
                          .inverse = turn == Turn::kInverse,
                          .bf16 = compute.numerics.bf16,
                          .x = x + width - 2 * angles.pairs});
}

}  // namespace finback
