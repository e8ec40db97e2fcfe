// Sampling defaults and further end markers of a checkpoint. They are conveniences: nothing in
// these files keeps a checkpoint from opening, what cannot be used is a note.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json/json.h"

namespace finback {

// One id or a list of them.
struct TokenIds {
  std::vector<int32_t> ids;  // those below vocab, each once
  std::string others;        // the rest as they are spelled, "" when there is none
};
TokenIds ReadTokenIds(const Json& value, int32_t vocab);

struct GenerationConfig {
  bool do_sample = true;
  double temperature = 1.0, top_p = 1.0, min_p = 0.0;
  bool has_top_p = false;     // the file says it
  int32_t top_k = 0;          // 0: off
  bool has_thinking = false;  // optional "thinking": true|false in the file overrides the default
  bool thinking = true;
  std::vector<int32_t> eos_ids;    // beside the configuration's own
  std::vector<std::string> notes;  // what was not understood or is not applied, for the log
};

// <folder>/generation_config.json; the published defaults where a field or the file is absent, and
// a note and the default where a value cannot be used.
GenerationConfig LoadGenerationConfig(const std::string& folder, int32_t vocab);

// The text of "eos_token" in <folder>/tokenizer_config.json, "" when there is none.
std::string LoadEosToken(const std::string& folder, std::vector<std::string>* notes);

}  // namespace finback
