// Small random checkpoints in the published layout, whole or spoilt on purpose.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace finback {

struct BuiltTensor {
  std::string name, dtype;
  std::vector<int64_t> shape;
  std::string data;
};

struct BuiltCheckpoint {
  nlohmann::ordered_json config;
  std::vector<BuiltTensor> tensors;

  BuiltTensor& At(const std::string& name);  // throws std::out_of_range
  void Remove(const std::string& name);
  // config.json, and model.safetensors or that many shards with an index.
  // The folder is emptied first.
  void Write(const std::string& folder, int shards = 1) const;
};

enum class BuildLinears { kQuantized, kBf16, kF32 };

// Five layers of every kind with hash and scored routing, four streams and an MTP block: the
// `mixed` preset of tests/oracle/make_case.py.
nlohmann::ordered_json TinyConfig();
// The same network cut down to what a header test needs: two layers (CSA, HCA),
// four experts, no MTP.
nlohmann::ordered_json SmallestConfig();

BuiltCheckpoint BuildCheckpoint(const nlohmann::ordered_json& config, uint64_t seed,
                                BuildLinears linears = BuildLinears::kQuantized);

// A valid quantized checkpoint of TinyConfig() in `folder`; returns the folder.
std::string MakeTinyCheckpoint(const std::string& folder, uint64_t seed);

// One file: length, header text as it is, buffer.
void WriteSafetensors(const std::string& path, const std::string& header,
                      const std::string& buffer);
// The header text that belongs to `tensors` laid out one after the other.
nlohmann::ordered_json HeaderOf(const std::vector<BuiltTensor>& tensors);
std::string BufferOf(const std::vector<BuiltTensor>& tensors);
void WriteText(const std::string& path, const std::string& text);
std::string ReadText(const std::string& path);

}  // namespace finback
