// Whole files in, bytes out; "-" is standard input or output.
// Errors are Failures that name the file.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

std::string ReadFile(const std::string& path);

// What was piped into the command besides its arguments; "" if standard input is a terminal.
std::string ReadPiped();

// A file being written; Close() (or every Write()) throws if the system refused.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void Write(const void* data, size_t bytes);
  void Close();

 private:
  std::string path_;
  std::FILE* file_;
};

// Standard output. A reader that went away ends the command quietly; anything else is a Failure.
void WriteOut(std::string_view text);
void FlushOut();

// Makes descriptors 0 to 2 exist, so that no model file ends up as "standard output".
void GuardStandardDescriptors();
