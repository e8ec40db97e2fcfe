#include "core/tokenizer/pattern_dialect.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

// Unicode White_Space, and the rest of the code points, as the inside of a class. PCRE2's own \s
// adds U+180E, and without UCP it lacks U+0085 and U+00A0.
constexpr const char* kSpace =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
    "\\x{205f}\\x{3000}";
constexpr const char* kNotSpace =
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"
    "\\x{3001}-\\x{10ffff}";

struct Category {
  std::string_view long_name;  // lower case, without separators
  const char* short_name;      // as PCRE2 spells it
};
constexpr std::array kCategories = std::to_array<Category>({
    {"any", "Any"},
    {"c", "C"},
    {"other", "C"},
    {"cc", "Cc"},
    {"control", "Cc"},
    {"cf", "Cf"},
    {"format", "Cf"},
    {"cn", "Cn"},
    {"unassigned", "Cn"},
    {"co", "Co"},
    {"privateuse", "Co"},
    {"l", "L"},
    {"letter", "L"},
    {"lc", "L&"},
    {"casedletter", "L&"},
    {"ll", "Ll"},
    {"lowercaseletter", "Ll"},
    {"lm", "Lm"},
    {"modifierletter", "Lm"},
    {"lo", "Lo"},
    {"otherletter", "Lo"},
    {"lt", "Lt"},
    {"titlecaseletter", "Lt"},
    {"lu", "Lu"},
    {"uppercaseletter", "Lu"},
    {"m", "M"},
    {"mark", "M"},
    {"combiningmark", "M"},
    {"mc", "Mc"},
    {"spacingmark", "Mc"},
    {"me", "Me"},
    {"enclosingmark", "Me"},
    {"mn", "Mn"},
    {"nonspacingmark", "Mn"},
    {"n", "N"},
    {"number", "N"},
    {"nd", "Nd"},
    {"decimalnumber", "Nd"},
    {"nl", "Nl"},
    {"letternumber", "Nl"},
    {"no", "No"},
    {"othernumber", "No"},
    {"p", "P"},
    {"punctuation", "P"},
    {"pc", "Pc"},
    {"connectorpunctuation", "Pc"},
    {"pd", "Pd"},
    {"dashpunctuation", "Pd"},
    {"pe", "Pe"},
    {"closepunctuation", "Pe"},
    {"pf", "Pf"},
    {"finalpunctuation", "Pf"},
    {"pi", "Pi"},
    {"initialpunctuation", "Pi"},
    {"po", "Po"},
    {"otherpunctuation", "Po"},
    {"ps", "Ps"},
    {"openpunctuation", "Ps"},
    {"s", "S"},
    {"symbol", "S"},
    {"sc", "Sc"},
    {"currencysymbol", "Sc"},
    {"sk", "Sk"},
    {"modifiersymbol", "Sk"},
    {"sm", "Sm"},
    {"mathsymbol", "Sm"},
    {"so", "So"},
    {"othersymbol", "So"},
    {"z", "Z"},
    {"separator", "Z"},
    {"zl", "Zl"},
    {"lineseparator", "Zl"},
    {"zp", "Zp"},
    {"paragraphseparator", "Zp"},
    {"zs", "Zs"},
    {"spaceseparator", "Zs"},
});

bool IsAsciiDigit(char32_t c) { return c >= '0' && c <= '9'; }
bool IsAsciiLetter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

int HexValue(char32_t c) {
  if (IsAsciiDigit(c)) return static_cast<int>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<int>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<int>(c - 'A' + 10);
  return -1;
}

std::string Spell(char32_t c) { return Format("\\x{%x}", static_cast<unsigned>(c)); }

// What an escape or a class member stands for: one character, or a ready text for PCRE2.
struct Atom {
  bool is_set = false;
  char32_t character = 0;
  std::string set = {};  // valid inside and outside of brackets, but for bare kSpace and kNotSpace
  bool bare = false;
};

class Translator {
 public:
  Translator(std::string_view pattern, const std::string& where)
      : pattern_(pattern), where_(where) {}

  std::string Run() {
    if (pattern_.size() > kMaxPatternBytes) {
      Throw(Code::kCheckpoint, "%s: %zu bytes long, at most %zu are read", where_.c_str(),
            pattern_.size(), kMaxPatternBytes);
    }
    while (!AtEnd()) {
      item_begin_ = position_;
      Item(Next());
    }
    if (!groups_.empty()) Malformed("a group is not closed");
    return std::move(out_);
  }

 private:
  struct Group {
    bool caseless = false;  // outside of it
    bool is_assertion = false;
  };

  bool AtEnd() const { return position_ == pattern_.size(); }
  bool Take(std::string_view text) {
    if (pattern_.substr(position_, text.size()) != text) return false;
    position_ += text.size();
    return true;
  }
  // The next byte, or NUL at the end.
  char Peek(size_t ahead = 0) const {
    return position_ + ahead < pattern_.size() ? pattern_[position_ + ahead] : '\0';
  }
  char32_t Next() {
    const auto lead = static_cast<uint8_t>(pattern_[position_++]);
    if (lead < 0x80) return lead;
    int rest = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    char32_t c = lead & (0x3f >> rest);
    while (rest-- > 0 && !AtEnd()) {
      c = c << 6 | (static_cast<uint8_t>(pattern_[position_++]) & 0x3f);
    }
    return c;
  }

  [[noreturn]] void Malformed(const char* reason) const {
    Throw(Code::kCheckpoint, "%s: %s (byte %zu)", where_.c_str(), reason, item_begin_);
  }
  [[noreturn]] void Refuse(const char* construct) const {
    Throw(Code::kUnsupported, "%s: %s is not supported (byte %zu)", where_.c_str(), construct,
          item_begin_);
  }
  [[noreturn]] void RefuseText() const {
    std::string text;
    for (char c : pattern_.substr(item_begin_, std::min<size_t>(position_ - item_begin_, 40))) {
      text += c >= 0x20 && c < 0x7f ? c : '?';
    }
    Refuse(text.c_str());
  }

  void Item(char32_t c) {
    switch (c) {
      case '\\':
        return Escape();
      case '[':
        return Class();
      case '(':
        return Open();
      case ')':
        return Close();
      case '|':
      case '^':
      case '$':
        return Emit(std::string(1, static_cast<char>(c)), false);
      case '.':
        return Emit(".", true);
      case '*':
      case '+':
      case '?':
        return Quantifier(std::string(1, static_cast<char>(c)), false);
      case '{':
        return Brace();
      default:
        return Literal(c);
    }
  }

  void Emit(const std::string& text, bool repeatable) {
    out_ += text;
    repeatable_ = repeatable;
    last_literal_ = 0;
  }

  void Literal(char32_t c) {
    const char32_t before = last_literal_;
    if (caseless_) CheckCaseless(before, c);
    Emit(Spell(c), true);
    if (IsAsciiLetter(c)) last_literal_ = c | 0x20;
  }

  // Oniguruma folds some sequences to one character and back (ss and U+00DF); PCRE2 does not.
  void CheckCaseless(char32_t before, char32_t c) const {
    if (c >= 0x80) Refuse("a non-ASCII character under (?i)");
    const char32_t lower = c | 0x20;
    if ((before == 's' && (lower == 's' || lower == 't')) ||
        (before == 'f' && (lower == 'f' || lower == 'i' || lower == 'l'))) {
      Refuse("a sequence that folds to one character under (?i)");
    }
  }

  void Escape() {
    if (AtEnd()) Malformed("ends with a backslash");
    if (Peek() == 'A' || Peek() == 'z' || Peek() == 'Z') {
      return Emit(std::string("\\") + static_cast<char>(Next()), false);
    }
    const Atom atom = EscapedAtom();
    if (!atom.is_set) return Literal(atom.character);
    Emit(atom.bare ? "[" + atom.set + "]" : atom.set, true);
  }

  // After the backslash, inside or outside of brackets.
  Atom EscapedAtom() {
    const char32_t c = Next();
    switch (c) {
      case 't':
        return {.character = '\t'};
      case 'n':
        return {.character = '\n'};
      case 'v':
        return {.character = 0x0b};
      case 'f':
        return {.character = '\f'};
      case 'r':
        return {.character = '\r'};
      case 'a':
        return {.character = 0x07};
      case 'e':
        return {.character = 0x1b};
      case 'x':
        return {.character = HexEscape()};
      case 'u':
        return {.character = Hex(4, 4)};
      case 's':
        return {.is_set = true, .set = kSpace, .bare = true};
      case 'S':
        return {.is_set = true, .set = kNotSpace, .bare = true};
      case 'd':
        return {.is_set = true, .set = "\\p{Nd}"};
      case 'D':
        return {.is_set = true, .set = "\\P{Nd}"};
      case 'p':
      case 'P':
        return {.is_set = true, .set = Property(c == 'P')};
      default:
        if (IsAsciiLetter(c) || IsAsciiDigit(c) || c >= 0x80) RefuseText();
        return {.character = c};
    }
  }

  char32_t HexEscape() {
    if (Take("{")) {
      const char32_t c = Hex(1, 6);
      if (!Take("}")) Malformed("\\x{ is not closed");
      return c;
    }
    const char32_t c = Hex(1, 2);
    if (c >= 0x80) Refuse("\\x of a single byte above 7f");
    return c;
  }

  char32_t Hex(int at_least, int at_most) {
    char32_t value = 0;
    int digits = 0;
    for (; digits < at_most && !AtEnd() && HexValue(Peek()) >= 0; ++digits) {
      value = value << 4 | static_cast<char32_t>(HexValue(Next()));
    }
    if (digits < at_least) Malformed("hexadecimal digits are missing");
    if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) Malformed("not a code point");
    return value;
  }

  std::string Property(bool negated) {
    if (caseless_) Refuse("\\p under (?i)");
    if (!Take("{")) Refuse("\\p without braces");
    if (Take("^")) negated = !negated;
    std::string name;
    while (!AtEnd() && Peek() != '}') {
      const char c = static_cast<char>(Next());
      if (c == ' ' || c == '_' || c == '-') continue;
      if (!IsAsciiLetter(c) || name.size() >= 40) RefuseText();
      name += static_cast<char>(c | 0x20);
    }
    if (!Take("}")) Malformed("\\p{ is not closed");
    const auto known = std::find_if(kCategories.begin(), kCategories.end(),
                                    [&](const Category& each) { return each.long_name == name; });
    // Anything else can only be a script; a bare script name would mean Script_Extensions in PCRE2.
    // Binary properties that share no name with a script then fail to compile, by name.
    const std::string text = known != kCategories.end() ? known->short_name : "sc:" + name;
    return (negated ? "\\P{" : "\\p{") + text + "}";
  }

  void Class() {
    const bool negated = Take("^");
    if (negated && caseless_) Refuse("a negated class under (?i)");
    if (Peek() == ']') Refuse("an empty class");
    std::string members;
    while (Peek() != ']' || AtEnd()) {
      if (AtEnd()) Malformed("a class is not closed");
      const Atom low = ClassAtom();
      if (low.is_set) {
        members += low.set;
        if (Peek() == '-' && Peek(1) != ']') Refuse("a range that begins with a set");
        continue;
      }
      if (Peek() != '-' || Peek(1) == ']') {
        members += Spell(low.character);
        continue;
      }
      Take("-");
      if (AtEnd()) Malformed("a class is not closed");
      const Atom high = ClassAtom();
      if (high.is_set) Refuse("a range that ends with a set");
      if (high.character < low.character) Malformed("a range is empty");
      members += Spell(low.character) + "-" + Spell(high.character);
      if (Peek() == '-' && Peek(1) != ']') Refuse("a hyphen after a range");
    }
    Take("]");
    Emit((negated ? "[^" : "[") + members + "]", true);
  }

  Atom ClassAtom() {
    if (Peek() == '[') Refuse("a class or bracket expression inside a class");
    if (Peek() == '&' && Peek(1) == '&') Refuse("&& in a class");
    const char32_t c = Next();
    if (c == '\\') {
      if (AtEnd()) Malformed("ends with a backslash");
      const Atom atom = EscapedAtom();
      if (!atom.is_set && caseless_) CheckCaseless(0, atom.character);
      return atom;
    }
    if (caseless_) CheckCaseless(0, c);
    return {.character = c};
  }

  void Open() {
    if (groups_.size() >= 50) Refuse("a group nested deeper than 50");
    Group group = {.caseless = caseless_};
    std::string opening = "(?:";
    if (Peek() == '*') Refuse("(*");
    if (Take("?")) {
      if (Take("i:")) {
        caseless_ = true;
        opening = "(?i:";
      } else if (Take("=") || Take("!") || Take(">") || Take("<=") || Take("<!")) {
        opening = "(" + std::string(pattern_.substr(item_begin_ + 1, position_ - item_begin_ - 1));
        group.is_assertion = opening != "(?>";
      } else if (!Take(":")) {
        position_ = std::min(position_ + 1, pattern_.size());
        RefuseText();
      }
    }
    groups_.push_back(group);
    Emit(opening, false);
  }

  void Close() {
    if (groups_.empty()) Malformed("an unmatched )");
    caseless_ = groups_.back().caseless;
    const bool is_assertion = groups_.back().is_assertion;
    groups_.pop_back();
    Emit(")", !is_assertion);
  }

  // {n} {n,} {,m} {n,m}; a brace that is none of these is a literal.
  void Brace() {
    size_t end = position_;
    const auto number = [&](int* value) {
      const size_t begin = end;
      *value = 0;
      for (; end < pattern_.size() && IsAsciiDigit(pattern_[end]) && end - begin < 6; ++end) {
        *value = *value * 10 + (pattern_[end] - '0');
      }
      return end > begin;
    };
    int least = 0;
    int most = 0;
    const bool has_least = number(&least);
    const bool has_comma = end < pattern_.size() && pattern_[end] == ',';
    if (has_comma) ++end;
    const bool has_most = has_comma && number(&most);
    if (end >= pattern_.size() || pattern_[end] != '}' || (!has_least && !has_most)) {
      return Literal('{');
    }
    position_ = end + 1;
    if (least > 1000 || most > 1000) Refuse("a repetition of more than 1000");
    if (has_most && most < least) Malformed("a repetition is empty");
    std::string text = "{" + std::to_string(least);
    if (has_comma) text += ",";
    if (has_most) text += std::to_string(most);
    Quantifier(text + "}", true);
  }

  void Quantifier(const std::string& text, bool is_brace) {
    if (!repeatable_) Refuse("a quantifier with nothing before it that can repeat");
    // In Ruby's syntax {n,m}+ repeats twice, and {n}? is optional rather than lazy.
    if (is_brace && (Peek() == '+' || (Peek() == '?' && text.find(',') == std::string::npos))) {
      Refuse("+ or ? after a repetition in braces");
    }
    Emit(text, false);
    if (Peek() == '?' || Peek() == '+') out_ += static_cast<char>(Next());
  }

  std::string_view pattern_;
  const std::string& where_;
  std::string out_;
  size_t position_ = 0;
  size_t item_begin_ = 0;
  std::vector<Group> groups_;
  bool caseless_ = false;
  bool repeatable_ = false;    // whether a quantifier may follow
  char32_t last_literal_ = 0;  // the ASCII letter just before, in lower case
};

}  // namespace

std::string TranslatePattern(std::string_view pattern, const std::string& where) {
  return Translator(pattern, where).Run();
}

}  // namespace finback
