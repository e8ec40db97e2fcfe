# frozen_string_literal: true

require "json"

# DeepSeek-V4 in this process, or the same requests at a service.
#
#   engine = Finback::Engine.new(model: "krill")
#   engine.chat(messages: [{ role: "user", content: "Hello" }]).each do |event|
#     print event.text if event.kind == :content
#   end
#
# The wrapped classes are in finback/finback.so; this file gives them Ruby's habits.
module Finback
  # A call failed: code is FINBACK_ERROR_*, status its name (:not_found), details a Hash.
  class Error < StandardError
    attr_reader :code, :status, :details

    def initialize(message = nil, code = 0, status = "unknown", details = "{}")
      super(message)
      @code = code
      @status = status.to_sym
      @details = JSON.parse(details)
    end
  end

  # One event of a stream. kind: :reasoning, :content, :tool_call, :tool_arguments, :tool_call_end,
  # :finish, :progress, :notice, or :other, which is a newer library's.
  Event = Struct.new(:kind, :text, :tool_index, :tool_id, :tool_name, :finish_reason, :logprobs,
                     :progress_done, :progress_total, keyword_init: true)

  Usage = Struct.new(:prompt_tokens, :cached_tokens, :completion_tokens, :reasoning_tokens,
                     :disk_tokens, :proposed_tokens, :accepted_tokens, keyword_init: true)
end

require "finback/finback.so"

module Finback
  # Requests are Hashes (or JSON text).
  def self.request_json(request, fields)
    request.nil? || request.is_a?(Hash) ? JSON.generate({ **(request || {}), **fields }) : request
  rescue JSON::GeneratorError, EncodingError => e # text that has no UTF-8 form, numbers that are none
    raise Error.new("request: #{e.message.scrub}", -2, "invalid_request")
  end
  private_class_method :request_json

  # Defines methods whose request is data.
  def self.take_requests(owner, *names)
    to_json = method(:request_json)
    owner.class_eval do
      names.each do |name|
        native = instance_method(name)
        define_method(name) do |request = nil, **fields|
          native.bind_call(self, to_json.call(request, fields))
        end
      end
    end
  end
  private_class_method :take_requests

  # Defines methods whose result is data.
  def self.give_data(owner, *names)
    owner.class_eval do
      names.each do |name|
        native = instance_method(name)
        define_method(name) do
          text = native.bind_call(self)
          text.empty? ? nil : JSON.parse(text)
        end
      end
    end
  end
  private_class_method :give_data

  def self.describe_options
    Array.new(option_count) { |index| JSON.parse(describe_option(index)) }
  end

  def self.options_of(values)
    values.each_with_object(Options.new) do |(name, value), options|
      options.set(name.to_s, { true => "1", false => "0" }.fetch(value) { value.to_s })
    end
  end
  private_class_method :options_of

  class << self
    alias native_cost_report cost_report
    alias native_services services
    private :native_cost_report, :native_services

    # What was spent, by the ledger that the options name: cost_report({ group_by: "day" }, ledger: ...)
    def cost_report(query = {}, **options)
      JSON.parse(native_cost_report(options_of(options), JSON.generate(query)))
    end

    # What is known of services and their models.
    def services(**options)
      JSON.parse(native_services(options_of(options)))
    end
  end

  # Objects with something to release: Engine.open(...) { |engine| ... } closes at the end.
  module Closing
    def open(*arguments, **options)
      object = new(*arguments, **options)
      return object unless block_given?

      begin
        yield object
      ensure
        object.close
      end
    end
  end

  class Engine
    extend Closing

    alias native_initialize initialize
    private :native_initialize

    to_options = Finback.method(:options_of)

    # Engine.new(model: "krill", threads: 2); the options are finback.h's.
    define_method(:initialize) { |**options| native_initialize(to_options.call(options)) }
  end

  class Stream
    include Enumerable

    alias next_record next
    private :next_record

    # The next event; nil when the stream is over.
    def next
      record = next_record
      record && Event.new(**record, kind: record[:kind].to_sym,
                                    logprobs: JSON.parse(record[:logprobs]))
    end

    # Yields the events that are still to come. A stream is read once.
    def each
      return enum_for(:each) unless block_given?

      while (event = self.next)
        yield event
      end
      self
    end

    alias usage_record usage
    private :usage_record

    def usage
      Usage.new(**usage_record)
    end

    # Runs to the end: the answer as one chat.completion Hash.
    def finish
      each { |_event| nil }
      response
    end
  end

  take_requests Engine, :chat, :complete, :encode, :encode_tokens
  take_requests Session, :chat
  give_data Engine, :info, :models, :balance
  give_data Stream, :response, :message, :chunk
end
