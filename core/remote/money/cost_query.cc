#include "core/remote/money/cost_query.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <limits>

#include "core/base/file_map.h"
#include "core/json/json_fields.h"
#include "core/json/json_writer.h"
#include "core/remote/money/ledger.h"
#include "core/remote/money/ledger_report.h"
#include "core/remote/money/prices.h"

namespace finback {
namespace {

CostGroup ReadGroup(JsonFields* fields) {
  const std::string* name = fields->FindString("group_by");
  if (name == nullptr) return CostGroup::kDay;
  std::string known;
  for (size_t i = 0; i < std::size(kCostGroupNames); ++i) {
    if (*name == kCostGroupNames[i]) return static_cast<CostGroup>(i);
    known += (i > 0 ? ", " : "") + std::string(kCostGroupNames[i]);
  }
  FailAt("group_by", "must be one of " + known + ", got \"" + Shown(*name) + "\"");
}

int64_t ReadInstant(JsonFields* fields, const char* name, int64_t fallback) {
  const Json* value = fields->Find(name);
  if (value == nullptr) return fallback;
  if (value->IsInteger()) return value->Integer(fallback);
  if (value->IsString()) {
    if (const auto instant = ParseUtc(value->text)) return *instant;
  }
  FailAt(name,
         "expected a day such as \"2026-11-22\", an instant such as "
         "\"2026-11-22T08:00:00Z\", or Unix milliseconds");
}

// A report changes nothing: a ledger that is not there is not made, nor of what is none.
void RequireLedger(const std::string& path) {
  struct stat status;
  if (path.empty()) Throw(Code::kInvalidArgument, "option ledger: is not set");
  if (stat(path.c_str(), &status) != 0) {
    Throw(errno == ENOENT || errno == ENOTDIR ? Code::kNotFound : Code::kIo,
          "no such ledger: %s (%s); the answers of an engine with the option ledger write it",
          path.c_str(), strerror(errno));
  }
  if (!S_ISREG(status.st_mode) || status.st_size == 0) {
    Throw(Code::kUnsupported, "not a ledger: %s is %s", path.c_str(),
          S_ISREG(status.st_mode) ? "an empty file" : "no file");
  }
}

// In a folder that cannot be written SQLite cannot even read as it reads elsewhere.
bool IsWritable(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  return access(path.c_str(), W_OK) == 0 && access(folder.c_str(), W_OK) == 0;
}

}  // namespace

std::string CostReportJson(const ServiceOptions& options, std::string_view query_json) {
  const Json query = ParseJson(query_json, "query", JsonNumbers::kStrict, Code::kInvalidRequest);
  JsonFields fields(query, "");
  const CostGroup group = ReadGroup(&fields);
  const int64_t since = ReadInstant(&fields, "since", 0);
  const int64_t until = ReadInstant(&fields, "until", std::numeric_limits<int64_t>::max());
  const bool reprice = fields.Bool("reprice", false);
  fields.RejectUnknown();
  RequireLedger(options.ledger);
  LedgerSettings settings;
  settings.path = options.ledger;
  settings.only_read = !reprice && !IsWritable(options.ledger);
  const std::unique_ptr<Ledger> ledger = Ledger::Open(std::move(settings));
  if (!reprice) return ReportCostsJson(group, since, until, ledger.get());
  const Repricing changes = Reprice(
      PriceTable::Load(ReadTableFile(options.prices_file), ReadTableFile(options.calendar_file)),
      ledger.get());
  std::string out = ReportCostsJson(group, since, until, ledger.get());
  out.pop_back();  // its closing bracket
  out += ", \"repriced\": ";
  JsonWriter json(&out);
  json.BeginObject().Key("examined").Integer(changes.examined);
  json.Key("changed").Integer(changes.changed).Key("found").Integer(changes.found);
  json.Key("without_price").Integer(changes.without_price);
  json.Key("difference").String(FormatDollars(changes.difference_pico));
  json.Key("difference_pico").Integer(changes.difference_pico);
  json.Key("found_cost").String(FormatDollars(changes.found_pico));
  json.Key("found_cost_pico").Integer(changes.found_pico).EndObject();
  return out + "}";
}

}  // namespace finback
