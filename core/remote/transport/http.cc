#include "core/remote/transport/http.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <limits>
#include <mutex>
#include <new>

#include "core/base/ascii.h"
#include "core/base/freed_by.h"
#include "core/base/process.h"
#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/remote/transport/authorities.h"

namespace finback {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

// A hostile peer sends headers without end; honest ones stay far below.
constexpr size_t kMaxHeaderBytes = 256 << 10;
// libcurl does not use a connection again that was idle for longer (CURLOPT_MAXAGE_CONN).
constexpr std::chrono::seconds kMaxIdle{118};
// Bounds the wait if a wake-up could not be delivered.
constexpr int64_t kMaxWaitMs = 3000;
constexpr size_t kMaxTrailingBytes = 64u << 10;
// A few compressed bytes decode to a thousand times as many.
constexpr size_t kMaxHeldBytes = 64u << 20;

using Easy = std::unique_ptr<CURL, FreedBy<curl_easy_cleanup>>;
using Multi = std::unique_ptr<CURLM, FreedBy<curl_multi_cleanup>>;
using Share = std::unique_ptr<CURLSH, FreedBy<curl_share_cleanup>>;
using Url = std::unique_ptr<CURLU, FreedBy<curl_url_cleanup>>;
using CurlText = std::unique_ptr<char, FreedBy<curl_free>>;
using Slist = std::unique_ptr<curl_slist, FreedBy<curl_slist_free_all>>;

template <typename Handle>
Handle Made(Handle handle) {
  if (!handle) throw std::bad_alloc();
  return handle;
}

void Check(CURLMcode code) {
  if (code == CURLM_OUT_OF_MEMORY) throw std::bad_alloc();
  if (code != CURLM_OK) Throw(Code::kInternal, "libcurl: %s", curl_multi_strerror(code));
}

template <typename Value>
void Set(const Easy& easy, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(easy.get(), option, value);
  if (code == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
  if (code != CURLE_OK) {
    Throw(Code::kInternal, "libcurl refused option %d: %s", option, curl_easy_strerror(code));
  }
}

// --- what a request names --------------------------------------------------------------------

struct Origin {
  std::string key;   // scheme, host and port: connections to it can be used again
  std::string host;  // with the port if one was given: for messages
};

std::string UrlPart(const Url& url, CURLUPart part, unsigned flags) {
  char* text = nullptr;
  const CURLUcode code = curl_url_get(url.get(), part, &text, flags);
  const CurlText owned(text);
  if (code == CURLUE_OUT_OF_MEMORY) throw std::bad_alloc();
  return text ? text : "";
}

// Keys may stand in what a user took for the URL: messages quote no part of it but the scheme.
Origin ParseOrigin(const std::string& text) {
  const Url url = Made(Url(curl_url()));
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_DISALLOW_USER);
  if (code == CURLUE_OUT_OF_MEMORY) throw std::bad_alloc();
  if (code != CURLUE_OK) {
    Throw(Code::kInvalidArgument, "the URL is not usable: %s", curl_url_strerror(code));
  }
  const std::string scheme = UrlPart(url, CURLUPART_SCHEME, 0);
  if (scheme != "https" && scheme != "http") {
    Throw(Code::kInvalidArgument, "the URL's scheme \"%s\" is not https or http",
          std::string(CutUtf8(scheme, 20)).c_str());
  }
  const std::string host = UrlPart(url, CURLUPART_HOST, 0);
  const std::string port = UrlPart(url, CURLUPART_PORT, 0);
  Origin origin;
  origin.key = scheme + "://" + host + ":" + UrlPart(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  origin.host = port.empty() ? host : host + ":" + port;
  return origin;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

void Append(Slist* list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list->get(), line.c_str());
  if (!longer) throw std::bad_alloc();
  (void)list->release();
  list->reset(longer);
}

// A control character in a header could start another header: refused, and never quoted.
Slist HeaderLines(const HttpRequest& request) {
  Slist lines;
  bool has_type = false;
  for (const std::string& header : request.headers) {
    const size_t colon = header.find(':');
    const std::string_view name = std::string_view(header).substr(0, colon);
    if (colon == std::string::npos || name.empty() || name.find(' ') != std::string_view::npos ||
        std::any_of(header.begin(), header.end(), IsControl)) {
      Throw(Code::kInvalidArgument,
            "a request header is not \"Name: value\" or has a control character");
    }
    has_type = has_type || LowerAscii(name) == "content-type";
    const bool empty = Trimmed(std::string_view(header).substr(colon + 1)).empty();
    // libcurl's spelling of a header that is there, but empty.
    Append(&lines, empty ? std::string(name) + ";" : header);
  }
  // Without a value: what libcurl would add on its own is left out.
  Append(&lines, "Expect:");
  if (!has_type) Append(&lines, "Content-Type:");
  return lines;
}

struct Setup {
  HttpSettings settings;
  std::string ca_folder;  // stands for the system's authorities; "": libcurl's choice
};

// --- what transfers share --------------------------------------------------------------------

// Idle multi handles, each with the connections that its transfers left, and the DNS entries and
// TLS sessions of all. Transfers hold a reference: a client may go before them.
class Pool {
 public:
  Pool() : share_(Made(Share(curl_share_init()))) {
    const auto set = [this](CURLSHoption option, auto value) {
      const CURLSHcode code = curl_share_setopt(share_.get(), option, value);
      if (code == CURLSHE_NOMEM) throw std::bad_alloc();
    };
    set(CURLSHOPT_LOCKFUNC, &Pool::Lock);
    set(CURLSHOPT_UNLOCKFUNC, &Pool::Unlock);
    set(CURLSHOPT_USERDATA, static_cast<void*>(this));
    set(CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    set(CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  }

  CURLSH* share() const { return share_.get(); }

  // The handle that talked to this origin last, or a new one.
  Multi Take(const std::string& origin) {
    std::vector<Idle> old;  // closed after the lock is released
    const std::lock_guard lock(mutex_);
    DropOld(&old);
    for (size_t i = idle_.size(); i-- > 0;) {
      if (idle_[i].origin != origin) continue;
      Multi multi = std::move(idle_[i].multi);
      idle_.erase(idle_.begin() + static_cast<ptrdiff_t>(i));
      return multi;
    }
    return Made(Multi(curl_multi_init()));
  }

  void Give(Multi multi, std::string origin) noexcept {
    std::vector<Idle> old;
    try {
      const std::lock_guard lock(mutex_);
      DropOld(&old);
      idle_.push_back({std::move(multi), std::move(origin), Clock::now()});
    } catch (const std::bad_alloc&) {
      // Its connections are lost, and nothing else.
    }
  }

 private:
  struct Idle {
    Multi multi;
    std::string origin;
    Clock::time_point since;
  };

  void DropOld(std::vector<Idle>* old) {
    const auto limit = Clock::now() - kMaxIdle;
    const auto kept = std::find_if(idle_.begin(), idle_.end(),
                                   [limit](const Idle& idle) { return idle.since >= limit; });
    if (kept == idle_.begin()) return;
    old->assign(std::make_move_iterator(idle_.begin()), std::make_move_iterator(kept));
    idle_.erase(idle_.begin(), kept);
  }

  static void Lock(CURL*, curl_lock_data data, curl_lock_access, void* self) {
    static_cast<Pool*>(self)->share_locks_[data].lock();
  }
  static void Unlock(CURL*, curl_lock_data data, void* self) {
    static_cast<Pool*>(self)->share_locks_[data].unlock();
  }

  std::mutex share_locks_[CURL_LOCK_DATA_LAST];
  const Share share_;
  std::mutex mutex_;
  std::vector<Idle> idle_;  // longest idle first
};

// --- a transfer ------------------------------------------------------------------------------

enum class Phase : uint8_t { kConnecting, kWaiting, kReading };
enum Outlook : uint8_t { kFinal, kPassing };  // whether the same request may succeed
constexpr const char* kPhaseNames[] = {"connecting", "waiting for the answer",
                                       "reading the answer"};

// Bytes come only while Status or Read waits, so that what is held is at most what one
// curl_multi_perform delivers: a hundred buffers of 16 KiB, or what they decode to, up to
// kMaxHeldBytes. A slow reader is left to TCP.
class Transfer final : public HttpTransfer {
 public:
  Transfer(std::shared_ptr<Pool> pool, const Setup& setup, HttpRequest request);
  ~Transfer() override { Release(); }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  int Status() override;
  const HeaderList& headers() const override { return headers_; }
  bool Read(std::string* bytes) override;
  void Finish(int64_t wait_ms) override;
  void TokenSeen() override { token_seen_ = true; }
  void Cancel() noexcept override;

 private:
  void SetOptions(const HttpSettings& settings);
  void SetTrust(const Setup& setup);
  void SetBody();
  int ReadStatus();
  bool ReadBody(std::string* bytes);
  void Drain(int64_t wait_ms);
  void Wait();
  void Advance();
  void Perform();
  int64_t RemainingMs(Clock::time_point now) const;
  template <typename Work>
  auto Driving(const Work& work);
  void CloseIfCancelled() noexcept;
  void Release() noexcept;
  void TakeHeader(std::string_view line);
  void ThrowIfOver() const;
  void ThrowIfCancelled() const;
  [[noreturn]] void ThrowTimeout(const char* which, int64_t limit_ms) const;
  [[noreturn]] void ThrowResult() const;
  [[noreturn]] void ThrowAs(FailureKind kind, Outlook outlook, const std::string& reason) const;

  void TakeBody(std::string_view bytes);

  static size_t OnHeader(char* bytes, size_t size, size_t count, void* self);
  static size_t OnBody(char* bytes, size_t size, size_t count, void* self);
  static int OnConnected(void* self, char*, char*, int, int);
  static curl_socket_t OnOpenSocket(void* self, curlsocktype, curl_sockaddr* address);
  template <typename Body>
  size_t Guarded(size_t bytes, const Body& body);

  const std::shared_ptr<Pool> pool_;
  const HttpRequest request_;
  const Origin origin_;
  const Clock::time_point started_ = Clock::now();
  Slist header_lines_;
  char curl_message_[CURL_ERROR_SIZE] = {};

  Easy easy_;
  Multi multi_;            // from Start to the last byte; then the pool's again
  std::mutex wake_lock_;   // Cancel must not wake a handle that goes away
  std::mutex drive_lock_;  // held while libcurl works for this transfer: one thread at a time
  std::atomic<bool> cancelled_{false};

  Phase phase_ = Phase::kConnecting;
  bool done_ = false;
  CURLcode result_ = CURLE_OK;
  long proxy_status_ = 0;      // of the proxy's answer to CONNECT
  int socket_error_ = 0;       // errno of a socket() that failed
  std::exception_ptr thrown_;  // ever after; by a callback, across libcurl's frames
  int status_ = 0;
  size_t header_bytes_ = 0;
  HeaderList headers_;
  std::string body_;                                          // not read yet
  Clock::time_point entered_ = started_, active_ = started_;  // the last wait; the last byte
  Clock::duration waited_{0};                                 // before it
  curl_off_t sent_bytes_ = 0;
  bool begun_ = false;  // there was a Perform
  bool token_seen_ = false;
};

Transfer::Transfer(std::shared_ptr<Pool> pool, const Setup& setup, HttpRequest request)
    : pool_(std::move(pool)),
      request_(std::move(request)),
      origin_(ParseOrigin(request_.url)),
      header_lines_(HeaderLines(request_)),
      easy_(Made(Easy(curl_easy_init()))) {
  SetOptions(setup.settings);
  SetTrust(setup);
  SetBody();
  multi_ = pool_->Take(origin_.key);
  Check(curl_multi_add_handle(multi_.get(), easy_.get()));
}

void Transfer::SetOptions(const HttpSettings& settings) {
  Set(easy_, CURLOPT_SHARE, pool_->share());
  Set(easy_, CURLOPT_NOSIGNAL, 1L);
  Set(easy_, CURLOPT_ERRORBUFFER, curl_message_);
  Set(easy_, CURLOPT_URL, request_.url.c_str());
  Set(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  Set(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  Set(easy_, CURLOPT_HTTPHEADER, header_lines_.get());
  // All that this libcurl decodes. Some send one unasked, so that decoding is always on.
  Set(easy_, CURLOPT_ACCEPT_ENCODING, "");
  if (!settings.user_agent.empty()) Set(easy_, CURLOPT_USERAGENT, settings.user_agent.c_str());
  // A libcurl without HTTP/2 refuses this, and speaks 1.1.
  curl_easy_setopt(easy_.get(), CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_2TLS});

  // "" means no proxy; unset means the environment's.
  if (!settings.proxy.empty() || settings.ignore_environment) {
    Set(easy_, CURLOPT_PROXY, settings.proxy.c_str());
  }
  if (settings.ignore_environment) Set(easy_, CURLOPT_NOPROXY, "");
  Set(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);

  const int64_t connect_ms = request_.timeouts.connect_ms;
  const int64_t longest_ms = std::numeric_limits<int32_t>::max();  // 0 is libcurl's own limit
  Set(easy_, CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(connect_ms > 0 ? std::min(connect_ms, longest_ms) : longest_ms));
  // A lookup that is still running must not hold up a cancel; its thread frees what it has.
  Set(easy_, CURLOPT_QUICK_EXIT, 1L);
  Set(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  Set(easy_, CURLOPT_TCP_KEEPIDLE, 60L);
  Set(easy_, CURLOPT_TCP_KEEPINTVL, 60L);

  Set(easy_, CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  Set(easy_, CURLOPT_HEADERDATA, static_cast<void*>(this));
  Set(easy_, CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  Set(easy_, CURLOPT_WRITEDATA, static_cast<void*>(this));
  Set(easy_, CURLOPT_PREREQFUNCTION, &Transfer::OnConnected);
  Set(easy_, CURLOPT_PREREQDATA, static_cast<void*>(this));
  Set(easy_, CURLOPT_OPENSOCKETFUNCTION, &Transfer::OnOpenSocket);
  Set(easy_, CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
}

void Transfer::SetTrust(const Setup& setup) {
  Set(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  Set(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  Set(easy_, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  Set(easy_, CURLOPT_PROXY_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  // One place or the other; neither named: libcurl's two.
  const std::string& file = setup.settings.ca_file;
  const std::string& folder = setup.ca_folder;
  if (file.empty() && folder.empty()) return;
  const auto text = [](const std::string& path) { return path.empty() ? nullptr : path.c_str(); };
  for (const CURLoption option : {CURLOPT_CAINFO, CURLOPT_PROXY_CAINFO}) {
    Set(easy_, option, text(file));
  }
  for (const CURLoption option : {CURLOPT_CAPATH, CURLOPT_PROXY_CAPATH}) {
    Set(easy_, option, text(folder));
  }
}

void Transfer::SetBody() {
  const std::string& method = request_.method;
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (method.empty() || !std::all_of(method.begin(), method.end(), is_upper)) {
    Throw(Code::kInvalidArgument, "the request's method is not a word in capitals");
  }
  if (method == "HEAD") {
    Set(easy_, CURLOPT_NOBODY, 1L);
    return;
  }
  if (!request_.body.empty() || method == "POST") {
    Set(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    Set(easy_, CURLOPT_POSTFIELDS, request_.body.data());
  }
  if (method != "GET" || !request_.body.empty()) {
    Set(easy_, CURLOPT_CUSTOMREQUEST, method.c_str());
  }
}

// Who reads holds the lock. Cancel closes the connection if nobody does, and who reads does it
// when it has done reading: whichever comes last sees both.
template <typename Work>
auto Transfer::Driving(const Work& work) {
  struct Closing {
    Transfer* transfer;
    ~Closing() { transfer->CloseIfCancelled(); }
  };
  const Closing closing{this};
  const std::lock_guard lock(drive_lock_);
  return work();
}

void Transfer::CloseIfCancelled() noexcept {
  if (!cancelled_.load() || !drive_lock_.try_lock()) return;
  Release();
  drive_lock_.unlock();
}

int Transfer::Status() {
  return Driving([this] { return ReadStatus(); });
}

bool Transfer::Read(std::string* bytes) {
  return Driving([&] { return ReadBody(bytes); });
}

void Transfer::Finish(int64_t wait_ms) {
  Driving([&] { Drain(wait_ms); });
}

int Transfer::ReadStatus() {
  if (phase_ != Phase::kReading) ThrowIfOver();
  ThrowIfCancelled();
  try {
    while (!done_ && phase_ != Phase::kReading) Wait();
  } catch (const std::exception&) {
    // What broke off behind the headers is the body's end, which Read() tells.
    if (phase_ != Phase::kReading) throw;
  }
  if (phase_ != Phase::kReading) ThrowResult();
  return status_;
}

bool Transfer::ReadBody(std::string* bytes) {
  ThrowIfOver();
  while (!done_ && body_.empty()) Wait();
  if (body_.empty()) {
    if (result_ != CURLE_OK || phase_ != Phase::kReading) ThrowResult();
    return false;
  }
  bytes->append(body_);
  body_.clear();
  return true;
}

void Transfer::Drain(int64_t wait_ms) {
  const Clock::time_point until = Clock::now() + Milliseconds(wait_ms);
  size_t dropped = 0;
  try {
    while (multi_ && !cancelled_ && dropped < kMaxTrailingBytes) {
      Perform();
      dropped += body_.size();
      body_.clear();
      const auto left = std::chrono::duration_cast<Milliseconds>(until - Clock::now()).count();
      if (done_ || left <= 0) return;
      Check(curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(left), nullptr));
    }
  } catch (const Error&) {
    Release();
  }
}

void Transfer::Cancel() noexcept {
  cancelled_.store(true);
  {
    const std::lock_guard lock(wake_lock_);
    if (multi_) curl_multi_wakeup(multi_.get());
  }
  CloseIfCancelled();
}

// Returns when the phase changed, bytes came, or the transfer is done. Nothing is held before it.
// What it throws is the end: the connection is closed, and every later call throws it too.
void Transfer::Wait() {
  try {
    Advance();
  } catch (...) {
    thrown_ = std::current_exception();
    Release();
    throw;
  }
}

void Transfer::Advance() {
  // The time that the caller spends elsewhere is not the service's.
  entered_ = active_ = Clock::now();
  RemainingMs(entered_);
  for (const Phase phase = phase_;;) {
    // What could be done at once, the Perform before did; only the first time there was none.
    if (begun_) {
      const int64_t wait_ms = RemainingMs(Clock::now());
      Check(curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(wait_ms), nullptr));
      ThrowIfCancelled();
    }
    begun_ = true;
    Perform();
    ThrowIfCancelled();
    if (done_ || !body_.empty() || phase_ != phase) break;
  }
  waited_ += Clock::now() - entered_;
}

void Transfer::Perform() {
  int running = 0;
  CURLMcode performed = CURLM_OK;
  {
    const NoFork guard;  // of the locks of TLS and name services
    performed = curl_multi_perform(multi_.get(), &running);
  }
  Check(performed);
  if (thrown_) std::rethrow_exception(thrown_);
  int queued = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &queued)) {
    if (message->msg != CURLMSG_DONE) continue;
    result_ = message->data.result;
    done_ = true;
  }
  if (done_) {
    curl_easy_getinfo(easy_.get(), CURLINFO_HTTP_CONNECTCODE, &proxy_status_);
    Release();
    return;
  }
  curl_off_t sent_bytes = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_SIZE_UPLOAD_T, &sent_bytes);
  if (sent_bytes != sent_bytes_) active_ = Clock::now();
  sent_bytes_ = sent_bytes;
}

// Until the nearest limit; throws if one has passed. libcurl keeps the one on connecting.
int64_t Transfer::RemainingMs(Clock::time_point now) const {
  const HttpTimeouts& limits = request_.timeouts;
  const struct {
    const char* name;
    bool applies;
    Clock::duration spent;
    int64_t limit_ms;
  } rows[] = {
      {"total", true, now - started_, limits.total_ms},
      {"first-token", !token_seen_, waited_ + (now - entered_), limits.first_byte_ms},
      {"idle", phase_ != Phase::kConnecting, now - active_, limits.idle_ms},
  };
  int64_t wait_ms = kMaxWaitMs;
  for (const auto& row : rows) {
    if (!row.applies || row.limit_ms <= 0) continue;
    const int64_t spent_ms = std::chrono::duration_cast<Milliseconds>(row.spent).count();
    if (spent_ms >= row.limit_ms) ThrowTimeout(row.name, row.limit_ms);
    wait_ms = std::min(wait_ms, row.limit_ms - spent_ms);
  }
  return wait_ms;
}

// The connection goes back for the next transfer as soon as this one is over, or is closed with it.
void Transfer::Release() noexcept {
  Multi multi;
  {
    const std::lock_guard lock(wake_lock_);
    multi = std::move(multi_);
  }
  if (!multi) return;
  curl_multi_remove_handle(multi.get(), easy_.get());
  pool_->Give(std::move(multi), origin_.key);
  easy_.reset();
}

void Transfer::TakeHeader(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    ThrowAs(FailureKind::kTransport, kFinal,
            Format("more than %zu KiB of headers", kMaxHeaderBytes >> 10));
  }
  if (phase_ == Phase::kReading) return;  // trailers
  line = Trimmed(line);
  if (line.starts_with("HTTP/")) {
    headers_.clear();  // an interim answer's
  } else if (line.empty()) {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    status_ = static_cast<int>(status);
    if (status_ >= 200) phase_ = Phase::kReading;
  } else if (const size_t colon = line.find(':'); colon != std::string_view::npos) {
    headers_.emplace_back(LowerAscii(line.substr(0, colon)), Trimmed(line.substr(colon + 1)));
  }
}

void Transfer::TakeBody(std::string_view bytes) {
  if (body_.size() + bytes.size() > kMaxHeldBytes) {
    ThrowAs(FailureKind::kTransport, kFinal,
            Format("more than %zu MiB at once after decoding", kMaxHeldBytes >> 20));
  }
  body_.append(bytes);
}

// Runs a callback's body. What it throws waits for libcurl's frames to end; libcurl is told that
// nothing was taken, and stops.
template <typename Body>
size_t Transfer::Guarded(size_t bytes, const Body& body) {
  try {
    active_ = Clock::now();
    body();
    return bytes;
  } catch (...) {
    thrown_ = std::current_exception();
    return bytes == 0 ? 1 : 0;
  }
}

size_t Transfer::OnHeader(char* bytes, size_t size, size_t count, void* self) {
  auto* transfer = static_cast<Transfer*>(self);
  return transfer->Guarded(size * count, [&] { transfer->TakeHeader({bytes, size * count}); });
}

size_t Transfer::OnBody(char* bytes, size_t size, size_t count, void* self) {
  auto* transfer = static_cast<Transfer*>(self);
  return transfer->Guarded(size * count, [&] { transfer->TakeBody({bytes, size * count}); });
}

int Transfer::OnConnected(void* self, char*, char*, int, int) {
  auto* transfer = static_cast<Transfer*>(self);
  transfer->phase_ = Phase::kWaiting;
  transfer->active_ = Clock::now();
  return CURL_PREREQFUNC_OK;
}

// libcurl does not tell why it got no socket, nor keep sockets from a host program's children.
curl_socket_t Transfer::OnOpenSocket(void* self, curlsocktype, curl_sockaddr* address) {
  const int made = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (made < 0) static_cast<Transfer*>(self)->socket_error_ = errno;
  return made;
}

// --- how it ends -----------------------------------------------------------------------------

void Transfer::ThrowIfOver() const {
  if (thrown_) std::rethrow_exception(thrown_);
  ThrowIfCancelled();
}

void Transfer::ThrowIfCancelled() const {
  if (cancelled_.load()) ThrowAs(FailureKind::kCancelled, kFinal, "");
}

void Transfer::ThrowTimeout(const char* which, int64_t limit_ms) const {
  ThrowAs(FailureKind::kTimeout, strcmp(which, "total") == 0 ? kFinal : kPassing,
          Format("%s limit of %lld ms", which, static_cast<long long>(limit_ms)));
}

// How libcurl's TLS libraries and libcurl itself call what the other protocol answers.
std::string SchemeHint(std::string_view url, std::string_view lower_reason) {
  const auto says = [&](const char* words) {
    return lower_reason.find(words) != std::string_view::npos;
  };
  const bool secure = url.starts_with("https://");
  if (secure && (says("wrong version number") || says("packet length too long") ||
                 says("unexpected tls packet") || says("http request"))) {
    return " (the port does not speak TLS: base_url may have to begin with http://)";
  }
  if (!secure && says("http/0.9")) {
    return " (what came is not HTTP: base_url may have to begin with https://)";
  }
  return "";
}

void Transfer::ThrowResult() const {
  switch (result_) {
    case CURLE_OUT_OF_MEMORY:
      throw std::bad_alloc();
    case CURLE_OPERATION_TIMEDOUT:  // the only limit that libcurl was given
      ThrowTimeout("connect", request_.timeouts.connect_ms);
    case CURLE_OK:
      ThrowAs(FailureKind::kTransport, kPassing, "closed without an answer");
    default:
      break;
  }
  if (socket_error_ == EMFILE || socket_error_ == ENFILE) {
    ThrowAs(FailureKind::kTransport, kPassing,
            "too many open files: a stream takes three; raise the limit (ulimit -n)");
  }
  if (result_ == CURLE_BAD_CONTENT_ENCODING) {
    ThrowAs(FailureKind::kTransport, kFinal,
            "its content encoding \"" + std::string(HeaderOf(headers_, "content-encoding")) +
                "\" cannot be decoded; to ask for none, set http_headers to "
                "{\"Accept-Encoding\": \"identity\"}: " +
                (curl_message_[0] ? curl_message_ : curl_easy_strerror(result_)));
  }
  if (proxy_status_ == 407) ThrowAs(FailureKind::kTransport, kFinal, kProxyLogin);
  if (proxy_status_ >= 400) {
    ThrowAs(FailureKind::kTransport, proxy_status_ >= 500 ? kPassing : kFinal,
            Format("the proxy refused to connect (HTTP %ld)", proxy_status_));
  }
  std::string reason = curl_message_[0] ? curl_message_ : curl_easy_strerror(result_);
  const std::string hint = SchemeHint(request_.url, LowerAscii(reason));
  if (!hint.empty()) ThrowAs(FailureKind::kTransport, kFinal, reason + hint);
  // The machine's or the service's set-up: the same request would fail again.
  constexpr CURLcode kSetUp[] = {CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
                                 CURLE_SSL_CERTPROBLEM, CURLE_SSL_ISSUER_ERROR,
                                 CURLE_UNSUPPORTED_PROTOCOL};
  const bool set_up = std::find(std::begin(kSetUp), std::end(kSetUp), result_) != std::end(kSetUp);
  ThrowAs(FailureKind::kTransport, set_up ? kFinal : kPassing, reason);
}

// libcurl's reasons name hosts and files; MakeFailure makes them one line without secrets.
void Transfer::ThrowAs(FailureKind kind, Outlook outlook, const std::string& reason) const {
  std::string detail = origin_.host + " while " + kPhaseNames[static_cast<size_t>(phase_)];
  if (!reason.empty()) detail += ": " + reason;
  Failure failure = MakeFailure(kind, detail);
  failure.retryable = outlook == kPassing;
  failure.http_status = phase_ == Phase::kReading ? status_ : 0;
  ThrowFailure(failure);
}

class Client final : public HttpClient {
 public:
  explicit Client(const HttpSettings& settings)
      : setup_{settings, settings.ca_file.empty() ? AuthoritiesFolder() : ""},
        pool_(std::make_shared<Pool>()) {}

  std::unique_ptr<HttpTransfer> Start(HttpRequest request) override {
    return std::make_unique<Transfer>(pool_, setup_, std::move(request));
  }

 private:
  const Setup setup_;
  const std::shared_ptr<Pool> pool_;
};

}  // namespace

std::unique_ptr<HttpClient> HttpClient::Open(const HttpSettings& settings) {
  const NoFork guard;
  // Never undone: others in this process may use libcurl too.
  static std::once_flag once;
  static CURLcode code = CURLE_OK;
  std::call_once(once, [] { code = curl_global_init(CURL_GLOBAL_DEFAULT); });
  if (code != CURLE_OK) {
    Throw(Code::kInternal, "libcurl does not start: %s", curl_easy_strerror(code));
  }
  return std::make_unique<Client>(settings);
}

}  // namespace finback
