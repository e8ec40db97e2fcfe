// How long a step goes on after finback_stream_cancel() of another thread, in each phase of a
// request: minimum, median and maximum in milliseconds. A service in this process plays the phases.
//
//   cancel_latency [--json] [--times N]
#include <arpa/inet.h>
#include <dlfcn.h>
#include <finback/finback.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr char kSlowHost[] = "slow.invalid";
constexpr std::chrono::milliseconds kSettle{15};  // for a request to reach its phase

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "cancel_latency: %s\n", what);
  std::exit(1);
}

}  // namespace

// Stands before the C library's, for libcurl as well: this lookup takes three seconds.
extern "C" [[gnu::visibility("default")]] int getaddrinfo(const char* node, const char* service,
                                                          const addrinfo* hints,
                                                          addrinfo** result) {
  if (node && std::string_view(node) == kSlowHost) {
    std::this_thread::sleep_for(std::chrono::seconds(3));
    return EAI_AGAIN;
  }
  static const auto next =
      reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return next(node, service, hints, result);
}

namespace {

constexpr std::string_view kHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n";
constexpr std::string_view kEvent =
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":"
    "\"deepseek-v4-pro\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" krill\"},"
    "\"finish_reason\":null}]}\n\n";

// What a connection is told before silence; busy: without end.
struct Part {
  const char* path;
  bool head, blank_line, event, busy;
};
constexpr Part kParts[] = {{"/waiting", false, false, false, false},
                           {"/headers", true, false, false, false},
                           {"/body-idle", true, true, true, false},
                           {"/body-busy", true, true, true, true}};

// Listens on loopback. Deaf: accepts nothing, and with a full queue lets nobody connect.
class Listener {
 public:
  enum class Kind { kServing, kDeaf, kFull };
  explicit Listener(Kind kind) {
    file_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    const int queue = kind == Kind::kFull ? 0 : 128;
    if (bind(file_, generic, size) != 0 || listen(file_, queue) != 0 ||
        getsockname(file_, generic, &size) != 0) {
      Die("cannot listen on loopback");
    }
    port_ = ntohs(address.sin_port);
    for (int i = 0; kind == Kind::kFull && i < 3; ++i) {
      const int filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      connect(filler, generic, size);
    }
    if (kind == Kind::kServing) std::thread(&Listener::Accept, file_).detach();
  }
  std::string Url(const char* scheme, const char* path) const {
    return std::string(scheme) + "://127.0.0.1:" + std::to_string(port_) + path;
  }

 private:
  static void Accept(int listener) {
    for (;;) {
      const int file = accept(listener, nullptr, nullptr);
      if (file >= 0) std::thread(&Listener::Serve, file).detach();
    }
  }

  static void Serve(int file) {
    char bytes[4096];
    const ssize_t count = recv(file, bytes, sizeof bytes, 0);
    const std::string_view request(bytes, static_cast<size_t>(std::max<ssize_t>(count, 0)));
    for (const Part& part : kParts) {
      if (request.find(part.path) == std::string_view::npos) continue;
      std::string answer(part.head ? kHead : "");
      if (part.blank_line) answer += "\r\n";
      if (part.event) answer += kEvent;
      send(file, answer.data(), answer.size(), MSG_NOSIGNAL);
      while (part.busy && send(file, kEvent.data(), kEvent.size(), MSG_NOSIGNAL) > 0) {
      }
    }
    while (recv(file, bytes, sizeof bytes, 0) > 0) {
    }
    close(file);
  }

  int file_ = -1, port_ = 0;
};

finback_engine* Open(const std::string& url) {
  finback_options* options = finback_options_new();
  const char* values[][2] = {{"model", "deepseek:deepseek-v4-pro"},
                             {"base_url", url.c_str()},
                             {"api_key", "sk-bench"},
                             {"max_retries", "0"},
                             {"environment_proxy", "0"}};
  for (const auto& [name, value] : values) {
    if (finback_options_set(options, name, value) != FINBACK_OK) Die(finback_last_error());
  }
  finback_engine* engine = finback_engine_open(options);
  finback_options_free(options);
  if (engine == nullptr) Die(finback_last_error());
  return engine;
}

// Milliseconds from the cancel to the end of the step.
double CancelOnce(finback_engine* engine) {
  finback_stream* stream =
      finback_engine_chat(engine, R"({"messages": [{"role": "user", "content": "Hi"}]})");
  if (stream == nullptr) Die(finback_last_error());
  Clock::time_point ended;
  finback_status status = FINBACK_OK;
  std::thread stepper([&] {
    while ((status = finback_stream_step(stream)) == FINBACK_OK) {
    }
    ended = Clock::now();
  });
  std::this_thread::sleep_for(kSettle);
  const Clock::time_point cancelled = Clock::now();
  finback_stream_cancel(stream);
  stepper.join();
  if (status != FINBACK_ERROR_CANCELLED) Die("a stream ended before it was cancelled");
  finback_stream_free(stream);
  return std::chrono::duration<double, std::milli>(ended - cancelled).count();
}

void Measure(const char* phase, const std::string& url, int times, bool json, bool first) {
  finback_engine* engine = Open(url);
  std::vector<double> ms;
  for (int i = 0; i < times; ++i) ms.push_back(CancelOnce(engine));
  finback_engine_free(engine);
  std::sort(ms.begin(), ms.end());
  const char* format = json ? "%s\n {\"phase\": \"%s\", \"min_ms\": %.3f, \"median_ms\": %.3f, "
                              "\"max_ms\": %.3f}"
                            : "%s%-16s %8.3f %8.3f %8.3f\n";
  std::printf(format, json && !first ? "," : "", phase, ms.front(), ms[ms.size() / 2], ms.back());
}

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  int times = 25;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0) {
      json = true;
    } else if (std::strcmp(argv[i], "--times") == 0 && i + 1 < argc && std::atoi(argv[i + 1]) > 0) {
      times = std::atoi(argv[++i]);
    } else {
      Die("usage: cancel_latency [--json] [--times N]");
    }
  }
  const Listener serving(Listener::Kind::kServing), deaf(Listener::Kind::kDeaf),
      full(Listener::Kind::kFull);
  const struct {
    const char* phase;
    std::string url;
  } kPhases[] = {{"lookup", std::string("http://") + kSlowHost},
                 {"connect", full.Url("http", "")},
                 {"tls", deaf.Url("https", "")},
                 {"waiting", serving.Url("http", "/waiting")},
                 {"headers", serving.Url("http", "/headers")},
                 {"body idle", serving.Url("http", "/body-idle")},
                 {"body busy", serving.Url("http", "/body-busy")}};
  std::printf(json ? "[" : "phase              min ms   median      max\n");
  for (const auto& [phase, url] : kPhases) {
    Measure(phase, url, times, json, &url == &kPhases[0].url);
  }
  if (json) std::printf("\n]\n");
  std::fflush(stdout);
  _exit(0);  // lookups that are still running wait for nobody
}
