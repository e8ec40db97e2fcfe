import finback.Engine;
import finback.Event;
import finback.Finback;
import finback.FinbackException;
import finback.Options;
import finback.Sequence;
import finback.Session;
import finback.Stream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** What a user of the Java package relies on, with krill. */
public final class SmokeTest {
  private static final String QUESTION =
      """
      {"messages": [{"role": "user", "content": "What do baleen whales eat?"}]}""";
  private static final Engine ENGINE =
      new Engine(new Options().set("model", "krill").set("threads", 1));

  private static void check(boolean holds, Object seen) {
    if (!holds) {
      throw new AssertionError("unexpected: " + seen);
    }
  }

  private static void same(Object expected, Object seen) {
    check(Objects.equals(expected, seen), seen + ", expected: " + expected);
  }

  private static FinbackException fails(String status, Runnable code) {
    try {
      code.run();
    } catch (FinbackException error) {
      same(status, error.status());
      return error;
    }
    throw new AssertionError("no exception, expected " + status);
  }

  private static String content(Iterable<Event> events) {
    StringBuilder content = new StringBuilder();
    for (Event event : events) {
      if (event.kind() == Event.Kind.CONTENT) {
        content.append(event.text());
      }
    }
    return content.toString();
  }

  private static void chatStreams() {
    List<Event> events = new ArrayList<>();
    String content;
    try (Stream stream = ENGINE.chat(QUESTION)) {
      stream.forEach(events::add);
      content = content(events);
      check(stream.next() == null, "an event after the end");
      check(stream.response().contains(content), stream.response());
      check(stream.usage().completionTokens() > events.size() / 2, stream.usage());
    }
    check(content.contains("krill"), content);
    check(events.size() > 8, events.size());
    same(Event.Kind.REASONING, events.get(0).kind());
    same("stop", events.get(events.size() - 1).finishReason());
  }

  private static void logprobs() {
    try (Stream stream = ENGINE.chat(QUESTION.replaceFirst("\\{", "{\"logprobs\": true, "))) {
      Event first = stream.next();
      check(first.logprobs().contains("\"logprob\""), first);
    }
  }

  private static void toolsAtAService() throws IOException {
    String folder = System.getenv("FINBACK_TOOL_EXCHANGE");
    if (folder == null) {
      System.out.println("skipped: FINBACK_TOOL_EXCHANGE is not set");
      return;
    }
    Options options =
        new Options()
            .set("model", "deepseek:deepseek-flash")
            .set("api_key", "none")
            .set("replay", folder);
    List<String> calls = new ArrayList<>();
    Map<Integer, String> pieces = new TreeMap<>();
    Map<Integer, String> arguments = new TreeMap<>();
    try (Engine service = new Engine(options);
        Stream stream = service.chat(Files.readString(Path.of(folder, "question.json")))) {
      for (Event event : stream) {
        switch (event.kind()) {
          case TOOL_CALL -> calls.add(event.toolIndex() + event.toolId() + event.toolName());
          case TOOL_ARGUMENTS -> pieces.merge(event.toolIndex(), event.text(), String::concat);
          case TOOL_CALL_END -> arguments.put(event.toolIndex(), event.text());
          default -> {}
        }
      }
      check(stream.response().contains("get_time"), stream.response());
      check(stream.message().contains("get_time"), stream.message());
    }
    same(List.of("0call_00_aget_weather", "1call_01_bget_time"), calls);
    same(pieces, arguments);
    check(arguments.get(0).contains("Oslo"), arguments);
  }

  private static void sessionsRemember() {
    try (Session session = ENGINE.newSession()) {
      session.chat(QUESTION).finish();
      Stream again = session.chat(QUESTION);
      again.finish();
      check(again.usage().cachedTokens() > 0, again.usage());
    }
  }

  private static void cancelFromAnotherThread() throws InterruptedException {
    try (Stream stream = ENGINE.chat(QUESTION)) {
      check(stream.next() != null, "no event");
      Thread thread = new Thread(stream::cancel);
      thread.start();
      thread.join();
      fails("cancelled", stream::next);
    }
  }

  private static void threadsShareAnEngine() throws Exception {
    var executor = Executors.newFixedThreadPool(4);
    Callable<String> ask =
        () -> {
          try (Stream stream = ENGINE.chat(QUESTION)) {
            return content(stream);
          }
        };
    List<String> answers = new ArrayList<>();
    for (Future<String> answer : executor.invokeAll(List.of(ask, ask, ask, ask))) {
      answers.add(answer.get());
    }
    executor.shutdown();
    same(1L, answers.stream().distinct().count());
  }

  private static void errors() {
    FinbackException error = fails("not_found", () -> Engine.open("/no/such/model"));
    same(-3, error.code());
    check(error.getMessage().contains("/no/such/model"), error.getMessage());
    same("{}", error.details());
    fails("not_found", () -> new Options().set("no_such_option", 1));
    fails("invalid_request", () -> ENGINE.chat("{\"messages\": [{\"role\": \"robot\"}]}"));
    fails("invalid_argument", () -> ENGINE.chat(QUESTION + "\0 and more"));
    fails("invalid_argument", () -> ENGINE.tokenize("half a pair: \ud83d"));
    fails("invalid_argument", () -> ENGINE.detokenize(new int[] {-1}));
    try {
      ENGINE.tokenize(null);
      throw new AssertionError("null is no text");
    } catch (NullPointerException expected) {
      // as everywhere in Java
    }
  }

  private static void textBeyondAscii() {
    String text = "Gr\u00f6\u00dfe, \u9cb8, \ud83d\udc33, NUL \0.";
    same(text, ENGINE.detokenize(ENGINE.tokenize(text)));
    String whale = "\u9cb8\ud83d\udc33";
    String content = whale + " \"\\\n\t";
    String request =
        "{\"messages\": [{\"role\": \"user\", \"content\": " + Finback.quote(content) + "}]}";
    check(ENGINE.encode(request).contains(content), ENGINE.encode(request));
    check(fails("not_found", () -> Engine.open("/" + whale)).getMessage().contains(whale), whale);
  }

  private static void textThatUtf8DoesNotHave() {
    for (String text : List.of("\ud83d", "a\udc33b", "\udc33\ud83d")) {
      fails("invalid_argument", () -> ENGINE.tokenize(text));
      fails("invalid_argument", () -> Finback.parseCompletion(text, true, false));
      fails("invalid_argument", () -> ENGINE.chat("{\"messages\": [" + Finback.quote(text) + "]}"));
      fails("invalid_argument", () -> Engine.open("/" + text));
      fails("invalid_argument", () -> new Options().set(text, 1));
    }
    fails("invalid_request", () -> ENGINE.chat(QUESTION.replace("What", "\\ud83d")));
    String where = fails("invalid_argument", () -> Engine.open("krill\0 and more")).getMessage();
    check(where.contains("model: NUL character at byte 5"), where);
    fails("invalid_argument", () -> new Options().set("model\0", "krill"));
    fails("invalid_argument", () -> ENGINE.verify("\0"));
    fails("invalid_argument", () -> ENGINE.chat(QUESTION + "\0"));
  }

  private static void snapshots() {
    int[] ids = ENGINE.tokenize("Baleen whales eat");
    int[] one = {ids[0]};
    try (Sequence sequence = ENGINE.newSequence();
        Sequence other = ENGINE.newSequence()) {
      sequence.append(ids);
      byte[] snapshot = sequence.snapshot();
      float[] expected = sequence.evaluate(one);
      same(sequence.vocab(), (long) expected.length);
      other.restore(snapshot);
      same((long) ids.length, other.position());
      check(Arrays.equals(expected, other.evaluate(one)), "other logits");
      fails("invalid_argument", () -> other.restore(new byte[] {1, 2, 3}));
      other.rollBack(1);
      same((long) ids.length, other.fork().position());
    }
  }

  private static void release() {
    Stream stream;
    try (Engine engine = Engine.open("krill")) {
      stream = engine.chat(QUESTION);
    }
    check(stream.next() != null, "a stream keeps its engine");
    stream.close();
    stream.close();
    stream.cancel();
    fails("invalid_argument", stream::next);
    for (int i = 0; i < 50; i++) {
      ENGINE.chat(QUESTION);
    }
    System.gc();
    check(ENGINE.chat(QUESTION).next() != null, "after garbage was collected");
  }

  private static void library() {
    check(Finback.version().matches("\\d+\\.\\d+\\.\\d+"), Finback.version());
    check(Finback.describeOption(0).contains("\"model\""), Finback.describeOption(0));
    check(Finback.parseCompletion("why</think>so", true, false).contains("why"), "no reasoning");
  }

  /** Runs every test; an exception is a failure. */
  public static void main(String[] arguments) throws Exception {
    System.out.println("Java " + Runtime.version() + ", finback " + Finback.version());
    chatStreams();
    logprobs();
    toolsAtAService();
    sessionsRemember();
    cancelFromAnotherThread();
    threadsShareAnEngine();
    errors();
    textBeyondAscii();
    textThatUtf8DoesNotHave();
    snapshots();
    release();
    library();
    System.out.println("12 tests passed");
  }
}
