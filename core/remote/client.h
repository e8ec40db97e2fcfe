// What all streams of an engine at services share: the targets with their keys, connections,
// limits, prices, ledger. Immutable once open, but for what locks itself.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/engine/options.h"
#include "core/remote/catalog/model_name.h"
#include "core/remote/catalog/provider.h"
#include "core/remote/money/ledger.h"
#include "core/remote/money/prices.h"
#include "core/remote/policy/limiter.h"
#include "core/remote/policy/retry.h"
#include "core/remote/policy/router.h"
#include "core/remote/record/recorder.h"
#include "core/remote/transport/http.h"

namespace finback {

// A model at an address of a service, ready to be asked.
struct Endpoint {
  Provider provider;  // its row, with the engine's options put over it
  ModelEntry entry;
  std::string model, with, notice;  // as in ModelTarget
  std::string key, key_label;       // "": none needed
};

// A target of the router.
struct ServiceTarget {
  Endpoint main;
  std::optional<Endpoint> responses;  // of the same model and key; see Provider::responses
};

// The client of an engine's services.
class Client {
 public:
  // Throws Error: an option that is wrong or unreadable, an unknown provider, a missing key.
  explicit Client(const EngineOptions& options);

  const ServiceOptions& options() const { return options_; }
  LadderChoice effort_ladder() const { return effort_ladder_; }
  const std::vector<ServiceTarget>& targets() const { return targets_; }
  const PriceTable& prices() const { return prices_; }
  HttpClient& http() { return *http_; }
  ConcurrencyLimiter& limiter() { return limiter_; }
  RetryRules& retry() { return *retry_; }
  Router& router() { return *router_; }
  Ledger* ledger() { return ledger_.get(); }        // nullptr: none is kept
  Recorder* recorder() { return recorder_.get(); }  // nullptr: nothing is recorded
  const std::vector<std::string>& secrets() const { return secrets_; }
  void Log(LogLevel level, const std::string& message) const;  // keys are removed

  // A call that is not a conversation, as GET /models: the body. Throws on any failure.
  std::string Get(const Endpoint& endpoint, const std::string& path);

  // What an answer says that is no success: its status counts, even where its words are lost
  // because they break off or cannot be decoded. `body` is what came of them.
  Failure Refusal(HttpTransfer* transfer, std::string_view base_url, std::string_view path,
                  std::string* body) const;

  std::vector<std::string> Headers(const Endpoint& endpoint, const char* accept) const;
  HttpTimeouts timeouts() const;
  // Where a key is missing says so, and where it may be put.
  void ExplainKey(const Endpoint& endpoint, Failure* failure) const;
  // The most requests at once for the endpoint's key and model; 0: no limit.
  int32_t Ceiling(const Endpoint& endpoint) const;

 private:
  void AddTarget(const ModelTarget& model);
  // The Responses endpoint beside `main`, if its row names one and speaks what the row says.
  std::optional<Endpoint> ResponsesBeside(const Endpoint& main) const;
  void OpenTransport(const EngineOptions& options);
  void OpenLedger();

  const ServiceOptions options_;
  const LadderChoice effort_ladder_;
  const LogFunction log_;
  const ProviderTable providers_;
  const PriceTable prices_;
  std::vector<ServiceTarget> targets_;  // those of the router
  std::vector<std::string> secrets_;
  std::vector<std::string> extra_headers_;
  std::unique_ptr<HttpClient> http_;
  ConcurrencyLimiter limiter_;
  std::unique_ptr<RetryRules> retry_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Recorder> recorder_;
};

}  // namespace finback
