#include "core/local/cache/cache_report.h"

#include <errno.h>

#include <algorithm>
#include <vector>

#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "core/json/json_writer.h"
#include "core/local/cache/inventory.h"
#include "core/local/cache/model_note.h"

namespace finback {
namespace {

using cache::Directory;
using cache::Inventory;
using cache::Item;
using cache::Kind;

// One that is not there has nothing in it.
Directory OpenFolder(const std::string& folder) {
  if (folder.empty()) {
    throw Error(Code::kInvalidArgument, "option cache_folder: is not set, so there is no cache");
  }
  int error;
  Directory top = Directory::Open(folder, false, &error);
  if (error == EACCES) {
    Throw(Code::kIo,
          "%s: cannot be used as a cache: it must be this user's alone, and nobody else may write "
          "to it",
          folder.c_str());
  }
  if (error != 0 && error != ENOENT) ThrowErrno(folder, "open", error);
  return top;
}

struct Totals {
  uint64_t files[cache::kKinds] = {};
  uint64_t bytes = 0;
  uint32_t longest = 0;
  int64_t used_ns = 0;

  void Add(const Item& item) {
    ++files[static_cast<size_t>(item.name.kind)];
    bytes += item.bytes;
    longest = std::max(longest, item.name.position);
    used_ns = std::max(used_ns, item.used_ns);
  }
};

void WriteModel(const Directory& top, const std::string& name, const Totals& totals,
                JsonWriter* json) {
  json->BeginObject().Key("name").String(name);
  json->Key("model");
  const std::string model = cache::ReadModelNote(top, name);
  model.empty() ? json->Null() : json->String(ValidUtf8(model));
  json->Key("bytes").Unsigned(totals.bytes);
  for (size_t kind = 0; kind < cache::kKinds; ++kind) {
    json->Key(std::string(cache::kKindNames[kind]) + "s").Unsigned(totals.files[kind]);
  }
  json->Key("tokens").Unsigned(totals.files[static_cast<size_t>(Kind::kStep)] * cache::kStepTokens);
  json->Key("longest_tokens").Unsigned(totals.longest);
  json->Key("last_use_ms").Integer(totals.used_ns / 1'000'000).EndObject();
}

struct Checked {
  uint64_t files = 0, bytes = 0;      // that were read
  uint64_t removed = 0, refused = 0;  // files that were damaged, or could not be read
};

Checked CheckAll(const Directory& top, const Inventory& inventory,
                 const ProgressFunction& progress) {
  Checked checked;
  Directory directory;
  size_t model = SIZE_MAX;
  for (const Item& item : inventory.items) {
    if (progress && !progress("cache", checked.bytes, inventory.bytes)) {
      throw Error(Code::kCancelled, "checking was cancelled by the progress callback");
    }
    if (item.model != model) {
      int error;
      directory = top.Enter(inventory.models[item.model], false, &error);
      model = item.model;
    }
    if (!directory.open()) continue;
    const cache::Reading reading = cache::CheckFile(directory, item.name);
    ++checked.files;
    checked.bytes += item.bytes;
    checked.removed += reading == cache::Reading::kBad;
    checked.refused += reading == cache::Reading::kRefused;
  }
  if (progress) progress("cache", inventory.bytes, inventory.bytes);
  return checked;
}

// What is asked for.
struct CacheQuery {
  bool verify = false, clear = false;
  std::string name;  // of the one model to clear; "": all

  explicit CacheQuery(std::string_view query_json) {
    const Json query = ParseJson(query_json, "query", JsonNumbers::kStrict, Code::kInvalidRequest);
    JsonSource source;
    source.document = "query";
    JsonFields fields(query, "", source);
    verify = fields.Bool("verify", false);
    const Json* cleared = fields.Find("clear");
    if (cleared != nullptr && cleared->kind == Json::Kind::kString) {
      clear = true;
      name = fields.RequireString("clear");
    } else {
      clear = fields.Bool("clear", false);
    }
    fields.RejectUnknown();
  }
};

// Throws kNotFound if there is no model of that name.
std::vector<Item> ItemsOf(const Inventory& inventory, const std::string& name) {
  if (name.empty()) return inventory.items;
  std::vector<Item> items;
  for (const Item& item : inventory.items) {
    if (inventory.models[item.model] == name) items.push_back(item);
  }
  if (items.empty()) {
    Throw(Code::kNotFound, "clear: no model %s in the cache; its report has the names",
          Quoted(name).c_str());
  }
  return items;
}

void WriteModels(const Directory& top, const Inventory& inventory, JsonWriter* json) {
  std::vector<Totals> totals(inventory.models.size());
  uint64_t bytes = 0;
  for (const Item& item : inventory.items) {
    totals[item.model].Add(item);
    bytes += item.bytes;
  }
  json->Key("bytes").Unsigned(bytes).Key("models").BeginList();
  for (size_t i = 0; i < totals.size(); ++i) {
    if (totals[i].bytes > 0) WriteModel(top, inventory.models[i], totals[i], json);
  }
  json->EndList();
}

}  // namespace

std::string CacheReportJson(const EngineOptions& options, std::string_view query_json) {
  const CacheQuery query(query_json);
  const Directory top = OpenFolder(options.cache_folder);
  const auto look = [&top] { return top.open() ? cache::TakeInventory(top) : Inventory(); };
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("folder").String(ValidUtf8(options.cache_folder));
  if (query.verify) {
    const Checked checked = CheckAll(top, look(), options.progress);
    json.Key("verified").BeginObject().Key("files").Unsigned(checked.files);
    json.Key("bytes").Unsigned(checked.bytes).Key("removed").Unsigned(checked.removed);
    json.Key("unreadable").Unsigned(checked.refused).EndObject();
  }
  if (query.clear) {
    const Inventory inventory = look();
    const std::vector<Item> leaving = ItemsOf(inventory, query.name);
    uint64_t bytes = 0;
    for (const Item& item : leaving) bytes += item.bytes;
    Remove(top, inventory, leaving);
    json.Key("cleared").BeginObject().Key("files").Unsigned(leaving.size());
    json.Key("bytes").Unsigned(bytes).EndObject();
  }
  WriteModels(top, look(), &json);
  json.EndObject();
  return out;
}

}  // namespace finback
