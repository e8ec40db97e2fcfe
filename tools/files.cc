#include "tools/files.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "tools/failure.h"

namespace {

constexpr int kSilentMilliseconds = 2000;

[[noreturn]] void FailFile(const char* verb, const std::string& path, int error) {
  throw Failure(kExitFailure,
                std::string("cannot ") + verb + " " + path + ": " + std::strerror(error));
}

[[noreturn]] void FailOut(int error) {
  // Nobody reads any more (| head): there is nothing to say to anyone.
  if (error == EPIPE) throw Failure(kExitFailure, "");
  FailFile("write", "standard output", error);
}

}  // namespace

std::string ReadFile(const std::string& path) {
  const bool standard = path == "-";
  const std::string name = standard ? "standard input" : path;
  struct Closer {
    void operator()(std::FILE* file) const {
      if (file != stdin) std::fclose(file);
    }
  };
  std::unique_ptr<std::FILE, Closer> file(standard ? stdin : std::fopen(path.c_str(), "rb"));
  if (!file) FailFile("read", name, errno);
  std::string text;
  char buffer[65536];
  size_t bytes = 0;
  while ((bytes = std::fread(buffer, 1, sizeof buffer, file.get())) != 0) {
    text.append(buffer, bytes);
  }
  if (std::ferror(file.get())) FailFile("read", name, errno);
  return text;
}

std::string ReadPiped() {
  // A terminal is no input; neither is what nohup leaves, which cannot be read.
  if (isatty(STDIN_FILENO) != 0) return "";
  const int flags = fcntl(STDIN_FILENO, F_GETFL);
  if (flags == -1 || (flags & O_ACCMODE) == O_WRONLY) return "";
  pollfd input = {STDIN_FILENO, POLLIN, 0};
  if (isatty(STDERR_FILENO) != 0 && poll(&input, 1, kSilentMilliseconds) == 0) {
    std::fputs(
        "finback: waiting for the end of standard input; </dev/null says that there is none\n",
        stderr);
  }
  return ReadFile("-");
}

OutputFile::OutputFile(const std::string& path)
    : path_(path == "-" ? "standard output" : path),
      file_(path == "-" ? stdout : std::fopen(path.c_str(), "wb")) {
  if (file_ == nullptr) FailFile("write", path_, errno);
}

OutputFile::~OutputFile() {
  if (file_ != nullptr && file_ != stdout) std::fclose(file_);
}

void OutputFile::Write(const void* data, size_t bytes) {
  if (std::fwrite(data, 1, bytes, file_) == bytes) return;
  if (file_ == stdout) FailOut(errno);
  FailFile("write", path_, errno);
}

void OutputFile::Close() {
  if (file_ == stdout) {
    file_ = nullptr;
    FlushOut();
    return;
  }
  std::FILE* file = file_;
  file_ = nullptr;
  if (std::fclose(file) != 0) FailFile("write", path_, errno);
}

void WriteOut(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) FailOut(errno);
}

void FlushOut() {
  if (std::fflush(stdout) != 0) FailOut(errno);
}

void GuardStandardDescriptors() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    // Read-only: writing to what was closed still fails.
    if (open("/dev/null", O_RDONLY) != descriptor) return;
  }
}
