-- What a user of the Lua module relies on, with krill.
local finback = require "finback"

local QUESTION = '{"messages": [{"role": "user", "content": "What do baleen whales eat?"}]}'
local engine = finback.open { model = "krill", threads = 1 }

local function equal(expected, found)
  if expected ~= found then
    error(("expected %s, found %s"):format(tostring(expected), tostring(found)), 2)
  end
end

-- The call must fail with an error of that name; returns it.
local function fails(name, call, ...)
  local succeeded, failure = pcall(call, ...)
  if succeeded then error(name .. " expected", 2) end
  if type(failure) ~= "table" then error("not one of ours: " .. tostring(failure), 2) end
  equal(name, failure.name)
  return failure
end

local tests = {}

function tests.chat_streams()
  local stream = engine:chat(QUESTION)
  local content, kinds, reason = {}, {}, nil
  for event in stream:events() do
    kinds[event.kind] = true
    if event.kind == "content" then content[#content + 1] = event.text end
    reason = event.finish_reason
  end
  local answer = table.concat(content)
  assert(answer:find("krill", 1, true), answer)
  assert(#content > 3 and kinds.reasoning and kinds.finish)
  equal("stop", reason)
  equal(nil, stream:next())
  assert(stream:response():find(answer, 1, true))
  assert(stream:usage().completion_tokens > #content)
  equal("integer", math.type(stream:usage().completion_tokens))
end

function tests.requests_may_be_tables_with_a_json_library()
  fails("invalid_argument", engine.chat, engine, { messages = {} })
  finback.json = { encode = function(request) return request.text end }
  assert(engine:chat({ text = QUESTION }):finish():find("krill", 1, true))
  finback.json = nil
end

function tests.sessions_remember()
  local session = engine:new_session()
  session:chat(QUESTION):finish()
  local again = session:chat(QUESTION)
  again:finish()
  assert(again:usage().cached_tokens > 0)
end

function tests.tools_at_a_service()
  local folder = os.getenv "FINBACK_TOOL_EXCHANGE"
  if not folder then return print("skipped: FINBACK_TOOL_EXCHANGE is not set") end
  local file <close> = assert(io.open(folder .. "/question.json"))
  local service <close> = finback.open {
    model = "deepseek:deepseek-flash", api_key = "none", replay = folder,
  }
  local calls, pieces, ends = {}, { [0] = "", "" }, {}
  local stream = service:chat(file:read "a")
  for event in stream:events() do
    local index = event.tool_index
    if event.kind == "tool_call" then calls[index] = event.tool_id .. " " .. event.tool_name end
    if event.kind == "tool_arguments" then pieces[index] = pieces[index] .. event.text end
    if event.kind == "tool_call_end" then ends[index] = event.text end
    if event.kind == "tool_call" then assert(stream:chunk():find(event.tool_id, 1, true)) end
  end
  equal("call_00_a get_weather", calls[0])
  equal("call_01_b get_time", calls[1])
  equal('{"city":"Oslo"}', ends[0])
  equal(ends[0], pieces[0])
  equal(ends[1], pieces[1])
  assert(stream:message():find('"get_time"', 1, true))
  equal("", stream:chunk())
end

function tests.cancel()
  local stream = engine:chat(QUESTION)
  assert(stream:next())
  stream:cancel()
  fails("cancelled", stream.next, stream)
  -- By number, as another Lua state in another thread would.
  stream = engine:chat(QUESTION)
  assert(stream:next())
  equal(true, finback.cancel_stream(stream:number()))
  fails("cancelled", stream.next, stream)
  local number = stream:number()
  stream:close()
  equal(false, finback.cancel_stream(number))
end

function tests.errors()
  local failure = fails("not_found", finback.open, { model = "/no/such/model" })
  equal(-3, failure.code)
  equal("{}", failure.details)
  assert(tostring(failure):find("/no/such/model", 1, true))
  fails("not_found", finback.open, { no_such_option = 1 })
  fails("invalid_request", engine.chat, engine, '{"messages": [{"role": "robot"}]}')
  fails("invalid_argument", engine.chat, engine, '{"messages": []}\0 and more')
  fails("invalid_argument", engine.tokenize, engine, nil)
  fails("invalid_argument", engine.detokenize, engine, { 1.5 })
end

function tests.text_beyond_ascii()
  local text = "Gr\u{f6}\u{df}e, \u{9cb8}, \u{1F433}"
  equal(text, engine:detokenize(engine:tokenize(text)))
  local request = ('{"messages": [{"role": "user", "content": "%s"}]}'):format(text)
  assert(engine:encode(request):find(text, 1, true))
  local failure = fails("not_found", finback.open, { model = "/\u{9cb8}" })
  assert(failure.message:find("\u{9cb8}", 1, true))
end

-- Strings of Lua are bytes: what is not UTF-8 is refused where text belongs, and taken where a file's name does.
function tests.bytes_that_are_no_text()
  local function chat(text) return ('{"messages": [{"role": "user", "content": "%s"}]}'):format(text) end
  for _, bytes in ipairs { "a\xff", "\xc3", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xc0\x80" } do
    fails("invalid_argument", engine.tokenize, engine, bytes)
    for _, method in ipairs { "chat", "encode", "encode_tokens" } do
      fails("invalid_request", engine[method], engine, chat(bytes))
    end
    fails("invalid_argument", finback.parse_completion, bytes, true, false)
    local failure = fails("not_found", finback.open, { model = "/" .. bytes })
    assert(utf8.len(failure.message), failure.message)
    failure = fails("not_found", finback.open, { [bytes] = "1" })
    assert(utf8.len(failure.message), failure.message)
  end
  local failure = fails("invalid_argument", finback.open, { model = "krill\0 and more" })
  assert(failure.message:find("model: NUL character at byte 5", 1, true), failure.message)
  fails("invalid_argument", finback.open, { ["model\0"] = "krill" })
  fails("invalid_argument", engine.verify, engine, "\0")
  equal("a\0b", engine:detokenize(engine:tokenize("a\0b")))
end

function tests.folders_by_their_bytes()
  local exchange = os.getenv "FINBACK_TOOL_EXCHANGE"
  if not exchange then return print("skipped: FINBACK_TOOL_EXCHANGE is not set") end
  local link = os.tmpname() .. "k\xff\xe9"
  assert(os.execute(("ln -s '%s/../../../examples/krill' '%s'"):format(exchange, link)))
  local own <close> = finback.open { model = link, threads = 1 }
  assert(own:chat(QUESTION):finish():find("krill", 1, true))
  assert(utf8.len(own:info()))
  os.remove(link)
end

function tests.snapshots()
  local sequence <close> = engine:new_sequence()
  local ids = engine:tokenize("Baleen whales eat")
  sequence:append(ids)
  local snapshot = sequence:snapshot()
  local expected = sequence:evaluate({ ids[1] })
  equal(sequence:vocab(), #expected)
  local other = engine:new_sequence()
  other:restore(snapshot)
  equal(#ids, other:position())
  local found = other:evaluate({ ids[1] })
  for i, logit in ipairs(expected) do equal(logit, found[i]) end
  fails("invalid_argument", other.restore, other, "not a snapshot")
  other:roll_back(1)
  equal(#ids, other:fork():position())
end

function tests.release()
  local stream
  do
    local own <close> = finback.open { model = "krill", threads = 1 }
    stream = own:chat(QUESTION)
  end
  assert(stream:next())
  stream:close()
  stream:close()
  fails("invalid_argument", stream.next, stream)
  for _ = 1, 50 do engine:chat(QUESTION) end
  collectgarbage()
  assert(engine:chat(QUESTION):next())
end

function tests.library()
  assert(finback.version():match("^%d+%.%d+%.%d+$"))
  assert(finback.describe_option(0):find('"name"', 1, true))
  assert(finback.services():find('"deepseek"', 1, true))
  fails("invalid_argument", finback.cost_report, {}, "{}")
  assert(finback.parse_completion("why</think>so", true, false):find('"why"', 1, true))
end

local failed = 0
for name, test in pairs(tests) do
  local succeeded, message = xpcall(test, function(failure)
    return debug.traceback(tostring(failure), 2)
  end)
  print((succeeded and "ok " or "FAILED ") .. name)
  if not succeeded then
    failed = failed + 1
    print(message)
  end
end
os.exit(failed == 0, true)
