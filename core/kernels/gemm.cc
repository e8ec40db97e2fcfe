// The lists of gemm.inc and their pickers.
#include "core/kernels/registry.h"

namespace finback {

#define FINBACK_GEMM_F32(isa, function) void function(const GemmArgs& args);
#define FINBACK_GEMM_BF16(isa, function) void function(const GemmArgs& args);
#define FINBACK_GEMM_FP8(isa, function) void function(const GemmArgs& args);
#define FINBACK_GEMM_FP4(isa, function) void function(const GemmArgs& args);
#define FINBACK_DOT(isa, function) float function(const float* a, const float* b, size_t n);
#include "core/kernels/gemm.inc"

namespace {

constexpr Kernel<GemmFunction> kGemmF32Kernels[] = {
#define FINBACK_GEMM_F32(isa, function) {isa, #function, function},
#include "core/kernels/gemm.inc"
};
constexpr Kernel<GemmFunction> kGemmBf16Kernels[] = {
#define FINBACK_GEMM_BF16(isa, function) {isa, #function, function},
#include "core/kernels/gemm.inc"
};
constexpr Kernel<GemmFunction> kGemmFp8Kernels[] = {
#define FINBACK_GEMM_FP8(isa, function) {isa, #function, function},
#include "core/kernels/gemm.inc"
};
constexpr Kernel<GemmFunction> kGemmFp4Kernels[] = {
#define FINBACK_GEMM_FP4(isa, function) {isa, #function, function},
#include "core/kernels/gemm.inc"
};
constexpr Kernel<DotFunction> kDotKernels[] = {
#define FINBACK_DOT(isa, function) {isa, #function, function},
#include "core/kernels/gemm.inc"
};

}  // namespace

KernelList<GemmFunction> GemmKernels(GemmFormat format) {
  switch (format) {
    case kGemmF32:
      return kGemmF32Kernels;
    case kGemmBf16:
      return kGemmBf16Kernels;
    case kGemmFp8:
      return kGemmFp8Kernels;
    case kGemmFp4:
      break;
  }
  return kGemmFp4Kernels;
}
KernelList<DotFunction> DotKernels() { return kDotKernels; }

GemmFunction PickGemm(GemmFormat format) { return PickKernel(GemmKernels(format), ActiveIsa()); }
DotFunction PickDot() { return PickKernel(DotKernels(), ActiveIsa()); }

}  // namespace finback
