using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using Finback;

/// <summary>What a user of the C# package relies on, with krill.</summary>
public static class SmokeTest {
  private const string Question =
    "{\"messages\": [{\"role\": \"user\", \"content\": \"What do baleen whales eat?\"}]}";
  private static readonly Engine Krill = new Engine(new Options { ["model"] = "krill" }.Set("threads", 1));

  private static void Check(bool holds, object seen) {
    if (!holds) {
      throw new Exception("unexpected: " + seen);
    }
  }

  private static void Same<T>(T expected, T seen) {
    Check(Equals(expected, seen), seen + ", expected: " + expected);
  }

  private static FinbackException Fails(string status, Action code) {
    try {
      code();
    } catch (FinbackException error) {
      Same(status, error.Status);
      return error;
    }
    throw new Exception("no exception, expected " + status);
  }

  private static string Content(IEnumerable<Event> events) {
    return string.Concat(events.Where(e => e.Kind == EventKind.Content).Select(e => e.Text));
  }

  private static void ChatStreams() {
    using (var stream = Krill.Chat(Question)) {
      List<Event> events = stream.ToList();
      Check(Content(events).Contains("krill"), Content(events));
      Check(events.Count > 8, events.Count);
      Same(EventKind.Reasoning, events[0].Kind);
      Same("stop", events.Last().FinishReason);
      Check(stream.Next() == null, "an event after the end");
      Check(stream.Response().Contains(Content(events)), stream.Response());
      Check(stream.Usage().CompletionTokens > events.Count / 2, stream.Usage().CompletionTokens);
    }
  }

  private static void Logprobs() {
    using (var stream = Krill.Chat(Question.Replace("{\"messages\"", "{\"logprobs\": true, \"messages\""))) {
      Check(stream.Next().Logprobs.Contains("\"logprob\""), "no logprobs");
    }
  }

  private static void ToolsAtAService() {
    string folder = Environment.GetEnvironmentVariable("FINBACK_TOOL_EXCHANGE");
    if (folder == null) {
      Console.WriteLine("skipped: FINBACK_TOOL_EXCHANGE is not set");
      return;
    }
    var options = new Options { ["model"] = "deepseek:deepseek-flash", ["api_key"] = "none", ["replay"] = folder };
    using (var service = new Engine(options))
    using (var stream = service.Chat(File.ReadAllText(Path.Combine(folder, "question.json")))) {
      ILookup<EventKind, Event> events = stream.ToLookup(e => e.Kind);
      Same("0call_00_aget_weather 1call_01_bget_time",
        string.Join(" ", events[EventKind.ToolCall].Select(e => e.ToolIndex + e.ToolId + e.ToolName)));
      foreach (Event call in events[EventKind.ToolCallEnd]) {
        Same(call.Text, string.Concat(events[EventKind.ToolArguments]
          .Where(e => e.ToolIndex == call.ToolIndex).Select(e => e.Text)));
      }
      Check(events[EventKind.ToolCallEnd].First().Text.Contains("Oslo"), "no city");
      Check(stream.Response().Contains("get_time"), stream.Response());
      Check(stream.Message().Contains("get_time"), stream.Message());
    }
  }

  private static void SessionsRemember() {
    using (var session = Krill.NewSession()) {
      session.Chat(Question).Finish();
      var again = session.Chat(Question);
      again.Finish();
      Check(again.Usage().CachedTokens > 0, again.Usage().CachedTokens);
    }
  }

  private static void CancelFromAnotherThread() {
    using (var stream = Krill.Chat(Question)) {
      Check(stream.Next() != null, "no event");
      var thread = new Thread(stream.Cancel);
      thread.Start();
      thread.Join();
      Fails("cancelled", () => stream.Next());
    }
  }

  private static async Task TokensCancelTasks() {
    using (var source = new CancellationTokenSource())
    using (var stream = Krill.Chat(Question)) {
      Check(await stream.NextAsync(source.Token) != null, "no event");
      source.Cancel();
      try {
        await stream.NextAsync(source.Token);
        throw new Exception("the token cancels");
      } catch (OperationCanceledException) {
      }
      try {
        stream.Next(source.Token);
        throw new Exception("the token cancels");
      } catch (OperationCanceledException error) {
        Same("cancelled", ((FinbackException)error.InnerException).Status);
      }
    }
  }

  private static string Ask(Engine engine) {
    using (var stream = engine.Chat(Question)) {
      return Content(stream);
    }
  }

  private static void ThreadsShareAnEngine() {
    Task<string>[] answers =
      Enumerable.Range(0, 4).Select(_ => Task.Run(() => Ask(Krill))).ToArray();
    Same(1, answers.Select(answer => answer.Result).Distinct().Count());
  }

  private static void Errors() {
    FinbackException error = Fails("not_found", () => new Engine("/no/such/model"));
    Same(-3, error.Code);
    Check(error.Message.Contains("/no/such/model"), error.Message);
    Same("{}", error.Details);
    Fails("not_found", () => new Options().Set("no_such_option", 1));
    Fails("invalid_request", () => Krill.Chat("{\"messages\": [{\"role\": \"robot\"}]}"));
    Fails("invalid_argument", () => Krill.Chat(Question + "\0 and more"));
    Fails("invalid_argument", () => Krill.Tokenize("half a pair: \ud83d"));
    Fails("invalid_argument", () => Krill.Detokenize(new[] { -1 }));
    try {
      Krill.Tokenize(null);
      throw new Exception("null is no text");
    } catch (ArgumentNullException) {
    }
  }

  private static void TextBeyondAscii() {
    const string text = "Gr\u00f6\u00dfe, \u9cb8, \U0001F433, NUL \0.";
    Same(text, Krill.Detokenize(Krill.Tokenize(text)));
    const string whale = "\u9cb8\U0001F433";
    const string content = whale + " \"\\\n\t";
    string prompt = Krill.Encode(
      "{\"messages\": [{\"role\": \"user\", \"content\": " + Library.Quote(content) + "}]}");
    Check(prompt.Contains(content), prompt);
    Check(Fails("not_found", () => new Engine("/" + whale)).Message.Contains(whale), whale);
  }

  private static void TextThatUtf8DoesNotHave() {
    foreach (string text in new[] { "\ud83d", "a\udc33b", "\udc33\ud83d" }) {
      Fails("invalid_argument", () => Krill.Tokenize(text));
      Fails("invalid_argument", () => Library.ParseCompletion(text, true, false));
      Fails("invalid_argument", () => Krill.Chat("{\"messages\": [" + Library.Quote(text) + "]}"));
      Fails("invalid_argument", () => new Engine("/" + text));
      Fails("invalid_argument", () => new Options().Set(text, 1));
    }
    Fails("invalid_request", () => Krill.Chat(Question.Replace("What", "\\ud83d")));
    string where = Fails("invalid_argument", () => new Engine("krill\0 and more")).Message;
    Check(where.Contains("model: NUL character at byte 5"), where);
    Fails("invalid_argument", () => new Options().Set("model\0", "krill"));
    Fails("invalid_argument", () => Krill.Verify("\0"));
    Fails("invalid_argument", () => Krill.Chat(Question + "\0"));
  }

  private static void Snapshots() {
    int[] ids = Krill.Tokenize("Baleen whales eat");
    int[] one = { ids[0] };
    using (var sequence = Krill.NewSequence())
    using (var other = Krill.NewSequence()) {
      sequence.Append(ids);
      byte[] snapshot = sequence.Snapshot();
      float[] expected = sequence.Evaluate(one);
      Same(sequence.Vocab(), (long)expected.Length);
      other.Restore(snapshot);
      Same((long)ids.Length, other.Position());
      Check(expected.SequenceEqual(other.Evaluate(one)), "other logits");
      Fails("invalid_argument", () => other.Restore(new byte[] { 1, 2, 3 }));
      other.RollBack(1);
      using (var fork = other.Fork()) {
        Same((long)ids.Length, fork.Position());
      }
    }
  }

  private static void Release() {
    ChatStream stream;
    using (var engine = new Engine("krill")) {
      stream = engine.Chat(Question);
    }
    Check(stream.Next() != null, "a stream keeps its engine");
    stream.Dispose();
    stream.Dispose();
    stream.Cancel();
    Fails("invalid_argument", () => stream.Next());
    for (int i = 0; i < 50; i++) {
      Krill.Chat(Question);
    }
    GC.Collect();
    GC.WaitForPendingFinalizers();
    Check(Ask(Krill).Contains("krill"), "after garbage was collected");
  }

  private static void TheLibrary() {
    Check(Regex.IsMatch(Library.Version(), @"^\d+\.\d+\.\d+$"), Library.Version());
    Check(Library.DescribeOption(0).Contains("\"model\""), Library.DescribeOption(0));
    Check(Library.ParseCompletion("why</think>so", true, false).Contains("why"), "no reasoning");
  }

  private static string Runtime() {
    Type mono = Type.GetType("Mono.Runtime");
    MethodInfo name = mono?.GetMethod("GetDisplayName", BindingFlags.NonPublic | BindingFlags.Static);
    return name == null ? ".NET " + Environment.Version : "Mono " + name.Invoke(null, null);
  }

  public static int Main() {
    Console.WriteLine("C# on " + Runtime() + ", finback " + Library.Version());
    Action[] tests = {
      ChatStreams, Logprobs, ToolsAtAService, SessionsRemember, CancelFromAnotherThread,
      () => TokensCancelTasks().GetAwaiter().GetResult(), ThreadsShareAnEngine, Errors, TextBeyondAscii,
      TextThatUtf8DoesNotHave, Snapshots, Release, TheLibrary,
    };
    foreach (Action test in tests) {
      test();
    }
    Console.WriteLine(tests.Length + " tests passed");
    return 0;
  }
}
