import finback.Engine;
import finback.Event;
import finback.Stream;
import finback.Usage;

/** Asks a question and prints the answer as it comes: java -cp finback.jar Example.java [MODEL]. */
public final class Example {
  private static final String REQUEST =
      """
      {"messages": [{"role": "user", "content": "What do baleen whales eat?"}]}""";

  public static void main(String[] arguments) {
    String model = arguments.length > 0 ? arguments[0] : "krill";
    try (Engine engine = Engine.open(model);
        Stream stream = engine.chat(REQUEST)) {
      for (Event event : stream) {
        if (event.kind() == Event.Kind.CONTENT) {
          System.out.print(event.text());
          System.out.flush();
        }
      }
      Usage usage = stream.usage();
      System.out.printf(
          "%n[%d tokens in, %d out]%n", usage.promptTokens(), usage.completionTokens());
    }
  }
}
