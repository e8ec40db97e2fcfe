// The rows of kernels.inc as values, for tests and benchmarks that run over all kernels of a slot.
#pragma once

#include <stdint.h>

#include <type_traits>
#include <vector>

#include "core/kernels/isa.h"
#include "core/kernels/kernels.h"

namespace finback {

template <typename Function>  // what a slot holds: a function pointer, or GemmKernel
struct Kernel {
  uint32_t isa;  // all of these bits are needed
  const char* name;
  Function function;
};
template <typename Function>
using KernelList = std::vector<Kernel<Function>>;

// Best first; the last one is the definition.
template <typename Function>
KernelList<Function> KernelsOf(Function Kernels::*slot) {
  KernelList<Function> list;
  const auto add = [&]<typename Row>(Row Kernels::*row_slot, uint32_t isa, const char* name,
                                     Row function) {
    if constexpr (std::is_same_v<Row, Function>) {
      if (row_slot == slot) list.push_back({isa, name, function});
    }
  };
#define FINBACK_KERNEL(row_slot, isa, function, ...) \
  add(&Kernels::row_slot, isa, #function, {function __VA_OPT__(, ) __VA_ARGS__});
#include "core/kernels/kernels.inc"
  return list;
}

}  // namespace finback
