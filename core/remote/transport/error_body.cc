#include "core/remote/transport/error_body.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "core/base/ascii.h"
#include "core/json/lenient_json.h"

namespace finback {
namespace {

constexpr int kMaxDepth = 4;  // of errors within errors

// Names as they are compared: without case, underscores and dashes.
constexpr std::string_view kMessageNames[] = {
    "message",   "msg",     "errormessage", "errormsg",         "errmsg",
    "statusmsg", "retmsg",  "error",        "errordescription", "detail",
    "details",   "errinfo", "description",  "reason",           "title"};
constexpr std::string_view kCodeNames[] = {"code",       "errorcode",  "errcode", "errno",
                                           "statuscode", "httpstatus", "retcode", "status"};
constexpr std::string_view kTypeNames[] = {"type", "errortype"};
// Where an error stands within another object.
constexpr std::string_view kErrorNames[] = {"error", "errors", "err", "fault", "exception"};
constexpr std::string_view kEnvelopes[] = {"response", "responsemetadata", "baseresp", "detail",
                                           "message"};
constexpr std::string_view kIdNames[] = {"requestid"};
// Codes and statuses that say that all is well.
constexpr std::string_view kGoodCodes[] = {"",           "0",          "200",     "ok",
                                           "success",    "no",         "pending", "completed",
                                           "incomplete", "inprogress", "true"};
constexpr std::string_view kBadStatuses[] = {"error", "fail", "failed", "failure"};

std::string Plain(std::string_view name) {
  std::string plain = LowerAscii(Trimmed(name));
  plain.erase(std::remove_if(plain.begin(), plain.end(),
                             [](char c) { return c == '_' || c == '-' || c == ' '; }),
              plain.end());
  return plain;
}

template <size_t kCount>
bool IsOneOf(std::string_view text, const std::string_view (&list)[kCount]) {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

// The first member that has one of the names, in the order of the names, and is not null.
template <size_t kCount, typename Accept>
const Json* FindMember(const Json& object, const std::string_view (&names)[kCount], Accept accept) {
  const Json* found = nullptr;
  size_t rank = kCount;
  for (const auto& [name, value] : object.members) {
    const auto at = std::find(std::begin(names), std::end(names), Plain(name));
    const size_t place = static_cast<size_t>(at - std::begin(names));
    if (place >= rank || value.IsNull() || !accept(value)) continue;
    rank = place;
    found = &value;
  }
  return found;
}

std::string ScalarText(const Json& value) {
  return value.IsString() || value.IsNumber() ? value.text : std::string();
}

bool IsScalar(const Json& value) { return !Trimmed(ScalarText(value)).empty(); }
bool IsText(const Json& value) { return value.IsString() && !Trimmed(value.text).empty(); }
bool IsNested(const Json& value) { return !value.members.empty() || !value.items.empty(); }

// A list of texts, or of objects with one each, as of frameworks that validate.
std::string ListText(const Json& list) {
  std::string text;
  for (const Json& item : list.items) {
    const Json* words = FindMember(item, kMessageNames, IsText);
    const std::string one = words != nullptr ? words->text : ScalarText(item);
    if (!one.empty()) text += (text.empty() ? "" : "; ") + one;
  }
  return text;
}

// "429", "429 Too Many Requests".
int StatusOfCode(std::string_view code) {
  int status = 0;
  const char* end = code.data() + code.size();
  const auto result = std::from_chars(code.data(), end, status);
  const bool whole = result.ec == std::errc() && (result.ptr == end || *result.ptr == ' ');
  return whole && status >= 100 && status <= 599 && status != 200 ? status : 0;
}

void ReadObject(const Json& object, int depth, ErrorText* text) {
  const auto take = [](const Json* value, std::string* to) {
    if (value != nullptr && to->empty()) *to = ScalarText(*value);
  };
  // An error within goes before what stands around it.
  const Json* inner = FindMember(object, kErrorNames, IsNested);
  if (inner == nullptr) inner = FindMember(object, kEnvelopes, IsNested);
  if (inner != nullptr && depth < kMaxDepth) {
    if (inner->IsArray() && !inner->items.empty()) {
      text->message = ListText(*inner);
      inner = &inner->items[0];
    }
    ReadObject(*inner, depth + 1, text);
  }
  take(FindMember(object, kMessageNames, IsText), &text->message);
  if (FindText(object, "type") != "error") {  // the name of the envelope
    take(FindMember(object, kTypeNames, IsScalar), &text->type);
  }
  take(FindMember(object, kCodeNames, IsScalar), &text->code);
  if (text->status == 0) text->status = StatusOfCode(text->code);
  if (text->limit < 0) text->limit = FindCount(object, "n_ctx");
  if (text->requested < 0) text->requested = FindCount(object, "n_prompt_tokens");
  take(FindMember(object, kIdNames, IsText), &text->request_id);
  // A gateway's own message says only that its provider failed.
  const Json* metadata = FindObject(object, "metadata");
  const std::string_view raw = metadata == nullptr ? "" : FindText(*metadata, "raw");
  if (!raw.empty()) text->message.append(" (").append(raw).append(")");
}

// The title of a page that a proxy sent in the service's place.
std::string TitleOf(std::string_view html) {
  const std::string lower = LowerAscii(html);
  const size_t tag = lower.find("<title");
  const size_t begin = tag == std::string::npos ? tag : lower.find('>', tag);
  const size_t end = begin == std::string::npos ? begin : lower.find("</title", begin);
  return end == std::string::npos ? "" : std::string(html.substr(begin + 1, end - begin - 1));
}

// A page is said to be one: its title alone reads as if the service had said it.
std::string WordsOfPage(std::string_view markup) {
  const std::string lower = LowerAscii(markup);
  const auto has = [&lower](const char* tag) { return lower.find(tag) != std::string::npos; };
  if (!has("<html") && !has("<!doctype html") && !has("<title") && !has("<body")) return "";
  const std::string title(Trimmed(TitleOf(markup)));
  return title.empty() ? "a web page" : "a web page, \"" + title + "\"";
}

// What an error inside a 200 answer would have had as status. The first row that fits counts.
struct StatusRow {
  const char* part;
  int status;
};

constexpr StatusRow kTypes[] = {
    {"rate_limit", 429},
    {"too_many_requests", 429},
    {"resource_exhausted", 429},
    {"throttling", 429},
    {"overloaded", 503},
    {"service_unavailable", 503},
    {"timeout", 504},
    {"authentication", 401},
    {"invalid_api_key", 401},
    {"unauthorized", 401},
    {"unauthenticated", 401},
    {"permission", 403},
    {"insufficient_quota", 402},
    {"insufficient_user", 402},
    {"insufficient_balance", 402},
    {"billing", 402},
    {"payment", 402},
    {"not_found", 404},
    {"too_large", 413},
    {"context_length", 400},
    {"content_filter", 400},
    {"api_error", 500},
    {"server_error", 500},
    {"internal", 500},
    {"bad_request", 400},
    {"invalid_", 400},
};

// Where neither type nor code tells. The words of DeepSeek's home are Chinese.
constexpr StatusRow kWords[] = {
    {"rate limit", 429},
    {"too many requests", 429},
    {"request limit", 429},
    {"throttl", 429},
    {"\u9650\u6D41", 429},  // limited flow
    {"\u9891\u7E41", 429},  // too often
    {"overload", 503},
    {"too busy", 503},
    {"is busy", 503},
    {"at capacity", 503},
    {"service unavailable", 503},
    {"temporarily unavailable", 503},
    {"\u7E41\u5FD9", 503},  // busy
    {"balance", 402},
    {"quota", 402},
    {"out of credit", 402},
    {"insufficient credit", 402},
    {"payment required", 402},
    {"\u4F59\u989D", 402},  // balance
    {"\u6B20\u8D39", 402},  // arrears
    {"\u989D\u5EA6", 402},  // quota
    {"not authenticated", 401},
    {"not authorized", 401},
    {"unauthorized", 401},
    {"unauthenticated", 401},
    {"authentication", 401},
    {"api key", 401},
    {"api_key", 401},
    {"apikey", 401},
    {"api-key", 401},
    {"invalid token", 401},
    {"access token", 401},
    {"login", 401},
    {"log in", 401},
    {"forbidden", 403},
    {"permission", 403},
    {"access denied", 403},
    {"context length", 400},
    {"context window", 400},
    {"maximum model length", 400},
    {"content exists risk", 400},
    {"content management policy", 400},
    {"not found", 404},
    {"does not exist", 404},
    {"no such model", 404},
    {"timed out", 504},
    {"timeout", 504},
    {"bad request", 400},
    {"field required", 422},
    {"invalid", 400},
};

template <size_t kCount>
int FindStatus(std::string_view lower, const StatusRow (&rows)[kCount]) {
  for (const StatusRow& row : rows) {
    if (lower.find(row.part) != std::string_view::npos) return row.status;
  }
  return 0;
}

bool IsBadCode(const Json* code) {
  if (code == nullptr) return false;
  return !IsOneOf(Plain(ScalarText(*code)), kGoodCodes);
}

// {"error": ..} that is there: no null, nothing empty, no false.
bool IsSaid(const Json& value) {
  return IsNested(value) || (value.IsBool() && value.boolean) ||
         (IsText(value) && value.text != "0");
}

}  // namespace

ErrorText ReadError(const Json& document) {
  ErrorText text;
  const bool listed = document.IsArray() && !document.items.empty();
  const Json& object = listed ? document.items[0] : document;
  if (object.IsString()) text.message = object.text;
  ReadObject(object, 0, &text);
  return text;
}

ErrorText ReadErrorBody(std::string_view body) {
  if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
  std::string_view trimmed = Trimmed(body);
  // Gateways end what should have been a stream as if it had begun.
  constexpr std::string_view kStreamEnd = "data: [DONE]";
  if (trimmed.ends_with(kStreamEnd)) trimmed.remove_suffix(kStreamEnd.size());
  ErrorText text;
  if (trimmed.starts_with('<')) {
    text.message = WordsOfPage(trimmed);
    return text;
  }
  // JSON may stand behind keep-alive lines or the "data:" of an event.
  const size_t open = trimmed.find_first_of("{[");
  const size_t close = trimmed.find_last_of("}]");
  Json json;
  if (open != std::string_view::npos && close != std::string_view::npos && open < close &&
      ParseLenientJson(trimmed.substr(open, close - open + 1), &json, nullptr)) {
    return ReadError(json);
  }
  text.message = trimmed;  // also with a bracket in it
  return text;
}

ErrorSign FindErrorSign(const Json& document) {
  if (document.IsArray() && !document.items.empty()) return FindErrorSign(document.items[0]);
  const auto any = [](const Json&) { return true; };
  const Json* error = FindMember(document, kErrorNames, IsSaid);
  if (error != nullptr || FindText(document, "type") == "error" ||
      FindText(document, "object") == "error") {
    return ErrorSign::kNames;
  }
  constexpr std::string_view kFlags[] = {"success", "ok"};
  const Json* flag = FindMember(document, kFlags, any);
  if (flag != nullptr && flag->IsBool() && !flag->boolean) return ErrorSign::kSays;
  constexpr std::string_view kStatus[] = {"status"};
  const Json* status = FindMember(document, kStatus, IsText);
  if (status != nullptr && IsOneOf(Plain(status->text), kBadStatuses)) return ErrorSign::kSays;
  const Json* inner = FindMember(document, kEnvelopes, IsNested);
  if (inner != nullptr && inner->IsObject() && FindErrorSign(*inner) >= ErrorSign::kSays) {
    return ErrorSign::kSays;
  }
  const bool has_words = FindMember(document, kMessageNames, IsText) != nullptr;
  constexpr std::string_view kDetail[] = {"detail", "details"};
  if (FindMember(document, kDetail, IsSaid) != nullptr) return ErrorSign::kSays;
  const bool bad = IsBadCode(FindMember(document, kCodeNames, IsScalar));
  return has_words && bad ? ErrorSign::kSays : has_words ? ErrorSign::kWords : ErrorSign::kNone;
}

int StatusOfWords(std::string_view text) { return FindStatus(LowerAscii(text), kWords); }

int StatusOfError(const ErrorText& text) {
  int status = text.status;
  if (status == 0) status = FindStatus(LowerAscii(text.type + " " + text.code), kTypes);
  if (status != 0 && status != 500) return status;
  // That the service failed is what they say of anything; the words know better.
  const int by_words = StatusOfWords(text.message);
  if (by_words != 0) return by_words;
  // Codes of five digits begin with the status.
  const std::string_view code = Trimmed(text.code);
  const bool long_code =
      code.size() == 5 && code.find_first_not_of("0123456789") == std::string_view::npos;
  const int begins = long_code ? StatusOfCode(code.substr(0, 3)) : 0;
  return status == 0 && begins >= 400 ? begins : 500;
}

int64_t NumberAfter(std::string_view text, std::string_view words) {
  for (size_t at = text.find(words); at != std::string_view::npos; at = text.find(words, at + 1)) {
    std::string digits;
    for (const char c : text.substr(at + words.size())) {
      if (c == ',' && !digits.empty()) continue;
      if (c < '0' || c > '9' || digits.size() == 18) break;
      digits += c;
    }
    if (!digits.empty()) {
      int64_t number = -1;
      std::from_chars(digits.data(), digits.data() + digits.size(), number);
      return number;
    }
  }
  return -1;
}

}  // namespace finback
