// The kernels that a process computes with, and the functions of kernels.inc that can be chosen for
// them. Included by files that are compiled with ISA flags: no inline code, no standard headers.
#pragma once

#include <stdint.h>

#include "core/kernels/attention/attention.h"
#include "core/kernels/attention/index_score.h"
#include "core/kernels/gemm.h"
#include "core/kernels/quantize.h"
#include "core/kernels/rows/rows.h"

namespace finback {

// A slot for each operation.
struct Kernels {
  GemmKernel gemm_f32, gemm_bf16, gemm_fp8, gemm_fp4;
  DotFunction dot = nullptr;
  RoundBf16Function round_bf16 = nullptr;
  QuantizeFp8Function quantize_fp8 = nullptr;
  PackKvFunction pack_kv = nullptr;
  UnpackKvFunction unpack_kv = nullptr;
  PackIndexFunction pack_index = nullptr;
  UnpackIndexFunction unpack_index = nullptr;
  PairProductFunction pair_product = nullptr;
  SoftmaxFunction softmax = nullptr;
  EntryCodesFunction entry_codes = nullptr;
  ArrangeFunction keys_by_channel = nullptr, keys_by_key = nullptr;
  CodesInPlaceFunction codes_in_place = nullptr;
  ScaleFunction scale = nullptr;
  IndexScoreFunction index_score = nullptr;
  CountAtLeastFunction count_at_least = nullptr;
  TakeAtLeastFunction take_at_least = nullptr;
  SumOfSquaresFunction sum_of_squares = nullptr;
  RmsNormFunction rms_norm = nullptr;
  HeadNormFunction head_norm = nullptr;
  RotateFunction rotate = nullptr;
  HadamardFunction hadamard = nullptr;
  SumStreamsFunction sum_streams = nullptr;
  MixStreamsFunction mix_streams = nullptr;
  SinkhornFunction sinkhorn = nullptr;
  SigmoidFunction sigmoid = nullptr;
  SqrtSoftplusFunction sqrt_softplus = nullptr;
  SwigluFunction swiglu = nullptr;
  SumRowsFunction sum_rows = nullptr;
  PoolFunction pool = nullptr;
};

// For each slot the first row of kernels.inc whose bits are all in `isa` (isa.h).
Kernels PickKernels(uint32_t isa);

GemmKernel Kernels::*GemmSlot(GemmFormat format);

// Does what kernel.prepare asks for, if anything, to each of the rows.
void PrepareRows(const GemmKernel& kernel, size_t in, size_t rows, float* x, size_t x_stride);

// The type of the functions that fit a slot.
template <typename Slot>
struct FunctionOf;
template <typename Result, typename... Arguments>
struct FunctionOf<Result (*)(Arguments...)> {
  using Type = Result(Arguments...);
};
template <>
struct FunctionOf<GemmKernel> : FunctionOf<GemmFunction> {};

#define FINBACK_KERNEL(slot, isa, function, ...)      \
  FunctionOf<decltype(Kernels::slot)>::Type function; \
  __VA_OPT__(FunctionOf<PrepareFunction>::Type __VA_ARGS__;)
#include "core/kernels/kernels.inc"

}  // namespace finback
