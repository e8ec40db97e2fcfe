#include "core/remote/remote_backend.h"

#include <limits>
#include <mutex>
#include <utility>

#include "core/base/process.h"
#include "core/base/status.h"
#include "core/json/json_fields.h"
#include "core/json/json_writer.h"
#include "core/remote/client.h"
#include "core/remote/money/ledger.h"
#include "core/remote/remote_stream.h"

namespace finback {
namespace {

// The client of this process: connections, the ledger and the queue for a turn are not a child's,
// which opens its own with the same options. What it inherited is never closed: that would speak
// for the parent.
class ProcessClient {
 public:
  explicit ProcessClient(const EngineOptions& options)
      : options_(options), client_(std::make_unique<Client>(options)) {}
  ~ProcessClient() {
    if (process_ != ProcessGeneration()) static_cast<void>(client_.release());
  }
  ProcessClient(const ProcessClient&) = delete;
  ProcessClient& operator=(const ProcessClient&) = delete;

  Client* Get() {
    const std::lock_guard<ForkMutex> lock(lock_);
    if (process_ != ProcessGeneration()) {
      auto own = std::make_unique<Client>(options_);
      static_cast<void>(client_.release());
      client_ = std::move(own);
      process_ = ProcessGeneration();
    }
    return client_.get();
  }

 private:
  const EngineOptions options_;
  ForkMutex lock_;
  uint64_t process_ = ProcessGeneration();
  std::unique_ptr<Client> client_;
};

class RemoteSession final : public Session {
 public:
  explicit RemoteSession(ProcessClient* client)
      : client_(*client), conversation_(std::make_shared<Conversation>()) {}
  std::unique_ptr<Stream> Start(Request request) override {
    return std::make_unique<RemoteStream>(client_.Get(), std::move(request), conversation_);
  }

 private:
  ProcessClient& client_;
  const std::shared_ptr<Conversation> conversation_;  // streams may outlive their session
};

class RemoteBackend final : public Backend {
 public:
  explicit RemoteBackend(const EngineOptions& options) : client_(options) {}

  std::unique_ptr<Stream> Start(Request request) override {
    // Any number at once, and nothing is known of how they belong together.
    return std::make_unique<RemoteStream>(client_.Get(), std::move(request), nullptr);
  }
  std::unique_ptr<Session> NewSession() override {
    return std::make_unique<RemoteSession>(&client_);
  }
  std::string Info() override;
  std::string Models() override { return Ask(&Provider::models_path, "a list of models"); }
  std::string Balance() override { return Ask(&Provider::balance_path, "a balance"); }

 private:
  std::string Ask(std::string Provider::*path, const char* what);

  ProcessClient client_;
};

std::string RemoteBackend::Ask(std::string Provider::*path, const char* what) {
  Client& client = *client_.Get();
  const Endpoint& endpoint = client.targets().front().main;
  const std::string& where = endpoint.provider.*path;
  if (where.empty()) {
    Throw(Code::kUnsupported, "%s: this service tells %s nowhere", endpoint.provider.name.c_str(),
          what);
  }
  const std::string body = client.Get(endpoint, where);
  ParseJson(body, "the service's answer", JsonNumbers::kPython, Code::kService);
  return body;
}

std::string RemoteBackend::Info() {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("backend").String("service").Key("targets").BeginList();
  for (const ServiceTarget& target : client_.Get()->targets()) {
    const Endpoint& main = target.main;
    json.BeginObject().Key("provider").String(main.provider.name);
    json.Key("model").String(main.model).Key("base_url").String(main.provider.base_url);
    json.Key("context_tokens");
    main.entry.context_tokens > 0 ? json.Integer(main.entry.context_tokens) : json.Null();
    json.Key("max_output_tokens");
    main.entry.max_output_tokens > 0 ? json.Integer(main.entry.max_output_tokens) : json.Null();
    json.Key("key").String(main.key_label).EndObject();
  }
  json.EndList().EndObject();
  return out;
}

}  // namespace

bool AsksForService(const EngineOptions& options) {
  if (options.model.rfind("local:", 0) == 0) return false;
  return !options.service.base_url.empty() || NamesService(options.model);
}

std::shared_ptr<Backend> OpenRemoteBackend(const EngineOptions& options) {
  return std::make_shared<RemoteBackend>(options);
}

}  // namespace finback
