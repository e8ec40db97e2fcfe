#include "capi/boundary.h"
#include "capi/handles.h"

using finback::Guard;
using finback::Require;

const void* finback_bytes_data(const finback_bytes* self) {
  return Guard<const void*>(nullptr,
                            [&]() -> const void* { return Require(self, "self").bytes.data(); });
}

size_t finback_bytes_size(const finback_bytes* self) {
  return Guard<size_t>(0, [&] { return Require(self, "self").bytes.size(); });
}

void finback_bytes_free(finback_bytes* self) { delete self; }
