// tokenizer.json is hostile until checked: each fault is an error that names path and field.
#include "core/tokenizer/tokenizer_file.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "core/base/status.h"
#include "tests/core/tokenizer/tokenizer_json.h"

namespace finback {
namespace {

void ExpectRefused(const std::string& text, Code code, const std::string& reason) {
  try {
    Tokenizer::Parse(text, "t/tokenizer.json");
    ADD_FAILURE() << "accepted, expected: " << reason;
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.code(), code) << message;
    EXPECT_EQ(message.rfind("t/tokenizer.json: ", 0), 0u) << message;
    EXPECT_NE(message.find(reason), std::string::npos) << message << "\nexpected: " << reason;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 400u) << message;
  }
}

struct Fault {
  std::function<void(TokenizerJson*)> make;
  Code code;
  const char* reason;
};

void ExpectFaults(const std::vector<Fault>& faults) {
  for (const Fault& fault : faults) {
    TokenizerJson json;
    json.AddMerge("a", "b");
    fault.make(&json);
    ExpectRefused(json.Text(), fault.code, fault.reason);
  }
}

using J = TokenizerJson*;
constexpr Code kBad = Code::kCheckpoint;
constexpr Code kRefused = Code::kUnsupported;

TEST(TokenizerFile, RefusesWhatIsNotAnObject) {
  for (const char* text : {"", "{", "nonsense", "{\"a\": \"\xff\"}", "{} {}"}) {
    ExpectRefused(text, kBad, "t/tokenizer.json");
  }
  ExpectRefused("[]", kBad, "expected an object, found a list of 0");
  ExpectRefused("{}", kBad, "model: is missing");
}

TEST(TokenizerFile, RefusesHugeDocuments) {
  ExpectRefused("[" + std::string(5 << 20, ',') + "]", kBad, "values, expected at most");
  ExpectRefused(std::string(TokenizerFile::kMaxBytes + 1, ' '), kBad, "bytes, expected at most");
}

TEST(TokenizerFile, RefusesMalformedVocabularies) {
  const auto vocab = [](const char* name, const char* id) {
    return [=](J j) { j->vocab.push_back({name, id}); };
  };
  ExpectFaults({
      {vocab("zz", "16777216"), kBad,
       "model.vocab[\"zz\"]: expected an id from 0 to 16777215, found 16777216"},
      {vocab("zz", "-1"), kBad, "found -1"},
      {vocab("zz", "1e3"), kBad, "found 1e3"},
      {vocab("zz", "99999999999999999999999"), kBad, "found 99999999999999999999999"},
      {vocab("zz", "\"7\""), kBad, "found \"7\""},
      {vocab("zz", "null"), kBad, "found null"},
      {vocab("zz", "65"), kBad, "id 65 belongs to both"},
      {vocab("", "300"), kBad, "a token of 0 bytes"},
      {[](J j) {
         j->vocab.push_back({std::string(5000, 'x'), "300"});
       },
       kBad, "5000 bytes"},
      {[](J j) { j->vocab.erase(j->vocab.begin() + 0x41); }, kBad,
       "no token for byte 0x41: \"A\" is missing"},
      {[](J j) { j->vocab.clear(); }, kBad, "no token for byte 0x00"},
  });
}

TEST(TokenizerFile, RefusesMalformedMerges) {
  const auto merge = [](const char* text) { return [=](J j) { j->merges.push_back(text); }; };
  ExpectFaults({
      {merge("\"ab\""), kBad, "model.merges[1]: expected two tokens"},
      {merge("\"a b c\""), kBad, "model.merges[1]: expected two tokens"},
      {merge("\" b\""), kBad, "expected two tokens"},
      {merge("\"a \""), kBad, "expected two tokens"},
      {merge("[\"a\"]"), kBad, "found a list of 1"},
      {merge("[\"a\", 1]"), kBad, "found a list of 2"},
      {merge("[\"a\", \"b\", \"c\"]"), kBad, "found a list of 3"},
      {merge("7"), kBad, "found 7"},
      {merge("\"qq a\""), kBad, "\"qq\" is not in model.vocab"},
      {merge("\"a qq\""), kBad, "\"qq\" is not in model.vocab"},
      {merge("\"b a\""), kBad, "\"ba\" is not in model.vocab"},
      {merge("\"a b\""), kBad, "model.merges[1] repeats [0]"},
  });
}

TEST(TokenizerFile, RefusesMalformedAddedTokens) {
  const auto added = [](const char* text) {
    return [=](J j) {
      j->AddAdded(300, "<x>");
      j->added.push_back(text);
    };
  };
  ExpectFaults({
      {added("7"), kBad, "added_tokens[1]: expected an object, found 7"},
      {added(R"({"content": "a"})"), kBad, "added_tokens[1].id: is missing"},
      {added(R"({"id": 16777216, "content": "a"})"), kBad, "found 16777216"},
      {added(R"({"id": 301})"), kBad, "added_tokens[1].content: is missing"},
      {added(R"({"id": 301, "content": ""})"), kBad, "added_tokens[1].content: must not be empty"},
      {added(R"({"id": 300, "content": "<y>"})"), kBad, "300 is also that of added_tokens[0]"},
      {added(R"({"id": 301, "content": "<x>"})"), kBad, "is also that of added_tokens[0]"},
      {added(R"({"id": 301, "content": "a"})"), kBad, "301, but model.vocab has 97 for \"a\""},
      {added("{\"id\": 233, \"content\": \"\u00e9\"}"), kBad, "stands for other bytes"},
      {added(R"({"id": 97, "content": "<y>"})"), kBad, "97 belongs to another token"},
      {added(R"({"id": 301, "content": "<y>", "special": 1})"), kBad,
       ".special: expected true or false"},
      {added(R"({"id": 301, "content": "<y>", "lstrip": true})"), kRefused,
       "added_tokens[1].lstrip: true"},
      {added(R"({"id": 301, "content": "<y>", "rstrip": true})"), kRefused,
       "added_tokens[1].rstrip: true"},
      {added(R"({"id": 301, "content": "<y>", "single_word": true})"), kRefused,
       ".single_word: true"},
  });
  TokenizerJson json;
  json.AddAdded(300, std::string(5000, '<'));
  ExpectRefused(json.Text(), kBad, "added_tokens[0].content: 5000 bytes");
}

TEST(TokenizerFile, RefusesOtherModelsByName) {
  const auto model = [](const char* more) { return [=](J j) { j->model_more = more; }; };
  ExpectFaults({
      {[](J j) { j->model_type = "\"Unigram\""; }, kRefused,
       "model.type: \"Unigram\" is not supported"},
      {[](J j) { j->model_type = "3"; }, kBad, "model.type: expected a string, found 3"},
      {model("\"dropout\": 0.1, "), kRefused, "model.dropout: 0.1"},
      {model("\"byte_fallback\": true, "), kRefused, "model.byte_fallback: true"},
      {model("\"byte_fallback\": 1, "), kBad, "model.byte_fallback: expected true or false"},
      {model("\"continuing_subword_prefix\": \"##\", "), kRefused, "\"##\" is not supported"},
      {model("\"end_of_word_suffix\": \"</w>\", "), kRefused, "end_of_word_suffix"},
      {model("\"ignore_merges\": \"no\", "), kBad, "model.ignore_merges: expected true or false"},
  });
}

TEST(TokenizerFile, RefusesOtherStepsByName) {
  const auto step = [](const char* text) { return [=](J j) { j->steps.push_back(text); }; };
  const auto normalizer = [](const char* text) { return [=](J j) { j->normalizer = text; }; };
  const auto byte_level = [](const char* text) { return [=](J j) { j->byte_level = text; }; };
  const auto decoder = [](const char* text) { return [=](J j) { j->decoder = text; }; };
  ExpectFaults({
      {normalizer(R"({"type": "NFC"})"), kRefused, "normalizer.type: \"NFC\" is not supported"},
      {normalizer(R"({"type": "Sequence", "normalizers": [{"type": "Lowercase"}]})"), kRefused,
       "normalizer.normalizers[0].type: \"Lowercase\""},
      {normalizer(R"({"type": "Sequence"})"), kBad, "normalizer.normalizers: is missing"},
      {normalizer("3"), kBad, "normalizer: expected an object, found 3"},
      {step(R"({"type": "Digits"})"), kRefused,
       "pretokenizers[3].type: \"Digits\" is not supported"},
      {step(R"({"type": "ByteLevel", "add_prefix_space": false})"), kRefused,
       "pretokenizers[3].type"},
      {step("[]"), kBad, "pretokenizers[3]: expected an object"},
      {step(R"({"type": "Split"})"), kBad, "pretokenizers[3].pattern: is missing"},
      {step(R"({"type": "Split", "pattern": "a", "behavior": "Isolated"})"), kBad, ".pattern"},
      {step(R"({"type": "Split", "pattern": {"Glob": "a"}, "behavior": "Isolated"})"), kBad,
       ".pattern"},
      {step(R"({"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated"})"), kBad,
       "pattern.Regex: 0 bytes"},
      {step(R"({"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"})"), kBad,
       "pretokenizers[3].pattern.Regex: a group is not closed"},
      {step(R"({"type": "Split", "pattern": {"Regex": "a"}})"), kBad, ".behavior: is missing"},
      {step(R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Removed"})"), kRefused,
       "pretokenizers[3].behavior: \"Removed\""},
      {step(R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Isolated", "invert": 0})"),
       kBad, ".invert: expected true or false"},
      {byte_level(R"({"type": "ByteLevel", "add_prefix_space": true})"), kRefused,
       ".add_prefix_space: true"},
      {byte_level(R"({"type": "ByteLevel"})"), kBad, ".add_prefix_space: is missing"},
      {byte_level(R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Isolated"})"),
       kRefused, "the last step, and no other, is ByteLevel"},
      {[](J j) { j->steps.assign(40, j->steps[0]); }, kBad, "41 steps, expected at most 32"},
      {decoder("null"), kBad, "decoder: is missing"},
      {decoder("3"), kBad, "decoder: expected an object, found 3"},
      {decoder(R"({"type": "Metaspace"})"), kRefused, "decoder.type: \"Metaspace\""},
      {decoder(R"({"type": "Sequence", "decoders": [{"type": "ByteLevel"}, {"type": "Strip"}]})"),
       kRefused, "decoder.decoders[1].type: \"Strip\""},
      {decoder(R"({"type": "Sequence"})"), kBad, "decoder.decoders: is missing"},
      {[](J j) { j->more = R"("post_processor": {"type": "Truncate"}, )"; }, kRefused,
       "post_processor.type: \"Truncate\""},
      {[](J j) {
         j->more = R"("post_processor": {"type": "Sequence", "processors": [{"type": "X"}]}, )";
       },
       kRefused, "post_processor.processors[0].type: \"X\""},
  });
}

TEST(TokenizerFile, NamesHostileTextOnOneShortLine) {
  TokenizerJson json;
  json.vocab.push_back({"\n\x1b[31m" + std::string(300, 'x') + "\u3042", "-5"});
  ExpectRefused(json.Text(), kBad, "\\n\\u001b[31mxxxx");
}

TEST(TokenizerFile, AcceptsWhatTheFormatLeavesOpen) {
  TokenizerJson json;
  json.normalizer = "null";
  json.model_more =
      R"("dropout": null, "unk_token": null, "continuing_subword_prefix": "", "fuse_unk": false, )";
  json.more = R"("version": "1.0", "truncation": null, "post_processor": null, )";
  json.added.push_back(R"({"id": 300, "content": "<bare>"})");
  const auto tokenizer = json.Parse();
  EXPECT_EQ(Ids(*tokenizer, "<bare>"), (std::vector<int32_t>{300}));
  EXPECT_EQ(tokenizer->size(), 301);
}

// What saving a tokenizer again leaves in the file, without another id for any text.
TEST(TokenizerFile, AcceptsStepsThatChangeNoId) {
  const std::string text = "a b 12 don't <x>";
  TokenizerJson plain;
  plain.AddMerge("a", "b");
  const std::vector<int32_t> expected = Ids(*plain.Parse(), text);
  const auto same = [&](const std::function<void(TokenizerJson*)>& change) {
    TokenizerJson json;
    json.AddMerge("a", "b");
    change(&json);
    EXPECT_EQ(Ids(*json.Parse(), text), expected);
  };
  for (const char* processor :
       {R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false})",
        R"({"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}})",
        R"({"type": "RobertaProcessing", "sep": ["x", 1], "cls": ["y", 2]})",
        R"({"type": "Sequence", "processors": []})",
        R"({"type": "Sequence", "processors": [{"type": "ByteLevel"},
            {"type": "Sequence", "processors": [{"type": "TemplateProcessing"}]}]})"}) {
    same([&](TokenizerJson* json) {
      json->more = std::string("\"post_processor\": ") + processor + ", ";
    });
  }
  for (const char* decoder :
       {R"({"type": "Sequence", "decoders": [{"type": "ByteLevel"}]})",
        R"({"type": "Sequence", "decoders": [{"type": "ByteLevel"}, {"type": "Fuse"}]})"}) {
    same([&](TokenizerJson* json) { json->decoder = decoder; });
  }
  for (const char* normalizer :
       {"null", R"({"type": "Sequence", "normalizers": []})",
        R"({"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": []}]})"}) {
    same([&](TokenizerJson* json) { json->normalizer = normalizer; });
  }
  same([](TokenizerJson* json) {
    std::string inner;
    for (const std::string& step : json->steps) inner += (inner.empty() ? "" : ", ") + step;
    json->steps = {R"({"type": "Sequence", "pretokenizers": [)" + inner + "]}"};
  });
  same([](TokenizerJson* json) {
    json->more = R"("truncation": {"direction": "Right", "max_length": 2, "stride": 0},
        "padding": {"strategy": {"Fixed": 8}, "direction": "Left", "pad_id": 999999}, )";
  });
  same([](TokenizerJson* json) { json->model_more = R"("dropout": 0.0, "fuse_unk": true, )"; });
}

TEST(TokenizerFile, ReportsAMissingFile) {
  try {
    Tokenizer::Load("/nonexistent/folder");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kNotFound);
    EXPECT_NE(std::string(error.what()).find("/nonexistent/folder/tokenizer.json"),
              std::string::npos);
  }
}

TEST(TokenizerFile, SurvivesRandomDamage) {
  constexpr uint32_t kSeed = 23;
  std::mt19937 random(kSeed);
  TokenizerJson json;
  json.AddMerge("a", "b");
  json.AddAdded(300, "<x>");
  const std::string good = json.Text();
  int accepted = 0;
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string text = good;
    for (size_t i = random() % 3 + 1; i > 0; --i) {
      const size_t at = random() % text.size();
      if (random() % 2 == 0) {
        text[at] = static_cast<char>(random() % 128);
      } else {
        text.erase(at, 1 + random() % 4);
      }
    }
    try {
      const auto tokenizer = Tokenizer::Parse(text, "t");
      Ids(*tokenizer, "ab <x> 123 \u3042\n");
      ++accepted;
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == kBad || error.code() == kRefused)
          << "seed " << kSeed << ", round " << round << ": " << error.what();
      ++refused;
    }
  }
  EXPECT_GT(accepted, 20);
  EXPECT_GT(refused, 200);
}

}  // namespace
}  // namespace finback
