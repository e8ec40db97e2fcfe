-- A program that leaves with a stream under way: nothing hangs, nothing crashes. (Stock Lua has neither
-- threads nor fork.) `process_test.lua MODE` is the program that leaves.
local LEAVES = {
  ["at once"] = "os.exit(7)",
  ["closing its state"] = "os.exit(7, true)",
  ["by an error within a coroutine"] = "coroutine.wrap(function() stream:next() error('end') end)()",
}
local PROGRAM = [[
local finback = require "finback"
local engine = finback.open { model = "krill", threads = 2 }
local stream = engine:chat('{"messages": [{"role": "user", "content": "What is krill?"}]}')
assert(stream:next())
]]

local failed = 0
for name, leave in pairs(LEAVES) do
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(PROGRAM, leave, "\n")
  file:close()
  local _, how, code = os.execute(("%s %s 2>/dev/null"):format(arg[-1], path))
  os.remove(path)
  local expected = leave:find("7", 1, true) and 7 or 1
  local good = how == "exit" and code == expected
  print((good and "ok " or "FAILED ") .. "leaving " .. name .. (good and "" or (": %s %s"):format(how, code)))
  if not good then failed = failed + 1 end
end
os.exit(failed == 0, true)
