#include <memory>
#include <mutex>
#include <new>
#include <string>

#include "capi/backends.h"
#include "capi/boundary.h"
#include "capi/handles.h"

using finback::Code;
using finback::Guard;
using finback::GuardStatus;
using finback::Require;

namespace {

std::string LastPart(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const size_t slash = path.rfind('/');
  return slash == std::string::npos || path.size() == 1 ? path : path.substr(slash + 1);
}

finback_text* NewText(std::string value) {
  auto text = std::make_unique<finback_text>();
  text->text = std::move(value);
  return text.release();
}

// A request that is only encoded has no stream that could tell a notice: it is logged.
finback::Request ChatRequest(const finback_engine& engine, const char* json) {
  finback::Request request = finback::ParseChatRequest(&Require(json, "request_json"));
  engine.unknown_fields.Judge(request);
  return request;
}

}  // namespace

finback_engine* finback_engine_open(const finback_options* options) {
  return Guard<finback_engine*>(nullptr, [&] {
    finback::EngineOptions chosen = finback::ToEngineOptions(Require(options, "options"));
    auto engine = std::make_unique<finback_engine>();
    engine->backend = finback::OpenBackend(&chosen);
    engine->model_name = LastPart(chosen.model);
    engine->unknown_fields = finback::UnknownFieldsRule(chosen);
    return engine.release();
  });
}

void finback_engine_free(finback_engine* self) { delete self; }

const char* finback_engine_info(finback_engine* self) {
  return Guard<const char*>("{}", [&] {
    Require(self, "self");
    const std::lock_guard<finback::ForkMutex> lock(self->info_lock);
    if (self->info_lock.TakeOrphaned()) new (&self->info) std::string();
    if (self->info.empty()) self->info = self->backend->Info();
    return self->info.c_str();
  });
}

finback_status finback_engine_verify(finback_engine* self, const char* sha256_list) {
  return GuardStatus([&] {
    Require(self, "self");
    if (sha256_list == nullptr) {
      self->backend->Verify(nullptr);
    } else {
      const std::string list = sha256_list;
      self->backend->Verify(&list);
    }
  });
}

finback_tokens* finback_engine_tokenize(finback_engine* self, const char* text, size_t size,
                                        int32_t recognize_special) {
  return Guard<finback_tokens*>(nullptr, [&] {
    Require(self, "self");
    if (size > 0) Require(text, "text");
    auto tokens = std::make_unique<finback_tokens>();
    tokens->ids =
        self->backend->Tokenize(std::string_view(size > 0 ? text : "", size),
                                recognize_special != 0 ? finback::SpecialTokens::kRecognize
                                                       : finback::SpecialTokens::kIgnore);
    return tokens.release();
  });
}

finback_tokens* finback_engine_encode_tokens(finback_engine* self, const char* request_json) {
  return Guard<finback_tokens*>(nullptr, [&] {
    Require(self, "self");
    auto tokens = std::make_unique<finback_tokens>();
    tokens->ids = self->backend->EncodeTokens(ChatRequest(*self, request_json));
    return tokens.release();
  });
}

finback_text* finback_engine_detokenize(finback_engine* self, const int32_t* ids, size_t count) {
  return Guard<finback_text*>(nullptr, [&] {
    Require(self, "self");
    if (count > 0) Require(ids, "ids");
    return NewText(self->backend->Detokenize({ids, count}));
  });
}

finback_text* finback_engine_encode(finback_engine* self, const char* request_json) {
  return Guard<finback_text*>(nullptr, [&] {
    Require(self, "self");
    return NewText(self->backend->EncodeText(ChatRequest(*self, request_json)));
  });
}

finback_text* finback_engine_models(finback_engine* self) {
  return Guard<finback_text*>(nullptr,
                              [&] { return NewText(Require(self, "self").backend->Models()); });
}

finback_text* finback_engine_balance(finback_engine* self) {
  return Guard<finback_text*>(nullptr,
                              [&] { return NewText(Require(self, "self").backend->Balance()); });
}

finback_text* finback_services(const finback_options* options) {
  return Guard<finback_text*>(nullptr, [&] {
    return NewText(finback::Services(finback::ToEngineOptions(Require(options, "options"))));
  });
}

finback_text* finback_benchmark(const finback_options* options, const char* settings_json) {
  return Guard<finback_text*>(nullptr, [&] {
    const finback::EngineOptions chosen = finback::ToEngineOptions(Require(options, "options"));
    return NewText(finback::Benchmark(chosen, &Require(settings_json, "settings_json")));
  });
}

finback_text* finback_cost_report(const finback_options* options, const char* query_json) {
  return Guard<finback_text*>(nullptr, [&] {
    const finback::EngineOptions chosen = finback::ToEngineOptions(Require(options, "options"));
    return NewText(finback::CostReport(chosen, &Require(query_json, "query_json")));
  });
}

finback_text* finback_cache(const finback_options* options, const char* query_json) {
  return Guard<finback_text*>(nullptr, [&] {
    const finback::EngineOptions chosen = finback::ToEngineOptions(Require(options, "options"));
    return NewText(finback::Cache(chosen, &Require(query_json, "query_json")));
  });
}
