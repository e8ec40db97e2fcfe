#include "core/kernels/kernels.h"

#include "core/kernels/isa.h"

namespace finback {

Kernels PickKernels(uint32_t isa) {
  Kernels kernels;
#define FINBACK_KERNEL(slot, needed, function) \
  if (kernels.slot == nullptr && ((needed) & ~isa) == 0) kernels.slot = function;
#include "core/kernels/kernels.inc"
  return kernels;
}

GemmFunction Kernels::*GemmSlot(GemmFormat format) {
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

}  // namespace finback
