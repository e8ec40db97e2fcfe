// Drives core/tokenizer/tokenizer.h for tokenizer_parity.py. Standard input holds records, each a
// little-endian 32-bit length and so many bytes.
//
//   tokenize_lines TOKENIZER.json encode|ignore   a text per record -> a line of ids, or
//                                                 "error: ..."
//   tokenize_lines TOKENIZER.json decode|stream   ids as decimal text per record -> a record of
//                                                 text
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

#include "core/base/file_map.h"
#include "core/base/status.h"
#include "core/tokenizer/tokenizer.h"

namespace {

bool ReadRecord(std::string* record) {
  unsigned char length[4];
  if (fread(length, 1, 4, stdin) != 4) return false;
  record->resize(length[0] | length[1] << 8 | length[2] << 16 |
                 static_cast<size_t>(length[3]) << 24);
  return fread(record->data(), 1, record->size(), stdin) == record->size();
}

void WriteRecord(const std::string& record) {
  unsigned char length[4];
  for (int i = 0; i < 4; ++i) length[i] = static_cast<unsigned char>(record.size() >> (8 * i));
  fwrite(length, 1, 4, stdout);
  fwrite(record.data(), 1, record.size(), stdout);
}

std::vector<int32_t> ParseIds(const std::string& text) {
  std::vector<int32_t> ids;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end; ++at) {
    int32_t id = 0;
    at = std::from_chars(at, end, id).ptr;
    ids.push_back(id);
  }
  return ids;
}

void WriteIds(const finback::Tokenizer& tokenizer, const std::string& text,
              finback::AddedTokens mode) {
  std::vector<int32_t> ids;
  std::string line;
  try {
    tokenizer.Encode(text, mode, &ids);
    for (int32_t id : ids) line += (line.empty() ? "" : " ") + std::to_string(id);
  } catch (const finback::Error& error) {
    line = std::string("error: ") + error.what();
  }
  line += '\n';
  fwrite(line.data(), 1, line.size(), stdout);
}

int Run(const std::string& path, const std::string& command) {
  const auto tokenizer = finback::Tokenizer::Parse(finback::ReadFile(path, size_t{1} << 30), path);
  std::string record;
  while (ReadRecord(&record)) {
    if (command == "encode") {
      WriteIds(*tokenizer, record, finback::AddedTokens::kRecognize);
    } else if (command == "ignore") {
      WriteIds(*tokenizer, record, finback::AddedTokens::kIgnore);
    } else if (command == "decode") {
      WriteRecord(tokenizer->Decode(ParseIds(record)));
    } else {
      std::string text;
      finback::Detokenizer detokenizer(tokenizer.get());
      for (int32_t id : ParseIds(record)) detokenizer.Push(id, &text);
      detokenizer.Finish(&text);
      WriteRecord(text);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: tokenize_lines TOKENIZER.json encode|ignore|decode|stream\n");
    return 2;
  }
  try {
    return Run(argv[1], argv[2]);
  } catch (const std::exception& error) {
    fprintf(stderr, "tokenize_lines: %s\n", error.what());
    return 1;
  }
}
