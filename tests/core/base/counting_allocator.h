// How often a test program, of which counting_allocator.cc is part, has called operator new.
#pragma once

#include <cstddef>
#include <cstdint>

namespace finback {

inline constexpr size_t kLongAllocation = size_t{4} << 20;

int64_t AllocationCount();
int64_t LongAllocationCount();  // of kLongAllocation bytes or more

}  // namespace finback
