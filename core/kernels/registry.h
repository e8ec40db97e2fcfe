// The kernels of every operation, best first, as listed in the .inc files. The pickers take the
// first row whose instruction sets are active; tests and benchmarks run over all of them. Never
// included by a file that is compiled with ISA flags.
#pragma once

#include <stdint.h>

#include <span>

#include "core/kernels/attention.h"
#include "core/kernels/gemm.h"
#include "core/kernels/isa.h"
#include "core/kernels/quantize.h"

namespace finback {

template <typename Function>
struct Kernel {
  uint32_t isa;  // all of these bits are needed
  const char* name;
  Function function;
};
template <typename Function>
using KernelList = std::span<const Kernel<Function>>;

KernelList<GemmFunction> GemmKernels(GemmFormat format);
KernelList<DotFunction> DotKernels();
KernelList<RoundBf16Function> RoundBf16Kernels();
KernelList<QuantizeFp8Function> QuantizeFp8Kernels();
KernelList<PackKvFunction> PackKvKernels();
KernelList<UnpackKvFunction> UnpackKvKernels();
KernelList<PackIndexFunction> PackIndexKernels();
KernelList<UnpackIndexFunction> UnpackIndexKernels();
KernelList<AttentionTileFunction> AttentionTileKernels();
KernelList<IndexScoreFunction> IndexScoreKernels();

// The first kernel that `isa` has all bits for. Every list ends with a scalar row.
template <typename Function>
Function PickKernel(KernelList<Function> kernels, uint32_t isa) {
  for (const Kernel<Function>& kernel : kernels) {
    if ((kernel.isa & isa) == kernel.isa) return kernel.function;
  }
  return kernels.back().function;
}

}  // namespace finback
