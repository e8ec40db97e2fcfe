// How often this test program has called operator new; see counting_allocator.cc.
#pragma once

#include <cstdint>

namespace finback {

int64_t AllocationCount();

}  // namespace finback
