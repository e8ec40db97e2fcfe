# frozen_string_literal: true

Gem::Specification.new do |spec|
  spec.name = "finback"
  spec.version = ENV.fetch("FINBACK_VERSION")
  spec.summary = "DeepSeek-V4 in this process, or the same requests at a service"
  spec.description = "Chat with DeepSeek-V4 through the library libfinback: streamed events, tools, " \
                     "sessions, snapshots, cancelling from any thread."
  spec.authors = ["The Finback authors"]
  spec.license = "MIT"
  spec.required_ruby_version = ">= 3.0"
  spec.files = Dir["lib/*.rb", "ext/finback/*", "example.rb", "LICENSE"]
  spec.extensions = ["ext/finback/extconf.rb"]
end
