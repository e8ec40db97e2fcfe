// What files of the cache are named by. Prompts are text that others may have written, so that no
// two must ever be taken for each other: SHA-256 over all that a state follows from.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/network/model.h"

namespace finback::cache {

inline constexpr uint32_t kFormatVersion = 1;
inline constexpr size_t kStepTokens = 512;

using Key = std::array<uint8_t, 32>;

// Of the model that a state is of: its files by name, size, date and samples of the weights, the
// config, the precision, the kernels, and kFormatVersion.
Key ModelKey(const Model& model);
// Of what stands behind `parent`.
Key NextKey(const Key& parent, std::span<const int32_t> ids);
// [i]: of the first i whole steps of `ids`; the first is the model's.
std::vector<Key> ChainOf(const Key& model, std::span<const int32_t> ids);
// The same for any kind of record.
Key RecordKey(std::string_view kind, std::string_view key);

// Half of it in hexadecimal digits: enough for a name, while files have the whole.
inline constexpr size_t kNameDigits = 32;
std::string NameOf(const Key& key);

}  // namespace finback::cache
