// As much of SQLite as the ledger needs: errors are Error(kIo) that name the file, statements and
// transactions end with their scope. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/process.h"

struct sqlite3;
struct sqlite3_stmt;

namespace finback {

class Database {
 public:
  enum class Access : uint8_t { kWrite, kRead };
  // `path` "" is a database in memory. A new file is readable by its owner alone. Waits up to
  // `busy_timeout_ms` for other processes. kRead: the file is there and nothing is changed, not
  // even beside it, so it may lie where nothing can be written.
  Database(std::string path, int busy_timeout_ms, Access access = Access::kWrite);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void Execute(const char* sql);
  // Readers and a writer at once.
  void UseWriteAheadLog();
  int64_t LastId() const;
  const std::string& path() const { return path_; }
  // Throws what SQLite has to say: kOutOfMemory or kIo, "PATH: cannot ACTION: ...".
  [[noreturn]] void Fail(const char* action, int result) const;

 private:
  friend class Statement;
  friend class Transaction;
  std::string path_;
  int busy_timeout_ms_;
  sqlite3* handle_ = nullptr;
};

class Statement {
 public:
  Statement(Database* database, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Parameters in order.
  Statement& Bind(int64_t value);
  Statement& Bind(std::optional<int64_t> value);
  Statement& Bind(std::string_view text);
  // True: a row is there.
  bool Step();
  void Run() {
    while (Step()) {
    }
  }
  void Reset();  // to be bound and run again

  int64_t Integer(int column) const;  // NULL is 0
  std::optional<int64_t> OptionalInteger(int column) const;
  std::string Text(int column) const;

 private:
  void Check(int result);

  Database* database_;
  sqlite3_stmt* handle_ = nullptr;
  int bound_ = 0;
};

// Takes the write lock at once, so that what was read stays true until Commit().
class Transaction {
 public:
  explicit Transaction(Database* database);
  ~Transaction();  // rolls back what was not committed
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void Commit();

 private:
  const NoFork guard_;  // a child would find the write lock taken for ever
  Database* database_;
  bool open_ = true;
};

}  // namespace finback
