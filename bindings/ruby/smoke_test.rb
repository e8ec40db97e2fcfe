# frozen_string_literal: true

# What a user of the Ruby module relies on, with krill.
require "minitest/autorun"
require "pathname"
require "timeout"
require "tmpdir"
require "finback"

class SmokeTest < Minitest::Test
  QUESTION = { messages: [{ role: "user", content: "What do baleen whales eat?" }] }.freeze
  ENGINE = Finback::Engine.new(model: "krill", threads: 1)

  def fails(status, &code)
    error = assert_raises(Finback::Error, &code)
    assert_equal status, error.status, error.message
    error
  end

  def test_chat_streams
    stream = ENGINE.chat(QUESTION)
    events = stream.to_a
    content = events.select { |event| event.kind == :content }
    assert_match(/krill/, content.map(&:text).join)
    assert_operator content.size, :>, 3
    assert_includes events.map(&:kind), :reasoning
    assert_equal "stop", events.last.finish_reason
    assert_nil stream.next
    assert_equal content.map(&:text).join, stream.response["choices"][0]["message"]["content"]
    assert_operator stream.usage.completion_tokens, :>, content.size
  end

  def test_requests_may_be_keywords_or_json
    expected = ENGINE.chat(QUESTION).finish["choices"]
    assert_equal expected, ENGINE.chat(**QUESTION).finish["choices"]
    assert_equal expected, ENGINE.chat(JSON.generate(QUESTION)).finish["choices"]
    assert_raises(TypeError) { ENGINE.chat(5) }
  end

  def test_each_without_a_block_is_an_enumerator
    events = ENGINE.chat(QUESTION).each
    assert_equal :reasoning, events.next.kind
  end

  def test_sessions_remember
    session = ENGINE.new_session
    session.chat(QUESTION).finish
    again = session.chat(QUESTION)
    again.finish
    assert_operator again.usage.cached_tokens, :>, 0
  end

  def test_tools_at_a_service
    folder = ENV.fetch("FINBACK_TOOL_EXCHANGE") { skip "FINBACK_TOOL_EXCHANGE is not set" }
    question = JSON.parse(File.read("#{folder}/question.json", encoding: "UTF-8"))
    service = Finback::Engine.new(model: "deepseek:deepseek-flash", api_key: "none", replay: folder)
    stream = service.chat(question)
    events = stream.to_a.group_by(&:kind)
    calls = events[:tool_call].map { |event| [event.tool_index, event.tool_id, event.tool_name] }
    assert_equal [[0, "call_00_a", "get_weather"], [1, "call_01_b", "get_time"]], calls
    events[:tool_call_end].each do |call|
      pieces = events[:tool_arguments].select { |event| event.tool_index == call.tool_index }
      assert_equal call.text, pieces.map(&:text).join
      assert_equal calls[call.tool_index], [call.tool_index, call.tool_id, call.tool_name]
    end
    assert_equal({ "city" => "Oslo" }, JSON.parse(events[:tool_call_end][0].text))
    assert_equal "get_time", stream.message["tool_calls"][1]["function"]["name"]
    assert_nil stream.chunk
  end

  def test_logprobs
    with = ENGINE.chat(**QUESTION, logprobs: true).find { |event| event.logprobs.any? }
    assert_operator with.logprobs[0]["logprob"], :<=, 0
  end

  def test_cancel_from_another_thread
    stream = ENGINE.chat(QUESTION)
    refute_nil stream.next
    Thread.new { stream.cancel }.join
    fails(:cancelled) { stream.next }
  end

  def test_close_ends_what_another_thread_waits_for
    stream = ENGINE.chat(QUESTION)
    first = Queue.new
    reader = Thread.new do
      Thread.current.report_on_exception = false
      loop { first << stream.next }
    end
    first.pop
    stream.close
    status = assert_raises(Finback::Error) { reader.join }.status
    assert_includes %i[cancelled invalid_argument], status
  end

  def test_an_exception_from_outside_ends_a_call
    interrupt = Class.new(StandardError)
    started = Queue.new
    10.times do
      thread = Thread.new do
        Thread.current.report_on_exception = false
        loop { ENGINE.chat(QUESTION).each { started << true } }
      end
      started.pop
      thread.raise(interrupt)
      assert_raises(interrupt) { thread.join }
    end
  end

  def test_threads_share_an_engine
    answers = Array.new(4) { Thread.new { ENGINE.chat(QUESTION).finish["choices"] } }.map(&:value)
    assert_equal 1, answers.uniq.size
  end

  def test_errors
    error = fails(:not_found) { Finback::Engine.new(model: "/no/such/model") }
    assert_equal(-3, error.code)
    assert_match %r{/no/such/model}, error.message
    assert_equal({}, error.details)
    fails(:not_found) { Finback::Engine.new(no_such_option: 1) }
    fails(:invalid_request) { ENGINE.chat(messages: [{ role: "robot" }]) }
    fails(:invalid_argument) { ENGINE.chat("{\"messages\": []}\0 and more") }
    assert_raises(TypeError) { ENGINE.tokenize(nil) }
    assert_raises(TypeError) { ENGINE.detokenize([2**40]) }
  end

  def test_text_beyond_ascii
    text = "Größe, 鲸, \u{1F433}"
    back = ENGINE.detokenize(ENGINE.tokenize(text))
    assert_equal text, back
    assert_equal Encoding::UTF_8, back.encoding
    assert_includes ENGINE.encode(messages: [{ role: "user", content: text }]), text
    assert_equal "café", ENGINE.detokenize(ENGINE.tokenize("café".encode("ISO-8859-1")))
    assert_includes fails(:not_found) { Finback::Engine.new(model: "/鲸") }.message, "鲸"
  end

  # What is not UTF-8 is refused where text belongs, and taken where a file's name does.
  def test_bytes_that_are_no_text
    ["a\xff", "\xc3", "\xed\xa0\x80", "\xf5\x80\x80\x80"].each do |bytes|
      [bytes, bytes.b].each do |text|
        fails(:invalid_argument) { ENGINE.tokenize(text) }
        fails(:invalid_argument) { Finback.parse_completion(text, true, false) }
        fails(:invalid_request) { ENGINE.chat(messages: [{ role: "user", content: text }]) }
        fails(:invalid_request) { ENGINE.encode("{\"messages\": [{\"role\": \"user\", \"content\": \"".b + bytes.b + "\"}]}") }
        assert_predicate fails(:not_found) { Finback::Engine.new(model: "/".b + text.b) }.message, :valid_encoding?
        assert_predicate fails(:not_found) { Finback::Engine.new(text => "1") }.message, :valid_encoding?
      end
    end
    fails(:invalid_argument) { ENGINE.tokenize("a\xff".dup.force_encoding("US-ASCII")) }
    message = fails(:invalid_argument) { Finback::Engine.new(model: "krill\0 and more") }.message
    assert_match(/model: NUL character at byte 5/, message)
    fails(:invalid_argument) { Finback::Engine.new("model\0" => "krill") }
    fails(:invalid_argument) { ENGINE.verify("\0") }
    assert_equal "a\0b", ENGINE.detokenize(ENGINE.tokenize("a\0b"))
    assert_includes ENGINE.encode(messages: [{ role: "user", content: "a\0b" }]), "a\0b"
    # Only what has no UTF-8 form in another encoding is no text.
    assert_equal "é", ENGINE.detokenize(ENGINE.tokenize("é".encode("UTF-16LE")))
  end

  def test_folders_by_their_bytes
    skip "FINBACK_TOOL_EXCHANGE is not set" unless ENV["FINBACK_TOOL_EXCHANGE"]
    Dir.mktmpdir do |folder|
      link = "#{folder}/k\xff\xe9"
      File.symlink("#{ENV["FINBACK_TOOL_EXCHANGE"]}/../../../examples/krill", link)
      # As Dir gives it in any locale.
      [link, link.b, link.dup.force_encoding("US-ASCII"), Pathname(link)].each do |model|
        Finback::Engine.open(model: model, threads: 1) do |engine|
          assert_match(/krill/, engine.chat(QUESTION).finish["choices"][0]["message"]["content"])
          assert_predicate engine.info["model"], :valid_encoding?
        end
      end
    end
  end

  def test_snapshots
    sequence = ENGINE.new_sequence
    ids = ENGINE.tokenize("Baleen whales eat")
    sequence.append(ids)
    snapshot = sequence.snapshot
    assert_equal Encoding::BINARY, snapshot.encoding
    expected = sequence.evaluate(ids.take(1))
    assert_equal sequence.vocab, expected.size
    other = ENGINE.new_sequence
    other.restore(snapshot)
    assert_equal ids.size, other.position
    assert_equal expected, other.evaluate(ids.take(1))
    fails(:invalid_argument) { other.restore("not a snapshot") }
    other.roll_back(1)
    assert_equal ids.size, other.fork.position
  end

  def test_release
    stream = Finback::Engine.open(model: "krill", threads: 1) { |engine| engine.chat(QUESTION) }
    refute_nil stream.next
    stream.close
    stream.close
    fails(:invalid_argument) { stream.next }
    50.times { ENGINE.chat(QUESTION) }
    GC.start
    refute_nil ENGINE.chat(QUESTION).next
  end

  def test_library
    assert_match(/\A\d+\.\d+\.\d+\z/, Finback.version)
    assert_includes Finback.describe_options.map { |option| option["name"] }, "model"
    assert_includes Finback.services["services"].map { |service| service["name"] }, "deepseek"
    fails(:invalid_argument) { Finback.cost_report }
    message = JSON.parse(Finback.parse_completion("why</think>so", true, false))
    assert_equal "why", message["reasoning_content"]
  end
end
