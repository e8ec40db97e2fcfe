#include "core/local/cache/cache_key.h"

#include <xxhash.h>

#include <algorithm>

#include "core/base/file_map.h"
#include "core/base/sha256.h"
#include "core/kernels/isa.h"

namespace finback::cache {
namespace {

constexpr size_t kMostConfigBytes = 16u << 20;
// Weights up to here are looked at whole. Of larger ones each file gives a few samples: files that
// were packed or installed reproducibly may all have the same date.
constexpr uint64_t kWholeBytes = 64u << 20;
constexpr size_t kSamples = 3, kSampleBytes = 1024;

std::span<const uint8_t> BytesOf(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

void AddText(std::string_view text, Sha256* hash) {
  const uint64_t size = text.size();
  hash->Update({reinterpret_cast<const uint8_t*>(&size), sizeof size});
  hash->Update(BytesOf(text));
}

void AddNumber(uint64_t number, Sha256* hash) {
  hash->Update({reinterpret_cast<const uint8_t*>(&number), sizeof number});
}

void AddWeights(const Weights& weights, Sha256* hash) {
  const std::vector<std::string>& files = weights.files();
  std::vector<std::vector<const Tensor*>> tensors(files.size());
  for (const Tensor& tensor : weights.tensors()) tensors.at(tensor.file).push_back(&tensor);
  const bool whole = weights.total_bytes() <= kWholeBytes;
  for (uint32_t file = 0; file < files.size(); ++file) {
    AddText(std::string_view(files[file]).substr(files[file].rfind('/') + 1), hash);
    AddNumber(weights.file_bytes(file), hash);
    AddNumber(static_cast<uint64_t>(weights.file_date_ns(file)), hash);
    const size_t count = tensors[file].size();
    const size_t step = whole ? 1 : std::max<size_t>(1, count / kSamples);
    for (size_t i = step / 2; i < count; i += step) {
      const Tensor& tensor = *tensors[file][i];
      const uint64_t bytes = whole ? tensor.bytes : std::min<uint64_t>(tensor.bytes, kSampleBytes);
      AddNumber(XXH3_64bits(tensor.data + (tensor.bytes - bytes) / 2, bytes), hash);
    }
  }
}

}  // namespace

Key ModelKey(const Model& model) {
  Sha256 hash;
  AddText("finback conversations", &hash);
  AddNumber(kFormatVersion, &hash);
  AddNumber(static_cast<uint64_t>(model.precision()), &hash);
  AddText(IsaName(ActiveIsa()), &hash);
  AddText(ReadFile(model.folder() + "/config.json", kMostConfigBytes), &hash);
  AddWeights(model.weights(), &hash);
  return hash.Finish();
}

Key NextKey(const Key& parent, std::span<const int32_t> ids) {
  Sha256 hash;
  hash.Update(parent);
  hash.Update({reinterpret_cast<const uint8_t*>(ids.data()), ids.size_bytes()});
  return hash.Finish();
}

std::vector<Key> ChainOf(const Key& model, std::span<const int32_t> ids) {
  std::vector<Key> chain{model};
  for (size_t begin = 0; begin + kStepTokens <= ids.size(); begin += kStepTokens) {
    chain.push_back(NextKey(chain.back(), ids.subspan(begin, kStepTokens)));
  }
  return chain;
}

Key RecordKey(std::string_view kind, std::string_view key) {
  Sha256 hash;
  AddText(kind, &hash);
  AddText(key, &hash);
  return hash.Finish();
}

std::string NameOf(const Key& key) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string name;
  for (size_t i = 0; i < kNameDigits / 2; ++i) {
    name += kDigits[key[i] >> 4];
    name += kDigits[key[i] & 15];
  }
  return name;
}

}  // namespace finback::cache
