import finback.Engine;
import finback.Options;
import finback.Stream;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A program that leaves while threads of it compute: nothing hangs, nothing crashes. */
public final class ProcessTest {
  private static final String QUESTION =
      """
      {"messages": [{"role": "user", "content": "What is krill?"}]}""";

  /** Leaves with status 7, in the way that is asked for, while daemon threads are in calls. */
  private static void leave(String how) throws InterruptedException {
    Engine engine = new Engine(new Options().set("model", "krill").set("threads", 2));
    CountDownLatch started = new CountDownLatch(2);
    for (int i = 0; i < 2; i++) {
      Thread thread =
          new Thread(
              null,
              () -> {
                while (true) {
                  try (Stream stream = engine.chat(QUESTION)) {
                    while (stream.next() != null) {
                      started.countDown();
                    }
                  }
                }
              },
              "reader",
              how.equals("small stacks") ? 128 << 10 : 0);
      thread.setDaemon(true);
      thread.start();
    }
    started.await();
    switch (how) {
      case "halt" -> Runtime.getRuntime().halt(7);
      case "hook" -> Runtime.getRuntime().addShutdownHook(new Thread(engine::close));
      default -> {}
    }
    if (!how.equals("main ends")) {
      System.exit(7);
    }
  }

  private static void check(String how) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(System.getProperty("java.home") + File.separator + "bin" + File.separator + "java");
    command.add("-Dfinback.library.path=" + System.getProperty("finback.library.path"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), "ProcessTest", how));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    if (!process.waitFor(60, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError(how + ": hangs");
    }
    int expected = how.equals("main ends") ? 0 : 7;
    if (process.exitValue() != expected) {
      String output = new String(process.getInputStream().readAllBytes());
      throw new AssertionError(how + ": status " + process.exitValue() + "\n" + output);
    }
  }

  public static void main(String[] arguments) throws Exception {
    if (arguments.length == 1) {
      leave(arguments[0]);
      return;
    }
    for (String how : List.of("exit", "halt", "hook", "main ends", "small stacks")) {
      check(how);
    }
    System.out.println("5 tests passed");
  }
}
