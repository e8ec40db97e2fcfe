#include "tests/core/local/model_builder.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

#include "core/base/number_formats.h"
#include "tests/core/checkpoint/checkpoint_builder.h"

namespace finback {
namespace {

constexpr double kLogit = 40;

const std::vector<std::string>& SpecialTexts() {
  static const std::vector<std::string> texts = {
      "<\uff5cbegin\u2581of\u2581sentence\uff5c>",
      kEosText,
      "<\uff5cUser\uff5c>",
      "<\uff5cAssistant\uff5c>",
      "<think>",
      "</think>",
      kDsmlText,
      "<\uff5clatest_reminder\uff5c>",
      "<\uff5caction\uff5c>",
      "<\uff5cquery\uff5c>",
      "<\uff5cauthority\uff5c>",
      "<\uff5cdomain\uff5c>",
      "<\uff5ctitle\uff5c>",
      "<\uff5cread_url\uff5c>",
  };
  return texts;
}

TokenizerJson TestTokenizer() {
  TokenizerJson json;
  int id = kBos;
  for (const std::string& text : SpecialTexts()) {
    json.AddAdded(id, text, id <= kEos);
    ++id;
  }
  return json;
}

nlohmann::ordered_json TestConfig(int vocab) {
  nlohmann::ordered_json config = TinyConfig();
  config["vocab_size"] = vocab;
  config["bos_token_id"] = static_cast<int>(kBos);
  config["eos_token_id"] = static_cast<int>(kEos);
  config["max_position_embeddings"] = 4096;
  return config;
}

void WriteSides(const std::string& folder, const TokenizerJson& tokenizer) {
  WriteText(folder + "/tokenizer.json", tokenizer.Text());
  WriteText(folder + "/generation_config.json", R"({"do_sample": false})");
}

void SetBf16(BuiltTensor* tensor, const std::vector<double>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    const Bf16 code = FloatToBf16(static_cast<float>(values[i]));
    memcpy(tensor->data.data() + 2 * i, &code, sizeof code);
  }
}

}  // namespace

std::string MakeRandomModel(const std::string& folder, uint64_t seed) {
  TokenizerJson tokenizer = TestTokenizer();
  int id = kFirstChunk;
  for (char a = 'a'; a <= 'z'; ++a) {
    for (char b = 'a'; b <= 'e'; ++b) tokenizer.AddAdded(id++, std::string{' ', a, b, 'x'});
  }
  BuildCheckpoint(TestConfig(id), seed).Write(folder);
  WriteSides(folder, tokenizer);
  return folder;
}

std::vector<ScriptStep> Chain(const std::vector<std::string>& texts) {
  std::vector<ScriptStep> steps;
  for (size_t i = 1; i < texts.size(); ++i) steps.push_back({texts[i - 1], texts[i], 1});
  return steps;
}

std::string MakeScriptedModel(const std::string& folder, const std::vector<ScriptStep>& steps) {
  TokenizerJson tokenizer = TestTokenizer();
  std::map<std::string, int> ids;
  for (int byte = 0; byte < 256; ++byte) ids[std::string(1, static_cast<char>(byte))] = byte;
  for (size_t i = 0; i < SpecialTexts().size(); ++i) {
    ids[SpecialTexts()[i]] = kBos + static_cast<int>(i);
  }
  int next = kFirstChunk;
  for (const ScriptStep& step : steps) {
    for (const std::string& text : {step.from, step.to}) {
      if (ids.emplace(text, next).second) tokenizer.AddAdded(next++, text);
    }
  }
  BuiltCheckpoint built = BuildCheckpoint(TestConfig(next), 1);
  // Layers add nothing, so the last state is the last token's embedding;
  // the head knows what follows it.
  for (BuiltTensor& tensor : built.tensors) {
    const bool output =
        tensor.name.ends_with(".wo_b.weight") || tensor.name.ends_with(".w2.weight");
    // Matrices of zeros alone are refused: one weight is not, and its scale makes nothing of it.
    if (output) std::fill(tensor.data.begin() + 1, tensor.data.end(), '\0');
    if (output) tensor.data[0] = 1;
    const bool scale = tensor.name.ends_with(".wo_b.scale") || tensor.name.ends_with(".w2.scale");
    if (scale) std::fill(tensor.data.begin(), tensor.data.end(), '\x01');
  }
  const size_t width = built.config.at("hidden_size").get<size_t>();
  const size_t vocab = static_cast<size_t>(next);
  std::mt19937_64 random(5);
  // Rows of the head are equal where nothing follows; zeros throughout would be no checkpoint's.
  std::vector<double> embed(vocab * width), head(vocab * width, 1e-30);
  for (double& value : embed) value = random() % 2 == 0 ? 1 : -1;
  for (const ScriptStep& step : steps) {
    const size_t from = static_cast<size_t>(ids.at(step.from));
    const size_t to = static_cast<size_t>(ids.at(step.to));
    for (size_t i = 0; i < width; ++i) {
      head[to * width + i] +=
          kLogit * step.strength / static_cast<double>(width) * embed[from * width + i];
    }
  }
  SetBf16(&built.At("embed.weight"), embed);
  SetBf16(&built.At("head.weight"), head);
  SetBf16(&built.At("norm.weight"), std::vector<double>(width, 1.0));
  built.Write(folder);
  WriteSides(folder, tokenizer);
  return folder;
}

}  // namespace finback
