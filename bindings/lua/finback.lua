-- DeepSeek-V4 in this process, or the same requests at a service.
--
--   local finback = require "finback"
--   local engine <close> = finback.open { model = "krill" }
--   for event in engine:chat('{"messages": [{"role": "user", "content": "Hello"}]}'):events() do
--     if event.kind == "content" then io.write(event.text) end
--   end
--
-- Failures raise a table {code, name, message, details (JSON text)}, which tostring() knows.
-- What is made here is given up by :close(), by <close>, or by the collector.
local native = require "finback.native"

local finback = {
  cancel_stream = native.cancel_stream,
  version = native.version,
  build_info = native.build_info,
  encode_messages = native.encode_messages,
  parse_completion = native.parse_completion,
  option_count = native.option_count,
  describe_option = native.describe_option,
}

-- Lua has no JSON library of its own. Requests are JSON text; with a library here, such as
-- finback.json = require "dkjson", they may be tables.
finback.json = nil

native.error_metatable().__tostring = function(failure) return "finback: " .. failure.message end

local function request_text(request)
  if type(request) == "table" and finback.json then return finback.json.encode(request) end
  return request
end

-- A class over native objects. `methods` pass through as they are.
local function class(name, methods)
  local members = {}
  for _, method in ipairs(methods) do
    members[method] = function(self, ...) return self.native[method](self.native, ...) end
  end
  function members:close() self.native:close() end
  local meta = { __index = members, __name = "finback." .. name, __close = members.close }
  local function wrap(object) return setmetatable({ native = object }, meta) end
  return members, wrap
end

local Engine, wrap_engine = class("Engine", { "info", "models", "balance", "tokenize",
  "tokenize_special", "detokenize", "verify" })
local Session, wrap_session = class("Session", {})
local Stream, wrap_stream = class("Stream", { "next", "response", "message", "chunk", "usage",
  "cancel", "number" })
local Sequence, wrap_sequence = class("Sequence", { "evaluate", "evaluate_all", "append", "position",
  "context_tokens", "vocab", "roll_back", "snapshot", "restore", "cancel" })

local function options_of(values)
  local options = native.Options()
  for name, value in pairs(values) do
    if type(value) == "boolean" then value = value and 1 or 0 end
    options:set(name, tostring(value))
  end
  return options
end

-- Opens an engine: options by name, as finback.h lists them.
function finback.open(options) return wrap_engine(native.Engine(options_of(options or {}))) end

-- What was spent, by the ledger that the options name; query and result are JSON text.
function finback.cost_report(options, query)
  return native.cost_report(options_of(options), request_text(query))
end

-- What is known of services and their models, JSON text.
function finback.services(options) return native.services(options_of(options or {})) end

function Engine:chat(request) return wrap_stream(self.native:chat(request_text(request))) end
function Engine:complete(request) return wrap_stream(self.native:complete(request_text(request))) end
function Engine:encode(request) return self.native:encode(request_text(request)) end
function Engine:encode_tokens(request) return self.native:encode_tokens(request_text(request)) end
function Engine:new_session() return wrap_session(self.native:new_session()) end
function Engine:new_sequence() return wrap_sequence(self.native:new_sequence()) end
function Session:chat(request) return wrap_stream(self.native:chat(request_text(request))) end
function Sequence:fork() return wrap_sequence(self.native:fork()) end

-- An iterator over the events that are still to come; leaving the loop early leaves the rest.
function Stream:events()
  return function() return self:next() end
end

-- Runs to the end: the answer as one chat.completion object, JSON text.
function Stream:finish()
  while self:next() do end
  return self:response()
end

return finback
