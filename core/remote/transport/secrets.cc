#include "core/remote/transport/secrets.h"

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <cstring>

#include "core/base/ascii.h"

namespace finback {
namespace {

constexpr char kRedacted[] = "[redacted]";
constexpr size_t kPieceBytes = 8;
constexpr char kBase64Digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool IsKeyChar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_';
}

bool IsTokenChar(char c) {
  return IsKeyChar(c) || std::string_view(".~+/=").find(c) != std::string_view::npos;
}

template <typename Predicate>
size_t RunLength(std::string_view text, Predicate in_run) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), in_run) - text.begin());
}

size_t SecretLength(std::string_view rest, const std::vector<std::string>& secrets) {
  constexpr size_t kShortest = 4;  // less would blot out ordinary words
  size_t longest = 0;
  for (const std::string& secret : secrets) {
    if (secret.size() >= kShortest && rest.starts_with(secret)) {
      longest = std::max(longest, secret.size());
    }
  }
  return longest;
}

// Keys by the way they begin.
size_t KeyLength(std::string_view rest) {
  struct Prefix {
    std::string_view text;
    size_t least_after;
  };
  constexpr Prefix kPrefixes[] = {{"sk-", 8},  {"nvapi-", 16}, {"hf_", 16},
                                  {"fw_", 16}, {"tgp_", 16},   {"gsk_", 16}};
  for (const Prefix& prefix : kPrefixes) {
    if (!rest.starts_with(prefix.text)) continue;
    const size_t after = RunLength(rest.substr(prefix.text.size()), IsKeyChar);
    if (after >= prefix.least_after) return prefix.text.size() + after;
  }
  return 0;
}

// "Bearer " or "x-api-key: " and the token behind it: the length of what may stay,
// and of the token.
struct Named {
  size_t name = 0, token = 0;
};

Named NamedToken(std::string_view rest) {
  struct Name {
    std::string_view text, separators;
  };
  constexpr Name kNames[] = {{"bearer", " \t"}, {"x-api-key", " \t:=\"'"}};
  for (const Name& name : kNames) {
    if (rest.size() <= name.text.size()) continue;
    if (LowerAscii(rest.substr(0, name.text.size())) != name.text) continue;
    const std::string_view after = rest.substr(name.text.size());
    const size_t gap = std::min(after.find_first_not_of(name.separators), after.size());
    const size_t token = RunLength(after.substr(gap), IsTokenChar);
    if (gap > 0 && token > 0) return {name.text.size() + gap, token};
  }
  return {};
}

// "user:password@" behind the "://" of an address.
size_t LoginLength(std::string_view before, std::string_view rest) {
  if (!before.ends_with("//")) return 0;
  const std::string_view host = rest.substr(0, rest.find_first_of("/?# \t\r\n\"'<>"));
  const size_t at = host.rfind('@');
  return at == std::string_view::npos ? 0 : at;
}

bool IsAsterisk(char c) { return c == '*'; }

// "****abcd" and "sk-ab***cd": asterisks in place of a key's middle, with what is left around them.
size_t MaskedLength(std::string_view rest) {
  const size_t stars = RunLength(rest, IsAsterisk);
  if (stars < 3 || stars == rest.size() || !IsKeyChar(rest[stars])) return 0;
  return RunLength(rest, [](char c) { return IsAsterisk(c) || IsKeyChar(c); });
}

// Where a service shows the ends of a key: "sk-ab...wxyz".
size_t ElidedLength(std::string_view rest, const std::vector<std::string>& secrets) {
  constexpr size_t kLeastBegin = 4;
  for (const std::string& secret : secrets) {
    const size_t most = std::min(rest.size(), secret.size());
    const size_t begin = static_cast<size_t>(
        std::mismatch(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(most),
                      secret.begin())
            .first -
        rest.begin());
    if (begin < kLeastBegin) continue;
    for (const std::string_view mark : {"...", "\xE2\x80\xA6"}) {
      if (!rest.substr(begin).starts_with(mark)) continue;
      const std::string_view after = rest.substr(begin + mark.size());
      const size_t end = RunLength(after, IsKeyChar);
      if (end > 0 && secret.ends_with(after.substr(0, end))) return begin + mark.size() + end;
    }
  }
  return 0;
}

bool IsLetter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

// Whether text[at, at + size) is a word of letters with none beside it.
bool IsWholeWord(std::string_view text, size_t at, size_t size) {
  const auto part = [](char c) { return IsLetter(c) || (c >= '0' && c <= '9'); };
  const std::string_view word = text.substr(at, size);
  return std::all_of(word.begin(), word.end(), IsLetter) && (at == 0 || !part(text[at - 1])) &&
         (at + size == text.size() || !part(text[at + size]));
}

// Finds pieces of secrets: a set of hashes tells most places of a text at once.
class Pieces {
 public:
  explicit Pieces(const std::vector<std::string>& secrets) : secrets_(secrets) {
    for (const std::string& secret : secrets) {
      for (size_t i = 0; i + kPieceBytes <= secret.size(); ++i) seen_.set(Hash(&secret[i]));
    }
  }

  // Of the longest piece at that place; 0: none.
  size_t Length(std::string_view text, size_t at) const {
    const std::string_view rest = text.substr(at);
    if (rest.size() < kPieceBytes || rest.front() == ' ' || !seen_[Hash(rest.data())]) return 0;
    size_t longest = 0;
    for (const std::string& secret : secrets_) {
      for (size_t i = 0; i + kPieceBytes <= secret.size(); ++i) {
        if (memcmp(&secret[i], rest.data(), kPieceBytes) != 0) continue;
        size_t size = kPieceBytes;
        const size_t most = std::min(rest.size(), secret.size() - i);
        while (size < most && secret[i + size] == rest[size]) ++size;
        // "deepseek" of a key with that word in it tells nothing.
        const bool word = IsWholeWord(text, at, size) && IsWholeWord(secret, i, size);
        if (!word) longest = std::max(longest, size);
      }
    }
    return longest;
  }

 private:
  static constexpr size_t kHashBits = 16;
  static size_t Hash(const char* bytes) {
    uint64_t word = 0;
    memcpy(&word, bytes, kPieceBytes);
    return static_cast<size_t>(word * 0x9E3779B97F4A7C15u >> (64 - kHashBits));
  }

  const std::vector<std::string>& secrets_;
  std::bitset<size_t{1} << kHashBits> seen_;
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string PercentDecoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool coded = text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
                       HexDigit(text[i + 2]) >= 0;
    out += coded ? static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])) : text[i];
    if (coded) i += 2;
  }
  return out;
}

std::string Base64(std::string_view bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0);
    }
    for (size_t j = 0; j < 4; ++j) {
      out += i + j > bytes.size() ? '=' : kBase64Digits[group >> (18 - 6 * j) & 63];
    }
  }
  return out;
}

// "": no base64.
std::string FromBase64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const char* digit = c == '\0' ? nullptr : strchr(kBase64Digits, c);
    if (digit == nullptr) return "";
    bits = bits << 6 | static_cast<uint32_t>(digit - kBase64Digits);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xFF);
  }
  return out;
}

std::string PercentEncoded(std::string_view text, const char* digits) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (IsKeyChar(c) || c == '.' || c == '~') {
      out += c;
    } else {
      out.append(1, '%').append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    }
  }
  return out;
}

std::string InJson(std::string_view text, bool slashes) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\' || (slashes && c == '/')) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string Redact(std::string_view text, const std::vector<std::string>& secrets) {
  const Pieces pieces(secrets);
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const bool word_begins = at == 0 || !IsKeyChar(text[at - 1]);
    size_t hidden = SecretLength(rest, secrets);
    if (hidden == 0) hidden = pieces.Length(text, at);
    if (hidden == 0) hidden = LoginLength(text.substr(0, at), rest);
    if (hidden == 0 && word_begins) {
      const Named named = NamedToken(rest);
      out += rest.substr(0, named.name);
      at += named.name;
      hidden = named.token > 0 ? named.token : KeyLength(rest);
    }
    if (hidden == 0 && word_begins) hidden = ElidedLength(rest, secrets);
    if (hidden == 0) {
      hidden = MaskedLength(rest);
      while (hidden > 0 && !out.empty() && IsKeyChar(out.back())) out.pop_back();
    }
    if (hidden > 0) {
      out += kRedacted;
      at += hidden;
    } else {
      // A run of asterisks is judged as a whole, once.
      const size_t kept = std::max<size_t>(RunLength(rest, IsAsterisk), 1);
      out += rest.substr(0, kept);
      at += kept;
    }
  }
  return out;
}

void AddSecret(std::string_view secret, std::vector<std::string>* secrets) {
  constexpr size_t kShortestCoded = 4;
  std::vector<std::string> spellings = {std::string(secret)};
  if (secret.size() >= kShortestCoded) {
    spellings.push_back(PercentEncoded(secret, "0123456789ABCDEF"));
    spellings.push_back(PercentEncoded(secret, "0123456789abcdef"));
    spellings.push_back(InJson(secret, false));
    spellings.push_back(InJson(secret, true));
    // What of base64 depends on the secret alone, wherever in the coded text it stands.
    for (const size_t shift : {0, 1, 2}) {
      std::string coded = Base64(std::string(shift, ' ') + std::string(secret));
      const size_t whole = (shift + secret.size()) * 8 / 6;
      coded = coded.substr(0, whole).substr(shift == 0 ? 0 : shift + 1);
      spellings.push_back(coded);
      std::replace(coded.begin(), coded.end(), '+', '-');
      std::replace(coded.begin(), coded.end(), '/', '_');
      spellings.push_back(coded);
    }
  }
  for (std::string& spelling : spellings) {
    const bool known = std::find(secrets->begin(), secrets->end(), spelling) != secrets->end();
    if (!spelling.empty() && !known) secrets->push_back(std::move(spelling));
  }
}

void AddSecretsOfUrl(std::string_view url, std::vector<std::string>* secrets) {
  const size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  const size_t at = url.rfind('@');
  if (at != std::string_view::npos) {
    const std::string login = PercentDecoded(url.substr(0, at));
    secrets->push_back(Base64(login));
    for (const std::string& text : {std::string(url.substr(0, at)), login}) {
      const size_t colon = text.find(':');
      // A token may stand in place of a name and password.
      if (colon != std::string::npos) {
        AddSecret(std::string_view(text).substr(colon + 1), secrets);
      } else if (text.find_first_of("0123456789") != std::string::npos) {
        AddSecret(text, secrets);
      }
    }
  }
  const size_t query = url.find('?');
  if (query == std::string_view::npos) return;
  std::string_view fields = url.substr(query + 1);
  while (!fields.empty()) {
    const std::string_view field = fields.substr(0, fields.find_first_of("&;#"));
    const std::string_view value = field.substr(std::min(field.find('='), field.size() - 1) + 1);
    for (const std::string& text : {std::string(value), PercentDecoded(value)}) {
      if (text.size() >= kPieceBytes) AddSecret(text, secrets);
    }
    fields.remove_prefix(std::min(field.size() + 1, fields.size()));
  }
}

void AddSecretsOfHeader(std::string_view value, std::vector<std::string>* secrets) {
  value = Trimmed(value);
  const std::string_view token = value.substr(value.find_last_of(' ') + 1);
  AddSecret(value, secrets);
  AddSecret(token, secrets);
  if (!LowerAscii(value).starts_with("basic ")) return;
  const std::string login = FromBase64(token);
  const size_t colon = login.find(':');
  if (colon != std::string::npos) AddSecret(std::string_view(login).substr(colon + 1), secrets);
}

std::string PublicUrl(std::string_view url) {
  return Redact(url.substr(0, url.find_first_of("?#")));
}

}  // namespace finback
