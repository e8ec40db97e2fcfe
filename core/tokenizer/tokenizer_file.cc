#include "core/tokenizer/tokenizer_file.h"

#include <algorithm>
#include <map>
#include <optional>

#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/json/json.h"
#include "core/tokenizer/text_index.h"

namespace finback {
namespace {

// A parsed JSON value takes two hundred bytes or so; the published file has half a million of them.
constexpr size_t kMaxValues = size_t{4} << 20;

constexpr const char* kExpectedId = "an id from 0 to 16777215";

// What ByteLevel splits by when its use_regex is set: GPT-2's pattern.
constexpr const char* kByteLevelPattern =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

// GPT-2's byte alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 and on.
constexpr int kAlphabetEnd = 0x144;

struct ByteAlphabet {
  std::array<char32_t, 256> of_byte = {};
  std::array<int16_t, kAlphabetEnd> to_byte = {};  // -1: not of the alphabet
};

constexpr ByteAlphabet MakeByteAlphabet() {
  ByteAlphabet alphabet;
  alphabet.to_byte.fill(-1);
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool is_itself = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
    const char32_t c = is_itself ? static_cast<char32_t>(byte) : next++;
    alphabet.of_byte[byte] = c;
    alphabet.to_byte[c] = static_cast<int16_t>(byte);
  }
  return alphabet;
}

constexpr ByteAlphabet kByteAlphabet = MakeByteAlphabet();

std::string AlphabetSpelling(int byte) {
  const char32_t c = kByteAlphabet.of_byte[byte];
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  return {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
}

// The bytes that a name in the byte alphabet stands for, or nothing if it is not in the alphabet.
std::optional<std::string> FromByteAlphabet(std::string_view name) {
  std::string bytes;
  for (size_t i = 0; i < name.size(); ++i) {
    const auto lead = static_cast<uint8_t>(name[i]);
    char32_t c = lead;
    if (lead >= 0x80) {
      if (lead >= 0xe0 || i + 1 == name.size()) return std::nullopt;
      c = static_cast<char32_t>(lead & 0x1f) << 6 | (static_cast<uint8_t>(name[++i]) & 0x3f);
    }
    if (c >= kAlphabetEnd || kByteAlphabet.to_byte[c] < 0) return std::nullopt;
    bytes += static_cast<char>(kByteAlphabet.to_byte[c]);
  }
  return bytes;
}

// For messages: one line, short, quoted.
std::string Quote(std::string_view text) {
  const std::string_view shown = CutUtf8(text, 40);
  std::string out;
  AppendJsonString(shown, &out);
  if (shown.size() < text.size()) out += "...";
  return out;
}

std::string Describe(const Json* json) {
  if (json == nullptr) return "nothing";
  switch (json->kind) {
    case Json::Kind::kNull:
      return "null";
    case Json::Kind::kBool:
      return json->boolean ? "true" : "false";
    case Json::Kind::kInteger:
    case Json::Kind::kFloat:
      return std::string(CutUtf8(json->text, 30));
    case Json::Kind::kString:
      return Quote(json->text);
    case Json::Kind::kArray:
      return "an array";
    case Json::Kind::kObject:
      return "an object";
  }
  return "nothing";
}

std::string Index(const char* field, size_t index) { return Format("%s[%zu]", field, index); }

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  TokenizerFile Read(std::string_view text) {
    CheckSize(text);
    Json root;
    try {
      root = ParseJson(text, path_.c_str());
    } catch (const Error& error) {
      throw Error(Code::kCheckpoint, error.what());
    }
    if (!root.IsObject()) Wrong("the document", "an object", &root);
    ReadNormalizer(root.Find("normalizer"));
    ReadModel(root);
    ReadAddedTokens(root.Find("added_tokens"));
    ReadPreTokenizer(root.Find("pre_tokenizer"));
    CheckByteLevel(root.Find("post_processor"), "post_processor", true);
    CheckByteLevel(root.Find("decoder"), "decoder", false);
    return std::move(file_);
  }

 private:
  [[noreturn]] void Fail(Code code, const std::string& field, const std::string& message) const {
    throw Error(code, path_ + ": " + field + ": " + message);
  }
  [[noreturn]] void Bad(const std::string& field, const std::string& message) const {
    Fail(Code::kCheckpoint, field, message);
  }
  [[noreturn]] void Wrong(const std::string& field, const char* expected, const Json* found) const {
    Bad(field, std::string("expected ") + expected + ", found " + Describe(found));
  }
  [[noreturn]] void Unsupported(const std::string& field, const Json* found) const {
    Fail(Code::kUnsupported, field, Describe(found) + " is not supported");
  }

  void CheckSize(std::string_view text) const {
    if (text.size() > TokenizerFile::kMaxBytes) {
      Bad("the file",
          Format("%zu bytes, expected at most %zu", text.size(), TokenizerFile::kMaxBytes));
    }
    size_t values = 0;
    for (char c : text) values += c == ',' || c == '[' || c == '{';
    if (values > kMaxValues) {
      Bad("the file", Format("%zu values, expected at most %zu", values, kMaxValues));
    }
  }

  const std::string& Type(const Json& object, const std::string& field) const {
    const Json* const type = object.Find("type");
    if (type == nullptr || !type->IsString()) Wrong(field + ".type", "a string", type);
    return type->text;
  }

  // Absent and null mean `fallback`.
  bool Flag(const Json& object, const std::string& field, const char* name, bool fallback) const {
    const Json* const flag = object.Find(name);
    if (flag == nullptr || flag->IsNull()) return fallback;
    if (!flag->IsBool()) Wrong(field + "." + name, "true or false", flag);
    return flag->boolean;
  }
  void RefuseFlag(const Json& object, const std::string& field, const char* name) const {
    if (Flag(object, field, name, false)) Unsupported(field + "." + name, object.Find(name));
  }

  static bool IsId(const Json* json) {
    if (json == nullptr || !json->IsInteger()) return false;
    const int64_t id = json->Integer(-1);
    return id >= 0 && id < TokenizerFile::kMaxIds;
  }
  int32_t Id(const Json* json, const std::string& field) const {
    if (!IsId(json)) Wrong(field, kExpectedId, json);
    return static_cast<int32_t>(json->Integer(-1));
  }

  // Only the normalizer that changes nothing.
  void ReadNormalizer(const Json* normalizer) const {
    if (normalizer == nullptr || normalizer->IsNull()) return;
    if (!normalizer->IsObject()) Wrong("normalizer", "an object or null", normalizer);
    const std::string& type = Type(*normalizer, "normalizer");
    const Json* const steps = normalizer->Find("normalizers");
    if (type == "Sequence" && steps != nullptr && steps->IsArray()) {
      for (size_t i = 0; i < steps->items.size(); ++i) {
        const std::string field = Index("normalizer.normalizers", i);
        if (!steps->items[i].IsObject()) Wrong(field, "an object", &steps->items[i]);
        Type(steps->items[i], field);
        Unsupported(field + ".type", steps->items[i].Find("type"));
      }
      return;
    }
    if (type == "Sequence") Wrong("normalizer.normalizers", "an array", steps);
    Unsupported("normalizer.type", normalizer->Find("type"));
  }

  void ReadModel(const Json& root) {
    const Json* const model = root.Find("model");
    if (model == nullptr || !model->IsObject()) Wrong("model", "an object", model);
    if (Type(*model, "model") != "BPE") Unsupported("model.type", model->Find("type"));
    const Json* const dropout = model->Find("dropout");
    if (dropout != nullptr && !dropout->IsNull() &&
        !(dropout->IsNumber() && dropout->number == 0)) {
      Unsupported("model.dropout", dropout);
    }
    for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const Json* const affix = model->Find(name);
      if (affix != nullptr && !affix->IsNull() && !(affix->IsString() && affix->text.empty())) {
        Unsupported(std::string("model.") + name, affix);
      }
    }
    // unk_token and fuse_unk have no effect: every byte has a token.
    RefuseFlag(*model, "model", "byte_fallback");
    file_.ignore_merges = Flag(*model, "model", "ignore_merges", false);
    ReadVocab(model->Find("vocab"));
    ReadMerges(model->Find("merges"));
  }

  void ReadVocab(const Json* vocab) {
    if (vocab == nullptr || !vocab->IsObject()) Wrong("model.vocab", "an object", vocab);
    file_.tokens.reserve(vocab->members.size());
    names_.Reserve(vocab->members.size());
    for (const auto& [name, id_json] : vocab->members) {
      if (!IsId(&id_json) || name.empty() || name.size() > TokenizerFile::kMaxTokenBytes) {
        RefuseEntry(name, id_json);
      }
      const auto id = static_cast<int32_t>(id_json.Integer(-1));
      std::optional<std::string> bytes = FromByteAlphabet(name);
      names_.Add(name, id);
      TokenizerFile::Token token{.id = id, .spelled = bytes.has_value()};
      token.bytes = bytes ? std::move(*bytes) : name;
      file_.tokens.push_back(std::move(token));
    }
    names_.Build();
    SortIds(*vocab);
    for (int byte = 0; byte < 256; ++byte) {
      const std::string name = AlphabetSpelling(byte);
      file_.byte_ids[byte] = names_.FindFirst(name);
      if (file_.byte_ids[byte] < 0) {
        Bad("model.vocab",
            Format("no token for byte 0x%02x: ", byte) + Quote(name) + " is missing");
      }
    }
  }

  [[noreturn]] void RefuseEntry(const std::string& name, const Json& id) const {
    const std::string field = "model.vocab[" + Quote(name) + "]";
    if (!IsId(&id)) Wrong(field, kExpectedId, &id);
    Bad(field, Format("a token of %zu bytes, expected 1 to %zu", name.size(),
                      TokenizerFile::kMaxTokenBytes));
  }

  void SortIds(const Json& vocab) {
    by_id_.reserve(file_.tokens.size());
    for (size_t i = 0; i < file_.tokens.size(); ++i) by_id_.push_back({file_.tokens[i].id, i});
    std::sort(by_id_.begin(), by_id_.end());
    for (size_t i = 1; i < by_id_.size(); ++i) {
      if (by_id_[i].first != by_id_[i - 1].first) continue;
      Bad("model.vocab", Format("id %d belongs to both ", by_id_[i].first) +
                             Quote(vocab.members[by_id_[i - 1].second].first) + " and " +
                             Quote(vocab.members[by_id_[i].second].first));
    }
  }

  void ReadMerges(const Json* merges) {
    file_.merges_where = path_ + ": model.merges";
    if (merges == nullptr || !merges->IsArray()) Wrong("model.merges", "an array", merges);
    file_.merges.reserve(merges->items.size());
    for (size_t i = 0; i < merges->items.size(); ++i) {
      file_.merges.push_back(ReadMerge(merges->items[i], i));
    }
  }

  Merge ReadMerge(const Json& json, size_t index) const {
    std::string_view left;
    std::string_view right;
    if (json.IsString()) {
      const std::string_view text = json.text;
      const size_t space = text.find(' ');
      if (space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos) {
        left = text.substr(0, space);
        right = text.substr(space + 1);
      }
    } else if (json.IsArray() && json.items.size() == 2 && json.items[0].IsString() &&
               json.items[1].IsString()) {
      left = json.items[0].text;
      right = json.items[1].text;
    }
    if (left.empty() || right.empty()) {
      Wrong(Index("model.merges", index), "two tokens, as \"a b\" or [\"a\", \"b\"]", &json);
    }
    const std::string together = std::string(left) + std::string(right);
    const Merge merge = {names_.FindFirst(left), names_.FindFirst(right),
                         names_.FindFirst(together)};
    for (const auto& [id, name] : {std::pair{merge.left, left}, std::pair{merge.right, right},
                                   std::pair{merge.result, std::string_view(together)}}) {
      if (id < 0) Bad(Index("model.merges", index), Quote(name) + " is not in model.vocab");
    }
    return merge;
  }

  void ReadAddedTokens(const Json* added) {
    if (added == nullptr || added->IsNull()) return;
    if (!added->IsArray()) Wrong("added_tokens", "an array", added);
    std::map<int32_t, size_t> index_of_id;
    std::map<std::string_view, size_t> index_of_content;
    for (size_t i = 0; i < added->items.size(); ++i) {
      TokenizerFile::Token token = ReadAddedToken(added->items[i], i);
      const std::string& content = added->items[i].Find("content")->text;
      if (const auto [other, is_new] = index_of_id.emplace(token.id, i); !is_new) {
        Bad(Index("added_tokens", i) + ".id",
            Format("%d is also that of added_tokens[%zu]", token.id, other->second));
      }
      if (const auto [other, is_new] = index_of_content.emplace(content, i); !is_new) {
        Bad(Index("added_tokens", i) + ".content",
            Quote(content) + Format(" is also that of added_tokens[%zu]", other->second));
      }
      const int32_t vocab_id = names_.FindFirst(content);
      if (vocab_id >= 0 && vocab_id != token.id) {
        Bad(Index("added_tokens", i) + ".id",
            Format("%d, but model.vocab has %d for ", token.id, vocab_id) + Quote(content));
      }
      const auto in_base =
          std::lower_bound(by_id_.begin(), by_id_.end(), std::pair{token.id, size_t{0}});
      if (in_base == by_id_.end() || in_base->first != token.id) {
        file_.tokens.push_back(std::move(token));
      } else if (vocab_id < 0) {
        Bad(Index("added_tokens", i) + ".id",
            Format("%d belongs to another token in model.vocab", token.id));
      } else {
        TokenizerFile::Token& in_vocab = file_.tokens[in_base->second];
        if (in_vocab.bytes != token.bytes) {
          Bad(Index("added_tokens", i) + ".content",
              Quote(content) + " stands for other bytes in model.vocab");
        }
        token.spelled = in_vocab.spelled;
        in_vocab = std::move(token);
      }
    }
  }

  TokenizerFile::Token ReadAddedToken(const Json& json, size_t index) const {
    const std::string field = Index("added_tokens", index);
    if (!json.IsObject()) Wrong(field, "an object", &json);
    TokenizerFile::Token token;
    token.id = Id(json.Find("id"), field + ".id");
    const Json* const content = json.Find("content");
    if (content == nullptr || !content->IsString() || content->text.empty()) {
      Wrong(field + ".content", "a string that is not empty", content);
    }
    if (content->text.size() > TokenizerFile::kMaxTokenBytes) {
      Bad(field + ".content", Format("%zu bytes, expected at most %zu", content->text.size(),
                                     TokenizerFile::kMaxTokenBytes));
    }
    for (const char* name : {"single_word", "lstrip", "rstrip"}) RefuseFlag(json, field, name);
    token.bytes = content->text;
    token.added = true;
    token.special = Flag(json, field, "special", false);
    token.normalized = Flag(json, field, "normalized", !token.special);
    return token;
  }

  // Split steps, then one ByteLevel.
  void ReadPreTokenizer(const Json* pre_tokenizer) {
    if (pre_tokenizer == nullptr || !pre_tokenizer->IsObject()) {
      Wrong("pre_tokenizer", "an object", pre_tokenizer);
    }
    if (Type(*pre_tokenizer, "pre_tokenizer") != "Sequence") {
      return ReadStep(*pre_tokenizer, "pre_tokenizer", true);
    }
    const Json* const steps = pre_tokenizer->Find("pretokenizers");
    if (steps == nullptr || !steps->IsArray() || steps->items.empty()) {
      Wrong("pre_tokenizer.pretokenizers", "an array that is not empty", steps);
    }
    if (steps->items.size() > TokenizerFile::kMaxSplits) {
      Bad("pre_tokenizer.pretokenizers", Format("%zu steps, expected at most %zu",
                                                steps->items.size(), TokenizerFile::kMaxSplits));
    }
    for (size_t i = 0; i < steps->items.size(); ++i) {
      ReadStep(steps->items[i], Index("pre_tokenizer.pretokenizers", i),
               i + 1 == steps->items.size());
    }
  }

  void ReadStep(const Json& step, const std::string& field, bool is_last) {
    if (!step.IsObject()) Wrong(field, "an object", &step);
    const std::string& type = Type(step, field);
    if (type == "Split" && !is_last) return ReadSplit(step, field);
    if (type == "ByteLevel" && is_last) {
      RefuseFlag(step, field, "add_prefix_space");
      if (step.Find("add_prefix_space") == nullptr) {
        Wrong(field + ".add_prefix_space", "true or false", nullptr);
      }
      if (Flag(step, field, "use_regex", true)) {
        file_.splits.push_back({true, kByteLevelPattern, path_ + ": " + field + ".use_regex"});
      }
      return;
    }
    if (type == "Split" || type == "ByteLevel") {
      Fail(Code::kUnsupported, field + ".type",
           Quote(type) + " here is not supported: the last step, and no other, is ByteLevel");
    }
    Unsupported(field + ".type", step.Find("type"));
  }

  void ReadSplit(const Json& step, const std::string& field) {
    const Json* const pattern = step.Find("pattern");
    if (pattern == nullptr || !pattern->IsObject() || pattern->members.size() != 1 ||
        !pattern->members[0].second.IsString()) {
      Wrong(field + ".pattern", "{\"Regex\": string} or {\"String\": string}", pattern);
    }
    const auto& [kind, text] = pattern->members[0];
    if (kind != "Regex" && kind != "String") {
      Wrong(field + ".pattern", "{\"Regex\": string} or {\"String\": string}", pattern);
    }
    const std::string pattern_field = field + ".pattern." + kind;
    if (text.text.empty() || text.text.size() > TokenizerFile::kMaxTokenBytes * 4) {
      Bad(pattern_field, Format("%zu bytes, expected 1 to %zu", text.text.size(),
                                TokenizerFile::kMaxTokenBytes * 4));
    }
    const Json* const behavior = step.Find("behavior");
    if (behavior == nullptr || !behavior->IsString()) {
      Wrong(field + ".behavior", "a string", behavior);
    }
    if (behavior->text != "Isolated") Unsupported(field + ".behavior", behavior);
    Flag(step, field, "invert", false);  // isolating the gaps instead makes the same pieces
    file_.splits.push_back({kind == "Regex", text.text, path_ + ": " + pattern_field});
  }

  // ByteLevel only: it adds no tokens and decodes byte by byte, which is all that we do.
  void CheckByteLevel(const Json* json, const std::string& field, bool may_be_null) const {
    if (may_be_null && (json == nullptr || json->IsNull())) return;
    if (json == nullptr || !json->IsObject()) Wrong(field, "an object", json);
    if (Type(*json, field) != "ByteLevel") Unsupported(field + ".type", json->Find("type"));
  }

  const std::string& path_;
  TokenizerFile file_;
  TextIndex names_;                                // of model.vocab, into the document
  std::vector<std::pair<int32_t, size_t>> by_id_;  // ids of model.vocab, places in file_.tokens
};

}  // namespace

TokenizerFile TokenizerFile::Parse(std::string_view json, const std::string& path) {
  return Reader(path).Read(json);
}

}  // namespace finback
