#include "core/remote/money/sqlite.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <utility>

#include "core/base/status.h"

namespace finback {
namespace {

// SQLite takes some relative paths for URIs or for databases in memory.
std::string Unambiguous(const std::string& path) {
  if (path.empty()) return ":memory:";
  return path.front() == '/' ? path : "./" + path;
}

// A URI that lets SQLite read a file without locks and files beside it.
std::string Immutable(const std::string& path) {
  std::string uri = "file:";
  for (const char c : Unambiguous(path)) {
    const bool plain = c != '%' && c != '?' && c != '#';
    uri += plain ? std::string(1, c) : Format("%%%02X", static_cast<unsigned char>(c));
  }
  return uri + "?immutable=1";
}

// A log with contents is part of the file, which then cannot be read alone.
bool HasLog(const std::string& path) {
  struct stat status;
  return stat((path + "-wal").c_str(), &status) == 0 && status.st_size > 0;
}

}  // namespace

Database::Database(std::string path, int busy_timeout_ms, Access access)
    : path_(std::move(path)), busy_timeout_ms_(busy_timeout_ms) {
  struct stat status;
  const bool is_new = !path_.empty() && stat(path_.c_str(), &status) != 0;
  const bool reads = access == Access::kRead;
  const bool alone = reads && !HasLog(path_);
  const int flags = SQLITE_OPEN_NOMUTEX | (alone ? SQLITE_OPEN_URI : 0) |
                    (reads ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const NoFork guard;
  const int result = sqlite3_open_v2((alone ? Immutable(path_) : Unambiguous(path_)).c_str(),
                                     &handle_, flags, nullptr);
  if (result != SQLITE_OK) {
    try {
      Fail("open", result);
    } catch (...) {
      sqlite3_close(handle_);
      throw;
    }
  }
  // Where this fails, the file system has no owners.
  if (is_new) static_cast<void>(chmod(path_.c_str(), S_IRUSR | S_IWUSR));
  sqlite3_extended_result_codes(handle_, 1);
  sqlite3_busy_timeout(handle_, busy_timeout_ms);
  // The file may be anyone's: nothing in its schema runs with powers, or damages SQLite's own.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
}

Database::~Database() {
  const NoFork guard;
  sqlite3_close(handle_);
}

void Database::Fail(const char* action, int result) const {
  if ((result & 0xFF) == SQLITE_NOMEM) Throw(Code::kOutOfMemory, "SQLite: out of memory");
  const char* reason = handle_ == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(handle_);
  Throw(Code::kIo, "%s: cannot %s: %s", path_.empty() ? "ledger in memory" : path_.c_str(), action,
        reason);
}

void Database::Execute(const char* sql) {
  const NoFork guard;
  const int result = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) Fail("use the ledger", result);
}

void Database::UseWriteAheadLog() {
  if (path_.empty()) return;
  // SQLite does not wait here when another process does the same.
  constexpr int kPauseMs = 5;
  for (int waited_ms = 0;; waited_ms += kPauseMs) {
    const int result = [&] {
      const NoFork guard;
      return sqlite3_exec(handle_, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
    }();
    if (result == SQLITE_OK) return;
    if ((result & 0xFF) != SQLITE_BUSY || waited_ms >= busy_timeout_ms_) {
      Fail("use the ledger", result);
    }
    sqlite3_sleep(kPauseMs);
  }
}

int64_t Database::LastId() const { return sqlite3_last_insert_rowid(handle_); }

Statement::Statement(Database* database, std::string_view sql) : database_(database) {
  const NoFork guard;
  Check(sqlite3_prepare_v2(database->handle_, sql.data(), static_cast<int>(sql.size()), &handle_,
                           nullptr));
}

Statement::~Statement() {
  const NoFork guard;
  sqlite3_finalize(handle_);
}

void Statement::Check(int result) {
  if (result != SQLITE_OK) database_->Fail("use the ledger", result);
}

Statement& Statement::Bind(int64_t value) {
  Check(sqlite3_bind_int64(handle_, ++bound_, value));
  return *this;
}

Statement& Statement::Bind(std::optional<int64_t> value) {
  if (value) return Bind(*value);
  Check(sqlite3_bind_null(handle_, ++bound_));
  return *this;
}

Statement& Statement::Bind(std::string_view text) {
  // A null pointer would be NULL, not the empty text.
  const char* data = text.empty() ? "" : text.data();
  Check(sqlite3_bind_text64(handle_, ++bound_, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

bool Statement::Step() {
  const NoFork guard;
  const int result = sqlite3_step(handle_);
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) database_->Fail("use the ledger", result);
  return false;
}

void Statement::Reset() {
  const NoFork guard;
  sqlite3_reset(handle_);
  bound_ = 0;
}

int64_t Statement::Integer(int column) const { return sqlite3_column_int64(handle_, column); }

std::optional<int64_t> Statement::OptionalInteger(int column) const {
  if (sqlite3_column_type(handle_, column) == SQLITE_NULL) return std::nullopt;
  return Integer(column);
}

std::string Statement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(handle_, column);
  if (text == nullptr) return {};
  return std::string(reinterpret_cast<const char*>(text),
                     static_cast<size_t>(sqlite3_column_bytes(handle_, column)));
}

Transaction::Transaction(Database* database) : database_(database) {
  database->Execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  // Some errors have rolled back already; a second time is harmless.
  if (open_) sqlite3_exec(database_->handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::Commit() {
  database_->Execute("COMMIT");
  open_ = false;
}

}  // namespace finback
