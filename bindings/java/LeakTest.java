import finback.Engine;
import finback.Finback;
import finback.FinbackException;
import finback.Options;
import finback.Sequence;
import finback.Session;
import finback.Stream;
import java.io.IOException;
import java.lang.ref.Cleaner;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/**
 * Thousands of calls, and the process is about as large as before. To be run with a small heap.
 *
 * <p>The JVM and its allocator come and go by megabytes, once; a leak grows in every round of calls. So the best of
 * several rounds counts.
 */
public final class LeakTest {
  private static final int WARM_UP = 500;
  private static final int CALLS = 4_000;
  private static final int ROUNDS = 5;
  // A leaked stream, or a string of a kilobyte, would be more.
  private static final long SLACK_BYTES = 3 << 20;
  private static final Cleaner CLEANER = Cleaner.create();

  private static long resident() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/smaps_rollup"))) {
        if (line.startsWith("Private_Dirty:")) {
          return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
        }
      }
    } catch (IOException error) {
      throw new AssertionError(error);
    }
    throw new AssertionError("no Private_Dirty in /proc/self/smaps_rollup");
  }

  /** Collects, and waits until what was collected has been cleaned. */
  private static void collect() throws InterruptedException {
    CountDownLatch cleaned = new CountDownLatch(1);
    CLEANER.register(new Object(), cleaned::countDown);
    while (cleaned.getCount() > 0) {
      System.gc();
      Thread.onSpinWait();
    }
    System.gc();
  }

  private static void repeat(Runnable call, int times) throws InterruptedException {
    for (int i = 0; i < times; i++) {
      call.run();
      if (i % 200 == 0) {
        collect(); // the shells of what was closed
      }
    }
    collect();
  }

  /** Bytes that the process grew by in the best of the rounds; no more rounds after a good one. */
  private static long leastGrowth(Runnable call) throws InterruptedException {
    repeat(call, WARM_UP);
    long least = Long.MAX_VALUE;
    for (int round = 0; round < ROUNDS && least >= SLACK_BYTES; round++) {
      long before = resident();
      repeat(call, CALLS);
      least = Math.min(least, resident() - before);
    }
    return least;
  }

  public static void main(String[] arguments) throws InterruptedException {
    Engine engine = new Engine(new Options().set("model", "krill").set("threads", 1).set("context_tokens", 64));
    String hello = "{\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}], \"max_tokens\": 1}";
    String text = "Baleen whales eat krill. ".repeat(40);
    Sequence sequence = engine.newSequence();
    sequence.append(new int[] {1, 2, 3});
    Map<String, Runnable> calls = new LinkedHashMap<>();
    calls.put("tokenize", () -> engine.detokenize(engine.tokenize(text)));
    calls.put("parse", () -> Finback.parseCompletion(text, false, false));
    calls.put("encode", () -> engine.encode(hello));
    calls.put(
        "an error",
        () -> {
          try {
            engine.chat("{\"messages\": [{\"role\": \"robot\"}]}");
            throw new AssertionError("no exception");
          } catch (FinbackException error) {
            error.getMessage();
          }
        });
    calls.put(
        "a stream",
        () -> {
          try (Stream stream = engine.chat(hello)) {
            stream.finish();
          }
        });
    calls.put("a stream, dropped", () -> engine.chat(hello).next());
    calls.put(
        "a session",
        () -> {
          try (Session session = engine.newSession();
              Stream stream = session.chat(hello)) {
            stream.next();
          }
        });
    calls.put("a snapshot", () -> sequence.restore(sequence.snapshot()));
    calls.put(
        "a fork",
        () -> {
          try (Sequence fork = sequence.fork()) {
            fork.position();
          }
        });
    calls.put("options", () -> new Options().set("model", text).set("threads", 2));
    boolean good = true;
    for (Map.Entry<String, Runnable> call : calls.entrySet()) {
      long grown = leastGrowth(call.getValue());
      good &= grown < SLACK_BYTES;
      System.out.println((grown < SLACK_BYTES ? "ok " : "FAILED ") + call.getKey() + ": " + grown / 1024 + " KiB more");
    }
    if (!good) {
      throw new AssertionError("the process has grown");
    }
  }
}
