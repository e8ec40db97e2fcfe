// What can go wrong between us and a service, in the classes that decide what to do about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/json/json.h"
#include "core/remote/transport/secrets.h"

namespace finback {

enum class FailureKind : uint8_t {
  kInvalidRequest,   // 400, 413, 422: the request itself
  kReasoningChain,   // 400: an earlier turn's reasoning was not passed back
  kContextOverflow,  // 400: more tokens than the model's context
  kContentRisk,      // 400, or finish_reason content_filter: moderation
  kAuthentication,   // 401, 403
  kQuota,            // 402, or 429 that says the balance is used up
  kRateLimit,        // 429
  kServer,           // 500, 502, 504, unknown 5xx
  kOverloaded,       // 503, 529
  kResource,         // 200, then finish_reason insufficient_system_resource or aborted
  kTransport,        // no connection, reset, cut or empty body, not the promised format
  kTimeout,          // connect, first token, idle, total
  kEmptyResponse,    // 200, finished, and nothing in it
  kSchema,           // the answer does not fit the response_format's schema
  kBudget,           // our own spending limit
  kCancelled,
};
const char* FailureName(FailureKind kind);  // "invalid_request", ...: stable, for programs

struct Failure {
  FailureKind kind = FailureKind::kTransport;
  std::string message;          // one line, redacted: what was wrong with what
  int http_status = 0;          // 0: no response
  bool retryable = false;       // the same request may succeed
  int64_t retry_after_ms = -1;  // what the service asked for; -1: nothing
  std::string request_id;       // the service's own, for its support
  std::string body;             // as it came, redacted, cut at 16 KiB
  std::string provider, model;
  std::string first;  // the first attempt's failure, where the last one's words are others
  // Numbers that the service named, by kind: concurrency (kRateLimit), tokens of the context
  // (kContextOverflow), max_tokens (kInvalidRequest). -1: none.
  int64_t limit = -1;
  int64_t requested = -1;  // what it counted in the request against that limit
  // Of an error that was thrown before any service saw the request; kOk: by kind.
  Code own_code = Code::kOk;

  // One object with the fields above that are known; the body is cut so that it all fits
  // kMaxJsonBytes, what the C interface has room for.
  std::string Json() const;
  static constexpr size_t kMaxJsonBytes = 8191;
};

// What a proxy that answers 407 needs.
inline constexpr char kProxyLogin[] =
    "the proxy wants a login (HTTP 407): put user, colon, password and @ before the proxy's host, in "
    "the option proxy or in the environment's proxy variable";

// Whether failures of that kind may pass by themselves.
bool IsPassing(FailureKind kind);
std::optional<FailureKind> FindFailureKind(std::string_view name);

using HeaderList = std::vector<std::pair<std::string, std::string>>;  // names in lower case

// Whether a service refused a request because it does not know the fields that say how to think.
bool RefusesThinkingFields(const Failure& failure);

// The value of a header, or "".
std::string_view HeaderOf(const HeaderList& headers, std::string_view name);
// What the service calls a request, from its headers: printable, short, redacted; "": nothing.
std::string RequestIdOf(const HeaderList& headers);

// The class of an answer whose status is not 2xx. The body is read as JSON whatever its content
// type says; status first, then the message, never `type` or `code` alone. `secrets` as in Redact.
Failure ClassifyResponse(int status, const HeaderList& headers, std::string_view body,
                         const std::vector<std::string>& secrets = {});

// The same for an error object met inside a stream or a 200 body, of any shape (error_body.h).
Failure ClassifyErrorObject(const Json& object, const HeaderList& headers);
// The same for a 200 body that is no answer and no JSON: a page, a line of text. kTransport unless
// its words are those of another failure.
Failure ClassifyNoAnswer(std::string_view body);

// Adds what a refusal tells of the address that was asked: its path where nothing is, where a
// redirect leads and what to set, the wrong scheme. `path` is that of the call, behind base_url.
void ExplainAddress(std::string_view base_url, std::string_view path, std::string_view location,
                    Failure* failure);

// A failure of our own finding: what went wrong in the words of its kind, the detail, a next step.
Failure MakeFailure(FailureKind kind, std::string_view detail);

// Throws the failure as an Error: code by kind, the message after the provider's name, and Json()
// as its details. What FailureOf took from another error becomes that error again.
[[noreturn]] void ThrowFailure(const Failure& failure);

// The failure that ThrowFailure threw; of other errors the kind that is nearest to their code.
Failure FailureOf(const Error& error);

// Redact (secrets.h) for all texts of a failure.
void RedactFailure(const std::vector<std::string>& secrets, Failure* failure);

}  // namespace finback
