#include "core/remote/transport/failure.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <iterator>

#include "core/base/ascii.h"
#include "core/base/utf8.h"
#include "core/json/json_writer.h"
#include "core/remote/transport/error_body.h"

namespace finback {
namespace {

constexpr size_t kMaxBodyBytes = 16 << 10;
constexpr size_t kMaxDetailBytes = 400;  // of the service's own words in a message
constexpr size_t kMaxIdBytes = 128;
constexpr size_t kMaxNameBytes = 256;
constexpr size_t kMaxMessageBytes = 1000;
constexpr int64_t kMaxWaitMs = int64_t{366} * 24 * 3600 * 1000;

enum class Passing : uint8_t { kNo, kYes };

struct KindRow {
  FailureKind kind;
  const char* name;
  Code code;
  Passing passing;
  const char* what;
  const char* next;  // a step that a user can take
};

constexpr KindRow kKinds[] = {
    {FailureKind::kInvalidRequest, "invalid_request", Code::kInvalidRequest, Passing::kNo,
     "the service refused the request", "change what it names"},
    {FailureKind::kReasoningChain, "reasoning_chain", Code::kInvalidRequest, Passing::kNo,
     "the reasoning of an earlier turn is missing",
     "send the reasoning_content of every assistant turn back, or turn thinking off"},
    {FailureKind::kContextOverflow, "context_overflow", Code::kContextFull, Passing::kNo,
     "the request is longer than the model's context",
     "shorten the conversation or lower max_tokens"},
    {FailureKind::kContentRisk, "content_risk", Code::kRefused, Passing::kNo,
     "the service's moderation refused the content", "rephrase it"},
    {FailureKind::kAuthentication, "authentication", Code::kAuthentication, Passing::kNo,
     "the service refused the key", "check the API key"},
    {FailureKind::kQuota, "quota", Code::kQuota, Passing::kNo, "the account's balance is used up",
     "top it up, or use another provider"},
    {FailureKind::kRateLimit, "rate_limit", Code::kRateLimit, Passing::kYes,
     "too many requests at once", "send fewer at a time, or wait"},
    {FailureKind::kServer, "server", Code::kService, Passing::kYes, "the service failed",
     "try again"},
    {FailureKind::kOverloaded, "overloaded", Code::kService, Passing::kYes,
     "the service is overloaded", "try again later, or name another model to fall back on"},
    {FailureKind::kResource, "resource", Code::kService, Passing::kYes,
     "the service ran out of resources in the middle of the answer", "try again"},
    {FailureKind::kTransport, "transport", Code::kService, Passing::kYes, "the connection failed",
     "check the network and base_url"},
    {FailureKind::kTimeout, "timeout", Code::kTimeout, Passing::kYes,
     "the service did not answer in time", "try again, or allow more time"},
    {FailureKind::kEmptyResponse, "empty_response", Code::kService, Passing::kYes,
     "the answer was empty", "try again"},
    {FailureKind::kSchema, "schema", Code::kSchema, Passing::kNo,
     "the answer does not fit the schema", "simplify the schema, or describe it in the prompt"},
    {FailureKind::kBudget, "budget", Code::kQuota, Passing::kNo, "the spending limit is reached",
     "raise the budget"},
    {FailureKind::kCancelled, "cancelled", Code::kCancelled, Passing::kNo, "cancelled", ""},
};
static_assert(std::size(kKinds) == static_cast<size_t>(FailureKind::kCancelled) + 1);

const KindRow& RowOf(FailureKind kind) { return kKinds[static_cast<size_t>(kind)]; }

// --- Text -----------------------------------------------------------------------------------

void CutTo(size_t bytes, std::string* text) { text->resize(CutUtf8(*text, bytes).size()); }

std::string TextOf(const Json* value) {
  return value != nullptr && value->IsString() ? value->text : "";
}

// One printable line: runs of blanks and control characters become one blank.
std::string OneLine(std::string_view text, size_t most_bytes) {
  std::string line;
  for (const char c : ValidUtf8(text)) {
    const bool blank = static_cast<unsigned char>(c) <= 0x20 || c == 0x7F;
    if (!blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  if (line.ends_with(' ')) line.pop_back();
  if (line.size() > most_bytes) {
    CutTo(most_bytes, &line);
    line += "...";
  }
  return line;
}

// The service's words stay as they are, a full stop at their end included.
std::string MessageOf(const char* what, std::string_view detail, const char* next) {
  std::string message = what;
  if (!detail.empty()) message.append(": ").append(detail);
  if (*next == '\0') return message;
  const bool sentence = message.ends_with('.');
  return message + (sentence ? " (" : "; ") + next + (sentence ? ")" : "");
}

// --- Classes --------------------------------------------------------------------------------

struct StatusRow {
  int low, high;
  FailureKind kind;
};

constexpr StatusRow kStatuses[] = {
    {401, 401, FailureKind::kAuthentication}, {402, 402, FailureKind::kQuota},
    {407, 407, FailureKind::kTransport},      {403, 403, FailureKind::kAuthentication},
    {408, 408, FailureKind::kTimeout},        {409, 409, FailureKind::kServer},
    {425, 425, FailureKind::kServer},         {429, 429, FailureKind::kRateLimit},
    {503, 503, FailureKind::kOverloaded},     {529, 529, FailureKind::kOverloaded},
    {400, 499, FailureKind::kInvalidRequest}, {500, 599, FailureKind::kServer},
};

// Where message, type and code contain both phrases, the status means this. The first row that
// fits counts, before kStatuses.
struct PhraseRow {
  int low, high;
  const char* phrase;
  const char* other;
  FailureKind kind;
};

constexpr PhraseRow kPhrases[] = {
    {400, 422, "must be passed back", "", FailureKind::kReasoningChain},
    {400, 422, "expected `thinking`", "", FailureKind::kReasoningChain},
    {400, 451, "content exists risk", "", FailureKind::kContentRisk},
    {400, 451, "content_filter", "", FailureKind::kContentRisk},
    {400, 451, "content management policy", "", FailureKind::kContentRisk},
    {400, 451, "data_inspection_failed", "", FailureKind::kContentRisk},
    {400, 451, "input was flagged", "", FailureKind::kContentRisk},
    {400, 500, "maximum context length", "", FailureKind::kContextOverflow},
    {400, 500, "context_length_exceeded", "", FailureKind::kContextOverflow},
    {400, 500, "exceed_context_size", "", FailureKind::kContextOverflow},
    {400, 500, "context length", "longer than", FailureKind::kContextOverflow},
    {400, 500, "context length", "exceed", FailureKind::kContextOverflow},
    {400, 500, "context size", "exceed", FailureKind::kContextOverflow},
    {400, 500, "context window", "exceed", FailureKind::kContextOverflow},
    {400, 500, "maximum model length", "", FailureKind::kContextOverflow},
    {400, 500, "prompt is too long", "", FailureKind::kContextOverflow},
    // LiteLLM's word for a key that is not its own.
    {400, 400, "no_db_connection", "", FailureKind::kAuthentication},
    // Speaks of the balance, but is met by sending less at once.
    {429, 429, "concurrency", "", FailureKind::kRateLimit},
    {400, 429, "balance", "insufficient", FailureKind::kQuota},
    {400, 429, "balance", "exhausted", FailureKind::kQuota},
    {400, 429, "balance", "used up", FailureKind::kQuota},
    {400, 429, "balance", "too low", FailureKind::kQuota},
    {400, 429, "quota", "insufficient", FailureKind::kQuota},
    {400, 429, "quota", "exhausted", FailureKind::kQuota},
    {400, 429, "quota", "used up", FailureKind::kQuota},
    {400, 429, "exceeded your current quota", "", FailureKind::kQuota},
    {400, 429, "credit", "insufficient", FailureKind::kQuota},
    {400, 429, "credit", "exhausted", FailureKind::kQuota},
    {400, 429, "out of credit", "", FailureKind::kQuota},
    {500, 599, "overloaded", "", FailureKind::kOverloaded},
    {500, 599, "insufficient_system_resource", "", FailureKind::kResource},
};

// How services name the fields that say how to think,
// and how they say that they take no such field.
constexpr const char* kThinkingFields[] = {
    "'thinking'",       "\"thinking\"",     "`thinking`",  "supplied: thinking",
    "reasoning_effort", "reasoning.effort", "'reasoning'", "chat_template_kwargs"};
constexpr const char* kUnknownFields[] = {
    "not support parameter", "n't support `",      "unsupported parameter", "unrecognized request",
    "unknown parameter",     "unexpected keyword", "extra inputs",          "extra_forbidden"};

// Numbers that services name, by the words before them.
enum class Meaning : uint8_t { kLimit, kRequested };
struct NumberRow {
  FailureKind kind;
  const char* words;
  Meaning meaning;
};

constexpr NumberRow kNumbers[] = {
    {FailureKind::kRateLimit, "limit of ", Meaning::kLimit},
    {FailureKind::kRateLimit, "concurrency is ", Meaning::kRequested},
    {FailureKind::kContextOverflow, "context length is ", Meaning::kLimit},
    {FailureKind::kContextOverflow, "context length of ", Meaning::kLimit},
    {FailureKind::kContextOverflow, "context length (", Meaning::kLimit},
    {FailureKind::kContextOverflow, "model length of ", Meaning::kLimit},
    {FailureKind::kContextOverflow, "tokens > ", Meaning::kLimit},
    {FailureKind::kContextOverflow, "requested ", Meaning::kRequested},
    {FailureKind::kContextOverflow, "request has ", Meaning::kRequested},
    {FailureKind::kContextOverflow, "too long: ", Meaning::kRequested},
    {FailureKind::kContextOverflow, "the input (", Meaning::kRequested},
    {FailureKind::kInvalidRequest, "supports at most ", Meaning::kLimit},
    {FailureKind::kInvalidRequest, "range of max_tokens is [1, ", Meaning::kLimit},
    {FailureKind::kInvalidRequest, "max_tokens is too large: ", Meaning::kRequested},
};

FailureKind KindOf(int status, std::string_view lower_text) {
  const auto says = [&](const char* phrase) {
    return lower_text.find(phrase) != std::string_view::npos;
  };
  for (const PhraseRow& row : kPhrases) {
    if (status >= row.low && status <= row.high && says(row.phrase) && says(row.other)) {
      return row.kind;
    }
  }
  for (const StatusRow& row : kStatuses) {
    if (status >= row.low && status <= row.high) return row.kind;
  }
  return FailureKind::kTransport;
}

// --- Headers --------------------------------------------------------------------------------

// -1: no number that is not negative.
int64_t Milliseconds(std::string_view text, double unit) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return -1;
  if (!std::isfinite(value) || std::signbit(value)) return -1;
  return static_cast<int64_t>(std::min(value * unit, static_cast<double>(kMaxWaitMs)));
}

int64_t RetryAfterMs(const HeaderList& headers) {
  const int64_t exact = Milliseconds(HeaderOf(headers, "retry-after-ms"), 1);
  if (exact >= 0) return exact;
  const std::string after(HeaderOf(headers, "retry-after"));
  if (after.empty()) return -1;
  const int64_t seconds = Milliseconds(after, 1000);
  if (seconds >= 0) return seconds;
  const std::string date(HeaderOf(headers, "date"));
  const time_t then = curl_getdate(after.c_str(), nullptr);
  if (then < 0) return -1;
  // By the service's own clock, where it tells the time.
  const time_t told = date.empty() ? -1 : curl_getdate(date.c_str(), nullptr);
  const int64_t wait = static_cast<int64_t>(then) - (told < 0 ? time(nullptr) : told);
  return std::clamp<int64_t>(wait, 0, kMaxWaitMs / 1000) * 1000;
}

std::string TidyId(std::string id) {
  id.erase(std::remove_if(id.begin(), id.end(), [](char c) { return c <= 0x20 || c >= 0x7F; }),
           id.end());
  CutTo(kMaxIdBytes, &id);
  return Redact(id);
}

std::string RequestId(const HeaderList& headers, const ErrorText& text) {
  std::string id = RequestIdOf(headers);
  if (id.empty()) id = text.request_id;
  constexpr std::string_view kMark = "[trace_id=";
  const size_t mark = text.message.find(kMark);
  if (id.empty() && mark != std::string::npos) {
    const size_t begin = mark + kMark.size();
    const size_t end = text.message.find(']', begin);
    if (end != std::string::npos) id = text.message.substr(begin, end - begin);
  }
  return TidyId(std::move(id));
}

// --- Classification -------------------------------------------------------------------------

std::string DescribeStatus(const Failure& failure, int status) {
  const KindRow& row = RowOf(failure.kind);
  std::string what = row.what;
  if (status >= 300 && status < 400) what = "the service redirects, which is not followed";
  if (status == 404 || status == 405) what = "the service knows no such model or address";
  if (failure.kind == FailureKind::kTransport && status >= 200 && status < 300) {
    what = "the answer is not what the service promises";
  }
  if (failure.http_status != 0) what += Format(" (HTTP %d)", failure.http_status);
  return what;
}

const char* NextStep(FailureKind kind, int status) {
  if (status == 404 || status == 405) return "check the model's name and base_url";
  return RowOf(kind).next;
}

// `status` classifies; `http_status` is what the answer had.
Failure Classify(int status, int http_status, const ErrorText& text, const HeaderList& headers) {
  const std::string lower = LowerAscii(text.message + " " + text.type + " " + text.code);
  Failure failure;
  failure.kind = KindOf(status, lower);
  failure.http_status = http_status;
  failure.retryable = IsPassing(failure.kind) && status != 407 && !(status >= 300 && status < 400);
  const std::string_view should_retry = HeaderOf(headers, "x-should-retry");
  if (should_retry == "true" || should_retry == "false") failure.retryable = should_retry == "true";
  failure.retry_after_ms = RetryAfterMs(headers);
  failure.request_id = RequestId(headers, text);
  failure.limit = text.limit;
  failure.requested = text.requested;
  for (const NumberRow& row : kNumbers) {
    if (row.kind != failure.kind) continue;
    int64_t& number = row.meaning == Meaning::kLimit ? failure.limit : failure.requested;
    if (number < 0) number = NumberAfter(lower, row.words);
  }
  std::string words = text.message.empty() ? text.code : text.message;
  if (words.empty()) words = text.type;
  if (status >= 300 && status < 400) words = PublicUrl(HeaderOf(headers, "location"));
  failure.message =
      MessageOf(DescribeStatus(failure, status).c_str(), OneLine(Redact(words), kMaxDetailBytes),
                NextStep(failure.kind, status));
  if (status == 407) failure.message = kProxyLogin;  // a page of the proxy's, not the service's
  return failure;
}

void KeepBody(std::string_view body, Failure* failure) {
  failure->body = ValidUtf8(Redact(body));
  CutTo(kMaxBodyBytes, &failure->body);
}

}  // namespace

std::string_view HeaderOf(const HeaderList& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return Trimmed(value);
  }
  return {};
}

std::string RequestIdOf(const HeaderList& headers) {
  for (const char* name : {"x-ds-trace-id", "x-request-id", "x-deepseek-request-id", "request-id",
                           "x-generation-id"}) {
    const std::string_view id = HeaderOf(headers, name);
    if (!id.empty()) return TidyId(std::string(id));
  }
  return "";
}

const char* FailureName(FailureKind kind) { return RowOf(kind).name; }

bool RefusesThinkingFields(const Failure& failure) {
  if (failure.kind != FailureKind::kInvalidRequest) return false;
  const std::string text = LowerAscii(failure.message + failure.body);
  const auto says = [&text](const char* phrase) { return text.find(phrase) != std::string::npos; };
  return std::any_of(std::begin(kThinkingFields), std::end(kThinkingFields), says) &&
         std::any_of(std::begin(kUnknownFields), std::end(kUnknownFields), says);
}

bool IsPassing(FailureKind kind) { return RowOf(kind).passing == Passing::kYes; }

std::optional<FailureKind> FindFailureKind(std::string_view name) {
  for (const KindRow& row : kKinds) {
    if (name == row.name) return row.kind;
  }
  return std::nullopt;
}

void RedactFailure(const std::vector<std::string>& secrets, Failure* failure) {
  for (std::string* text :
       {&failure->message, &failure->body, &failure->request_id, &failure->first}) {
    *text = Redact(*text, secrets);
  }
}

Failure ClassifyResponse(int status, const HeaderList& headers, std::string_view body,
                         const std::vector<std::string>& secrets) {
  // The page of a redirect repeats where it leads, session and all.
  std::vector<std::string> all = secrets;
  AddSecretsOfUrl(HeaderOf(headers, "location"), &all);
  // Before anything is cut, so that no half of a secret is left.
  const std::string safe = Redact(body, all);
  Failure failure = Classify(status, status, ReadErrorBody(safe), headers);
  KeepBody(safe, &failure);
  RedactFailure(all, &failure);
  return failure;
}

Failure ClassifyErrorObject(const Json& object, const HeaderList& headers) {
  const ErrorText text = ReadError(object);
  Failure failure = Classify(StatusOfError(text), text.status, text, headers);
  std::string body;
  AppendPythonJson(object, &body);
  KeepBody(body, &failure);
  return failure;
}

Failure ClassifyNoAnswer(std::string_view body) {
  const std::string safe = Redact(body);
  const ErrorText text = ReadErrorBody(safe);
  const int status = text.status != 0 ? text.status : StatusOfWords(text.message);
  Failure failure = Classify(status != 0 ? status : 200, text.status, text, {});
  KeepBody(safe, &failure);
  return failure;
}

void ExplainAddress(std::string_view base_url, std::string_view path, std::string_view location,
                    Failure* failure) {
  const int status = failure->http_status;
  const std::string lower = LowerAscii(failure->message + failure->body);
  const auto says = [&lower](const char* words) { return lower.find(words) != std::string::npos; };
  if (status == 404 || status == 405) {
    const std::string base = PublicUrl(base_url);
    const size_t host = base.find("://");
    const size_t slash = base.find('/', host == std::string::npos ? 0 : host + 3);
    const std::string asked =
        (slash == std::string::npos ? "" : base.substr(slash)) + std::string(path);
    failure->message += "; the path that was asked for is " + asked;
    if (asked.find("/v1") == std::string::npos) failure->message += ": base_url may lack a /v1";
  } else if (status >= 300 && status < 400 && !location.empty()) {
    std::string where = PublicUrl(location);
    const bool whole = where.find("://") != std::string::npos && where.ends_with(path);
    if (whole) where.resize(where.size() - path.size());
    failure->message += "; set base_url to " + (whole ? where : "the service's own address");
  } else if (base_url.starts_with("http://") && (says("https port") || says("https server"))) {
    failure->message += "; set base_url to https:// instead of http://";
  }
}

Failure MakeFailure(FailureKind kind, std::string_view detail) {
  Failure failure;
  failure.kind = kind;
  failure.retryable = IsPassing(kind);
  failure.message =
      MessageOf(RowOf(kind).what, OneLine(Redact(detail), kMaxDetailBytes), RowOf(kind).next);
  return failure;
}

std::string Failure::Json() const {
  const auto write = [this](std::string_view kept_body) {
    std::string json;
    JsonWriter writer(&json);
    const auto text = [&](const char* name, std::string value, size_t most_bytes) {
      if (value.empty()) return;
      value = ValidUtf8(value);  // bodies and headers are any bytes
      CutTo(most_bytes, &value);
      writer.Key(name).String(value);
    };
    const auto number = [&](const char* name, int64_t value) {
      if (value >= 0) writer.Key(name).Integer(value);
    };
    writer.BeginObject().Key("kind").String(FailureName(kind));
    text("message", message, kMaxMessageBytes);
    if (http_status != 0) number("http_status", http_status);
    writer.Key("retryable").Bool(retryable);
    number("retry_after_ms", retry_after_ms);
    text("request_id", request_id, kMaxIdBytes);
    text("provider", provider, kMaxNameBytes);
    text("model", model, kMaxNameBytes);
    text("first_failure", first, kMaxMessageBytes);
    number("limit", limit);
    number("requested", requested);
    text("body", std::string(kept_body), kMaxBodyBytes);
    writer.EndObject();
    return json;
  };
  std::string kept_body = body;
  std::string json = write(kept_body);
  // Escaping makes a text longer by a factor that only writing it tells.
  while (json.size() > kMaxJsonBytes && !kept_body.empty()) {
    const size_t excess = json.size() - kMaxJsonBytes;
    CutTo(kept_body.size() - std::min(kept_body.size(), std::max<size_t>(excess / 6, 1)),
          &kept_body);
    json = write(kept_body);
  }
  return json;
}

void ThrowFailure(const Failure& failure) {
  if (failure.own_code != Code::kOk && failure.kind == FailureKind::kInvalidRequest) {
    throw Error(failure.own_code, failure.message);
  }
  std::string message = failure.provider.empty() ? "" : failure.provider + ": ";
  throw Error(RowOf(failure.kind).code, message + failure.message, failure.Json());
}

Failure FailureOf(const Error& error) {
  Failure failure;
  failure.kind = error.code() == Code::kIo ? FailureKind::kTransport : FailureKind::kInvalidRequest;
  for (const KindRow& row : kKinds) {
    if (row.code != error.code()) continue;
    failure.kind = row.kind;
    break;
  }
  failure.message = error.what();
  failure.own_code = error.code();
  if (error.details().empty()) return failure;

  const Json details = ParseJson(error.details(), "error details");
  const std::optional<FailureKind> kind = FindFailureKind(TextOf(details.Find("kind")));
  if (!kind) return failure;
  failure.kind = *kind;
  failure.own_code = Code::kOk;
  const auto number = [&](const char* name, int64_t fallback) {
    const Json* value = details.Find(name);
    return value == nullptr ? fallback : value->Integer(fallback);
  };
  const Json* retryable = details.Find("retryable");
  failure.retryable = retryable != nullptr && retryable->boolean;
  failure.http_status = static_cast<int>(number("http_status", 0));
  failure.retry_after_ms = number("retry_after_ms", -1);
  failure.limit = number("limit", -1);
  failure.requested = number("requested", -1);
  failure.message = TextOf(details.Find("message"));
  failure.request_id = TextOf(details.Find("request_id"));
  failure.body = TextOf(details.Find("body"));
  failure.provider = TextOf(details.Find("provider"));
  failure.model = TextOf(details.Find("model"));
  failure.first = TextOf(details.Find("first_failure"));
  return failure;
}

}  // namespace finback
