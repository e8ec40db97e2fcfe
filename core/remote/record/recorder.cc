#include "core/remote/record/recorder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "core/base/ascii.h"
#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/json/json_writer.h"
#include "core/remote/record/event_json.h"
#include "core/remote/record/record_files.h"
#include "core/remote/transport/secrets.h"

namespace finback {
namespace {

// A line of a body that is longer is written in pieces.
constexpr size_t kMaxLineBytes = 4u << 20;

bool NamesSecret(std::string_view name) {
  constexpr std::string_view kParts[] = {"auth",         "api-key",      "api_key",
                                         "apikey",       "cookie",       "secret",
                                         "access-token", "access_token", "signature"};
  const std::string lower = LowerAscii(name);
  return lower == "key" || lower == "token" ||
         std::any_of(std::begin(kParts), std::end(kParts),
                     [&](std::string_view part) { return lower.find(part) != std::string::npos; });
}

std::string SafeHeader(std::string_view name, std::string_view value,
                       const std::vector<std::string>& secrets) {
  const std::string line = std::string(name) + ": ";
  if (LowerAscii(name).ends_with("location"))
    return ValidUtf8(line + Redact(PublicUrl(value), secrets));
  return ValidUtf8(NamesSecret(name) ? line + "[redacted]" : line + Redact(value, secrets));
}

std::string SafeHeader(std::string_view line, const std::vector<std::string>& secrets) {
  const size_t colon = std::min(line.find(':'), line.size());
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  return SafeHeader(line.substr(0, colon), value, secrets);
}

// Without a user and password, and without parameters that are keys.
std::string SafeUrl(std::string_view url, const std::vector<std::string>& secrets) {
  std::string safe(url);
  const size_t scheme = safe.find("://");
  const size_t host = scheme == std::string::npos ? 0 : scheme + 3;
  const size_t at = safe.rfind('@', safe.find_first_of("/?#", host));
  if (at != std::string::npos && at >= host) safe.erase(host, at + 1 - host);
  const size_t query = std::min(safe.find('?'), safe.size());
  std::string out = safe.substr(0, query);
  for (size_t begin = query; begin < safe.size();) {
    const size_t end = std::min(safe.find('&', begin + 1), safe.size());
    const size_t equals = std::min(safe.find('=', begin), end);
    const bool secret = NamesSecret(std::string_view(safe).substr(begin + 1, equals - begin - 1));
    out += secret ? safe.substr(begin, equals - begin) + "=[redacted]"
                  : safe.substr(begin, end - begin);
    begin = end;
  }
  return ValidUtf8(Redact(out, secrets));
}

void MakeFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) ThrowErrno(path, "make the folder", error.value());
}

std::string RequestText(const HttpRequest& request, const std::vector<std::string>& secrets) {
  std::string text;
  JsonWriter json(&text);
  json.BeginObject();
  json.Key("method").String(ValidUtf8(request.method));
  json.Key("url").String(SafeUrl(request.url, secrets));
  json.Key("headers").BeginList();
  for (const std::string& header : request.headers) json.String(SafeHeader(header, secrets));
  json.EndList();
  if (request.body.empty()) {
    json.EndObject();
    return text + "\n";
  }
  const std::string body = RecordedBody(request.body, secrets);
  return text + "," + kBodyMark + body + kBodyEnd;
}

}  // namespace

class Recording::File {
 public:
  enum class Mode : uint8_t { kNew, kReplace };

  // With kNew a file that exists is left alone: is_open() is then false.
  File(std::string path, Mode mode) : path_(std::move(path)) {
    const int how = mode == Mode::kNew ? O_EXCL : O_TRUNC;
    // Conversations are nobody else's business.
    fd_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | how, S_IRUSR | S_IWUSR);
    if (fd_ < 0 && !(mode == Mode::kNew && errno == EEXIST)) ThrowErrno(path_, "open", errno);
  }
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const { return fd_ >= 0; }

  void Append(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = write(fd_, text.data(), text.size());
      if (written > 0) {
        text.remove_prefix(static_cast<size_t>(written));
      } else if (written == 0 || errno != EINTR) {
        ThrowErrno(path_, "write", written == 0 ? EIO : errno);
      }
    }
  }

 private:
  std::string path_;
  int fd_ = -1;
};

Recording::Recording(std::string folder, const std::vector<std::string>& secrets)
    : folder_(std::move(folder)), secrets_(secrets) {}

Recording::~Recording() {
  try {
    Close();
  } catch (const std::exception&) {
    // Nobody is left to be told.
  }
}

void Recording::Write(std::unique_ptr<File>* file, const char* name, std::string_view text) {
  if (*file == nullptr) {
    *file = std::make_unique<File>(folder_ + "/" + name, File::Mode::kReplace);
  }
  (*file)->Append(text);
}

void Recording::Response(int status, const HeaderList& headers) {
  AddSecretsOfUrl(HeaderOf(headers, "location"), &secrets_);  // the body may repeat it
  std::string text;
  JsonWriter json(&text);
  json.BeginObject().Key("status").Integer(status).Key("headers").BeginList();
  for (const auto& [name, value] : headers) json.String(SafeHeader(name, value, secrets_));
  json.EndList().EndObject();
  std::unique_ptr<File> file;
  Write(&file, kResponseFile, text + "\n");
  Write(&body_, kBodyFile, "");
}

void Recording::Bytes(std::string_view bytes) {
  line_ += bytes;
  size_t whole = line_.rfind('\n');
  whole = whole == std::string::npos ? 0 : whole + 1;
  if (whole == 0 && line_.size() > kMaxLineBytes) whole = line_.size() / 2;
  if (whole == 0) return;
  Write(&body_, kBodyFile, Redact(std::string_view(line_).substr(0, whole), secrets_));
  line_.erase(0, whole);
}

void Recording::Close() {
  if (line_.empty()) return;
  const std::string rest = std::move(line_);
  line_.clear();
  Write(&body_, kBodyFile, Redact(rest, secrets_));
}

void Recording::Add(const Event& event) {
  std::string line;
  AppendEventJson(event, &line);
  Write(&events_, kEventsFile, Redact(line, secrets_) + "\n");
}

void Recording::Failed(const Error& error) {
  Close();
  std::string text;
  JsonWriter json(&text);
  json.BeginObject();
  json.Key("code").Integer(static_cast<int32_t>(error.code()));
  json.Key("message").String(ValidUtf8(Redact(error.what(), secrets_)));
  if (!error.details().empty()) json.Key("details").Raw(Redact(error.details(), secrets_));
  json.EndObject();
  std::unique_ptr<File> file;
  Write(&file, kErrorFile, text + "\n");
}

Recorder::Recorder(std::string folder, std::vector<std::string> secrets)
    : folder_(std::move(folder)), secrets_(std::move(secrets)) {}

std::unique_ptr<Recording> Recorder::Start(const HttpRequest& request) {
  const std::string text = RequestText(request, secrets_);
  for (int number = next_.load();; ++number) {
    const std::string place = RecordPlace(folder_, number);
    MakeFolder(place);
    // Creating this file is what takes the place.
    Recording::File file(place + "/" + kRequestFile, Recording::File::Mode::kNew);
    if (!file.is_open()) continue;
    file.Append(text);
    next_ = number + 1;
    return std::unique_ptr<Recording>(new Recording(place, secrets_));
  }
}

}  // namespace finback
