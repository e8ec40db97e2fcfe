// The lists of quantize.inc and their pickers.
#include "core/kernels/registry.h"

namespace finback {

#define FINBACK_ROUND_BF16(isa, function) void function(float* x, size_t n);
#define FINBACK_QUANTIZE_FP8(isa, function) void function(float* x, size_t n, size_t block);
#define FINBACK_PACK_KV(isa, function) \
  void function(const KvFormat& format, const float* values, uint8_t* entry);
#define FINBACK_UNPACK_KV(isa, function) \
  void function(const KvFormat& format, const uint8_t* entry, float* values);
#define FINBACK_PACK_INDEX(isa, function) \
  void function(const float* values, size_t n, uint8_t* key);
#define FINBACK_UNPACK_INDEX(isa, function) \
  void function(const uint8_t* key, size_t n, float* values);
#include "core/kernels/quantize.inc"

namespace {

constexpr Kernel<RoundBf16Function> kRoundBf16Kernels[] = {
#define FINBACK_ROUND_BF16(isa, function) {isa, #function, function},
#include "core/kernels/quantize.inc"
};
constexpr Kernel<QuantizeFp8Function> kQuantizeFp8Kernels[] = {
#define FINBACK_QUANTIZE_FP8(isa, function) {isa, #function, function},
#include "core/kernels/quantize.inc"
};
constexpr Kernel<PackKvFunction> kPackKvKernels[] = {
#define FINBACK_PACK_KV(isa, function) {isa, #function, function},
#include "core/kernels/quantize.inc"
};
constexpr Kernel<UnpackKvFunction> kUnpackKvKernels[] = {
#define FINBACK_UNPACK_KV(isa, function) {isa, #function, function},
#include "core/kernels/quantize.inc"
};
constexpr Kernel<PackIndexFunction> kPackIndexKernels[] = {
#define FINBACK_PACK_INDEX(isa, function) {isa, #function, function},
#include "core/kernels/quantize.inc"
};
constexpr Kernel<UnpackIndexFunction> kUnpackIndexKernels[] = {
#define FINBACK_UNPACK_INDEX(isa, function) {isa, #function, function},
#include "core/kernels/quantize.inc"
};

}  // namespace

KernelList<RoundBf16Function> RoundBf16Kernels() { return kRoundBf16Kernels; }
KernelList<QuantizeFp8Function> QuantizeFp8Kernels() { return kQuantizeFp8Kernels; }
KernelList<PackKvFunction> PackKvKernels() { return kPackKvKernels; }
KernelList<UnpackKvFunction> UnpackKvKernels() { return kUnpackKvKernels; }
KernelList<PackIndexFunction> PackIndexKernels() { return kPackIndexKernels; }
KernelList<UnpackIndexFunction> UnpackIndexKernels() { return kUnpackIndexKernels; }

RoundBf16Function PickRoundBf16() { return PickKernel(RoundBf16Kernels(), ActiveIsa()); }
QuantizeFp8Function PickQuantizeFp8() { return PickKernel(QuantizeFp8Kernels(), ActiveIsa()); }
PackKvFunction PickPackKv() { return PickKernel(PackKvKernels(), ActiveIsa()); }
UnpackKvFunction PickUnpackKv() { return PickKernel(UnpackKvKernels(), ActiveIsa()); }
PackIndexFunction PickPackIndex() { return PickKernel(PackIndexKernels(), ActiveIsa()); }
UnpackIndexFunction PickUnpackIndex() { return PickKernel(UnpackIndexKernels(), ActiveIsa()); }

}  // namespace finback
