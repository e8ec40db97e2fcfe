#include "core/remote/record/replay.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "core/base/file_map.h"
#include "core/base/utf8.h"
#include "core/json/json_fields.h"
#include "core/remote/record/event_json.h"
#include "core/remote/record/record_files.h"

namespace finback {
namespace {

constexpr size_t kMaxFileBytes = 256u << 20;

bool Exists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

std::string ReadIfThere(const std::string& path) {
  return Exists(path) ? ReadFile(path, kMaxFileBytes) : "";
}

Json ReadJsonFile(const std::string& path) {
  return ParseJson(ReadFile(path, kMaxFileBytes), path.c_str());
}

// What stands behind the host: the same service may be reached by another address.
std::string_view PathOf(std::string_view url) {
  const size_t scheme = url.find("://");
  const size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
  const size_t path = std::min(url.find('/', host), url.size());
  return url.substr(path, std::min(url.find('?', path), url.size()) - path);
}

std::string Canonical(std::string_view json) {
  std::string text;
  AppendPythonJson(ParseJson(json, "body"), &text);
  return text;
}

struct RecordedExchange {
  std::string place;
  bool has_request = false, used = false;
  std::string method, path;
  std::string body;        // as recorded
  bool canonical = false;  // request.json was written by hand: compare what the JSON says
};

RecordedExchange LoadExchange(const std::string& place) {
  RecordedExchange exchange;
  exchange.place = place;
  const std::string path = place + "/" + kRequestFile;
  if (!Exists(path)) return exchange;
  exchange.has_request = true;
  std::string text = ReadFile(path, kMaxFileBytes);
  const size_t mark = text.find(kBodyMark);
  const std::string_view end = kBodyEnd;
  exchange.canonical = mark == std::string::npos || mark == 0 || !text.ends_with(end);
  if (!exchange.canonical) {
    const size_t begin = mark + std::string_view(kBodyMark).size();
    exchange.body = text.substr(begin, text.size() - end.size() - begin);
    text = text.substr(0, mark - 1) + "}";  // the comma belongs to the body
  }
  const Json json = ParseJson(text, path.c_str());
  JsonFields fields(json, path);
  const std::string* method = fields.FindString("method");
  const std::string* url = fields.FindString("url");
  const Json* body = fields.Find("body");
  exchange.method = method == nullptr ? "POST" : *method;
  exchange.path = url == nullptr ? "" : PathOf(*url);
  if (body != nullptr) AppendPythonJson(*body, &exchange.body);
  return exchange;
}

std::string Around(std::string_view text, size_t at) {
  std::string quoted;
  std::string excerpt;
  Utf8Stream stream;
  stream.Push(text.substr(at > 16 ? at - 16 : 0, 40), &excerpt);
  AppendJsonString(excerpt, &quoted);
  return quoted;
}

// "" if the request is the recorded one.
std::string Difference(const RecordedExchange& exchange, const HttpRequest& request,
                       const std::vector<std::string>& secrets) {
  if (!exchange.has_request) return "";
  if (exchange.method != request.method) {
    return "method " + exchange.method + " was recorded, not " + request.method;
  }
  const std::string path(PathOf(request.url));
  if (!exchange.path.empty() && exchange.path != path) {
    return "path " + exchange.path + " was recorded, not " + path;
  }
  std::string now = request.body.empty() ? "" : RecordedBody(request.body, secrets);
  if (exchange.canonical && !now.empty()) now = Canonical(now);
  if (now == exchange.body) return "";
  const size_t at = static_cast<size_t>(
      std::mismatch(now.begin(), now.end(), exchange.body.begin(), exchange.body.end()).first -
      now.begin());
  return Format("the body differs at byte %zu: recorded %s, now %s", at,
                Around(exchange.body, at).c_str(), Around(now, at).c_str());
}

struct Response {
  int status = 200;
  HeaderList headers = {{"content-type", "text/event-stream"}};
};

Response LoadResponse(const std::string& path) {
  const Json json = ReadJsonFile(path);
  JsonFields fields(json, path);
  Response response;
  int64_t status = response.status;
  fields.Integer("status", 100, 999, &status);
  response.status = static_cast<int>(status);
  response.headers.clear();
  const Json* headers = fields.FindArray("headers");
  for (size_t i = 0; headers != nullptr && i < headers->items.size(); ++i) {
    const std::string& line = headers->items[i].text;
    const size_t colon = line.find(": ");
    if (colon == std::string::npos) FailAt(fields.Path("headers"), "must hold \"name: value\"");
    response.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  return response;
}

[[noreturn]] void ThrowRecorded(const std::string& path) {
  const Json json = ReadJsonFile(path);
  JsonFields fields(json, path);
  int64_t code = static_cast<int64_t>(Code::kService);
  fields.Integer("code", static_cast<int64_t>(Code::kSchema), -1, &code);
  const std::string* message = fields.FindString("message");
  std::string details;
  if (const Json* recorded = fields.FindObject("details")) AppendPythonJson(*recorded, &details);
  throw Error(static_cast<Code>(code), message == nullptr ? "failed" : *message, details);
}

class ReplayTransfer : public HttpTransfer {
 public:
  ReplayTransfer(std::string place, size_t chunk_bytes)
      : place_(std::move(place)), chunk_bytes_(chunk_bytes) {}

  int Status() override {
    Load();
    return response_.status;
  }

  const HeaderList& headers() const override { return response_.headers; }

  bool Read(std::string* bytes) override {
    Load();
    const std::string_view rest = std::string_view(body_).substr(read_);
    if (rest.empty()) {
      if (Exists(place_ + "/" + kErrorFile)) ThrowRecorded(place_ + "/" + kErrorFile);
      return false;
    }
    const std::string_view chunk = rest.substr(0, chunk_bytes_ == 0 ? rest.size() : chunk_bytes_);
    bytes->append(chunk);
    read_ += chunk.size();
    return true;
  }

  void Finish(int64_t) override {}
  void TokenSeen() override {}
  void Cancel() noexcept override { cancelled_ = true; }

 private:
  void Load() {
    if (cancelled_) {
      Failure failure;
      failure.kind = FailureKind::kCancelled;
      failure.message = "cancelled";
      ThrowFailure(failure);
    }
    if (loaded_) return;
    const std::string head = place_ + "/" + kResponseFile, body = place_ + "/" + kBodyFile,
                      error = place_ + "/" + kErrorFile;
    if (!Exists(head) && !Exists(body)) {
      if (Exists(error)) ThrowRecorded(error);
      Throw(Code::kIo, "%s: the record ends before the response", place_.c_str());
    }
    if (Exists(head)) response_ = LoadResponse(head);
    body_ = ReadIfThere(body);
    loaded_ = true;
  }

  const std::string place_;
  const size_t chunk_bytes_;
  std::atomic<bool> cancelled_ = false;
  bool loaded_ = false;
  Response response_;
  std::string body_;
  size_t read_ = 0;
};

class ReplayClient : public HttpClient {
 public:
  ReplayClient(std::string folder, size_t chunk_bytes, std::vector<std::string> secrets)
      : folder_(std::move(folder)), chunk_bytes_(chunk_bytes), secrets_(std::move(secrets)) {
    for (int number = 1;; ++number) {
      const std::string place = RecordPlace(folder_, number);
      if (!Exists(place + "/" + kRequestFile) && !Exists(place + "/" + kBodyFile)) break;
      exchanges_.push_back(LoadExchange(place));
    }
    if (exchanges_.empty()) Throw(Code::kNotFound, "%s: holds no record", folder_.c_str());
  }

  std::unique_ptr<HttpTransfer> Start(HttpRequest request) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::string first;
    for (RecordedExchange& exchange : exchanges_) {
      if (exchange.used) continue;
      const std::string difference = Difference(exchange, request, secrets_);
      if (difference.empty()) {
        exchange.used = true;
        return std::make_unique<ReplayTransfer>(exchange.place, chunk_bytes_);
      }
      if (first.empty()) first = exchange.place + "/" + kRequestFile + ": " + difference;
    }
    if (!first.empty()) throw Error(Code::kInvalidArgument, first);
    Throw(Code::kNotFound, "%s: all %zu recorded exchanges are used up", folder_.c_str(),
          exchanges_.size());
  }

 private:
  const std::string folder_;
  const size_t chunk_bytes_;
  const std::vector<std::string> secrets_;
  std::mutex mutex_;
  std::vector<RecordedExchange> exchanges_;  // under the mutex
};

}  // namespace

std::unique_ptr<HttpClient> OpenReplay(const std::string& folder, size_t chunk_bytes,
                                       std::vector<std::string> secrets) {
  return std::make_unique<ReplayClient>(folder, chunk_bytes, std::move(secrets));
}

std::vector<Event> ReadEvents(const std::string& folder) {
  const std::string path = folder + "/" + kEventsFile;
  const std::string text = ReadIfThere(path);
  std::vector<Event> events;
  std::string_view rest = text;
  for (size_t end; (end = rest.find('\n')) != std::string_view::npos;) {
    const std::string_view line = rest.substr(0, end);
    const std::string what = path + ":" + std::to_string(events.size() + 1);
    if (!line.empty()) events.push_back(ParseEventJson(line, what));
    rest.remove_prefix(end + 1);
  }
  return events;
}

}  // namespace finback
