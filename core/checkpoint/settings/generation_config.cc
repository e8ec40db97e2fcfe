#include "core/checkpoint/settings/generation_config.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <string_view>

#include "core/base/contains.h"
#include "core/base/file_map.h"
#include "core/base/file_nature.h"
#include "core/base/status.h"
#include "core/json/json_fields.h"

namespace finback {
namespace {

constexpr size_t kMaxBytes = 16u << 20;

// Fields that say nothing of how this library samples.
constexpr std::string_view kSilent[] = {
    "_from_model_config", "bos_token_id",         "pad_token_id",         "transformers_version",
    "use_cache",          "return_dict",          "output_scores",        "output_logits",
    "output_attentions",  "output_hidden_states", "cache_implementation", "trust_remote_code"};

// Fields of other engines that change what is sampled, and the value that changes nothing.
struct Neutral {
  std::string_view name;
  double value;
};
constexpr Neutral kNeutral[] = {{"repetition_penalty", 1},
                                {"encoder_repetition_penalty", 1},
                                {"presence_penalty", 0},
                                {"frequency_penalty", 0},
                                {"no_repeat_ngram_size", 0},
                                {"typical_p", 1},
                                {"epsilon_cutoff", 0},
                                {"eta_cutoff", 0},
                                {"num_beams", 1},
                                {"num_beam_groups", 1},
                                {"num_return_sequences", 1},
                                {"penalty_alpha", 0},
                                {"diversity_penalty", 0},
                                {"length_penalty", 1},
                                {"min_new_tokens", 0},
                                {"min_length", 0},
                                {"top_h", 0}};

class Reader {
 public:
  Reader(const Json& document, GenerationConfig* config) : document_(document), config_(*config) {}

  void Read(int32_t vocab) {
    for (const auto& [name, value] : document_.members) {
      if (!value.IsNull()) ReadField(name, value, vocab);
    }
  }

 private:
  void ReadField(const std::string& name, const Json& value, int32_t vocab) {
    if (name == "do_sample") {
      Flag(name, value, &config_.do_sample);
    } else if (name == "thinking") {
      config_.has_thinking = Flag(name, value, &config_.thinking);
    } else if (name == "temperature") {
      Number(name, value, 100, &config_.temperature);
    } else if (name == "top_p") {
      config_.has_top_p = Number(name, value, 1, &config_.top_p);
    } else if (name == "min_p") {
      Number(name, value, 1, &config_.min_p);
    } else if (name == "top_k") {
      TopK(value);
    } else if (name == "eos_token_id") {
      const TokenIds found = ReadTokenIds(value, vocab);
      config_.eos_ids = found.ids;
      if (!found.others.empty()) Note(name, "ignored " + found.others);
    } else if (!Contains(kSilent, name) && !IsNeutral(name, value)) {
      Note(name, "ignored " + Described(value));
    }
  }

  static bool IsNeutral(const std::string& name, const Json& value) {
    const auto row = std::find_if(std::begin(kNeutral), std::end(kNeutral),
                                  [&](const Neutral& neutral) { return neutral.name == name; });
    return row != std::end(kNeutral) && value.IsNumber() && value.number == row->value;
  }

  bool Flag(const std::string& name, const Json& value, bool* flag) {
    if (value.IsBool()) {
      *flag = value.boolean;
    } else {
      Note(name, "ignored " + Described(value) + ", expected true or false");
    }
    return value.IsBool();
  }

  bool Number(const std::string& name, const Json& value, double high, double* number) {
    const bool good = value.IsNumber() && value.number >= 0 && value.number <= high;
    if (good) {
      *number = value.number;
    } else {
      Note(name, "ignored " + Described(value) + Format(", expected a number from 0 to %g", high));
    }
    return good;
  }

  // 50.0 is a whole number elsewhere, and -1 is how other engines spell "off".
  void TopK(const Json& value) {
    if (value.IsNumber() && value.number == -1) {
      config_.top_k = 0;
    } else if (value.IsNumber() && value.number >= 0 && value.number <= INT32_MAX &&
               value.number == std::floor(value.number)) {
      config_.top_k = static_cast<int32_t>(value.number);
    } else {
      Note("top_k", "ignored " + Described(value) + ", expected a whole number, 0 or -1 for off");
    }
  }

  void Note(const std::string& name, const std::string& what) {
    constexpr size_t kMostNotes = 20;  // of a file that is someone else's altogether
    if (config_.notes.size() < kMostNotes) config_.notes.push_back(Shown(name) + ": " + what);
  }

  const Json& document_;
  GenerationConfig& config_;
};

// The document of <folder>/<name>; null without such a file, and a note when it is no object.
Json LoadOptional(const std::string& folder, const char* name, std::vector<std::string>* notes) {
  const std::string path = folder + "/" + name;
  try {
    const std::string text = ReadFile(path, kMaxBytes);
    RefuseOtherNature(path, text, text.size());
    Json document = ParseJson(text, {.code = Code::kCheckpoint, .file = path});
    if (document.IsObject()) return document;
    notes->push_back("ignored the file: expected an object, found " + Described(document));
  } catch (const Error& error) {
    if (error.code() != Code::kNotFound) {
      notes->push_back("ignored the file: " + std::string(error.what()));
    }
  }
  return {};
}

}  // namespace

TokenIds ReadTokenIds(const Json& value, int32_t vocab) {
  TokenIds out;
  const auto add = [&](const Json& id) {
    const int64_t number = id.Integer(-1);
    if (number < 0 || number >= vocab) {
      out.others += (out.others.empty() ? "" : ", ") + Described(id);
    } else if (!Contains(out.ids, static_cast<int32_t>(number))) {
      out.ids.push_back(static_cast<int32_t>(number));
    }
  };
  if (!value.IsArray()) {
    add(value);
    return out;
  }
  constexpr size_t kMostIds = 64;
  for (size_t i = 0; i < value.items.size() && i < kMostIds; ++i) add(value.items[i]);
  if (value.items.size() > kMostIds) out.others += Format(" and all after the %zuth", kMostIds);
  return out;
}

GenerationConfig LoadGenerationConfig(const std::string& folder, int32_t vocab) {
  GenerationConfig config;
  const Json document = LoadOptional(folder, "generation_config.json", &config.notes);
  Reader(document, &config).Read(vocab);
  return config;
}

std::string LoadEosToken(const std::string& folder, std::vector<std::string>* notes) {
  const Json document = LoadOptional(folder, "tokenizer_config.json", notes);
  const Json* token = document.Find("eos_token");
  if (token != nullptr && token->IsObject()) token = token->Find("content");
  return token != nullptr && token->IsString() ? token->text : "";
}

}  // namespace finback
