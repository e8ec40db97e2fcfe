#include "core/checkpoint/settings/generation_config.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/core/checkpoint/checkpoint_fixture.h"

namespace finback {
namespace {

constexpr int32_t kVocab = 512;

GenerationConfig Load(const std::string& text) {
  const TempFolder folder;
  WriteText(folder / "generation_config.json", text);
  return LoadGenerationConfig(folder.path(), kVocab);
}

TEST(GenerationConfig, AbsentGivesThePublishedDefaults) {
  const TempFolder folder;
  const GenerationConfig c = LoadGenerationConfig(folder.path(), kVocab);
  EXPECT_TRUE(c.do_sample);
  EXPECT_EQ(c.temperature, 1.0);
  EXPECT_EQ(c.top_p, 1.0);
  EXPECT_FALSE(c.has_top_p);
  EXPECT_EQ(c.min_p, 0.0);
  EXPECT_EQ(c.top_k, 0);
  EXPECT_FALSE(c.has_thinking);
  EXPECT_TRUE(c.eos_ids.empty());
  EXPECT_TRUE(c.notes.empty());
}

TEST(GenerationConfig, ValuesAreRead) {
  const GenerationConfig c = Load(
      R"({"do_sample": false, "temperature": 0.6, "top_p": 0.95, "top_k": 40, "min_p": 0.05,
          "thinking": false, "eos_token_id": [1, 3]})");
  EXPECT_FALSE(c.do_sample);
  EXPECT_EQ(c.temperature, 0.6);
  EXPECT_EQ(c.top_p, 0.95);
  EXPECT_TRUE(c.has_top_p);
  EXPECT_EQ(c.min_p, 0.05);
  EXPECT_EQ(c.top_k, 40);
  EXPECT_TRUE(c.has_thinking);
  EXPECT_FALSE(c.thinking);
  EXPECT_EQ(c.eos_ids, std::vector<int32_t>({1, 3}));
  EXPECT_TRUE(c.notes.empty());
}

TEST(GenerationConfig, OtherEnginesSpellingsOfOffAndOfWholeNumbers) {
  EXPECT_EQ(Load(R"({"top_k": -1})").top_k, 0);
  EXPECT_EQ(Load(R"({"top_k": -1.0})").top_k, 0);
  EXPECT_EQ(Load(R"({"top_k": 50.0})").top_k, 50);
  EXPECT_EQ(Load(R"({"top_k": 5e1})").top_k, 50);
  const GenerationConfig nulls = Load(
      R"({"top_k": null, "temperature": null, "top_p": null, "do_sample": null, "thinking": null,
          "eos_token_id": null, "max_length": null})");
  EXPECT_EQ(nulls.top_k, 0);
  EXPECT_EQ(nulls.temperature, 1.0);
  EXPECT_FALSE(nulls.has_thinking);
  EXPECT_TRUE(nulls.notes.empty());
}

TEST(GenerationConfig, AValueThatCannotBeUsedIsANoteAndTheDefault) {
  for (const auto& [text, part] : std::vector<std::pair<const char*, const char*>>{
           {R"({"temperature": -1})", "temperature: ignored -1"},
           {R"({"temperature": "0.6"})", "temperature: ignored \"0.6\""},
           {R"({"top_p": 2})", "top_p: ignored 2"},
           {R"({"top_k": 1.5})", "top_k: ignored 1.5"},
           {R"({"top_k": "50"})", "top_k: ignored \"50\""},
           {R"({"min_p": -0.1})", "min_p: ignored -0.1"},
           {R"({"thinking": "yes"})", "thinking: ignored \"yes\""},
           {R"({"do_sample": 1})", "do_sample: ignored 1"},
           {R"({"eos_token_id": 512})", "eos_token_id: ignored 512"},
           {R"({"eos_token_id": [1, "x"]})", "eos_token_id: ignored \"x\""},
           {R"({"repetition_penalty": 1.05})", "repetition_penalty: ignored 1.05"},
           {R"({"num_beams": 4})", "num_beams: ignored 4"},
           {R"({"new_idea": {"a": 1}})", "new_idea: ignored"},
           {"[]", "ignored the file"},
           {"", "ignored the file"},
           {"{", "ignored the file"},
           {"<html>", "ignored the file"}}) {
    const GenerationConfig c = Load(text);
    ASSERT_EQ(c.notes.size(), 1u) << text;
    EXPECT_NE(c.notes[0].find(part), std::string::npos) << c.notes[0];
    EXPECT_EQ(c.temperature, 1.0);
    EXPECT_EQ(c.top_p, 1.0);
    EXPECT_EQ(c.top_k, 0);
    EXPECT_FALSE(c.has_thinking);
    EXPECT_TRUE(c.do_sample);
  }
}

TEST(GenerationConfig, WhatChangesNothingIsNoNote) {
  EXPECT_TRUE(Load(R"({"_from_model_config": true, "bos_token_id": 0, "pad_token_id": 151643,
      "transformers_version": "4.57.1", "repetition_penalty": 1.0, "num_beams": 1})")
                  .notes.empty());
}

TEST(TokenizerConfig, TheEndTokenIsATextOrAnObject) {
  for (const char* text :
       {R"({"eos_token": "<end>"})", R"({"eos_token": {"content": "<end>", "lstrip": false}})"}) {
    const TempFolder folder;
    WriteText(folder / "tokenizer_config.json", text);
    std::vector<std::string> notes;
    EXPECT_EQ(LoadEosToken(folder.path(), &notes), "<end>");
    EXPECT_TRUE(notes.empty());
  }
  for (const char* text : {R"({"eos_token": null})", R"({"eos_token": 3})", "{}", "[", "no"}) {
    const TempFolder folder;
    WriteText(folder / "tokenizer_config.json", text);
    std::vector<std::string> notes;
    EXPECT_EQ(LoadEosToken(folder.path(), &notes), "") << text;
  }
}

}  // namespace
}  // namespace finback
