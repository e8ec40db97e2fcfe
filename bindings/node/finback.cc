// Finback for Node, by Node-API over classes.h: one build serves every Node from 18 on.
//
// SWIG 4.1 can write V8 modules, but those need a build for each Node and block the event loop; so
// this file is written by hand. Functions take the object as an External, which index.js wraps in
// classes. What computes or waits runs in a thread of ours and returns a Promise: libuv's pool has
// four threads, and answers last long.
#include <napi.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <thread>

#include "bindings/classes.h"

namespace {

using namespace finback::binding;  // NOLINT: wrappers alone follow

// Made in the thread that called the library; makes the JavaScript value in JavaScript's thread.
using Result = std::function<Napi::Value(Napi::Env)>;

struct Call {
  Call(Napi::Env env, std::function<Result()> work_, std::function<void()> stop_)
      : promise(Napi::Promise::Deferred::New(env)),
        work(std::move(work_)),
        stop(std::move(stop_)) {}
  Napi::Promise::Deferred promise;
  std::function<Result()> work;
  std::function<void()> stop;  // ends the work early, from any thread
  Result result;
  std::optional<Failure> failure;
};

// The calls of one JavaScript environment and the threads that run them:
// as many as were ever busy at once.
class Calls {
 public:
  explicit Calls(Napi::Env env)
      : done_(Napi::ThreadSafeFunction::New(env, Napi::Function(), "finback", 0, 1)) {
    done_.Unref(env);
  }

  Napi::FunctionReference error_class;

  Napi::Value Start(Napi::Env env, std::function<Result()> work, std::function<void()> stop) {
    auto call = std::make_unique<Call>(env, std::move(work), std::move(stop));
    const Napi::Value promise = call->promise.Promise();
    if (pending_++ == 0) done_.Ref(env);  // the process lives until the last call has returned
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(std::move(call));
    if (waiting_.size() > idle_) threads_.emplace_back([this] { Run(); });
    wake_.notify_one();
    return promise;
  }

  // When the environment goes: stops what runs and waits for it.
  void Close() {
    std::deque<std::unique_ptr<Call>> dropped;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      closing_ = true;
      dropped.swap(waiting_);
      for (Call *call : running_) {
        if (call->stop) call->stop();
      }
    }
    wake_.notify_all();
    for (std::thread &thread : threads_) thread.join();
    done_.Abort();
  }

  Napi::Value MakeError(Napi::Env env, const Failure &failure) {
    return error_class.New(
        {Napi::Number::New(env, failure.code), Napi::String::New(env, failure.name),
         Napi::String::New(env, failure.message), Napi::String::New(env, failure.details)});
  }

 private:
  void Run() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      ++idle_;
      wake_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
      --idle_;
      if (closing_) return;
      std::unique_ptr<Call> call = std::move(waiting_.front());
      waiting_.pop_front();
      running_.insert(call.get());
      lock.unlock();
      try {
        call->result = call->work();
      } catch (...) {
        call->failure = CurrentFailure();
      }
      call->work = nullptr;  // what it holds may be freed here, not in JavaScript's thread
      lock.lock();
      running_.erase(call.get());
      call->stop = nullptr;
      if (closing_) return;
      Call *const given = call.release();
      lock.unlock();
      done_.NonBlockingCall([this, given](Napi::Env env, Napi::Function) { Finish(env, given); });
      lock.lock();
    }
  }

  void Finish(Napi::Env env, Call *given) {
    const std::unique_ptr<Call> call(given);
    try {
      if (--pending_ == 0) done_.Unref(env);
      if (call->failure) {
        call->promise.Reject(MakeError(env, *call->failure));
      } else {
        call->promise.Resolve(call->result(env));
      }
    } catch (const Napi::Error &) {
      // A worker that is being terminated can run no JavaScript: nobody is left to be told.
    }
  }

  Napi::ThreadSafeFunction done_;
  int64_t pending_ = 0;  // JavaScript's thread alone
  std::mutex mutex_;
  std::condition_variable wake_;
  bool closing_ = false;
  std::size_t idle_ = 0;
  std::deque<std::unique_ptr<Call>> waiting_;
  std::set<Call *> running_;
  std::vector<std::thread> threads_;
};

using Info = const Napi::CallbackInfo &;

Napi::Value Start(Info info, std::function<Result()> work, std::function<void()> stop = nullptr) {
  return info.Env().GetInstanceData<Calls>()->Start(info.Env(), std::move(work), std::move(stop));
}

// Arguments; index.js has checked their types.
template <typename Object>
std::shared_ptr<Object> Self(Info info) {
  return *info[0].As<Napi::External<std::shared_ptr<Object>>>().Data();
}
std::string Text(Info info, std::size_t index) {
  return info[index].As<Napi::String>().Utf8Value();
}
TokenIds Ids(Info info, std::size_t index) {
  const auto ids = info[index].As<Napi::Int32Array>();
  return TokenIds(ids.Data(), ids.Data() + ids.ElementLength());
}

// Results.
Result Nothing() {
  return [](Napi::Env env) { return env.Undefined(); };
}
Result FromText(std::string text) {
  return [text = std::move(text)](Napi::Env env) -> Napi::Value {
    return Napi::String::New(env, text);
  };
}
Result FromInteger(int64_t number) {
  return [number](Napi::Env env) -> Napi::Value {
    return Napi::Number::New(env, static_cast<double>(number));
  };
}
template <typename Array, typename List>
Result FromList(List list) {
  return [list = std::move(list)](Napi::Env env) -> Napi::Value {
    Array array = Array::New(env, list.size());
    std::copy(list.begin(), list.end(), array.Data());
    return array;
  };
}
template <typename Object>
Result FromObject(Object *owned) {
  return [object = std::shared_ptr<Object>(owned)](Napi::Env env) -> Napi::Value {
    return Napi::External<std::shared_ptr<Object>>::New(
        env, new std::shared_ptr<Object>(object),
        [](Napi::Env, std::shared_ptr<Object> *held) { delete held; });
  };
}

Result FromEvent(std::unique_ptr<Event> owned) {
  return [event = std::shared_ptr<Event>(std::move(owned))](Napi::Env env) -> Napi::Value {
    if (event == nullptr) return env.Null();
    Napi::Object object = Napi::Object::New(env);
    object["kind"] = KindName(event->kind);
    object["text"] = event->text;
    object["toolIndex"] = event->tool_index;
    object["toolId"] = event->tool_id;
    object["toolName"] = event->tool_name;
    object["finishReason"] = event->finish_reason;
    object["logprobs"] = event->logprobs;
    object["progressDone"] = static_cast<double>(event->progress_done);
    object["progressTotal"] = static_cast<double>(event->progress_total);
    return object;
  };
}
Result FromUsage(const Usage &usage) {
  return [usage](Napi::Env env) -> Napi::Value {
    Napi::Object object = Napi::Object::New(env);
    object["promptTokens"] = static_cast<double>(usage.prompt_tokens);
    object["cachedTokens"] = static_cast<double>(usage.cached_tokens);
    object["completionTokens"] = static_cast<double>(usage.completion_tokens);
    object["reasoningTokens"] = static_cast<double>(usage.reasoning_tokens);
    object["diskTokens"] = static_cast<double>(usage.disk_tokens);
    object["proposedTokens"] = static_cast<double>(usage.proposed_tokens);
    object["acceptedTokens"] = static_cast<double>(usage.accepted_tokens);
    return object;
  };
}

// Options as a list of name, value, name, value; values are text, or bytes of a file's name.
std::shared_ptr<Options> ToOptions(const Napi::Value &value) {
  auto options = std::make_shared<Options>();
  const auto list = value.As<Napi::Array>();
  for (uint32_t i = 0; i + 1 < list.Length(); i += 2) {
    const Napi::Value item = list.Get(i + 1);
    if (item.IsBuffer()) {
      const auto bytes = item.As<Napi::Buffer<char>>();
      options->Set(list.Get(i).As<Napi::String>(), std::string(bytes.Data(), bytes.Length()));
    } else {
      options->Set(list.Get(i).As<Napi::String>(), item.As<Napi::String>());
    }
  }
  return options;
}

using Function = Napi::Value (*)(Info);
struct Entry {
  const char *name;
  Function function;
};

// A call whose arguments are OBJECT and perhaps a text.
template <typename Object, std::string (Object::*method)() const>
Napi::Value TextOf(Info info) {
  return Start(info, [self = Self<Object>(info)] { return FromText((self.get()->*method)()); });
}
template <typename Object, int64_t (Object::*method)() const>
Napi::Value IntegerOf(Info info) {
  return Start(info, [self = Self<Object>(info)] { return FromInteger((self.get()->*method)()); });
}
template <TokenIds (Engine::*method)(const std::string &) const>
Napi::Value IdsOfText(Info info) {
  return Start(info, [self = Self<Engine>(info), text = Text(info, 1)] {
    return FromList<Napi::Int32Array>((self.get()->*method)(text));
  });
}
template <typename Maker, typename Made, Made *(Maker::*method)(const std::string &) const>
Napi::Value MadeOfRequest(Info info) {
  return Start(info, [self = Self<Maker>(info), request = Text(info, 1)] {
    return FromObject((self.get()->*method)(request));
  });
}
template <typename Maker, typename Made, Made *(Maker::*method)() const>
Napi::Value MadeOf(Info info) {
  return Start(info, [self = Self<Maker>(info)] { return FromObject((self.get()->*method)()); });
}
template <Logits (Sequence::*method)(const TokenIds &)>
Napi::Value LogitsOf(Info info) {
  auto self = Self<Sequence>(info);
  return Start(
      info,
      [self, ids = Ids(info, 1)] {
        return FromList<Napi::Float32Array>((self.get()->*method)(ids));
      },
      [self] { self->Cancel(); });
}
template <typename Object>
Napi::Value Close(Info info) {
  Self<Object>(info)->Close();
  return info.Env().Undefined();
}
template <typename Object>
Napi::Value Cancel(Info info) {
  Self<Object>(info)->Cancel();
  return info.Env().Undefined();
}

const Entry kEngine[] = {
    {"open",
     [](Info info) {
       return Start(info,
                    [options = ToOptions(info[0])] { return FromObject(new Engine(*options)); });
     }},
    {"engineInfo", TextOf<Engine, &Engine::Info>},
    {"engineModels", TextOf<Engine, &Engine::Models>},
    {"engineBalance", TextOf<Engine, &Engine::Balance>},
    {"engineVerify",
     [](Info info) {
       return Start(info, [self = Self<Engine>(info), list = Text(info, 1)] {
         self->Verify(list);
         return Nothing();
       });
     }},
    {"engineTokenize", IdsOfText<&Engine::Tokenize>},
    {"engineTokenizeSpecial", IdsOfText<&Engine::TokenizeSpecial>},
    {"engineEncodeTokens", IdsOfText<&Engine::EncodeTokens>},
    {"engineEncode",
     [](Info info) {
       return Start(info, [self = Self<Engine>(info), request = Text(info, 1)] {
         return FromText(self->Encode(request));
       });
     }},
    {"engineDetokenize",
     [](Info info) {
       return Start(info, [self = Self<Engine>(info), ids = Ids(info, 1)] {
         return FromText(self->Detokenize(ids));
       });
     }},
    {"engineChat", MadeOfRequest<Engine, Stream, &Engine::Chat>},
    {"engineComplete", MadeOfRequest<Engine, Stream, &Engine::Complete>},
    {"engineNewSession", MadeOf<Engine, Session, &Engine::NewSession>},
    {"engineNewSequence", MadeOf<Engine, Sequence, &Engine::NewSequence>},
    {"engineClose", Close<Engine>},
    {"sessionChat",
     [](Info info) {
       return Start(info, [self = Self<Session>(info), request = Text(info, 1)] {
         return FromObject(self->Chat(request));
       });
     }},
    {"sessionClose", Close<Session>},
};

const Entry kStream[] = {
    {"streamNext",
     [](Info info) {
       auto self = Self<Stream>(info);
       return Start(
           info, [self] { return FromEvent(std::unique_ptr<Event>(self->Next())); },
           [self] { self->Cancel(); });
     }},
    {"streamResponse", TextOf<Stream, &Stream::Response>},
    {"streamMessage", TextOf<Stream, &Stream::Message>},
    {"streamChunk", TextOf<Stream, &Stream::Chunk>},
    {"streamUsage",
     [](Info info) {
       return Start(info, [self = Self<Stream>(info)] { return FromUsage(self->Usage()); });
     }},
    {"streamCancel", Cancel<Stream>},
    {"streamClose", Close<Stream>},
};

const Entry kSequence[] = {
    {"sequenceEvaluate", LogitsOf<&Sequence::Evaluate>},
    {"sequenceEvaluateAll", LogitsOf<&Sequence::EvaluateAll>},
    {"sequenceAppend",
     [](Info info) {
       auto self = Self<Sequence>(info);
       return Start(
           info,
           [self, ids = Ids(info, 1)] {
             self->Append(ids);
             return Nothing();
           },
           [self] { self->Cancel(); });
     }},
    {"sequencePosition", IntegerOf<Sequence, &Sequence::Position>},
    {"sequenceContextTokens", IntegerOf<Sequence, &Sequence::ContextTokens>},
    {"sequenceVocab", IntegerOf<Sequence, &Sequence::Vocab>},
    {"sequenceRollBack",
     [](Info info) {
       const int64_t tokens = info[1].As<Napi::Number>();
       return Start(info, [self = Self<Sequence>(info), tokens] {
         self->RollBack(tokens);
         return Nothing();
       });
     }},
    {"sequenceFork", MadeOf<Sequence, Sequence, &Sequence::Fork>},
    {"sequenceSnapshot",
     [](Info info) {
       return Start(info, [self = Self<Sequence>(info)]() -> Result {
         return [bytes = self->Snapshot()](Napi::Env env) -> Napi::Value {
           return Napi::Buffer<char>::Copy(env, bytes.data.data(), bytes.data.size());
         };
       });
     }},
    {"sequenceRestore",
     [](Info info) {
       const auto from = info[1].As<Napi::Uint8Array>();
       const Bytes bytes{
           std::string(reinterpret_cast<const char *>(from.Data()), from.ElementLength())};
       return Start(info, [self = Self<Sequence>(info), bytes] {
         self->Restore(bytes);
         return Nothing();
       });
     }},
    {"sequenceCancel", Cancel<Sequence>},
    {"sequenceClose", Close<Sequence>},
};

// These read no model; all but the reports return at once.
const Entry kLibrary[] = {
    {"version", [](Info info) { return FromText(Version())(info.Env()); }},
    {"buildInfo", [](Info info) { return FromText(BuildInfo())(info.Env()); }},
    {"encodeMessages",
     [](Info info) { return FromText(EncodeMessages(Text(info, 0)))(info.Env()); }},
    {"parseCompletion",
     [](Info info) {
       const bool thinking = info[1].ToBoolean(), strict = info[2].ToBoolean();
       return FromText(ParseCompletion(Text(info, 0), thinking, strict))(info.Env());
     }},
    {"optionCount", [](Info info) { return FromInteger(OptionCount())(info.Env()); }},
    {"describeOption",
     [](Info info) { return FromText(DescribeOption(info[0].As<Napi::Number>()))(info.Env()); }},
    {"services",
     [](Info info) {
       return Start(info, [options = ToOptions(info[0])] { return FromText(Services(*options)); });
     }},
    {"costReport",
     [](Info info) {
       return Start(info, [options = ToOptions(info[0]), query = Text(info, 1)] {
         return FromText(CostReport(*options, query));
       });
     }},
    {"setErrorClass",
     [](Info info) {
       info.Env().GetInstanceData<Calls>()->error_class =
           Napi::Persistent(info[0].As<Napi::Function>());
       return info.Env().Undefined();
     }},
};

// Every function runs here: no exception but Napi::Error may reach Node.
Napi::Value Guard(Info info) {
  const auto *entry = static_cast<const Entry *>(info.Data());
  std::optional<Failure> failure;
  try {
    return entry->function(info);
  } catch (const Napi::Error &) {
    throw;
  } catch (...) {
    failure = CurrentFailure();
  }
  const Napi::Env env = info.Env();
  throw Napi::Error(env, env.GetInstanceData<Calls>()->MakeError(env, *failure));
}

template <std::size_t count>
void Export(Napi::Env env, Napi::Object exports, const Entry (&entries)[count]) {
  for (const Entry &entry : entries) {
    exports.Set(entry.name,
                Napi::Function::New(env, Guard, entry.name, const_cast<Entry *>(&entry)));
  }
}

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  auto *const calls = new Calls(env);
  env.SetInstanceData(calls);  // deleted with the environment
  env.AddCleanupHook([calls] { calls->Close(); });
  Export(env, exports, kEngine);
  Export(env, exports, kStream);
  Export(env, exports, kSequence);
  Export(env, exports, kLibrary);
  return exports;
}

}  // namespace

NODE_API_MODULE(finback, Initialize)
