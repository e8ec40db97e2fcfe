#include "core/remote/client.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/file_map.h"
#include "core/base/status.h"
#include "core/json/json.h"
#include "core/remote/catalog/base_url.h"
#include "core/remote/record/replay.h"
#include "core/remote/transport/secrets.h"

namespace finback {
namespace {

constexpr size_t kMaxAnswerBytes = 64u << 20;
constexpr size_t kMaxErrorBytes = 1u << 20;

[[noreturn]] void BadOption(const char* name, const std::string& problem) {
  Throw(Code::kInvalidArgument, "option %s: %s", name, problem.c_str());
}

// "a", or "custom:a" where the address says which service it is.
std::string FullNames(const EngineOptions& options) {
  if (options.service.base_url.empty() || NamesService(options.model)) return options.model;
  return std::string(kCustomProvider) + ":" + options.model;
}

void ApplyWireFormat(const std::string& name, Provider* provider) {
  if (name == "auto" || name == provider->wire_format) return;
  provider->wire_format = name;
  provider->responses.clear();  // it stands beside an address of the row's format
}

// kAuto is as the provider has it.
constexpr std::pair<MarkupRescue, Rescue> kRescues[] = {{MarkupRescue::kOff, Rescue::kOff},
                                                        {MarkupRescue::kStrip, Rescue::kStrip},
                                                        {MarkupRescue::kParse, Rescue::kParse}};

void ApplyRescue(MarkupRescue choice, Provider* provider) {
  for (const auto& [ours, rescue] : kRescues) {
    if (ours == choice) provider->rescue = rescue;
  }
}

std::vector<std::string> ParseHeaders(const std::string& json) {
  std::vector<std::string> headers;
  if (json.empty()) return headers;
  const Json object = ParseJson(json, "option http_headers");
  if (!object.IsObject()) BadOption("http_headers", "expected a JSON object");
  for (const auto& [name, value] : object.members) {
    if (!value.IsString()) BadOption("http_headers", name + ": expected a string");
    const std::string text(Trimmed(value.text));
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    if (std::any_of(name.begin(), name.end(), control) ||
        std::any_of(text.begin(), text.end(), control)) {
      BadOption("http_headers", "a header has a line end or another control character in it");
    }
    if (name.empty() || !std::all_of(name.begin(), name.end(), IsVisibleAscii) ||
        name.find(':') != std::string::npos) {
      BadOption("http_headers", "a header's name is empty, or has a blank or a colon in it");
    }
    headers.push_back(name + ": " + text);
  }
  return headers;
}

// What a header's value cannot have within it, or ""; `at` is where.
const char* OddByte(std::string_view key, size_t* at) {
  const auto odd = std::find_if_not(key.begin(), key.end(), IsVisibleAscii);
  if (odd == key.end()) return "";
  *at = static_cast<size_t>(odd - key.begin()) + 1;
  if (*odd == ' ' || *odd == '\t') return "a blank";
  if (*odd == '\n' || *odd == '\r') return "a line end";
  return static_cast<unsigned char>(*odd) < 0x80 ? "a control character" : "a letter beyond ASCII";
}

// A key as people paste it or read it from a file: with a line end, blanks, quotes, or the word
// that goes before it. What is left must fit a header.
std::string TidyKey(std::string_view text, const std::string& where) {
  std::string_view key = Trimmed(text);
  size_t before = 0;
  do {  // one may stand within the other
    before = key.size();
    const bool quoted = key.size() >= 2 && key.front() == key.back();
    if (quoted && (key.front() == '"' || key.front() == '\'')) {
      key = Trimmed(key.substr(1, key.size() - 2));
    }
    constexpr std::string_view kBearer = "bearer";
    const std::string_view rest = key.substr(std::min(key.size(), kBearer.size()));
    const bool named = LowerAscii(key.substr(0, kBearer.size())) == kBearer;
    if (named && Trimmed(rest).size() != rest.size()) key = Trimmed(rest);
    if (named && rest.empty()) key = rest;
  } while (key.size() != before);
  size_t at = 0;
  const char* odd = OddByte(key, &at);
  if (*odd != '\0') {
    Throw(Code::kInvalidArgument,
          "%s: the key has %s at byte %zu of %zu, which no key has: set it again from where it was "
          "issued",
          where.c_str(), odd, at, key.size());
  }
  return std::string(key);
}

// The environment's proxies too: libcurl's words may quote them.
void AddSecretsOfProxies(const std::string& option, std::vector<std::string>* secrets) {
  AddSecretsOfUrl(option, secrets);
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    const char* value = std::getenv(name);
    if (value != nullptr) AddSecretsOfUrl(value, secrets);
  }
}

// A header that a user adds is taken for a secret, but for those that never are one. A short value
// is a word that may stand anywhere, unless the header's name says what it is.
void AddSecretsOfHeaders(const std::vector<std::string>& headers,
                         std::vector<std::string>* secrets) {
  constexpr size_t kLeastBytes = 8;
  for (const std::string& header : headers) {
    const size_t colon = header.find(':');
    const std::string name = LowerAscii(std::string_view(header).substr(0, colon));
    const auto has = [&name](const char* word) { return name.find(word) != std::string::npos; };
    const bool named = has("auth") || has("key") || has("token") || has("secret") || has("cookie");
    const bool harmless = name.starts_with("accept") || name.starts_with("content-") ||
                          name.ends_with("-version") || name.ends_with("-beta") ||
                          name.ends_with("referer") || name == "user-agent" || name == "x-title";
    const std::string_view value = Trimmed(std::string_view(header).substr(colon + 1));
    if (named || (!harmless && value.size() >= kLeastBytes)) AddSecretsOfHeader(value, secrets);
  }
}

std::string KeyNames(const Provider& provider) {
  std::string names;
  for (const std::string& name : provider.key_environment) {
    names += (names.empty() ? "" : " or ") + name;
  }
  return names;
}

}  // namespace

Client::Client(const EngineOptions& options)
    : options_(options.service),
      effort_ladder_(options.effort_ladder),
      log_(options.log),
      providers_(ProviderTable::Load(ReadTableFile(options.service.providers_file))),
      prices_(PriceTable::Load(ReadTableFile(options.service.prices_file),
                               ReadTableFile(options.service.calendar_file))),
      extra_headers_(ParseHeaders(options.service.http_headers)) {
  const RefusedIds refused =
      options_.translate_models ? RefusedIds::kTranslate : RefusedIds::kRefuse;
  AddSecretsOfProxies(options_.proxy, &secrets_);
  AddSecretsOfHeaders(extra_headers_, &secrets_);
  AddSecret(options_.api_key, &secrets_);
  router_ = std::make_unique<Router>(ResolveModels(FullNames(options), providers_, refused),
                                     ReadTableFile(options_.routing_file), providers_, refused);
  for (const ModelTarget& model : router_->targets()) AddTarget(model);
  RetryPolicy policy;
  policy.max_retries = options_.max_retries;
  retry_ = std::make_unique<RetryRules>(policy);
  OpenTransport(options);
  OpenLedger();
}

void Client::AddTarget(const ModelTarget& model) {
  ServiceTarget target;
  Endpoint& main = target.main;
  main.provider = *model.provider;
  main.entry = *model.entry;
  main.model = model.model;
  main.with = model.with;
  main.notice = model.notice;
  Provider& provider = main.provider;
  // Address and key are those of the first service that the model option names.
  const bool overridden = targets_.empty() || targets_.front().main.provider.name == provider.name;
  if (overridden && !options_.base_url.empty()) {
    ApplyWireFormat(options_.wire_format, &provider);
    std::string wrong_format;
    const std::string url = TidyBaseUrl(options_.base_url, provider.wire_format, &wrong_format);
    const std::string problem = BaseUrlProblem(url);
    // A key that was put here by mistake, perhaps.
    if (!problem.empty()) BadOption("base_url", Redact(problem, secrets_));
    if (!wrong_format.empty()) BadOption("base_url", wrong_format);
    provider.base_url = url;
    if (!provider.beta_url.empty()) provider.beta_url = provider.base_url;
  }
  ApplyRescue(options_.markup_rescue, &provider);
  if (provider.base_url.empty()) {
    BadOption("base_url", "must be set: no address is known for " + provider.name);
  }
  if (overridden) main.key = TidyKey(options_.api_key, "option api_key");
  std::string without_key;  // variables that are set
  for (const std::string& name : provider.key_environment) {
    if (!main.key.empty()) break;
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) continue;
    main.key = TidyKey(value, "the variable " + name);
    without_key += (without_key.empty() ? "; there is no key in " : ", ") + name;
  }
  if (main.key.empty() && provider.key_required && options_.replay.empty()) {
    Throw(Code::kAuthentication, "%s: no key: set the option api_key or the variable %s%s",
          provider.name.c_str(), KeyNames(provider).c_str(), without_key.c_str());
  }
  if (!main.key.empty()) {
    main.key_label = KeyLabel(main.key);
    AddSecret(main.key, &secrets_);
  }
  target.responses = ResponsesBeside(main);
  targets_.push_back(std::move(target));
}

std::optional<Endpoint> Client::ResponsesBeside(const Endpoint& main) const {
  if (main.provider.responses.empty()) return std::nullopt;
  Endpoint beside = main;
  beside.provider = *providers_.Find(main.provider.responses);
  beside.provider.base_url = main.provider.base_url;
  beside.provider.rescue = main.provider.rescue;
  return beside;
}

void Client::OpenTransport(const EngineOptions& options) {
  if (!options_.record.empty()) recorder_ = std::make_unique<Recorder>(options_.record, secrets_);
  if (!options_.replay.empty()) {
    http_ = OpenReplay(options_.replay, 0, secrets_);
    return;
  }
  HttpSettings settings;
  settings.proxy = options_.proxy;
  settings.ignore_environment = !options_.environment_proxy;
  settings.ca_file = options_.ca_file;
  settings.user_agent = options.user_agent;
  http_ = HttpClient::Open(settings);
}

int32_t Client::Ceiling(const Endpoint& endpoint) const {
  if (options_.max_concurrency > 0) return options_.max_concurrency;
  return endpoint.entry.concurrency > 0 ? endpoint.entry.concurrency
                                        : endpoint.provider.concurrency;
}

void Client::OpenLedger() {
  if (options_.ledger.empty() && options_.budget.empty()) return;
  LedgerSettings settings;
  settings.path = options_.ledger;
  settings.unknown_price = options_.unknown_price;
  if (!options_.budget.empty()) {
    Budget budget;
    budget.scope = options_.budget_scope;
    budget.period = options_.budget_period;
    const auto limit = ParseDollars(options_.budget);
    if (!limit || *limit < 0) {
      BadOption("budget", "expected dollars such as 2.50, got \"" + options_.budget + "\"");
    }
    budget.limit_pico = *limit;
    settings.budgets.push_back(std::move(budget));
  }
  ledger_ = Ledger::Open(std::move(settings));
}

void Client::Log(LogLevel level, const std::string& message) const {
  if (log_) log_(level, Redact(message, secrets_).c_str());
}

std::vector<std::string> Client::Headers(const Endpoint& endpoint, const char* accept) const {
  std::vector<std::string> headers = {"Content-Type: application/json",
                                      std::string("Accept: ") + accept};
  if (!endpoint.key.empty() && endpoint.provider.auth == AuthStyle::kBearer) {
    headers.push_back("Authorization: Bearer " + endpoint.key);
  } else if (!endpoint.key.empty() && endpoint.provider.auth == AuthStyle::kApiKeyHeader) {
    headers.push_back("x-api-key: " + endpoint.key);
  }
  for (const auto& [name, value] : endpoint.provider.headers)
    headers.push_back(name + ": " + value);
  headers.insert(headers.end(), extra_headers_.begin(), extra_headers_.end());
  return headers;
}

void Client::ExplainKey(const Endpoint& endpoint, Failure* failure) const {
  if (failure->kind != FailureKind::kAuthentication || !endpoint.key.empty()) return;
  const std::string names = KeyNames(endpoint.provider);
  failure->message += "; none was sent: set the option api_key";
  if (!names.empty()) failure->message += " or the variable " + names;
}

HttpTimeouts Client::timeouts() const {
  HttpTimeouts timeouts;
  timeouts.connect_ms = options_.connect_timeout_ms;
  timeouts.first_byte_ms = options_.first_token_timeout_ms;
  timeouts.idle_ms = options_.idle_timeout_ms;
  timeouts.total_ms = options_.total_timeout_ms;
  return timeouts;
}

Failure Client::Refusal(HttpTransfer* transfer, std::string_view base_url, std::string_view path,
                        std::string* body) const {
  const int status = transfer->Status();
  std::string lost;
  try {
    while (body->size() < kMaxErrorBytes && transfer->Read(body)) {
    }
  } catch (const Error& error) {
    const Failure broken = FailureOf(error);
    const bool ends = broken.kind == FailureKind::kCancelled ||
                      (broken.kind == FailureKind::kTimeout && !broken.retryable);
    if (ends) throw;
    lost = broken.message;
  }
  Failure failure = ClassifyResponse(status, transfer->headers(), *body, secrets_);
  ExplainAddress(base_url, path, HeaderOf(transfer->headers(), "location"), &failure);
  if (!lost.empty()) failure.message += " (its words were lost: " + lost + ")";
  return failure;
}

std::string Client::Get(const Endpoint& endpoint, const std::string& path) {
  HttpRequest request;
  request.method = "GET";
  request.url = endpoint.provider.base_url + path;
  request.headers = Headers(endpoint, "application/json");
  request.timeouts = timeouts();
  try {
    const std::unique_ptr<HttpTransfer> transfer = http_->Start(std::move(request));
    const int status = transfer->Status();
    std::string body;
    if (status < 200 || status >= 300) {
      ThrowFailure(Refusal(transfer.get(), endpoint.provider.base_url, path, &body));
    }
    while (body.size() < kMaxAnswerBytes && transfer->Read(&body)) {
    }
    return body;
  } catch (const Error& error) {
    Failure failure = FailureOf(error);
    failure.provider = endpoint.provider.name;
    ExplainKey(endpoint, &failure);
    RedactFailure(secrets_, &failure);
    ThrowFailure(failure);
  }
}

}  // namespace finback
