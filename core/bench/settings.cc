#include "core/bench/settings.h"

#include <algorithm>
#include <cinttypes>
#include <set>

#include "core/base/status.h"
#include "core/bench/shapes.h"
#include "core/json/json_fields.h"

namespace finback {
namespace {

struct ListBounds {
  int64_t low, high;
  size_t most;  // items
};

// Absent: `*list` stays as it is.
void IntegerList(JsonFields* fields, const char* name, const ListBounds& bounds,
                 std::vector<int64_t>* list) {
  const Json* items = fields->FindArray(name);
  if (items == nullptr) return;
  list->clear();
  if (items->items.size() > bounds.most) {
    fields->Fail(name,
                 Format("expected at most %zu items, found %zu", bounds.most, items->items.size()));
  }
  for (size_t i = 0; i < items->items.size(); ++i) {
    const Json& item = items->items[i];
    const int64_t value = item.Integer(-1);
    if (!item.IsNumber() || value < bounds.low || value > bounds.high) {
      fields->FailAtPath(
          fields->Path(name, i),
          Format("expected a whole number of %" PRId64 " to %" PRId64, bounds.low, bounds.high));
    }
    list->push_back(value);
  }
}

void WithoutRepetitions(std::vector<int64_t>* list) {
  std::set<int64_t> seen;
  std::erase_if(*list, [&](int64_t value) { return !seen.insert(value).second; });
}

}  // namespace

BenchmarkSettings ParseBenchmarkSettings(const char* json) {
  const JsonSource source{.document = "settings"};
  const Json document = ParseJson(json, source);
  JsonFields fields(document, "", source);
  BenchmarkSettings settings;
  if (const std::string* shape = fields.FindString("shape")) settings.shape = *shape;
  const ModelShape* shape = FindShape(settings.shape);
  if (shape == nullptr) {
    fields.Fail("shape", "unknown shape " + Quoted(settings.shape) + ", expected " + ShapeNames());
  }
  IntegerList(&fields, "kinds", {0, 65536, 1024}, &settings.kinds);
  for (size_t i = 0; i < settings.kinds.size(); ++i) {
    const int64_t kind = settings.kinds[i];
    if (kind == 1 || kind == 2) {
      fields.FailAtPath(fields.Path("kinds", i),
                        "expected 0 (window), 4 (CSA) or a larger number (HCA)");
    }
  }
  if (settings.kinds.empty()) settings.kinds = shape->sample;
  fields.Integer("experts", 0, shape->experts, &settings.experts);
  if (settings.experts != 0 && settings.experts < shape->experts_per_token) {
    fields.Fail("experts",
                Format("expected 0 or %d to %d: a token is sent to %d of them",
                       shape->experts_per_token, shape->experts, shape->experts_per_token));
  }
  if (const std::string* folder = fields.FindString("folder")) settings.folder = *folder;
  IntegerList(&fields, "prefill", {1, kMostPositions, 16}, &settings.prefill);
  IntegerList(&fields, "prefill_depths", {0, kMostPositions - 1, 16}, &settings.prefill_depths);
  IntegerList(&fields, "depths", {0, kMostPositions, 32}, &settings.depths);
  IntegerList(&fields, "together", {1, 64, 16}, &settings.together);
  IntegerList(&fields, "streams", {1, 64, 16}, &settings.streams);
  for (auto* list : {&settings.prefill, &settings.prefill_depths, &settings.depths,
                     &settings.together, &settings.streams}) {
    WithoutRepetitions(list);
  }
  fields.Integer("tokens", 1, 1024, &settings.tokens);
  fields.Integer("repeats", 1, 100, &settings.repeats);
  settings.measure = fields.Bool("measure", true);
  fields.RejectUnknown();
  return settings;
}

}  // namespace finback
