// What a call fails with.
#pragma once

#include <functional>

#include "core/base/status.h"

namespace finback {

inline Code CodeOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

}  // namespace finback
