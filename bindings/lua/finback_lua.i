// Lua: strings are UTF-8 bytes already; tables for lists and records, errors as tables.
%{
#include <cmath>

namespace {

using Value = int;  // what was pushed
#define FINBACK_HERE(x) L, x
#define FINBACK_NEW_RECORD Record(L)
#define FINBACK_RETURN(value) SWIG_arg += (value)
#define FINBACK_REJECT(message)                                          \
  do {                                                                   \
    PushError(L, MakeFailure(FINBACK_ERROR_INVALID_ARGUMENT, message)); \
    SWIG_fail;                                                           \
  } while (false)

Value FromText(lua_State *L, const std::string &text) {
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}
Value FromInteger(lua_State *L, int64_t number) {
  lua_pushinteger(L, static_cast<lua_Integer>(number));
  return 1;
}
Value FromBytes(lua_State *L, const Bytes &bytes) { return FromText(L, bytes.data); }
Value FromNothing(lua_State *L, void *) {
  lua_pushnil(L);
  return 1;
}
template <typename List, typename Push>
Value FromList(lua_State *L, const List &list, const Push &push) {
  lua_createtable(L, static_cast<int>(list.size()), 0);
  lua_Integer index = 0;
  for (const auto item : list) {
    push(L, item);
    lua_rawseti(L, -2, ++index);
  }
  return 1;
}
Value FromTokenIds(lua_State *L, const TokenIds &ids) {
  return FromList(L, ids, [](lua_State *state, int32_t id) { lua_pushinteger(state, id); });
}
Value FromLogits(lua_State *L, const Logits &logits) {
  return FromList(L, logits, [](lua_State *state, float logit) { lua_pushnumber(state, logit); });
}

class Record {
 public:
  explicit Record(lua_State *state) : state_(state) { lua_newtable(state); }
  void Add(const char *name, const std::string &text) {
    FromText(state_, text);
    lua_setfield(state_, -2, name);
  }
  void Add(const char *name, int64_t number) {
    FromInteger(state_, number);
    lua_setfield(state_, -2, name);
  }
  Value Take() { return 1; }

 private:
  lua_State *state_;
};

std::string *ToText(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TSTRING) return nullptr;
  size_t size = 0;
  const char *data = lua_tolstring(L, index, &size);
  return new std::string(data, size);
}
Bytes *ToBytes(lua_State *L, int index) {
  const std::unique_ptr<std::string> text(ToText(L, index));
  return text == nullptr ? nullptr : new Bytes{*text};
}
int64_t *ToInteger(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TNUMBER) return nullptr;
  const lua_Number number = lua_tonumber(L, index);
  if (number != std::floor(number) || std::fabs(number) > 9e18) return nullptr;
  return new int64_t(lua_tointeger(L, index));
}
TokenIds *ToTokenIds(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TTABLE) return nullptr;
  auto ids = std::make_unique<TokenIds>();
  const lua_Integer count = static_cast<lua_Integer>(lua_rawlen(L, index));
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_rawgeti(L, index, i);
    const std::unique_ptr<int64_t> id(ToInteger(L, -1));
    lua_pop(L, 1);
    if (id == nullptr || *id < INT32_MIN || *id > INT32_MAX) return nullptr;
    ids->push_back(static_cast<int32_t>(*id));
  }
  return ids.release();
}

// {code, name, message, details}, whose metatable finback.lua registers.
void PushError(lua_State *L, const Failure &failure) {
  Record record(L);
  record.Add("code", static_cast<int64_t>(failure.code));
  record.Add("name", failure.name);
  record.Add("message", failure.message);
  record.Add("details", failure.details);
  luaL_setmetatable(L, "finback.Error");
}

}  // namespace
%}

// SWIG_fail raises what is on top of the stack, after the arguments are freed.
%exception {
  bool failed = false;
  try {
    $action
  } catch (...) {
    PushError(L, CurrentFailure());
    failed = true;
  }
  if (failed) SWIG_fail;
}

%include "scripting.i"

// The metatable of errors, for finback.lua to give it a string form.
%{
static int ErrorMetatable(lua_State *L) {
  luaL_newmetatable(L, "finback.Error");
  return 1;
}
%}
%native(error_metatable) int ErrorMetatable(lua_State *L);
