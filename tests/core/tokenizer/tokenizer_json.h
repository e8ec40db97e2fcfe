// Builds small tokenizer.json texts: every byte has a token (ids 0..255 in byte order), then what a
// test adds. Members hold JSON, so that a test can put anything in their place.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/json/json.h"
#include "core/tokenizer/tokenizer.h"

namespace finback {

inline std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonString(text, &out);
  return out;
}

// The names that tokens of these bytes have in the file: GPT-2's byte alphabet.
inline std::string Spelled(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const int byte = static_cast<uint8_t>(c);
    int code_point = byte;
    if (byte <= 0x20) code_point = 0x100 + byte;
    if (byte >= 0x7f && byte <= 0xa0) code_point = 0x121 + byte - 0x7f;
    if (byte == 0xad) code_point = 0x143;
    if (code_point < 0x80) {
      out += static_cast<char>(code_point);
    } else {
      out += static_cast<char>(0xc0 | code_point >> 6);
      out += static_cast<char>(0x80 | (code_point & 0x3f));
    }
  }
  return out;
}

struct TokenizerJson {
  // The three steps of the published files.
  static constexpr const char* kPatterns[3] = {
      "\\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
      "[!\"#$%&'()*+,\\-./"
      ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
      " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"};

  std::string normalizer = R"({"type": "Sequence", "normalizers": []})";
  std::vector<std::string> steps;  // of the pre-tokenizer, before ByteLevel
  std::string byte_level =
      R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false})";
  std::string model_type = R"("BPE")";
  std::string model_more;                                  // `"name": value, ` and so on
  std::vector<std::pair<std::string, std::string>> vocab;  // name in the byte alphabet -> id
  std::vector<std::string> merges;
  std::vector<std::string> added;
  std::string decoder = R"({"type": "ByteLevel"})";
  std::string more;  // further members of the document, each ending in a comma

  TokenizerJson() {
    for (const char* pattern : kPatterns) AddSplit("Regex", pattern);
    for (int byte = 0; byte < 256; ++byte) {
      vocab.push_back({Spelled(std::string(1, static_cast<char>(byte))), std::to_string(byte)});
    }
  }

  void AddSplit(const char* kind, std::string_view pattern) {
    steps.push_back(R"({"type": "Split", "pattern": {")" + std::string(kind) +
                    "\": " + Quoted(pattern) + R"(}, "behavior": "Isolated", "invert": false})");
  }
  int AddToken(std::string_view bytes) {
    vocab.push_back({Spelled(bytes), std::to_string(vocab.size())});
    return static_cast<int>(vocab.size()) - 1;
  }
  // The merged token gets the next id, unless there is one.
  void AddMerge(std::string_view left, std::string_view right) {
    merges.push_back(Quoted(Spelled(left) + " " + Spelled(right)));
    const std::string name = Spelled(left) + Spelled(right);
    for (const auto& [known, id] : vocab) {
      if (known == name) return;
    }
    vocab.push_back({name, std::to_string(vocab.size())});
  }
  void AddAdded(int id, std::string_view content, bool special = false, bool normalized = false) {
    added.push_back(
        "{\"id\": " + std::to_string(id) + ", \"content\": " + Quoted(content) +
        ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": " +
        (normalized ? "true" : "false") + ", \"special\": " + (special ? "true" : "false") + "}");
  }

  static std::string Join(const std::vector<std::string>& items) {
    std::string out;
    for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
    return out;
  }
  std::string Text() const {
    std::vector<std::string> all_steps = steps;
    all_steps.push_back(byte_level);
    std::vector<std::string> entries;
    for (const auto& [name, id] : vocab) entries.push_back(Quoted(name) + ": " + id);
    return "{" + more + "\"normalizer\": " + normalizer + ", \"added_tokens\": [" + Join(added) +
           R"(], "pre_tokenizer": {"type": "Sequence", "pretokenizers": [)" + Join(all_steps) +
           "]}, \"decoder\": " + decoder + ", \"model\": {\"type\": " + model_type + ", " +
           model_more + "\"vocab\": {" + Join(entries) + "}, \"merges\": [" + Join(merges) + "]}}";
  }
  std::unique_ptr<Tokenizer> Parse() const { return Tokenizer::Parse(Text(), "t/tokenizer.json"); }
};

inline std::vector<int32_t> Ids(const Tokenizer& tokenizer, std::string_view text,
                                AddedTokens mode = AddedTokens::kRecognize) {
  std::vector<int32_t> ids;
  tokenizer.Encode(text, mode, &ids);
  return ids;
}

inline std::vector<std::string> Texts(const Tokenizer& tokenizer, std::string_view text,
                                      AddedTokens mode = AddedTokens::kRecognize) {
  std::vector<std::string> out;
  for (const int32_t id : Ids(tokenizer, text, mode)) out.emplace_back(tokenizer.Bytes(id));
  return out;
}

}  // namespace finback
