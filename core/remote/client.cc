#include "core/remote/client.h"

#include <cstdlib>
#include <utility>

#include "core/base/file_map.h"
#include "core/base/status.h"
#include "core/json/json.h"
#include "core/remote/catalog/base_url.h"
#include "core/remote/record/replay.h"

namespace finback {
namespace {

constexpr size_t kMaxAnswerBytes = 64u << 20;

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
    if ((name + value.text).find_first_of("\r\n") != std::string::npos) {
      BadOption("http_headers", "a header has a line end in it");
    }
    headers.push_back(name + ": " + value.text);
  }
  return headers;
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
      log_(options.log),
      providers_(ProviderTable::Load(ReadTableFile(options.service.providers_file))),
      prices_(PriceTable::Load(ReadTableFile(options.service.prices_file),
                               ReadTableFile(options.service.calendar_file))),
      extra_headers_(ParseHeaders(options.service.http_headers)) {
  const RefusedIds refused =
      options_.translate_models ? RefusedIds::kTranslate : RefusedIds::kRefuse;
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
    const std::string problem = BaseUrlProblem(options_.base_url);
    if (!problem.empty()) BadOption("base_url", problem);
    provider.base_url = WithoutSlash(options_.base_url);
    if (!provider.beta_url.empty()) provider.beta_url = provider.base_url;
    ApplyWireFormat(options_.wire_format, &provider);
  }
  ApplyRescue(options_.markup_rescue, &provider);
  if (provider.base_url.empty()) {
    BadOption("base_url", "must be set: no address is known for " + provider.name);
  }
  if (overridden) main.key = options_.api_key;
  for (const std::string& name : provider.key_environment) {
    if (!main.key.empty()) break;
    const char* value = std::getenv(name.c_str());
    if (value != nullptr) main.key = value;
  }
  if (main.key.empty() && provider.key_required && options_.replay.empty()) {
    Throw(Code::kAuthentication, "%s: no key: set the option api_key or the variable %s",
          provider.name.c_str(), KeyNames(provider).c_str());
  }
  if (!main.key.empty()) {
    main.key_label = KeyLabel(main.key);
    secrets_.push_back(main.key);
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
    while (body.size() < kMaxAnswerBytes && transfer->Read(&body)) {
    }
    if (status < 200 || status >= 300) {
      ThrowFailure(ClassifyResponse(status, transfer->headers(), body, secrets_));
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
