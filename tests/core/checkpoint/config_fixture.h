// Configs as they are found: the smallest model's, changed.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "core/checkpoint/config.h"
#include "tests/core/checkpoint/checkpoint_builder.h"

namespace finback {

using Json = nlohmann::ordered_json;
using Change = std::function<void(Json&)>;

inline Config Parse(const Json& json) { return ParseConfig(json.dump(), "some/config.json"); }

inline Config Parse(const Change& change) {
  Json json = TinyConfig();
  change(json);
  return Parse(json);
}

}  // namespace finback
