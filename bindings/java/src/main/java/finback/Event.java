package finback;

/**
 * One event of a stream.
 *
 * @param kind what happened; the fields that it does not mention are empty
 * @param text REASONING, CONTENT, TOOL_ARGUMENTS: the next piece; TOOL_CALL_END: all arguments
 * @param toolIndex tool events: which call of the answer, from 0
 * @param toolId tool events: what the tool's message names as tool_call_id
 * @param toolName tool events: the function
 * @param finishReason FINISH: "stop", "length" or "tool_calls"
 * @param logprobs a JSON array; empty unless the request asked
 * @param progressDone PROGRESS: prompt tokens evaluated
 * @param progressTotal PROGRESS: of how many
 */
public record Event(
    Kind kind,
    String text,
    int toolIndex,
    String toolId,
    String toolName,
    String finishReason,
    String logprobs,
    long progressDone,
    long progressTotal) {

  /** In the order of finback.h; OTHER is a newer library's, to be skipped. */
  public enum Kind {
    OTHER,
    REASONING,
    CONTENT,
    TOOL_CALL,
    TOOL_ARGUMENTS,
    TOOL_CALL_END,
    FINISH,
    PROGRESS,
    NOTICE;

    private static final Kind[] ALL = values();

    static Kind of(int number) {
      return number > 0 && number < ALL.length ? ALL[number] : OTHER;
    }
  }

  static Event of(NativeEvent event) {
    return new Event(
        Kind.of(event.getKind()),
        event.getText(),
        event.getTool_index(),
        event.getTool_id(),
        event.getTool_name(),
        event.getFinish_reason(),
        event.getLogprobs(),
        event.getProgress_done(),
        event.getProgress_total());
  }
}
