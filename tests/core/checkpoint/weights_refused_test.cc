// Checkpoints that must be refused: at open for what headers and config say, on first use for what
// the tensors hold.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/checkpoint/tensor_check.h"
#include "core/checkpoint/weights.h"
#include "tests/core/checkpoint/checkpoint_fixture.h"

namespace finback {
namespace {

using Json = nlohmann::ordered_json;

// The tensors of a checkpoint, of each layer's experts the first and the last.
std::vector<BuiltTensor> Kinds() {
  std::vector<BuiltTensor> kinds = WithDraft().tensors;
  std::erase_if(kinds, [](const BuiltTensor& tensor) {
    return tensor.name.find(".experts.1.") != std::string::npos ||
           tensor.name.find(".experts.2.") != std::string::npos;
  });
  return kinds;
}

TEST(RefusedWeights, EveryMissingTensorIsNamed) {
  for (const BuiltTensor& tensor : Kinds()) {
    TempFolder folder;
    ExpectRefusal(
        [&] {
          OpenChanged(
              folder, [&](BuiltCheckpoint& b) { b.Remove(tensor.name); }, WithDraft());
        },
        Code::kCheckpoint,
        {"model.safetensors: tensor \"" + tensor.name + "\"", "not found, expected"});
  }
}

// On first use and by verify.
TEST(RefusedWeights, WhatWasNeverWrittenIsNamed) {
  for (const char* name :
       {"embed.weight", "head.weight", "norm.weight", "layers.0.attn_norm.weight",
        "layers.0.attn.wq_a.weight", "layers.0.attn.wq_a.scale",
        "layers.1.attn.compressor.wkv.weight", "layers.1.ffn.gate.weight",
        "layers.1.ffn.shared_experts.w1.weight", "mtp.0.e_proj.weight",
        "layers.0.attn.indexer.wq_b.weight", "layers.0.attn.indexer.weights_proj.weight",
        "layers.0.attn.wo_b.scale", "layers.0.attn.q_norm.weight", "mtp.0.hnorm.weight",
        "layers.0.ffn.experts.2.w1.weight", "layers.0.ffn.experts.2.w1.scale",
        "layers.0.ffn.experts.2.w2.weight"}) {
    for (const char fill : {'\0', '\x11', '\xff'}) {
      const bool scale = std::string_view(name).ends_with(".scale");
      const bool norm = std::string_view(name).ends_with("norm.weight");
      if (fill == '\x11' && (scale || norm)) continue;
      const std::string words = fill == '\xff' && (scale || norm) ? "NaN" : "never written";
      TempFolder folder;
      const auto weights = OpenChanged(
          folder,
          [&](BuiltCheckpoint& built) {
            std::string& data = built.At(name).data;
            std::fill(data.begin(), data.end(), fill);
          },
          WithDraft());
      ExpectRefusal([&] { weights->VerifyAll(nullptr); }, Code::kCheckpoint, {name, words});
      ExpectRefusal(
          [&] {
            weights->CheckGlobal();
            for (int32_t layer = 0; layer < 3; ++layer) weights->CheckLayer(layer);
            weights->CheckExpert(0, 2);
          },
          Code::kCheckpoint, {name, words});
    }
  }
}

TEST(RefusedWeights, BiasesOfZerosAndNormsOfOnesAreHonest) {
  TempFolder folder;
  const auto weights = OpenChanged(folder, [](BuiltCheckpoint& built) {
    for (const char* name :
         {"layers.0.attn.attn_sink", "layers.1.ffn.gate.bias", "layers.0.attn.compressor.ape",
          "layers.0.hc_attn_base", "layers.0.hc_attn_fn", "hc_head_fn"}) {
      std::string& data = built.At(name).data;
      std::fill(data.begin(), data.end(), '\0');
    }
    std::string& norm = built.At("norm.weight").data;
    for (size_t i = 0; i < norm.size(); i += 2) norm.replace(i, 2, "\x80\x3f");
  });
  CheckEverything(*weights, 4);
}

// A matrix of 256 KiB whose bytes differ from one to the next.
struct SomeMatrix {
  std::vector<uint8_t> data;
  Tensor tensor;
  TensorCheck check;

  explicit SomeMatrix(Dtype dtype = Dtype::kF8E4m3) : data(256u << 10) {
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(1 + i % 61);
    tensor.name = "layers.0.attn.wq_b.weight";
    tensor.kind = TensorKind::kAttention;
    tensor.dtype = dtype;
    tensor.rank = 2;
    tensor.shape[0] = tensor.shape[1] = 512;
    tensor.data = data.data();
    tensor.bytes = data.size();
    check.tensor = &tensor;
    check.where = "file";
  }
  SomeMatrix(const SomeMatrix&) = delete;
  SomeMatrix& operator=(const SomeMatrix&) = delete;

  void Fill(size_t begin, size_t end, uint8_t byte) {
    std::fill(data.begin() + static_cast<ptrdiff_t>(begin),
              data.begin() + static_cast<ptrdiff_t>(end), byte);
  }
};

// The rest of a matrix that stops half-way, a hole, a page cache that was never flushed: wherever
// it lies, whatever its bytes mean.
TEST(RefusedWeights, LongRunsOfOneByteWereNeverWritten) {
  constexpr size_t kRun = 64 << 10;
  for (const Dtype dtype : {Dtype::kF8E4m3, Dtype::kBf16, Dtype::kF32, Dtype::kFp4Packed}) {
    for (const size_t begin : {size_t{0}, size_t{100 << 10}, size_t{192 << 10}}) {
      for (const uint8_t byte : {0x00, 0x33, 0x11}) {
        SomeMatrix matrix(dtype);
        CheckTensorContents(matrix.check, nullptr);
        matrix.Fill(begin, begin + kRun, byte);
        const std::string words = byte == 0 ? "bytes 0x00 in a row" : "in a row";
        ExpectRefusal([&] { CheckTensorContents(matrix.check, nullptr); }, Code::kCheckpoint,
                      {"file", words, "never written"});
        matrix.Fill(begin, begin + 4096, 9);
        matrix.Fill(begin + 4096, begin + 4100, 8);
        EXPECT_NO_THROW(CheckTensorContents(matrix.check, nullptr));
      }
    }
  }
}

TEST(RefusedWeights, ScalesThatAreAllEqualAreHonestUnlessZero) {
  SomeMatrix matrix(Dtype::kF8E8m0);
  matrix.tensor.is_scale = true;
  matrix.Fill(0, 128 << 10, 120);
  EXPECT_NO_THROW(CheckTensorContents(matrix.check, nullptr));
  matrix.Fill(0, 128 << 10, 0);
  ExpectRefusal([&] { CheckTensorContents(matrix.check, nullptr); }, Code::kCheckpoint,
                {"never written"});
}

// Rows of tokens that nobody trained.
TEST(RefusedWeights, AnEighthOfAnEmbeddingMayBeZero) {
  SomeMatrix matrix(Dtype::kBf16);
  matrix.tensor.kind = TensorKind::kEmbedding;
  std::vector<uint8_t> large(1u << 20);
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<uint8_t>(1 + i % 61);
  matrix.tensor.data = large.data();
  matrix.tensor.bytes = large.size();
  std::fill(large.end() - (124 << 10), large.end(), uint8_t{0});
  EXPECT_NO_THROW(CheckTensorContents(matrix.check, nullptr));
  std::fill(large.end() - (128 << 10), large.end(), uint8_t{0});
  ExpectRefusal([&] { CheckTensorContents(matrix.check, nullptr); }, Code::kCheckpoint,
                {"never written"});
}

TEST(RefusedWeights, ASampleFindsWhatIsAroundIt) {
  SomeMatrix matrix;
  const auto sample = [&](size_t at) { CheckTensorSample(matrix.check, at); };
  for (const size_t at : {size_t{0}, size_t{70 << 10}, matrix.data.size()}) {
    EXPECT_NO_THROW(sample(at));
  }
  matrix.Fill(100 << 10, 164 << 10, 0);
  for (const size_t at : {size_t{0}, size_t{90 << 10}, size_t{170 << 10}, matrix.data.size()}) {
    EXPECT_NO_THROW(sample(at));
  }
  for (const size_t at : {size_t{100 << 10}, size_t{130 << 10}, size_t{160 << 10}}) {
    ExpectRefusal([&] { sample(at); }, Code::kCheckpoint, {"never written"});
  }
  matrix.Fill(164 << 10, matrix.data.size(), 0);
  ExpectRefusal([&] { sample(matrix.data.size()); }, Code::kCheckpoint, {"never written"});
  matrix.tensor.name = "layers.0.ffn.gate.bias";
  EXPECT_NO_THROW(sample(matrix.data.size()));
}

// One shard of several, from any place to its end, or all its content.
TEST(RefusedWeights, SamplesFindAShardThatStopsSomewhere) {
  for (const size_t from : {size_t{0}, size_t{1}, size_t{2}}) {
    for (int shard = 0; shard < 2; ++shard) {
      SCOPED_TRACE(from);
      TempFolder folder;
      BuiltCheckpoint built = Smallest();
      built.Write(folder.path(), 2);
      auto weights = Open(folder);
      EXPECT_NO_THROW(weights->CheckSamples());
      const std::string path = weights->files()[static_cast<size_t>(shard)];
      std::string bytes = ReadText(path);
      uint64_t header = 0;
      memcpy(&header, bytes.data(), sizeof header);
      const size_t data = sizeof header + static_cast<size_t>(header);
      const size_t begin = data + (bytes.size() - data) * from / 4;
      std::fill(bytes.begin() + static_cast<ptrdiff_t>(begin), bytes.end(), '\0');
      WriteText(path, bytes);
      weights = Open(folder);
      ExpectRefusal([&] { weights->CheckSamples(); }, Code::kCheckpoint, {path, "never written"});
    }
  }
}

TEST(RefusedWeights, EveryWrongShapeIsNamed) {
  for (const BuiltTensor& tensor : Kinds()) {
    TempFolder folder;
    std::string right = "[";
    for (size_t i = 0; i < tensor.shape.size(); ++i)
      right += (i ? ", " : "") + std::to_string(tensor.shape[i]);
    const Change grow = [&](BuiltCheckpoint& built) {
      BuiltTensor& changed = built.At(tensor.name);
      changed.data +=
          changed.data.substr(0, changed.data.size() / static_cast<size_t>(changed.shape[0]));
      ++changed.shape[0];
    };
    ExpectRefusal([&] { OpenChanged(folder, grow, WithDraft()); }, Code::kCheckpoint,
                  {"model.safetensors", "\"" + tensor.name + "\"", "shape",
                   "found [" + std::to_string(tensor.shape[0] + 1), "expected " + right});
    const Change flatten = [&](BuiltCheckpoint& built) {
      BuiltTensor& changed = built.At(tensor.name);
      changed.shape.push_back(1);
    };
    ExpectRefusal([&] { OpenChanged(folder, flatten, WithDraft()); }, Code::kCheckpoint,
                  {"\"" + tensor.name + "\"", "shape", "expected " + right});
  }
}

TEST(RefusedWeights, EveryWrongDtypeIsNamed) {
  const std::map<std::string, std::string> others = {{"BF16", "F16"},     {"F32", "I32"},
                                                     {"I64", "F64"},      {"F8_E4M3", "F8_E5M2"},
                                                     {"F8_E8M0", "BOOL"}, {"I8", "F8_E8M0"}};
  for (const BuiltTensor& tensor : Kinds()) {
    TempFolder folder;
    const std::string& other = others.at(tensor.dtype);
    ExpectRefusal(
        [&] {
          OpenChanged(
              folder, [&](BuiltCheckpoint& b) { b.At(tensor.name).dtype = other; }, WithDraft());
        },
        Code::kCheckpoint,
        {"model.safetensors", "\"" + tensor.name + "\"", "dtype", "found " + other, "expected"});
  }
}

struct Case {
  const char* label;
  Change change;
  Code code;
  std::vector<std::string> parts;
};

const std::vector<Case>& RefusedCheckpoints() {
  static const std::vector<Case> cases = {
      {"unknown_tensor",
       [](BuiltCheckpoint& b) {
         b.tensors.push_back({"layers.0.attn.extra", "F32", {1}, "abcd"});
       },
       Code::kCheckpoint,
       {"\"layers.0.attn.extra\"", "expected no tensor"}},
      {"layer_beyond_the_last",
       [](BuiltCheckpoint& b) {
         b.tensors.push_back({"layers.2.attn_norm.weight", "BF16", {1}, "ab"});
       },
       Code::kCheckpoint,
       {"\"layers.2.attn_norm.weight\"", "expected no tensor"}},
      {"compressor_in_no_schedule",
       [](BuiltCheckpoint& b) {
         b.config["compress_ratios"] = {4, 0};
       },
       Code::kCheckpoint,
       {"\"layers.1.attn.compressor.", "expected no tensor"}},
      {"expert_beyond_the_last",
       [](BuiltCheckpoint& b) {
         b.tensors.push_back({"layers.0.ffn.experts.4.w1.weight", "I8", {1}, "a"});
       },
       Code::kCheckpoint,
       {"\"layers.0.ffn.experts.4.w1.weight\""}},
      {"scale_of_a_plain_matrix",
       [](BuiltCheckpoint& b) {
         b.At("layers.0.attn.wq_a.weight").dtype = "BF16";
         b.At("layers.0.attn.wq_a.weight").data += b.At("layers.0.attn.wq_a.weight").data;
       },
       Code::kCheckpoint,
       {"\"layers.0.attn.wq_a.scale\"", "expected no tensor"}},
      {"packed_fp4_outside_the_experts",
       [](BuiltCheckpoint& b) { b.At("layers.0.attn.wq_a.weight").dtype = "U8"; },
       Code::kCheckpoint,
       {"\"layers.0.attn.wq_a.weight\"", "found U8", "F8_E4M3"}},
      {"config_promises_absurdly_many_experts",
       [](BuiltCheckpoint& b) {
         b.config["n_routed_experts"] = 16384;
         b.config["num_hidden_layers"] = 1024;
         b.config["compress_ratios"] = std::vector<int>(1024, 0);
       },
       Code::kCheckpoint,
       {"\"layers.0."}},
      {"fp8_inputs_not_in_blocks",
       [](BuiltCheckpoint& b) {
         Json config = b.config;
         config["o_lora_rank"] = 32;
         b = BuildCheckpoint(config, 1);
       },
       Code::kUnsupported,
       {"\"layers.0.attn.wo_b.weight\"", "64 inputs", "multiple of 128"}},
      {"fp4_inputs_not_in_blocks",
       [](BuiltCheckpoint& b) {
         Json config = b.config;
         config["moe_intermediate_size"] = 96;
         b = BuildCheckpoint(config, 1);
       },
       Code::kUnsupported,
       {"w2.weight\"", "96 inputs", "multiple of 128"}},
      {"one_expert_unlike_the_others",
       [](BuiltCheckpoint& b) {
         BuiltTensor& weight = b.At(kExpert + ".weight");
         weight = {weight.name, "BF16", {128, 128}, std::string(128 * 128 * 2, '\0')};
         b.Remove(kExpert + ".scale");
       },
       Code::kUnsupported,
       {"layers.0.ffn.experts.2.w", "expected"}},
      {"names_that_become_the_same",
       [](BuiltCheckpoint& b) {
         b.tensors.push_back({"model.norm.weight", "BF16", {128}, std::string(256, '\0')});
       },
       Code::kCheckpoint,
       {"\"norm.weight\"", "a second time"}},
      {"single_file_truncated",
       [](BuiltCheckpoint& b) { b.tensors.back().data.pop_back(); },
       Code::kCheckpoint,
       {"bytes, expected"}},
  };
  return cases;
}

class RefusedCheckpoint : public testing::TestWithParam<size_t> {};

TEST_P(RefusedCheckpoint, NamesTensorFoundAndExpected) {
  const Case& item = RefusedCheckpoints()[GetParam()];
  TempFolder folder;
  std::vector<std::string> parts = item.parts;
  parts.push_back(folder.path());
  ExpectRefusal([&] { OpenChanged(folder, item.change); }, item.code, parts);
}

INSTANTIATE_TEST_SUITE_P(All, RefusedCheckpoint,
                         testing::Range<size_t>(0, RefusedCheckpoints().size()),
                         [](const auto& item) { return RefusedCheckpoints()[item.param].label; });

TEST(RefusedWeights, AnEmptyFolder) {
  TempFolder folder;
  const Config config = ParseConfig(SmallestConfig().dump(), "config.json");
  ExpectRefusal([&] { Weights::Open(folder.path(), config); }, Code::kNotFound,
                {folder.path(), "model.safetensors.index.json", "model.safetensors"});
}

TEST(RefusedWeights, FilesCutAnywhere) {
  TempFolder folder;
  Smallest().Write(folder.path());
  const std::string whole = ReadText(folder / "model.safetensors");
  const size_t header = HeaderOf(Smallest().tensors).dump().size() + 8;
  for (const size_t size : {size_t{0}, size_t{7}, size_t{8}, size_t{100}, header - 1, header,
                            header + 1, whole.size() / 2, whole.size() - 1}) {
    WriteText(folder / "model.safetensors", whole.substr(0, size));
    ExpectRefusal([&] { Open(folder); }, Code::kCheckpoint,
                  {"model.safetensors", "found", "expected"});
  }
  WriteText(folder / "model.safetensors", whole + "x");
  ExpectRefusal([&] { Open(folder); }, Code::kCheckpoint,
                {"model.safetensors", "found", "expected"});
}

TEST(RefusedWeights, ANameTwiceInOneHeader) {
  TempFolder folder;
  Smallest().Write(folder.path());
  std::string header = HeaderOf(Smallest().tensors).dump();
  const size_t end = BufferOf(Smallest().tensors).size();
  header.back() = ',';
  header += Format("\"norm.weight\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}}",
                   end, end + 2);
  WriteSafetensors(folder / "model.safetensors", header, BufferOf(Smallest().tensors) + "ab");
  ExpectRefusal([&] { Open(folder); }, Code::kCheckpoint, {"\"norm.weight\"", "a second time"});
}

class RefusedIndex : public testing::Test {
 protected:
  void SetUp() override {
    Smallest().Write(folder_.path(), 2);
    index_ = Json::parse(ReadText(Path()));
  }
  std::string Path() const { return folder_ / "model.safetensors.index.json"; }
  void Expect(Code code, const std::vector<std::string>& parts) {
    WriteText(Path(), index_.dump());
    ExpectRefusal([&] { Open(folder_); }, code, parts);
  }
  TempFolder folder_;
  Json index_;
  const std::string first_ = "model-00001-of-00002.safetensors",
                    second_ = "model-00002-of-00002.safetensors";
};

TEST_F(RefusedIndex, TheUnchangedOneIsFine) {
  WriteText(Path(), index_.dump());
  EXPECT_NO_THROW(Open(folder_));
}

TEST_F(RefusedIndex, AShardThatDoesNotExist) {
  std::filesystem::remove(folder_ / second_);
  Expect(Code::kNotFound, {second_});
}

TEST_F(RefusedIndex, AShardThatIsAFolder) {
  std::filesystem::remove(folder_ / second_);
  std::filesystem::create_directory(folder_ / second_);
  Expect(Code::kIo, {second_});
}

TEST_F(RefusedIndex, ATruncatedShard) {
  const std::string whole = ReadText(folder_ / second_);
  WriteText(folder_ / second_, whole.substr(0, whole.size() - 1000));
  Expect(Code::kCheckpoint, {second_, "tensor", "truncated"});
}

TEST_F(RefusedIndex, AnEntryInTheWrongShard) {
  index_["weight_map"]["embed.weight"] = second_;
  Expect(Code::kCheckpoint, {"\"embed.weight\"", "found in", first_, "expected in", second_});
}

TEST_F(RefusedIndex, AnEntryWithoutATensor) {
  index_["weight_map"]["layers.0.attn.more"] = first_;
  Expect(Code::kCheckpoint, {first_, "\"layers.0.attn.more\"", "not found"});
}

TEST_F(RefusedIndex, ATensorWithoutAnEntry) {
  index_["weight_map"].erase("embed.weight");
  Expect(Code::kCheckpoint, {first_, "\"embed.weight\"", "weight_map"});
}

TEST_F(RefusedIndex, AnEntryTwice) {
  std::string text = index_.dump();
  const size_t at = text.find("\"embed.weight\"");
  text.insert(at, "\"embed.weight\":\"" + first_ + "\",");
  WriteText(Path(), text);
  ExpectRefusal([&] { Open(folder_); }, Code::kCheckpoint, {"\"embed.weight\"", "twice"});
}

TEST_F(RefusedIndex, ATensorInTwoShards) {
  std::filesystem::copy_file(folder_ / first_, folder_ / "copy.safetensors");
  index_["weight_map"]["other"] = "copy.safetensors";
  Expect(Code::kCheckpoint, {"a second time", first_});
}

TEST_F(RefusedIndex, AFileOutsideTheFolder) {
  for (const char* name : {"../model.safetensors", "/etc/passwd", "..", "sub/model.safetensors"}) {
    index_["weight_map"]["embed.weight"] = name;
    Expect(Code::kCheckpoint,
           {"model.safetensors.index.json", "\"embed.weight\"", name, "plain file name"});
  }
}

TEST_F(RefusedIndex, AnEmptyOne) {
  index_["weight_map"] = Json::object();
  Expect(Code::kCheckpoint, {"model.safetensors.index.json", "\"embed.weight\"", "not found"});
}

// --- contents, on first use ---

// Puts `bytes` at `offset` of the tensor's data.
Change Spoil(const std::string& tensor, size_t offset, const std::string& bytes) {
  return
      [=](BuiltCheckpoint& built) { built.At(tensor).data.replace(offset, bytes.size(), bytes); };
}

std::string Id(int64_t id) { return {reinterpret_cast<const char*>(&id), sizeof id}; }

struct Spoilt {
  const char* label;
  std::string tensor;
  size_t offset;
  std::string bytes;
  std::string element;
};

const std::vector<Spoilt>& SpoiltGlobals() {
  static const std::vector<Spoilt> cases = {
      {"embed_nan", "embed.weight", 2 * 300, {"\xc0\x7f", 2}, "element 300 ([2, 44])"},
      {"head_infinity", "head.weight", 2 * 4095, {"\x80\xff", 2}, "element 4095 ([31, 127])"},
      {"hc_head_infinity", "hc_head_base", 4, {"\0\0\x80\x7f", 4}, "element 1"},
  };
  return cases;
}

TEST(SpoiltWeights, GlobalTensorsAreCheckedByCheckGlobal) {
  for (const Spoilt& item : SpoiltGlobals()) {
    TempFolder folder;
    const auto weights = OpenChanged(folder, Spoil(item.tensor, item.offset, item.bytes));
    EXPECT_NO_THROW(weights->CheckLayer(0));
    EXPECT_NO_THROW(weights->CheckExpert(0, 0));
    for (int again = 0; again < 2; ++again) {
      ExpectRefusal([&] { weights->CheckGlobal(); }, Code::kCheckpoint,
                    {"model.safetensors: tensor \"" + item.tensor + "\"", item.element + ":",
                     "found", "expected"});
    }
    ExpectRefusal([&] { weights->VerifyAll(nullptr); }, Code::kCheckpoint,
                  {item.tensor, item.element});
  }
}

TEST(SpoiltWeights, LayersAreCheckedByCheckLayer) {
  const std::vector<Spoilt> cases = {
      {"fp8_nan", "layers.1.attn.wq_a.weight", 129, "\x7f", "element 129 ([1, 1])"},
      {"fp8_negative_nan", "layers.1.attn.wo_a.weight", 5000, "\xff", "element 5000"},
      {"scale_nan", "layers.1.attn.wq_b.scale", 1, "\xff", "element 1"},
      {"norm_nan", "layers.1.attn_norm.weight", 2 * 127, {"\xff\x7f", 2}, "element 127"},
      {"sink_infinity", "layers.1.attn.attn_sink", 4, {"\0\0\x80\xff", 4}, "element 1"},
      {"ape_nan", "layers.1.attn.compressor.ape", 0, {"\0\0\xc0\x7f", 4}, "element 0 ([0, 0])"},
      {"bias_nan", "layers.1.ffn.gate.bias", 12, {"\0\0\xc0\x7f", 4}, "element 3"},
      {"hc_nan", "layers.1.hc_ffn_fn", 400, {"\1\0\x80\x7f", 4}, "element 100"},
      {"shared_expert_nan", "layers.1.ffn.shared_experts.w2.weight", 16383, "\x7f",
       "element 16383"},
      {"router_infinity", "layers.1.ffn.gate.weight", 0, {"\x80\x7f", 2}, "element 0"},
  };
  for (const Spoilt& item : cases) {
    TempFolder folder;
    const auto weights = OpenChanged(folder, Spoil(item.tensor, item.offset, item.bytes));
    EXPECT_NO_THROW(weights->CheckGlobal());
    EXPECT_NO_THROW(weights->CheckLayer(0));
    for (int32_t expert = 0; expert < 4; ++expert) EXPECT_NO_THROW(weights->CheckExpert(1, expert));
    ExpectRefusal(
        [&] { weights->CheckLayer(1); }, Code::kCheckpoint,
        {"model.safetensors: tensor \"" + item.tensor + "\"", item.element, "found", "expected"});
    ExpectRefusal([&] { weights->VerifyAll(nullptr); }, Code::kCheckpoint,
                  {item.tensor, item.element});
  }
}

TEST(SpoiltWeights, ExpertTablesNameDifferentExpertsThatExist) {
  const std::string table = "layers.0.ffn.gate.tid2eid";
  for (const int64_t bad : {int64_t{-1}, int64_t{4}, INT64_MAX, INT64_MIN, int64_t{1} << 32}) {
    TempFolder folder;
    const auto weights = OpenChanged(folder, Spoil(table, 8 * 63, Id(bad)));
    ExpectRefusal([&] { weights->CheckLayer(0); }, Code::kCheckpoint,
                  {table, "element 63 ([31, 1])", "expert " + std::to_string(bad), "from 0 to 3"});
    ExpectRefusal([&] { weights->VerifyAll(nullptr); }, Code::kCheckpoint, {table, "element 63"});
  }
  TempFolder folder;
  const auto weights = OpenChanged(folder, Spoil(table, 0, Id(2) + Id(2)));
  ExpectRefusal([&] { weights->CheckLayer(0); }, Code::kCheckpoint,
                {table, "element 1", "expert 2 a second time"});
}

TEST(SpoiltWeights, AnExpertIsCheckedByItself) {
  TempFolder folder;
  const auto weights = OpenChanged(folder, Spoil(kExpert + ".scale", 511, "\xff"));
  EXPECT_NO_THROW(weights->CheckLayer(0));
  for (const int32_t expert : {0, 1, 3}) EXPECT_NO_THROW(weights->CheckExpert(0, expert));
  EXPECT_NO_THROW(weights->CheckExpert(1, 2));
  for (int again = 0; again < 2; ++again) {
    ExpectRefusal(
        [&] { weights->CheckExpert(0, 2); }, Code::kCheckpoint,
        {"model.safetensors", kExpert + ".scale", "element 511 ([127, 3])", "NaN (0xff)"});
  }
}

TEST(SpoiltWeights, DraftBlocksCountAfterTheLayers) {
  TempFolder folder;
  const auto weights = OpenChanged(folder, Spoil("mtp.0.e_proj.weight", 0, "\x7f"), WithDraft());
  EXPECT_NO_THROW(weights->CheckLayer(1));
  ExpectRefusal([&] { weights->CheckLayer(2); }, Code::kCheckpoint,
                {"mtp.0.e_proj.weight", "element 0"});
  ExpectRefusal([&] { weights->CheckLayer(3); }, Code::kInvalidArgument, {"layer", "3"});
  ExpectRefusal([&] { weights->CheckLayer(-1); }, Code::kInvalidArgument, {"layer", "-1"});
  ExpectRefusal([&] { weights->CheckExpert(0, 4); }, Code::kInvalidArgument, {"expert", "4"});
}

TEST(SpoiltWeights, ABadElementIsFoundWhereverItIs) {
  const size_t count = 9000;
  const auto check = [](Dtype dtype, std::vector<uint8_t>& data, size_t elements, size_t bad) {
    Tensor tensor;
    tensor.dtype = dtype;
    tensor.rank = 1;
    tensor.shape[0] = static_cast<int64_t>(elements);
    tensor.data = data.data() + 1;  // unaligned
    tensor.bytes = data.size() - 1;
    TensorCheck item;
    item.tensor = &tensor;
    item.where = "f: tensor \"t\"";
    if (bad == elements) {
      EXPECT_NO_THROW(CheckTensorContents(item, nullptr));
    } else {
      ExpectRefusal([&] { CheckTensorContents(item, nullptr); }, Code::kCheckpoint,
                    {"element " + std::to_string(bad) + ":"});
    }
  };
  struct Kind {
    Dtype dtype;
    std::string good, bad;
  };
  const std::vector<Kind> kinds = {{Dtype::kF8E4m3, "\xfe", "\xff"},
                                   {Dtype::kF8E4m3, "\x7e", "\x7f"},
                                   {Dtype::kF8E8m0, "\xfe", "\xff"},
                                   {Dtype::kBf16, {"\x7f\xff", 2}, {"\x80\xff", 2}},
                                   {Dtype::kF32, {"\xff\xff\x7f\x7f", 4}, {"\0\0\x80\x7f", 4}}};
  for (const Kind& kind : kinds) {
    for (const size_t bad : {size_t{0}, size_t{1}, size_t{4095}, size_t{4096}, size_t{8191},
                             size_t{8192}, count - 1, count}) {
      std::vector<uint8_t> data(1);
      for (size_t i = 0; i < count; ++i) {
        const std::string& element = i == bad ? kind.bad : kind.good;
        data.insert(data.end(), element.begin(), element.end());
      }
      SCOPED_TRACE(static_cast<int>(kind.dtype));
      check(kind.dtype, data, count, bad);
    }
  }
}

// Digits, quotes and letters of a valid header replaced at random: whatever still opens must also
// stand the checks of its contents, and nothing but Error may be thrown.
TEST(RefusedWeights, RandomlyEditedHeadersAreRefusedOrHarmless) {
  TempFolder folder;
  Smallest().Write(folder.path());
  const Config config = LoadConfig(folder.path());
  const std::string header = HeaderOf(Smallest().tensors).dump(),
                    buffer = BufferOf(Smallest().tensors);
  constexpr std::string_view kLetters = "0123456789,:{}[]\"\\ -.eIFBU84_";
  int opened = 0, refused = 0;
  for (uint32_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::string edited = header;
    const uint32_t edits = 1 + random() % 3;
    for (uint32_t i = 0; i < edits; ++i) {
      edited[random() % edited.size()] = kLetters[random() % kLetters.size()];
    }
    WriteSafetensors(folder / "model.safetensors", edited, buffer);
    try {
      CheckEverything(*Weights::Open(folder.path(), config), config.experts);
      ++opened;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("model.safetensors"), std::string::npos)
          << error.what();
      ++refused;
    }
  }
  EXPECT_GT(opened, 0);
  EXPECT_GT(refused, 300);
}

TEST(VerifyAll, ReportsProgressUpToTheTotal) {
  TempFolder folder;
  Smallest().Write(folder.path());
  const auto weights = Open(folder);
  uint64_t last = 0;
  weights->VerifyAll([&](uint64_t done, uint64_t total) {
    EXPECT_GT(done, last);
    EXPECT_EQ(total, weights->total_bytes());
    last = done;
    return true;
  });
  EXPECT_EQ(last, weights->total_bytes());
  int calls = 0;
  ExpectRefusal([&] { weights->VerifyAll([&](uint64_t, uint64_t) { return ++calls < 3; }); },
                Code::kCancelled, {});
  EXPECT_EQ(calls, 3);
}

}  // namespace
}  // namespace finback
