#include "core/remote/remote_backend.h"

#include <limits>
#include <utility>

#include "core/base/status.h"
#include "core/json/json_fields.h"
#include "core/json/json_writer.h"
#include "core/remote/money/ledger.h"
#include "core/remote/remote_stream.h"
#include "core/remote/service.h"

namespace finback {
namespace {

class RemoteSession final : public Session {
 public:
  explicit RemoteSession(Service* service)
      : service_(*service), conversation_(std::make_shared<Conversation>()) {}
  std::unique_ptr<Stream> Start(Request request) override {
    return std::make_unique<RemoteStream>(&service_, std::move(request), conversation_);
  }

 private:
  Service& service_;
  const std::shared_ptr<Conversation> conversation_;  // streams may outlive their session
};

class RemoteBackend final : public Backend {
 public:
  explicit RemoteBackend(const EngineOptions& options) : service_(options) {}

  std::unique_ptr<Stream> Start(Request request) override {
    // Any number at once, and nothing is known of how they belong together.
    return std::make_unique<RemoteStream>(&service_, std::move(request), nullptr);
  }
  std::unique_ptr<Session> NewSession() override {
    return std::make_unique<RemoteSession>(&service_);
  }
  std::string Info() override;
  std::string Models() override { return Ask(&Provider::models_path, "a list of models"); }
  std::string Balance() override { return Ask(&Provider::balance_path, "a balance"); }

 private:
  std::string Ask(std::string Provider::*path, const char* what);

  Service service_;
};

std::string RemoteBackend::Ask(std::string Provider::*path, const char* what) {
  const ServiceTarget& target = *service_.targets().front();
  const std::string& where = target.provider.*path;
  if (where.empty()) {
    Throw(Code::kUnsupported, "%s: this service tells %s nowhere", target.provider.name.c_str(),
          what);
  }
  const std::string body = service_.Get(target, where);
  ParseJson(body, "the service's answer", JsonNumbers::kPython, Code::kService);
  return body;
}

std::string RemoteBackend::Info() {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("backend").String("service").Key("targets").BeginList();
  for (const auto& target : service_.targets()) {
    json.BeginObject().Key("provider").String(target->provider.name);
    json.Key("model").String(target->model).Key("base_url").String(target->provider.base_url);
    json.Key("context_tokens");
    target->entry.context_tokens > 0 ? json.Integer(target->entry.context_tokens) : json.Null();
    json.Key("max_output_tokens");
    target->entry.max_output_tokens > 0 ? json.Integer(target->entry.max_output_tokens)
                                        : json.Null();
    json.Key("key").String(target->key_label).EndObject();
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
