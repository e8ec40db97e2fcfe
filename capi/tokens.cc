#include "capi/boundary.h"
#include "capi/handles.h"

using finback::Guard;
using finback::Require;

size_t finback_tokens_count(const finback_tokens* self) {
  return Guard<size_t>(0, [&] { return Require(self, "self").ids.size(); });
}

const int32_t* finback_tokens_data(const finback_tokens* self) {
  return Guard<const int32_t*>(nullptr, [&] { return Require(self, "self").ids.data(); });
}

void finback_tokens_free(finback_tokens* self) { delete self; }
