# frozen_string_literal: true

# Asks a question and prints the answer as it comes: ruby example.rb [MODEL [QUESTION]]
require "finback"

model = ARGV[0] || "krill"
question = ARGV[1] || "What do baleen whales eat?"
$stdout.sync = true

Finback::Engine.open(model: model) do |engine|
  stream = engine.chat(messages: [{ role: "user", content: question }])
  stream.each do |event|
    print event.text if event.kind == :content
  end
  usage = stream.usage
  puts "\n[#{usage.prompt_tokens} tokens in, #{usage.completion_tokens} out]"
end
