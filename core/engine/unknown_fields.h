// What becomes of fields of a request that nobody knows.
#pragma once

#include <string>

#include "core/engine/options.h"
#include "core/engine/request.h"

namespace finback {

class UnknownFieldsRule {
 public:
  UnknownFieldsRule() = default;
  explicit UnknownFieldsRule(const EngineOptions& options)
      : choice_(options.unknown_fields), log_(options.log) {}

  // The text of the notice that names them, which is logged too; "" without any. Throws
  // Error(kInvalidRequest) where they are refused.
  std::string Judge(const Request& request) const;

 private:
  UnknownFields choice_ = UnknownFields::kNotice;
  LogFunction log_;
};

}  // namespace finback
