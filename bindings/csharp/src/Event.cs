namespace Finback {

/// <summary>In the order of finback.h; Other is a newer library's, to be skipped.</summary>
public enum EventKind {
  Other,
  Reasoning,
  Content,
  ToolCall,
  ToolArguments,
  ToolCallEnd,
  Finish,
  Progress,
  Notice,
}

/// <summary>One event of a stream; the properties that do not concern its kind are empty.</summary>
public sealed class Event {
  internal Event(NativeEvent native) {
    int kind = native.kind;
    Kind = kind > 0 && kind <= (int)EventKind.Notice ? (EventKind)kind : EventKind.Other;
    Text = native.text;
    ToolIndex = native.tool_index;
    ToolId = native.tool_id;
    ToolName = native.tool_name;
    FinishReason = native.finish_reason;
    Logprobs = native.logprobs;
    ProgressDone = native.progress_done;
    ProgressTotal = native.progress_total;
  }

  public EventKind Kind { get; }

  /// <summary>Reasoning, Content, ToolArguments: the next piece; ToolCallEnd: all arguments.</summary>
  public string Text { get; }

  /// <summary>Tool events: which call of the answer, from 0.</summary>
  public int ToolIndex { get; }

  /// <summary>Tool events: what the tool's message names as tool_call_id.</summary>
  public string ToolId { get; }

  public string ToolName { get; }

  /// <summary>Finish: "stop", "length" or "tool_calls".</summary>
  public string FinishReason { get; }

  /// <summary>A JSON array; empty unless the request asked.</summary>
  public string Logprobs { get; }

  /// <summary>Progress: prompt tokens evaluated.</summary>
  public long ProgressDone { get; }

  /// <summary>Progress: of how many.</summary>
  public long ProgressTotal { get; }
}

/// <summary>Token counts of a stream.</summary>
public sealed class Usage {
  internal Usage(NativeUsage native) {
    PromptTokens = native.prompt_tokens;
    CachedTokens = native.cached_tokens;
    CompletionTokens = native.completion_tokens;
    ReasoningTokens = native.reasoning_tokens;
    DiskTokens = native.disk_tokens;
    ProposedTokens = native.proposed_tokens;
    AcceptedTokens = native.accepted_tokens;
  }

  public long PromptTokens { get; }

  /// <summary>Of them, not computed again.</summary>
  public long CachedTokens { get; }

  public long CompletionTokens { get; }

  /// <summary>Of them, spent on reasoning.</summary>
  public long ReasoningTokens { get; }

  /// <summary>Of the cached ones, read from the cache folder.</summary>
  public long DiskTokens { get; }

  /// <summary>Drafts that were evaluated.</summary>
  public long ProposedTokens { get; }

  /// <summary>Of them, what was sampled.</summary>
  public long AcceptedTokens { get; }
}

}
