// A service on loopback for many streams at once: one thread, one epoll, no allocation per event,
// so that what is measured or strained is the client. It prints {"port": N} and ends when its
// standard input does; README.md has the URLs.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kListener = -1, kInput = -2;  // instead of a connection in an epoll event
constexpr size_t kBatchBytes = 64 << 10;    // filled before each send when there is no pause
constexpr size_t kMostRequestBytes = 1 << 20;

// What the URL and the request ask for.
struct Script {
  int64_t stream = 0, events = 0;
  Clock::duration pause{0};  // between events; 0: as fast as they are taken
};

// The text of an event: no two are alike, so that one that is lost, repeated or given to another
// stream is seen. The first quarter is reasoning.
std::string_view Piece(int64_t stream, int64_t number, char* buffer, size_t size) {
  const int length = std::snprintf(buffer, size, " s%lldn%lld", static_cast<long long>(stream),
                                   static_cast<long long>(number));
  return {buffer, static_cast<size_t>(length)};
}

void AppendChunk(std::string_view data, std::string* out) {
  char size[24];
  const size_t bytes = data.size() + strlen("data: \n\n");
  std::snprintf(size, sizeof size, "%zx\r\n", bytes);
  out->append(size).append("data: ").append(data).append("\n\n\r\n");
}

// One event in DeepSeek's words, as an HTTP chunk.
void AppendEvent(const Script& script, int64_t number, std::string* out) {
  char text[64], data[512];
  const std::string_view piece = Piece(script.stream, number, text, sizeof text);
  const bool reasons = number < script.events / 4;
  const char* field = reasons ? "\"content\":null,\"reasoning_content\":\"" : "\"content\":\"";
  const char* after = reasons ? "\"" : "\",\"reasoning_content\":null";
  const int length = std::snprintf(
      data, sizeof data,
      R"({"id":"stream-%lld","object":"chat.completion.chunk","created":1795219201,)"
      R"("model":"deepseek-v4-pro","system_fingerprint":"fp_load","choices":[{"index":0,)"
      R"("delta":{%s%.*s%s},"logprobs":null,"finish_reason":null}],"usage":null})",
      static_cast<long long>(script.stream), field, static_cast<int>(piece.size()), piece.data(),
      after);
  AppendChunk({data, static_cast<size_t>(length)}, out);
}

void AppendFinish(const Script& script, std::string* out) {
  char data[640];
  const long long reasoning = script.events / 4, all = script.events;
  const int length = std::snprintf(
      data, sizeof data,
      R"({"id":"stream-%lld","object":"chat.completion.chunk","created":1795219201,)"
      R"("model":"deepseek-v4-pro","system_fingerprint":"fp_load","choices":[{"index":0,)"
      R"("delta":{"content":""},"logprobs":null,"finish_reason":"stop"}],)"
      R"("usage":{"prompt_tokens":%lld,"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":%lld,)"
      R"("completion_tokens":%lld,"completion_tokens_details":{"reasoning_tokens":%lld},)"
      R"("total_tokens":%lld}})",
      static_cast<long long>(script.stream), 10LL, 10LL, all, reasoning, 10 + all);
  AppendChunk({data, static_cast<size_t>(length)}, out);
  AppendChunk("[DONE]", out);
  out->append("0\r\n\r\n");
}

// The number behind the first `word`; `missing` without one.
int64_t NumberAfter(std::string_view text, std::string_view word, int64_t missing) {
  const size_t at = text.find(word);
  if (at == std::string_view::npos) return missing;
  return std::strtoll(std::string(text.substr(at + word.size(), 18)).c_str(), nullptr, 10);
}

class Connection {
 public:
  explicit Connection(int file) : file_(file) {}
  ~Connection() { close(file_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Both return false when the connection is over.
  bool Receive();
  bool Send();

  bool wants_to_send() const { return sent_ < out_.size() || Due() <= Clock::now(); }
  // Whether the socket is full: waits for EPOLLOUT.
  bool blocked() const { return blocked_; }
  // When the next event is to be sent.
  Clock::time_point Due() const { return answering_ ? due_ : Clock::time_point::max(); }

 private:
  void Begin(std::string_view head, std::string_view body);
  void Fill();

  const int file_;
  std::string in_, out_;
  size_t sent_ = 0;
  bool blocked_ = false, answering_ = false;
  Script script_;
  int64_t next_ = 0;
  Clock::time_point due_;
};

bool Connection::Receive() {
  char bytes[16384];
  for (;;) {
    const ssize_t count = recv(file_, bytes, sizeof bytes, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (count <= 0) return false;
    in_.append(bytes, static_cast<size_t>(count));
    if (in_.size() > kMostRequestBytes) return false;
  }
  const size_t end = in_.find("\r\n\r\n");
  if (end == std::string::npos) return true;
  const std::string_view head = std::string_view(in_).substr(0, end);
  int64_t length = NumberAfter(head, "\r\nContent-Length: ", -1);
  if (length < 0) length = NumberAfter(head, "\r\ncontent-length: ", 0);
  const size_t body = end + 4;
  if (length < 0 || in_.size() - body < static_cast<size_t>(length)) return true;
  Begin(head, std::string_view(in_).substr(body, static_cast<size_t>(length)));
  in_.erase(0, body + static_cast<size_t>(length));
  return true;
}

void Connection::Begin(std::string_view head, std::string_view body) {
  script_.events = NumberAfter(head, "/events-", 100);
  script_.pause = std::chrono::microseconds(NumberAfter(head, "-every-", 0));
  script_.stream = NumberAfter(body, "stream ", -1);
  out_ +=
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
      "Transfer-Encoding: chunked\r\n\r\n";
  next_ = 0;
  answering_ = true;
  due_ = Clock::now();
}

void Connection::Fill() {
  const bool paced = script_.pause.count() > 0;
  while (answering_ && (paced ? due_ <= Clock::now() : out_.size() < kBatchBytes)) {
    if (next_ == script_.events) {
      AppendFinish(script_, &out_);
      answering_ = false;
      return;
    }
    AppendEvent(script_, next_++, &out_);
    due_ += script_.pause;
    if (paced) return;  // late ones go out one by one too
  }
}

bool Connection::Send() {
  blocked_ = false;
  for (;;) {
    if (sent_ == out_.size()) {
      out_.clear();
      sent_ = 0;
      Fill();
      if (out_.empty()) return true;
    }
    const ssize_t count = send(file_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      blocked_ = true;
      return true;
    }
    if (count <= 0) return false;
    sent_ += static_cast<size_t>(count);
    // One event per turn when they are paced, or one client would starve the others.
    if (script_.pause.count() > 0 && sent_ == out_.size()) return true;
  }
}

class Server {
 public:
  Server();
  int port() const { return port_; }
  void Run();

 private:
  void Watch(int file, int64_t what, uint32_t events);
  void Accept();
  void Serve(int file, uint32_t events);
  int WaitMs() const;

  int listener_ = -1, port_ = 0, epoll_ = -1;
  std::map<int, std::unique_ptr<Connection>> connections_;
};

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

Server::Server() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, size) != 0 || listen(listener_, 4096) != 0) Die("listen");
  if (getsockname(listener_, generic, &size) != 0) Die("getsockname");
  port_ = ntohs(address.sin_port);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) Die("epoll_create1");
  Watch(listener_, kListener, EPOLLIN);
  Watch(STDIN_FILENO, kInput, EPOLLIN);
}

void Server::Watch(int file, int64_t what, uint32_t events) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = static_cast<uint64_t>(what);
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, file, &event) != 0) Die("epoll_ctl");
}

void Server::Accept() {
  for (;;) {
    const int file = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (file < 0 && errno == EINTR) continue;
    if (file < 0 && (errno == EAGAIN || errno == ECONNABORTED)) return;
    if (file < 0) Die("accept4");  // out of files, most likely
    const int one = 1;
    setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connections_.emplace(file, std::make_unique<Connection>(file));
    Watch(file, file, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  }
}

void Server::Serve(int file, uint32_t events) {
  const auto found = connections_.find(file);
  if (found == connections_.end()) return;
  bool lives = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    lives = found->second->Receive();
  }
  if (lives && found->second->wants_to_send()) lives = found->second->Send();
  if (!lives) connections_.erase(found);
}

int Server::WaitMs() const {
  Clock::time_point due = Clock::time_point::max();
  for (const auto& [file, connection] : connections_) {
    if (!connection->blocked()) due = std::min(due, connection->Due());
  }
  if (due == Clock::time_point::max()) return -1;
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(due - Clock::now()).count();
  return static_cast<int>(std::max<int64_t>(left, 0));
}

void Server::Run() {
  std::vector<epoll_event> ready(512);
  for (;;) {
    const int count = epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), WaitMs());
    if (count < 0 && errno != EINTR) Die("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const auto what = static_cast<int64_t>(ready[static_cast<size_t>(i)].data.u64);
      if (what == kInput) {
        char bytes[256];
        if (read(STDIN_FILENO, bytes, sizeof bytes) <= 0) return;
      } else if (what == kListener) {
        Accept();
      } else {
        Serve(static_cast<int>(what), ready[static_cast<size_t>(i)].events);
      }
    }
    std::vector<int> due;
    const Clock::time_point now = Clock::now();
    for (const auto& [file, connection] : connections_) {
      if (!connection->blocked() && connection->Due() <= now) due.push_back(file);
    }
    for (const int file : due) Serve(file, 0);
  }
}

}  // namespace

int main() {
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  Server server;
  std::printf("{\"port\": %d}\n", server.port());
  std::fflush(stdout);
  server.Run();
  return 0;
}
