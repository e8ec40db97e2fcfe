using System;
using Finback;

/// <summary>Asks a question and prints the answer as it comes.</summary>
public static class Example {
  private const string Request =
    @"{""messages"": [{""role"": ""user"", ""content"": ""What do baleen whales eat?""}]}";

  public static void Main(string[] arguments) {
    string model = arguments.Length > 0 ? arguments[0] : "krill";
    using (var engine = new Engine(model))
    using (var stream = engine.Chat(Request)) {
      foreach (Event next in stream) {
        if (next.Kind == EventKind.Content) {
          Console.Write(next.Text);
        }
      }
      Usage usage = stream.Usage();
      Console.WriteLine("\n[{0} tokens in, {1} out]", usage.PromptTokens, usage.CompletionTokens);
    }
  }
}
