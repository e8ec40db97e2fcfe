#include "core/checkpoint/safetensors.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

SafetensorsHeader Parse(const std::string& json, uint64_t buffer_bytes) {
  return ParseSafetensorsHeader(json, buffer_bytes, "some/file.safetensors");
}

std::vector<uint8_t> FileOf(const std::string& header, size_t buffer_bytes) {
  std::vector<uint8_t> file(8 + header.size() + buffer_bytes);
  for (size_t i = 0; i < 8; ++i)
    file[i] = static_cast<uint8_t>(static_cast<uint64_t>(header.size()) >> (8 * i));
  std::copy(header.begin(), header.end(), file.begin() + 8);
  return file;
}

TEST(Safetensors, ReadsEntriesInOrderOfTheirOffsets) {
  const SafetensorsHeader header = Parse(
      R"({"__metadata__":{"format":"pt","n":"1"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
      R"("a":{"data_offsets":[0,4],"shape":[1],"dtype":"F32"},"empty":{"dtype":"I64","shape":[0],"data_offsets":[16,16]}})"
      "   ",
      16);
  ASSERT_EQ(header.entries.size(), 3u);
  EXPECT_EQ(header.entries[0].name, "a");
  EXPECT_EQ(header.entries[0].type, StoredType::kF32);
  EXPECT_EQ(header.entries[1].name, "b");
  EXPECT_EQ(header.entries[1].type, StoredType::kBf16);
  EXPECT_EQ(header.entries[1].rank, 2);
  EXPECT_EQ(header.entries[1].shape[0], 2);
  EXPECT_EQ(header.entries[1].shape[1], 3);
  EXPECT_EQ(header.entries[1].begin, 4u);
  EXPECT_EQ(header.entries[1].end, 16u);
  EXPECT_EQ(header.entries[2].name, "empty");
}

TEST(Safetensors, NamesMayBeEscapedAndNotAscii) {
  const SafetensorsHeader header =
      Parse("{\"a\\n\\u00e9\\\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
  EXPECT_EQ(header.entries.at(0).name, "a\n\xc3\xa9\"");
}

TEST(Safetensors, PackedFp4HasEitherShape) {
  EXPECT_NO_THROW(Parse(R"({"a":{"dtype":"F4","shape":[4,32],"data_offsets":[0,64]}})", 64));
  EXPECT_NO_THROW(Parse(R"({"a":{"dtype":"F4","shape":[4,16],"data_offsets":[0,64]}})", 64));
  EXPECT_THROW(Parse(R"({"a":{"dtype":"F4","shape":[4,20],"data_offsets":[0,64]}})", 64), Error);
}

TEST(Safetensors, MetadataOfAnyFormIsSkipped) {
  for (const char* value :
       {"{}", "{\"a\":\"b\"}", "null", "3", "[1,[2,{\"x\":[]}]]", "{\"a\":{\"b\":[1,2]}}"}) {
    const std::string text = std::string("{\"__metadata__\":") + value +
                             ",\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    EXPECT_EQ(Parse(text, 1).entries.size(), 1u) << value;
  }
}

TEST(Safetensors, AHeaderWithoutTensorsIsEmpty) {
  EXPECT_TRUE(Parse("{}", 0).entries.empty());
  EXPECT_THROW(Parse("{}", 1), Error);
}

struct Case {
  const char* label;
  std::string json;
  uint64_t buffer_bytes;
  std::vector<const char*> parts;
};

// One tensor "x" whose description is `text`.
std::string X(const std::string& text) { return "{\"x\":" + text + "}"; }

const std::vector<Case> kRefusedHeaders = {
    {"empty", "", 0, {"header", "nothing"}},
    {"blank_first", " {}", 0, {"header"}},
    {"array", "[]", 0, {"header"}},
    {"cut", "{\"x\":{\"dtype\":\"F32\"", 0, {"header", "malformed JSON at byte"}},
    {"trailing", "{}{}", 0, {"header", "malformed JSON"}},
    {"bad_utf8", "{\"\xff\":{}}", 0, {"header", "malformed JSON"}},
    {"nul", std::string("{}\0", 3), 0, {"header", "malformed JSON"}},
    {"tensor_null", X("null"), 0, {"\"x\"", "null", "an object"}},
    {"tensor_number", X("7"), 0, {"\"x\"", "an object"}},
    {"tensor_array", X("[]"), 0, {"\"x\"", "an array", "an object"}},
    {"no_dtype", X(R"({"shape":[1],"data_offsets":[0,4]})"), 4, {"\"x\"", "no dtype"}},
    {"no_shape", X(R"({"dtype":"F32","data_offsets":[0,4]})"), 4, {"\"x\"", "no shape"}},
    {"no_offsets", X(R"({"dtype":"F32","shape":[1]})"), 4, {"\"x\"", "no data_offsets"}},
    {"dtype_unknown",
     X(R"({"dtype":"F31","shape":[1],"data_offsets":[0,4]})"),
     4,
     {"\"x\"", "\"F31\""}},
    {"dtype_number",
     X(R"({"dtype":3,"shape":[1],"data_offsets":[0,4]})"),
     4,
     {"\"x\"", "a dtype string"}},
    {"dtype_array",
     X(R"({"dtype":["F32"],"shape":[1],"data_offsets":[0,4]})"),
     4,
     {"\"x\"", "an array"}},
    {"dtype_twice",
     X(R"({"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]})"),
     4,
     {"\"x\"", "a second dtype"}},
    {"member_unknown",
     X(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1})"),
     4,
     {"\"x\"", "\"more\""}},
    {"shape_negative",
     X(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})"),
     4,
     {"\"x\"", "-1", "shape"}},
    {"shape_float",
     X(R"({"dtype":"F32","shape":[1.0],"data_offsets":[0,4]})"),
     4,
     {"\"x\"", "1.0", "shape"}},
    {"shape_string",
     X(R"({"dtype":"F32","shape":["1"],"data_offsets":[0,4]})"),
     4,
     {"\"x\"", "a string", "shape"}},
    {"shape_nested",
     X(R"({"dtype":"F32","shape":[[1]],"data_offsets":[0,4]})"),
     4,
     {"\"x\"", "an array", "shape"}},
    {"shape_object",
     X(R"({"dtype":"F32","shape":{},"data_offsets":[0,4]})"),
     4,
     {"\"x\"", "an object", "shape"}},
    {"shape_scalar", X(R"({"dtype":"F32","shape":1,"data_offsets":[0,4]})"), 4, {"\"x\"", "shape"}},
    {"shape_long",
     X(R"({"dtype":"F32","shape":[1,1,1,1,1],"data_offsets":[0,4]})"),
     4,
     {"\"x\"", "4 dimensions"}},
    {"shape_overflows",
     X(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})"),
     0,
     {"\"x\"", "shape", "4294967296", "64 bits"}},
    {"shape_wraps_to_size",
     X(R"({"dtype":"U8","shape":[4611686018427387904,4,4],"data_offsets":[0,0]})"),
     0,
     {"\"x\"", "shape"}},
    {"bits_overflow",
     X(R"({"dtype":"F64","shape":[288230376151711744],"data_offsets":[0,0]})"),
     0,
     {"\"x\"", "shape"}},
    {"dimension_beyond_int64",
     X(R"({"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,0]})"),
     0,
     {"\"x\"", "9223372036854775808"}},
    {"dimension_beyond_uint64",
     X(R"({"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,0]})"),
     0,
     {"\"x\"", "18446744073709551616"}},
    {"offsets_one",
     X(R"({"dtype":"F32","shape":[1],"data_offsets":[0]})"),
     4,
     {"\"x\"", "fewer than 2"}},
    {"offsets_three",
     X(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4,8]})"),
     8,
     {"\"x\"", "more than 2"}},
    {"offsets_negative",
     X(R"({"dtype":"F32","shape":[1],"data_offsets":[-4,0]})"),
     4,
     {"\"x\"", "-4", "data_offsets"}},
    {"offsets_reversed",
     X(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})"),
     4,
     {"\"x\"", "[4, 0]"}},
    {"offsets_beyond_file",
     X(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})"),
     4,
     {"\"x\"", "[0, 8]", "4"}},
    {"offsets_huge",
     X(R"({"dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,18446744073709551615]})"),
     4,
     {"\"x\"", "18446744073709551612"}},
    {"size_mismatch",
     X(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})"),
     4,
     {"\"x\"", "4 bytes", "8", "F32 [2]"}},
    {"overlap",
     R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
     6,
     {"\"b\"", "overlapping", "\"a\""}},
    {"same_bytes",
     R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
     4,
     {"\"b\"", "overlapping", "\"a\""}},
    {"gap",
     R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[8,12]}})",
     12,
     {"\"b\"", "gap", "\"a\"", "begin 4"}},
    {"late_start", X(R"({"dtype":"U8","shape":[4],"data_offsets":[4,8]})"), 8, {"\"x\"", "gap"}},
    {"bytes_after_the_end",
     X(R"({"dtype":"U8","shape":[4],"data_offsets":[0,4]})"),
     5,
     {"5 bytes", "4"}},
    {"long_name", X("null").replace(2, 1, std::string(5000, 'y')), 0, {"yyy...\""}},
    {"control_characters_in_a_name", "{\"a\\nb\\u0000\":null}", 0, {"a\\x0ab\\x00"}},
};

class RefusedHeader : public testing::TestWithParam<size_t> {};

TEST_P(RefusedHeader, NamesFileTensorFoundAndExpected) {
  const Case& item = kRefusedHeaders[GetParam()];
  try {
    Parse(item.json, item.buffer_bytes);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.code(), Code::kCheckpoint) << message;
    EXPECT_EQ(message.find("some/file.safetensors: "), 0u) << message;
    for (const char* part : item.parts)
      EXPECT_NE(message.find(part), std::string::npos) << message << " lacks " << part;
    EXPECT_LT(message.size(), 700u);
    for (const char c : message) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << message;
  }
}

INSTANTIATE_TEST_SUITE_P(All, RefusedHeader, testing::Range<size_t>(0, kRefusedHeaders.size()),
                         [](const auto& item) { return kRefusedHeaders[item.param].label; });

TEST(Safetensors, FileLengthsAreCheckedBeforeAnythingIsRead) {
  const std::string header = R"({"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})";
  const std::vector<uint8_t> whole = FileOf(header, 3);
  EXPECT_EQ(ParseSafetensorsFile(whole, "f").buffer_offset, 8 + header.size());
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<long>(size));
    EXPECT_THROW(ParseSafetensorsFile(cut, "f"), Error) << size << " bytes";
  }
  for (const uint8_t high : {0x01, 0x7F, 0x80, 0xFF}) {
    std::vector<uint8_t> file = whole;
    file[7] = high;
    try {
      ParseSafetensorsFile(file, "f");
      FAIL() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("header length"), std::string::npos) << error.what();
    }
  }
}

TEST(ShardIndex, ReadsTheMap) {
  const ShardIndex index = ParseShardIndex(
      R"({"metadata":{"total_size":12,"weight_map":"not this one"},"weight_map":{"a":"1.safetensors","b":"2.safetensors",)"
      R"("c":"1.safetensors"},"more":[{"weight_map":{}}]})",
      "i");
  ASSERT_EQ(index.shards.size(), 2u);
  EXPECT_EQ(index.shards[0], "1.safetensors");
  ASSERT_EQ(index.entries.size(), 3u);
  EXPECT_EQ(index.entries[2].name, "c");
  EXPECT_EQ(index.entries[2].shard, 0u);
}

TEST(ShardIndex, RefusesWhatIsNoMapOfPlainFileNames) {
  const std::vector<std::pair<std::string, const char*>> cases = {
      {"", "an empty file"},
      {"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"},
      {"<html>Not found</html>", "a web page"},
      {"[]", "an object"},
      {"7", "an object"},
      {"{}", "weight_map"},
      {R"({"weight_map":[]})", "weight_map"},
      {R"({"weight_map":"a"})", "weight_map"},
      {R"({"weight_map":{"a":1}})", "\"a\""},
      {R"({"weight_map":{"a":null}})", "\"a\""},
      {R"({"weight_map":{"a":["b"]}})", "\"a\""},
      {R"({"weight_map":{"a":{"b":"c"}}})", "\"a\""},
      {R"({"weight_map":{},"weight_map":{}})", "second weight_map"},
      {R"({"weight_map":{"a":""}})", "\"a\""},
      {R"({"weight_map":{"a":".."}})", "\"..\""},
      {R"({"weight_map":{"a":"."}})", "\".\""},
      {R"({"weight_map":{"a":"../b.safetensors"}})", "../b.safetensors"},
      {R"({"weight_map":{"a":"/etc/passwd"}})", "/etc/passwd"},
      {R"({"weight_map":{"a":"x/y"}})", "x/y"},
      {R"({"weight_map":{"a":"x\\y"}})", "plain file name"},
      {R"({"weight_map":{"a":"x\u0000y"}})", "x\\x00y"},
  };
  for (const auto& [json, part] : cases) {
    try {
      ParseShardIndex(json, "some/index.json");
      ADD_FAILURE() << "accepted " << json;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(error.code(), Code::kCheckpoint) << message;
      EXPECT_EQ(message.find("some/index.json"), 0u) << message;
      EXPECT_NE(message.find(part), std::string::npos) << message << " lacks " << part;
    }
  }
}

}  // namespace
}  // namespace finback
