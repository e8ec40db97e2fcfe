// finback-oracle FOLDER IDS OUT: writes what the engine chooses at float32 for the tokens whose
// ids, int32, are in the file IDS: of each layer the experts [tokens, k] and, where it has an
// indexer, the entries [tokens, topk], padded with -1; int32.
//
// finback-oracle CASE: holds the engine against the goldens of a folder made by make_case.py and
// prints one JSON line. End to end at float32: logits, argmax, experts, selections, draft. Per
// layer at published precision, from the golden streams of the layer before: the same.
//
// Errors are relative in the Frobenius norm, |a - b| / |b|; equal_* are shares of rows.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "core/base/file_map.h"
#include "core/base/status.h"
#include "core/checkpoint/safetensors.h"
#include "core/network/layer.h"
#include "core/network/model.h"

namespace finback {
namespace {

class Goldens {
 public:
  explicit Goldens(const std::string& folder) : file_(folder + "/golden.safetensors") {
    header_ = ParseSafetensorsFile(file_.bytes(), file_.path());
    for (const SafetensorsEntry& entry : header_.entries) {
      entries_[std::string(entry.name)] = &entry;
    }
  }

  std::vector<float> Floats(const std::string& name) const { return Read<float>(name); }

  std::vector<int32_t> Ids(const std::string& name) const {
    const std::vector<int64_t> wide = Read<int64_t>(name);
    return {wide.begin(), wide.end()};
  }

 private:
  template <typename T>
  std::vector<T> Read(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) Throw(Code::kNotFound, "golden has no %s", name.c_str());
    const SafetensorsEntry& entry = *found->second;
    std::vector<T> values((entry.end - entry.begin) / sizeof(T));
    memcpy(values.data(), file_.bytes().data() + header_.buffer_offset + entry.begin,
           values.size() * sizeof(T));
    return values;
  }

  FileMap file_;
  SafetensorsHeader header_;
  std::map<std::string, const SafetensorsEntry*> entries_;
};

double RelativeError(const std::vector<float>& found, const std::vector<float>& expected) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double d = static_cast<double>(found[i]) - static_cast<double>(expected[i]);
    difference += d * d;
    norm += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  const double error = std::sqrt(difference / std::max(norm, 1e-300));
  return std::isfinite(error) ? error : 1e9;
}

// Largest error of any one row, each relative to its own norm.
double WorstRow(const std::vector<float>& found, const std::vector<float>& expected, size_t width) {
  double worst = 0;
  for (size_t row = 0; row * width < expected.size(); ++row) {
    const auto slice = [&](const std::vector<float>& v) {
      return std::vector<float>(v.begin() + static_cast<long>(row * width),
                                v.begin() + static_cast<long>((row + 1) * width));
    };
    worst = std::max(worst, RelativeError(slice(found), slice(expected)));
  }
  return worst;
}

double EqualArgmax(const std::vector<float>& found, const std::vector<float>& expected,
                   size_t vocab) {
  size_t equal = 0;
  const size_t rows = expected.size() / vocab;
  for (size_t row = 0; row < rows; ++row) {
    const auto argmax = [&](const std::vector<float>& v) {
      const auto begin = v.begin() + static_cast<long>(row * vocab);
      return std::max_element(begin, begin + static_cast<long>(vocab)) - begin;
    };
    equal += argmax(found) == argmax(expected);
  }
  return static_cast<double>(equal) / static_cast<double>(rows);
}

// Share of rows with the same set of experts.
double EqualExperts(std::vector<int32_t> found, std::vector<int32_t> expected, size_t k) {
  size_t equal = 0;
  const size_t rows = expected.size() / k;
  for (size_t row = 0; row < rows; ++row) {
    const auto at = [&](std::vector<int32_t>& v) { return v.begin() + static_cast<long>(row * k); };
    std::sort(at(found), at(found) + static_cast<long>(k));
    std::sort(at(expected), at(expected) + static_cast<long>(k));
    equal += std::equal(at(found), at(found) + static_cast<long>(k), at(expected));
  }
  return static_cast<double>(equal) / static_cast<double>(rows);
}

// Share of rows with the same selection; expected rows are padded with -1.
double EqualSelections(const std::vector<std::vector<int32_t>>& found,
                       const std::vector<int32_t>& expected, size_t topk) {
  size_t equal = 0;
  for (size_t row = 0; row < found.size(); ++row) {
    std::vector<int32_t> padded = found[row];
    padded.resize(topk, -1);
    equal +=
        std::equal(padded.begin(), padded.end(), expected.begin() + static_cast<long>(row * topk));
  }
  return static_cast<double>(equal) / static_cast<double>(found.size());
}

// A model with fresh state for a whole case in one chunk.
class Run {
 public:
  Run(const std::string& folder, Precision precision, size_t tokens)
      : model_(Model::Open(folder, {.precision = precision, .threads = 0})),
        compute_(model_->compute()),
        states_(model_->config().layers.size()) {
    Reserve reserve(Reserve::Mode::kTake);
    const StateShape shape{tokens, tokens};
    for (size_t i = 0; i < states_.size(); ++i) {
      ReserveLayer(sizes(), compute_.numerics, config().layers[i], shape, &reserve, &states_[i]);
      Reservation uncharged;
      GrowLayer({0, 0, tokens}, &uncharged, &states_[i]);
    }
    scratch_.ReserveAll(compute_, tokens, tokens, &reserve);
    if (config().drafts > 0) draft_scratch_.ReserveAll(compute_, tokens, &reserve);
  }

  const Config& config() const { return model_->config(); }
  const Sizes& sizes() const { return compute_.sizes; }

  std::vector<float> Embedded(const std::vector<int32_t>& ids) {
    std::vector<float> streams(ids.size() * sizes().residual());
    Embed(compute_, model_->weights(), ids, streams.data());
    return streams;
  }

  void Layer(size_t layer, const std::vector<int32_t>& ids, std::vector<float>* streams,
             LayerTrace* trace) {
    const PassSegment all = AllOf(ids);
    Pass pass = PassOf(ids, &all);
    pass.trace = trace;
    PreparePass(pass);
    RunLayer(pass, model_->weights().layers[layer], layer, streams->data());
  }

  std::vector<float> Logits(const std::vector<float>& streams) {
    const Weights& weights = model_->weights();
    std::vector<float> logits(streams.size() / sizes().residual() * sizes().vocab);
    Head(PassOf({}, nullptr), weights.hc_head, weights.norm, streams.data(), RowsOf(&logits));
    return logits;
  }

  // Draft logits for all but the last token.
  std::vector<float> Draft(const std::vector<float>& streams, const std::vector<int32_t>& ids) {
    const std::vector<int32_t> next(ids.begin() + 1, ids.end());
    std::vector<float> logits(next.size() * sizes().vocab);
    const PassSegment all = AllOf(next);
    RunDraft(PassOf(next, &all), streams.data(), &draft_scratch_, RowsOf(&logits));
    return logits;
  }

 private:
  PassSegment AllOf(const std::vector<int32_t>& ids) {
    return {.begin = 0, .rows = ids.size(), .position = 0, .layers = states_};
  }
  Pass PassOf(std::span<const int32_t> ids, const PassSegment* all) {
    return {compute_, model_->weights(), ids, {all, all == nullptr ? 0u : 1u}, &scratch_};
  }
  std::vector<float*> RowsOf(std::vector<float>* logits) const {
    std::vector<float*> rows;
    for (size_t at = 0; at < logits->size(); at += sizes().vocab) rows.push_back(&(*logits)[at]);
    return rows;
  }

  std::unique_ptr<Model> model_;
  const Compute& compute_;
  std::vector<LayerState> states_;
  Scratch scratch_;
  DraftScratch draft_scratch_;
};

void Check(const std::string& folder) {
  const Goldens golden(folder);
  const std::vector<int32_t> ids = golden.Ids("tokens");
  Run exact(folder, Precision::kFloat32, ids.size());
  const Config& config = exact.config();
  const size_t vocab = exact.sizes().vocab;
  const size_t k = exact.sizes().experts_per_token, topk = exact.sizes().index_topk;

  double experts = 1, selections = 1;
  std::vector<float> streams = exact.Embedded(ids);
  for (size_t i = 0; i < exact.sizes().layers; ++i) {
    LayerTrace trace;
    exact.Layer(i, ids, &streams, &trace);
    const std::string prefix = "float32.layer." + std::to_string(i);
    experts = std::min(experts, EqualExperts(trace.experts, golden.Ids(prefix + ".experts"), k));
    if (trace.selected.empty()) continue;
    selections = std::min(selections,
                          EqualSelections(trace.selected, golden.Ids(prefix + ".selected"), topk));
  }
  const std::vector<float> logits = exact.Logits(streams);
  const std::vector<float> expected = golden.Floats("logits_float32");
  printf(
      "{\"case\": \"%s\", \"tokens\": %zu, "
      "\"float32\": {\"error\": %.3g, \"worst_row_error\": %.3g, "
      "\"equal_argmax\": %.6g, \"equal_experts\": %.6g, \"equal_selections\": %.6g",
      folder.c_str(), ids.size(), RelativeError(logits, expected),
      WorstRow(logits, expected, vocab), EqualArgmax(logits, expected, vocab), experts, selections);
  if (config.drafts > 0) {
    const std::vector<float> draft = exact.Draft(streams, ids);
    const std::vector<float> draft_expected = golden.Floats("draft_logits_float32");
    printf(", \"draft_error\": %.3g, \"draft_equal_argmax\": %.6g",
           RelativeError(draft, draft_expected), EqualArgmax(draft, draft_expected, vocab));
  }

  printf("}, \"published\": {\"layers\": [");
  Run published(folder, Precision::kPublished, ids.size());
  std::vector<float> before = published.Embedded(ids);
  for (size_t i = 0; i < exact.sizes().layers; ++i) {
    LayerTrace trace;
    const std::string prefix = "layer." + std::to_string(i);
    published.Layer(i, ids, &before, &trace);
    std::vector<float> after = golden.Floats(prefix + ".streams");
    printf("%s{\"layer\": %zu, \"error\": %.3g, \"equal_experts\": %.6g", i == 0 ? "" : ", ", i,
           RelativeError(before, after),
           EqualExperts(trace.experts, golden.Ids(prefix + ".experts"), k));
    if (!trace.selected.empty()) {
      printf(", \"equal_selections\": %.6g",
             EqualSelections(trace.selected, golden.Ids(prefix + ".selected"), topk));
    }
    printf("}");
    before = std::move(after);  // each layer starts from the golden streams
  }
  printf("], \"head_error\": %.3g",
         RelativeError(published.Logits(before), golden.Floats("logits")));
  if (config.drafts > 0) {
    const std::vector<float> draft = published.Draft(before, ids);
    const std::vector<float> draft_expected = golden.Floats("draft_logits");
    printf(", \"draft_error\": %.3g, \"draft_equal_argmax\": %.6g",
           RelativeError(draft, draft_expected), EqualArgmax(draft, draft_expected, vocab));
  }
  printf("}}\n");
}

void WriteChoices(const std::string& folder, const std::string& ids_path,
                  const std::string& out_path) {
  const FileMap file(ids_path);
  std::vector<int32_t> ids(file.bytes().size() / sizeof(int32_t));
  memcpy(ids.data(), file.bytes().data(), ids.size() * sizeof(int32_t));
  Run exact(folder, Precision::kFloat32, ids.size());
  std::vector<float> streams = exact.Embedded(ids);
  std::vector<int32_t> all;
  for (size_t i = 0; i < exact.sizes().layers; ++i) {
    LayerTrace trace;
    exact.Layer(i, ids, &streams, &trace);
    all.insert(all.end(), trace.experts.begin(), trace.experts.end());
    for (std::vector<int32_t>& selected : trace.selected) {
      selected.resize(exact.sizes().index_topk, -1);
      all.insert(all.end(), selected.begin(), selected.end());
    }
  }
  FILE* out = fopen(out_path.c_str(), "wb");
  const bool written =
      out != nullptr && fwrite(all.data(), sizeof(int32_t), all.size(), out) == all.size();
  if (out == nullptr || fclose(out) != 0 || !written) {
    Throw(Code::kIo, "%s: cannot write", out_path.c_str());
  }
}

}  // namespace
}  // namespace finback

int main(int argc, char** argv) {
  if (argc != 2 && argc != 4) {
    fprintf(stderr, "usage: finback-oracle CASE | FOLDER IDS OUT\n");
    return 2;
  }
  try {
    if (argc == 4) {
      finback::WriteChoices(argv[1], argv[2], argv[3]);
    } else {
      finback::Check(argv[1]);
    }
  } catch (const std::exception& error) {
    fprintf(stderr, "finback-oracle: %s\n", error.what());
    return 1;
  }
  return 0;
}
