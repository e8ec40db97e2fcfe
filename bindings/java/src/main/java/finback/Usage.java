package finback;

/**
 * Token counts of a stream.
 *
 * @param promptTokens tokens of the prompt
 * @param cachedTokens of them, not computed again
 * @param completionTokens tokens sampled
 * @param reasoningTokens of them, spent on reasoning
 */
public record Usage(
    long promptTokens, long cachedTokens, long completionTokens, long reasoningTokens) {
  static Usage of(NativeUsage usage) {
    return new Usage(
        usage.getPrompt_tokens(),
        usage.getCached_tokens(),
        usage.getCompletion_tokens(),
        usage.getReasoning_tokens());
  }
}
