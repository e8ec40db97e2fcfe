package finback;

/**
 * Token counts of a stream.
 *
 * @param promptTokens tokens of the prompt
 * @param cachedTokens of them, not computed again
 * @param completionTokens tokens sampled
 * @param reasoningTokens of them, spent on reasoning
 * @param diskTokens of the cached ones, read from the cache folder
 * @param proposedTokens drafts that were evaluated
 * @param acceptedTokens of them, what was sampled
 */
public record Usage(
    long promptTokens,
    long cachedTokens,
    long completionTokens,
    long reasoningTokens,
    long diskTokens,
    long proposedTokens,
    long acceptedTokens) {
  static Usage of(NativeUsage usage) {
    return new Usage(
        usage.getPrompt_tokens(),
        usage.getCached_tokens(),
        usage.getCompletion_tokens(),
        usage.getReasoning_tokens(),
        usage.getDisk_tokens(),
        usage.getProposed_tokens(),
        usage.getAccepted_tokens());
  }
}
