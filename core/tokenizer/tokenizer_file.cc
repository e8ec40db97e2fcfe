#include "core/tokenizer/tokenizer_file.h"

#include <algorithm>
#include <map>
#include <optional>

#include "core/base/status.h"
#include "core/json/json_fields.h"
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

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  TokenizerFile Read(std::string_view text) {
    CheckSize(text);
    const JsonSource source{.code = Code::kCheckpoint, .file = path_};
    const Json document = ParseJsonFile(text, source, "model");
    JsonFields root(document, "", source);
    ReadNormalizer(&root);
    ReadModel(root.Within(root.RequireObject("model"), "model"));
    ReadAddedTokens(&root);
    ReadPreTokenizer(root.Within(root.RequireObject("pre_tokenizer"), "pre_tokenizer"));
    CheckPostProcessor(root.Object("post_processor"));
    CheckDecoder(root.Within(root.RequireObject("decoder"), "decoder"));
    return std::move(file_);
  }

 private:
  [[noreturn]] static void Unsupported(const JsonFields& fields, std::string_view name,
                                       const std::string& found) {
    fields.FailAtPath(Code::kUnsupported, fields.Path(name), found + " is not supported");
  }

  void CheckSize(std::string_view text) const {
    if (text.size() > TokenizerFile::kMaxBytes) {
      Throw(Code::kCheckpoint, "%s: %zu bytes, expected at most %zu", path_.c_str(), text.size(),
            TokenizerFile::kMaxBytes);
    }
    size_t values = 0;
    for (char c : text) values += c == ',' || c == '[' || c == '{';
    if (values > kMaxValues) {
      Throw(Code::kCheckpoint, "%s: %zu values, expected at most %zu", path_.c_str(), values,
            kMaxValues);
    }
  }

  // What must be off, because this library does not do it.
  static void RefuseFlag(JsonFields* fields, const char* name) {
    if (fields->Bool(name, false)) Unsupported(*fields, name, "true");
  }

  static bool IsId(const Json& json) {
    const int64_t id = json.Integer(-1);
    return json.IsInteger() && id >= 0 && id < TokenizerFile::kMaxIds;
  }

  // Only the normalizer that changes nothing.
  static void ReadNormalizer(JsonFields* root) {
    JsonFields normalizer = root->Object("normalizer");
    if (!normalizer.IsAbsent()) CheckNormalizer(std::move(normalizer));
  }
  static void CheckNormalizer(JsonFields normalizer) {
    const std::string& type = normalizer.RequireString("type");
    if (type != "Sequence") Unsupported(normalizer, "type", Quoted(type));
    CheckEach(&normalizer, "normalizers", CheckNormalizer);
  }

  void ReadModel(JsonFields model) {
    const std::string& type = model.RequireString("type");
    if (type != "BPE") Unsupported(model, "type", Quoted(type));
    const Json* dropout = model.Find("dropout");
    if (dropout != nullptr && !(dropout->IsNumber() && dropout->number == 0)) {
      Unsupported(model, "dropout", Described(*dropout));
    }
    for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const Json* affix = model.Find(name);
      if (affix != nullptr && !(affix->IsString() && affix->text.empty())) {
        Unsupported(model, name, Described(*affix));
      }
    }
    // unk_token and fuse_unk have no effect: every byte has a token.
    RefuseFlag(&model, "byte_fallback");
    file_.ignore_merges = model.Bool("ignore_merges", false);
    ReadVocab(&model);
    ReadMerges(&model);
  }

  void ReadVocab(JsonFields* model) {
    const Json& vocab = model->RequireObject("vocab");
    file_.tokens.reserve(vocab.members.size());
    names_.Reserve(vocab.members.size());
    for (const auto& [name, id_json] : vocab.members) {
      if (!IsId(id_json) || name.empty() || name.size() > TokenizerFile::kMaxTokenBytes) {
        RefuseEntry(*model, name, id_json);
      }
      const auto id = static_cast<int32_t>(id_json.Integer(-1));
      std::optional<std::string> bytes = FromByteAlphabet(name);
      names_.Add(name, id);
      TokenizerFile::Token token{.id = id, .spelled = bytes.has_value()};
      token.bytes = bytes ? std::move(*bytes) : name;
      file_.tokens.push_back(std::move(token));
    }
    names_.Build();
    SortIds(*model, vocab);
    for (int byte = 0; byte < 256; ++byte) {
      const std::string name = AlphabetSpelling(byte);
      file_.byte_ids[byte] = names_.FindFirst(name);
      if (file_.byte_ids[byte] < 0) {
        model->Fail("vocab",
                    Format("no token for byte 0x%02x: ", byte) + Quoted(name) + " is missing");
      }
    }
  }

  [[noreturn]] static void RefuseEntry(const JsonFields& model, const std::string& name,
                                       const Json& id) {
    const std::string entry = "vocab[" + Quoted(name) + "]";
    if (!IsId(id)) model.FailKind(entry, kExpectedId, id);
    model.Fail(entry, Format("a token of %zu bytes, expected 1 to %zu", name.size(),
                             TokenizerFile::kMaxTokenBytes));
  }

  void SortIds(const JsonFields& model, const Json& vocab) {
    by_id_.reserve(file_.tokens.size());
    for (size_t i = 0; i < file_.tokens.size(); ++i) by_id_.push_back({file_.tokens[i].id, i});
    std::sort(by_id_.begin(), by_id_.end());
    for (size_t i = 1; i < by_id_.size(); ++i) {
      if (by_id_[i].first != by_id_[i - 1].first) continue;
      model.Fail("vocab", Format("id %d belongs to both ", by_id_[i].first) +
                              Quoted(vocab.members[by_id_[i - 1].second].first) + " and " +
                              Quoted(vocab.members[by_id_[i].second].first));
    }
  }

  void ReadMerges(JsonFields* model) {
    file_.merges_where = path_ + ": " + model->Path("merges");
    const Json& merges = model->RequireArray("merges");
    file_.merges.reserve(merges.items.size());
    for (size_t i = 0; i < merges.items.size(); ++i) {
      file_.merges.push_back(ReadMerge(*model, merges.items[i], i));
    }
  }

  Merge ReadMerge(const JsonFields& model, const Json& json, size_t index) const {
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
      model.FailKind(Format("merges[%zu]", index), "two tokens, as \"a b\" or [\"a\", \"b\"]",
                     json);
    }
    const std::string together = std::string(left) + std::string(right);
    const Merge merge = {names_.FindFirst(left), names_.FindFirst(right),
                         names_.FindFirst(together)};
    for (const auto& [id, name] : {std::pair{merge.left, left}, std::pair{merge.right, right},
                                   std::pair{merge.result, std::string_view(together)}}) {
      if (id < 0) {
        model.Fail(Format("merges[%zu]", index), Quoted(name) + " is not in model.vocab");
      }
    }
    return merge;
  }

  void ReadAddedTokens(JsonFields* root) {
    const Json* added = root->FindArray("added_tokens");
    if (added == nullptr) return;
    std::map<int32_t, size_t> index_of_id;
    std::map<std::string_view, size_t> index_of_content;
    for (size_t i = 0; i < added->items.size(); ++i) {
      JsonFields fields = root->Within(added->items[i], root->Path("added_tokens", i));
      TokenizerFile::Token token = ReadAddedToken(&fields);
      const std::string& content = fields.RequireString("content");
      if (const auto [other, is_new] = index_of_id.emplace(token.id, i); !is_new) {
        fields.Fail("id", Format("%d is also that of added_tokens[%zu]", token.id, other->second));
      }
      if (const auto [other, is_new] = index_of_content.emplace(content, i); !is_new) {
        fields.Fail("content",
                    Quoted(content) + Format(" is also that of added_tokens[%zu]", other->second));
      }
      const int32_t vocab_id = names_.FindFirst(content);
      if (vocab_id >= 0 && vocab_id != token.id) {
        fields.Fail(
            "id", Format("%d, but model.vocab has %d for ", token.id, vocab_id) + Quoted(content));
      }
      const auto in_base =
          std::lower_bound(by_id_.begin(), by_id_.end(), std::pair{token.id, size_t{0}});
      if (in_base == by_id_.end() || in_base->first != token.id) {
        file_.tokens.push_back(std::move(token));
      } else if (vocab_id < 0) {
        fields.Fail("id", Format("%d belongs to another token in model.vocab", token.id));
      } else {
        TokenizerFile::Token& in_vocab = file_.tokens[in_base->second];
        if (in_vocab.bytes != token.bytes) {
          fields.Fail("content", Quoted(content) + " stands for other bytes in model.vocab");
        }
        token.spelled = in_vocab.spelled;
        in_vocab = std::move(token);
      }
    }
  }

  static TokenizerFile::Token ReadAddedToken(JsonFields* fields) {
    TokenizerFile::Token token;
    const Json& id = fields->Require("id");
    if (!IsId(id)) fields->FailKind("id", kExpectedId, id);
    token.id = static_cast<int32_t>(id.Integer(-1));
    const std::string& content = fields->RequireString("content");
    if (content.empty()) fields->Fail("content", "must not be empty");
    if (content.size() > TokenizerFile::kMaxTokenBytes) {
      fields->Fail("content", Format("%zu bytes, expected at most %zu", content.size(),
                                     TokenizerFile::kMaxTokenBytes));
    }
    for (const char* name : {"single_word", "lstrip", "rstrip"}) RefuseFlag(fields, name);
    token.bytes = content;
    token.added = true;
    token.special = fields->Bool("special", false);
    token.normalized = fields->Bool("normalized", !token.special);
    return token;
  }

  // Split steps, then one ByteLevel.
  void ReadPreTokenizer(JsonFields pre_tokenizer) {
    std::vector<JsonFields> steps;
    Flatten(pre_tokenizer, &steps);
    if (steps.empty()) pre_tokenizer.Fail("pretokenizers", "must not be empty");
    for (size_t i = 0; i < steps.size(); ++i) ReadStep(&steps[i], i + 1 == steps.size());
  }

  // The steps of a sequence, and of the sequences in it, in their order.
  static void Flatten(JsonFields step, std::vector<JsonFields>* steps) {
    if (step.RequireString("type") != "Sequence") {
      steps->push_back(std::move(step));
      return;
    }
    const Json& items = step.RequireArray("pretokenizers");
    if (steps->size() + items.items.size() > TokenizerFile::kMaxSplits) {
      step.Fail("pretokenizers",
                Format("%zu steps, expected at most %zu", steps->size() + items.items.size(),
                       TokenizerFile::kMaxSplits));
    }
    for (size_t i = 0; i < items.items.size(); ++i) {
      Flatten(step.Within(items.items[i], step.Path("pretokenizers", i)), steps);
    }
  }

  void ReadStep(JsonFields* step, bool is_last) {
    const std::string& type = step->RequireString("type");
    if (type == "Split" && !is_last) return ReadSplit(step);
    if (type == "ByteLevel" && is_last) {
      step->Require("add_prefix_space");
      RefuseFlag(step, "add_prefix_space");
      if (step->Bool("use_regex", true)) {
        file_.splits.push_back({true, kByteLevelPattern, path_ + ": " + step->Path("use_regex")});
      }
      return;
    }
    if (type == "Split" || type == "ByteLevel") {
      Unsupported(*step, "type",
                  "the last step, and no other, is ByteLevel; " + Quoted(type) + " here");
    }
    Unsupported(*step, "type", Quoted(type));
  }

  void ReadSplit(JsonFields* step) {
    const Json& pattern = step->Require("pattern");
    if (!pattern.IsObject() || pattern.members.size() != 1 ||
        !pattern.members[0].second.IsString() ||
        (pattern.members[0].first != "Regex" && pattern.members[0].first != "String")) {
      step->FailKind("pattern", "{\"Regex\": string} or {\"String\": string}", pattern);
    }
    const auto& [kind, text] = pattern.members[0];
    const std::string field = "pattern." + kind;
    if (text.text.empty() || text.text.size() > TokenizerFile::kMaxTokenBytes * 4) {
      step->Fail(field, Format("%zu bytes, expected 1 to %zu", text.text.size(),
                               TokenizerFile::kMaxTokenBytes * 4));
    }
    const std::string& behavior = step->RequireString("behavior");
    if (behavior != "Isolated") Unsupported(*step, "behavior", Quoted(behavior));
    step->Bool("invert", false);  // isolating the gaps instead makes the same pieces
    file_.splits.push_back({kind == "Regex", text.text, path_ + ": " + step->Path(field)});
  }

  // Post-processors add special tokens around a text, which the prompt encoder does itself, or move
  // offsets, which nobody reads; those we know add nothing else.
  static void CheckPostProcessor(JsonFields step) {
    if (step.IsAbsent()) return;
    const std::string& type = step.RequireString("type");
    if (type == "Sequence") return CheckEach(&step, "processors", CheckPostProcessor);
    for (const char* known :
         {"ByteLevel", "TemplateProcessing", "BertProcessing", "RobertaProcessing"}) {
      if (type == known) return;
    }
    Unsupported(step, "type", Quoted(type));
  }

  // Bytes to text, which is all that we do; Fuse joins what is joined anyway.
  static void CheckDecoder(JsonFields step) {
    const std::string& type = step.RequireString("type");
    if (type == "Sequence") return CheckEach(&step, "decoders", CheckDecoder);
    if (type != "ByteLevel" && type != "Fuse") Unsupported(step, "type", Quoted(type));
  }

  static void CheckEach(JsonFields* step, const char* list, void (*check)(JsonFields)) {
    const Json& items = step->RequireArray(list);
    for (size_t i = 0; i < items.items.size(); ++i) {
      check(step->Within(items.items[i], step->Path(list, i)));
    }
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
