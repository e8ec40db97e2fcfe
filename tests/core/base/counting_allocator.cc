#include "tests/core/base/counting_allocator.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<int64_t> allocations{0}, long_allocations{0};

void* Allocate(size_t size) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (size >= finback::kLongAllocation) long_allocations.fetch_add(1, std::memory_order_relaxed);
  return malloc(size > 0 ? size : 1);
}

}  // namespace

int64_t finback::AllocationCount() { return allocations.load(); }
int64_t finback::LongAllocationCount() { return long_allocations.load(); }

void* operator new(size_t size) {
  if (void* memory = Allocate(size)) return memory;
  throw std::bad_alloc();
}
// What std::stable_sort asks. A sanitizer's own would not fit the deletes below.
void* operator new(size_t size, const std::nothrow_t&) noexcept { return Allocate(size); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
