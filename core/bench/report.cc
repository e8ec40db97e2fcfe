#include "core/bench/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <map>
#include <optional>

#include "core/bench/published_tensors.h"
#include "core/bench/token_costs.h"
#include "core/json/json_writer.h"
#include "core/kernels/isa.h"
#include "core/network/profile/cache_bytes.h"

namespace finback {
namespace {

using Kind = BenchmarkPart::Kind;

constexpr const char* kPhaseNames[kPhases] = {"products_f32", "products_bf16",     "products_fp8",
                                              "products_fp4", "attention",         "indexer",
                                              "top_k",        "hyper_connections", "rest"};

double Seconds(Profile::Clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

// Enough digits for any comparison, and no more.
double Rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.5g", value);
  double rounded = value;
  std::sscanf(text, "%lf", &rounded);
  return rounded;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double Best(const std::vector<double>& values) {
  return *std::max_element(values.begin(), values.end());
}

void WriteBestAndMedian(const char* name, const std::vector<double>& values, JsonWriter* json) {
  json->Key(name);
  if (values.empty()) {
    json->Null();
    return;
  }
  json->BeginObject().Key("best").Number(Rounded(Best(values)));
  json->Key("median").Number(Rounded(Median(values))).EndObject();
}

// `rates` as shares of a roof: the best of the best, the median of the median.
void WriteShare(const char* name, const std::vector<double>& rates, const std::vector<double>& roof,
                JsonWriter* json) {
  json->Key(name);
  if (rates.empty() || roof.empty()) {
    json->Null();
    return;
  }
  json->BeginObject().Key("best").Number(Rounded(Best(rates) / Best(roof)));
  json->Key("median").Number(Rounded(Median(rates) / Median(roof))).EndObject();
}

class Report {
 public:
  explicit Report(const BenchmarkReport& inputs) : inputs_(inputs), json_(&out_) {}

  std::string Write() {
    json_.BeginObject();
    WriteSubject();
    WriteCosts();
    if (inputs_.measured != nullptr) WriteMeasured();
    json_.EndObject();
    return std::move(out_);
  }

 private:
  uint64_t Layers() const { return static_cast<uint64_t>(inputs_.config.layers_count); }

  void WriteSeconds(const char* name, double seconds) {
    json_.Key(name);
    if (seconds < 0) {
      json_.Null();
    } else {
      json_.Number(Rounded(seconds));
    }
  }

  void WriteSubject() {
    const BenchmarkSubject& subject = inputs_.subject;
    json_.Key("checkpoint").BeginObject();
    json_.Key("weights").String(subject.shape == nullptr ? "model" : "random");
    json_.Key("shape");
    if (subject.shape == nullptr) {
      json_.Null();
    } else {
      json_.String(subject.shape->name);
    }
    json_.Key("folder");
    if (subject.folder.empty()) {
      json_.Null();
    } else {
      json_.String(subject.folder);
    }
    json_.Key("kinds").BeginList();
    for (size_t i = 0; i < Layers(); ++i) json_.Integer(inputs_.config.layers[i].ratio);
    json_.EndList().Key("layers").Unsigned(Layers());
    json_.Key("layers_of_whole").Integer(inputs_.whole.layers_count);
    json_.Key("experts").Integer(inputs_.config.experts);
    if (inputs_.model != nullptr) {
      json_.Key("bytes").Unsigned(inputs_.model->weights().total_bytes());
    }
    json_.EndObject().Key("notes").BeginList();
    for (const std::string& note : subject.notes) json_.String(note);
    json_.EndList();
  }

  // Of the whole model, as published: counted, not measured.
  void WriteCosts() {
    const Config& whole = inputs_.whole;
    const WeightBytes weights = inputs_.subject.shape == nullptr && inputs_.model != nullptr
                                    ? CountWeights(whole, inputs_.model->weights())
                                    : CountWeights(whole, PublishedTensors(whole));
    const double experts =
        static_cast<double>(whole.layers_count) * static_cast<double>(whole.experts_per_token);
    json_.Key("token").BeginObject().Key("layers").Integer(whole.layers_count);
    json_.Key("model_bytes").Unsigned(weights.total);
    json_.Key("weight_bytes").Unsigned(weights.Read(experts));
    json_.Key("dense_bytes").Unsigned(weights.dense);
    json_.Key("expert_bytes").Unsigned(weights.Read(experts) - weights.dense);
    json_.Key("linear_operations").Number(Rounded(CountOperations(whole, 0).linear));
    json_.Key("at_depth").BeginList();
    const Precision precision =
        inputs_.model != nullptr ? inputs_.model->precision() : Precision::kPublished;
    for (const int64_t depth : inputs_.settings.depths) {
      const auto position = static_cast<uint64_t>(depth);
      const TokenOperations operations = CountOperations(whole, position);
      const CacheBytes cache = CacheAt(whole, precision, position);
      json_.BeginObject().Key("depth").Integer(depth);
      json_.Key("cache_bytes_read").Unsigned(cache.read);
      json_.Key("cache_bytes_held").Unsigned(cache.sum());
      json_.Key("attention_operations").Number(Rounded(operations.attention));
      json_.Key("indexer_operations").Number(Rounded(operations.indexer)).EndObject();
    }
    json_.EndList().EndObject();
  }

  void WriteMeasured() {
    const Model& model = *inputs_.model;
    const Measurement& measured = *inputs_.measured;
    json_.Key("isa").String(IsaName(ActiveIsa()));
    json_.Key("threads").Integer(model.compute().parallel.threads());
    json_.Key("chunk_tokens").Unsigned(measured.chunk_tokens());
    json_.Key("load").BeginObject();
    WriteSeconds("make_seconds", inputs_.subject.make_seconds);
    WriteSeconds("open_seconds", inputs_.subject.open_seconds);
    WriteSeconds("touch_seconds", measured.load().touch_seconds);
    WriteSeconds("first_token_seconds", measured.load().first_token_seconds);
    json_.EndObject();
    const RoofSamples& roofs = measured.roofs();
    json_.Key("roofs").BeginObject();
    WriteBestAndMedian("read_bytes_per_second", roofs.read, &json_);
    WriteBestAndMedian("f32_operations_per_second", roofs.f32, &json_);
    WriteBestAndMedian("bf16_operations_per_second", roofs.bf16, &json_);
    WriteBestAndMedian("int8_operations_per_second", roofs.int8, &json_);
    json_.EndObject();
    WriteParts(Kind::kDecode, "decode");
    WriteParts(Kind::kTogether, "together");
    WriteParts(Kind::kStreams, "streams");
    WriteParts(Kind::kPrefill, "prefill");
    WriteMemory();
  }

  void WriteParts(Kind kind, const char* name) {
    json_.Key(name).BeginList();
    for (const BenchmarkPart& part : inputs_.measured->parts()) {
      if (part.kind == kind) WritePart(part);
    }
    json_.EndList();
  }

  void WritePart(const BenchmarkPart& part) {
    json_.BeginObject();
    const bool of_streams = part.kind == Kind::kStreams;
    if (of_streams) {
      json_.Key("streams").Integer(part.rows);
    } else if (part.kind != Kind::kDecode) {
      json_.Key("tokens").Integer(part.rows);
    }
    if (part.kind != Kind::kTogether) json_.Key("depth").Integer(part.depth);
    json_.Key("skipped");
    if (!part.skipped.empty()) {
      json_.String(part.skipped).EndObject();
      return;
    }
    json_.Null();
    std::vector<double> rates;
    for (const BenchmarkPart::Sample& sample : part.samples) {
      rates.push_back(static_cast<double>(part.tokens) / sample.seconds);
    }
    json_.Key("repeats").Unsigned(rates.size());
    WriteBestAndMedian("tokens_per_second", rates, &json_);
    if (of_streams) {
      WriteStreams(part, rates);
      json_.EndObject();
      return;
    }
    if (part.kind == Kind::kPrefill) {
      WriteOperations(part, rates);
    } else {
      WriteBytes(part, rates);
    }
    if (part.kind == Kind::kTogether) WriteTogether(part);
    WriteProfile(part);
    WriteWhole(part);
    json_.EndObject();
  }

  void WriteOperations(const BenchmarkPart& part, const std::vector<double>& rates) {
    // The head computes the last token alone.
    const TokenOperations one = CountOperations(inputs_.config, 0);
    const double linear = one.linear - one.head + one.head / static_cast<double>(part.rows);
    std::vector<double> operations;
    for (const double rate : rates) operations.push_back(rate * linear);
    WriteBestAndMedian("linear_operations_per_second", operations, &json_);
    WriteShare("of_f32_roof", operations, inputs_.measured->roofs().f32, &json_);
    WriteShare("of_bf16_roof", operations, inputs_.measured->roofs().bf16, &json_);
  }

  WeightBytes Weights() const { return CountWeights(inputs_.config, inputs_.model->weights()); }

  static double ExpertsPerPass(const BenchmarkPart& part) {
    const Profile& profile = part.Best().profile;
    return static_cast<double>(profile.routed_experts) / static_cast<double>(profile.passes);
  }

  void WriteBytes(const BenchmarkPart& part, const std::vector<double>& rates) {
    const uint64_t weights = Weights().Read(ExpertsPerPass(part));
    json_.Key("weight_bytes").Unsigned(weights);
    json_.Key("cache_bytes")
        .Unsigned(
            CacheAt(inputs_.config, inputs_.model->precision(), static_cast<uint64_t>(part.depth))
                .read);
    std::vector<double> read;
    for (const double rate : rates) {
      read.push_back(rate / static_cast<double>(part.rows) * static_cast<double>(weights));
    }
    WriteBestAndMedian("weight_bytes_per_second", read, &json_);
    WriteShare("of_read_roof", read, inputs_.measured->roofs().read, &json_);
  }

  // All tokens of several streams beside those of one, and what the bytes predict that passes of
  // all of them touch; how many were in a pass.
  void WriteStreams(const BenchmarkPart& part, const std::vector<double>& rates) {
    const BenchmarkPart* one = nullptr;
    for (const BenchmarkPart& other : inputs_.measured->parts()) {
      if (other.kind == Kind::kStreams && other.rows == 1 && !other.samples.empty()) one = &other;
    }
    const Profile& profile = part.Best().profile;
    json_.Key("streams_per_pass")
        .Number(Rounded(static_cast<double>(part.tokens) / static_cast<double>(profile.passes)));
    json_.Key("times_one").BeginObject().Key("predicted");
    if (one == nullptr) {
      json_.Null().Key("measured").Null();
    } else {
      const auto read = [&](const BenchmarkPart& of) {
        return static_cast<double>(Weights().Read(ExpertsPerPass(of)));
      };
      const double alone = static_cast<double>(one->tokens) / one->Best().seconds;
      json_.Number(Rounded(static_cast<double>(part.rows) * read(*one) / read(part)));
      json_.Key("measured").Number(Rounded(*std::max_element(rates.begin(), rates.end()) / alone));
    }
    json_.EndObject();
  }

  // What a pass costs beside one token alone, and what the bytes that both touch predict.
  void WriteTogether(const BenchmarkPart& part) {
    const BenchmarkPart* alone = nullptr;
    for (const BenchmarkPart& other : inputs_.measured->parts()) {
      if (other.kind == Kind::kDecode && other.depth == 0 && !other.samples.empty()) {
        alone = &other;
      }
    }
    json_.Key("cost_of_one").BeginObject();
    const auto pass_seconds = [](const BenchmarkPart& of) {
      return of.Best().seconds / static_cast<double>(of.Best().profile.passes);
    };
    const WeightBytes weights = Weights();
    json_.Key("predicted");
    if (alone == nullptr) {
      json_.Null().Key("measured").Null();
    } else {
      const auto read = [&](const BenchmarkPart& of) {
        return static_cast<double>(weights.Read(ExpertsPerPass(of)));
      };
      const double predicted = read(part) / read(*alone);
      const double measured = pass_seconds(part) / pass_seconds(*alone);
      json_.Number(Rounded(predicted)).Key("measured").Number(Rounded(measured));
      json_.Key("of_predicted").Number(Rounded(measured / predicted));
    }
    json_.EndObject();
  }

  void WriteProfile(const BenchmarkPart& part) {
    const Profile& profile = part.Best().profile;
    const double total = Seconds(profile.total);
    const double forked = Seconds(profile.forks.time);
    json_.Key("forks_per_layer")
        .Number(Rounded(static_cast<double>(profile.layer_forks) /
                        static_cast<double>(profile.passes * Layers())));
    json_.Key("alone_share");
    if (inputs_.model->compute().parallel.threads() == 1) {
      json_.Null();
    } else {
      json_.Number(Rounded(1 - forked / total));
    }
    json_.Key("phases").BeginObject();
    for (size_t i = 0; i < kPhases; ++i) {
      json_.Key(kPhaseNames[i]).Number(Rounded(Seconds(profile.phase[i]) / total));
    }
    json_.EndObject();
  }

  // Seconds of all passes of the best sample, with each layer of the whole model as long as the
  // sample's layers of its kind; empty if one has none.
  std::optional<double> WholeSeconds(const BenchmarkPart& part) const {
    const BenchmarkPart::Sample& best = part.Best();
    std::map<int32_t, std::pair<double, int>> kinds;  // by ratio: seconds, layers
    double seconds = best.seconds;
    for (size_t i = 0; i < Layers(); ++i) {
      const double layer = Seconds(best.profile.layer_time[i]);
      auto& [sum, count] = kinds[inputs_.config.layers[i].ratio];
      sum += layer;
      ++count;
      seconds -= layer;
    }
    for (int32_t i = 0; i < inputs_.whole.layers_count; ++i) {
      const auto found = kinds.find(inputs_.whole.layers[static_cast<size_t>(i)].ratio);
      if (found == kinds.end()) return std::nullopt;
      seconds += found->second.first / found->second.second;
    }
    return seconds;
  }

  void WriteWhole(const BenchmarkPart& part) {
    json_.Key("whole_model_tokens_per_second");
    const std::optional<double> seconds = WholeSeconds(part);
    if (seconds) {
      json_.Number(Rounded(static_cast<double>(part.tokens) / *seconds));
    } else {
      json_.Null();
    }
  }

  void WriteMemory() {
    const Measurement& measured = *inputs_.measured;
    const uint64_t weights = inputs_.model->weights().total_bytes();
    json_.Key("memory").BeginObject().Key("context_tokens").Integer(measured.context_tokens());
    json_.Key("weight_bytes").Unsigned(weights);
    json_.Key("sequence_bytes").Unsigned(measured.sequence_bytes());
    json_.Key("scratch_bytes").Unsigned(measured.evaluator_bytes());
    json_.Key("planned_bytes")
        .Unsigned(weights + measured.sequence_bytes() + measured.evaluator_bytes() +
                  measured.roof_bytes());
    WriteKilobytes("peak_bytes", "/proc/self/status", {"VmHWM:"});
    WriteKilobytes("huge_page_bytes", "/proc/self/smaps_rollup",
                   {"AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:"});
    json_.EndObject();
  }

  // The sum of a system file's lines of these names, in bytes; null where there are none.
  void WriteKilobytes(std::string_view key, const char* path,
                      std::initializer_list<const char*> names) {
    long long sum = -1;
    if (FILE* file = std::fopen(path, "re"); file != nullptr) {
      char line[256], name[64];
      long long kilobytes = 0;
      while (std::fgets(line, sizeof line, file) != nullptr) {
        if (std::sscanf(line, "%63s %lld kB", name, &kilobytes) != 2) continue;
        const auto wanted = [&name](const char* other) { return strcmp(name, other) == 0; };
        if (std::any_of(names.begin(), names.end(), wanted)) sum = std::max(sum, 0LL) + kilobytes;
      }
      std::fclose(file);
    }
    json_.Key(key);
    if (sum < 0) {
      json_.Null();
    } else {
      json_.Integer(sum * 1024);
    }
  }

  const BenchmarkReport& inputs_;
  std::string out_;
  JsonWriter json_;
};

}  // namespace

std::string BenchmarkJson(const BenchmarkReport& report) { return Report(report).Write(); }

}  // namespace finback
