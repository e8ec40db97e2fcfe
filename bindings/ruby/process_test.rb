# frozen_string_literal: true

# A program that forks, or leaves while answers are computed: nothing hangs, nothing crashes.
require "minitest/autorun"
require "open3"
require "rbconfig"
require "timeout"
require "finback"

class ProcessTest < Minitest::Test
  QUESTION = { messages: [{ role: "user", content: "What do baleen whales eat?" }] }.freeze
  ENGINE = Finback::Engine.new(model: "krill", threads: 2)

  def answer
    ENGINE.chat(QUESTION).finish["choices"][0]["message"]["content"]
  end

  # What the block returns in a child.
  def in_a_child
    reader, writer = IO.pipe
    child = fork do
      said =
        begin
          yield
        rescue Finback::Error => error
          "error: #{error.message}"
        end
      writer.write(said)
      writer.close
      exit!(0)
    end
    writer.close
    Timeout.timeout(60) { [reader.read, Process.wait2(child).last.exitstatus] }
  rescue Timeout::Error
    Process.kill(:KILL, child)
    Process.wait(child)
    flunk "the child hangs"
  end

  def test_a_child_answers_as_its_parent_does
    expected = answer
    assert_equal [expected, 0], in_a_child { answer }
    assert_equal expected, answer
  end

  def test_a_child_of_a_stream_under_way
    expected = answer
    stream = ENGINE.chat(QUESTION)
    stream.next
    assert_equal [expected, 0], in_a_child { answer }
    assert_equal ["ended", 0], in_a_child { stream.finish rescue Finback::Error; "ended" }
    assert_equal expected, stream.finish["choices"][0]["message"]["content"]
  end

  def test_a_child_of_a_program_whose_threads_compute
    skip "a child finds the sanitizer's own locks as the other threads left them" if ENV["FINBACK_SANITIZED"] == "1"
    expected = answer
    stop = false
    threads = Array.new(2) { Thread.new { answer until stop } }
    5.times { assert_equal [expected, 0], in_a_child { answer } }
    stop = true
    threads.each { |thread| assert thread.join(60), "a thread of the parent hangs" }
  end

  def test_leaving_while_threads_compute
    program = <<~RUBY
      require "finback"
      engine = Finback::Engine.new(model: "krill", threads: 2)
      question = { messages: [{ role: "user", content: "What is krill?" }] }
      queue = Queue.new
      2.times { Thread.new { loop { engine.chat(question).each { queue << 1 } } } }
      10.times { queue.pop }
      exit 7
    RUBY
    output, status = Timeout.timeout(60) { Open3.capture2e(RbConfig.ruby, "-e", program) }
    assert_equal 7, status.exitstatus, "#{status}: #{output}"
  end
end
