#include "core/kernels/kernels.h"

#include "core/kernels/isa.h"

namespace finback {
namespace {

template <typename Function>
bool IsChosen(Function* function) {
  return function != nullptr;
}
bool IsChosen(const GemmKernel& kernel) { return kernel.multiply != nullptr; }

}  // namespace

Kernels PickKernels(uint32_t isa) {
  Kernels kernels;
#define FINBACK_KERNEL(slot, needed, ...) \
  if (!IsChosen(kernels.slot) && ((needed) & ~isa) == 0) kernels.slot = {__VA_ARGS__};
#include "core/kernels/kernels.inc"
  return kernels;
}

GemmKernel Kernels::*GemmSlot(GemmFormat format) {
  switch (format) {
    case kGemmF32:
      return &Kernels::gemm_f32;
    case kGemmBf16:
      return &Kernels::gemm_bf16;
    case kGemmFp8:
      return &Kernels::gemm_fp8;
    case kGemmFp4:
      break;
  }
  return &Kernels::gemm_fp4;
}

void PrepareRows(const GemmKernel& kernel, size_t in, size_t rows, float* x, size_t x_stride) {
  if (kernel.prepare == nullptr) return;
  for (size_t row = 0; row < rows; ++row) kernel.prepare(x + row * x_stride, in);
}

}  // namespace finback
