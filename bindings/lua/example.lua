-- Asks krill a question and prints the answer as it comes: lua5.4 example.lua [MODEL]
local finback = require "finback"

local engine <close> = finback.open { model = arg[1] or "krill" }
local stream = engine:chat [[
  {"messages": [{"role": "user", "content": "What do baleen whales eat?"}]}
]]
for event in stream:events() do
  if event.kind == "content" then
    io.write(event.text)
    io.flush()
  end
end
local usage = stream:usage()
print(("\n[%d tokens in, %d out]"):format(usage.prompt_tokens, usage.completion_tokens))
