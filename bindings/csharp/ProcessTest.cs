using System;
using System.Diagnostics;
using System.Reflection;
using System.Threading;
using Finback;

/// <summary>A program that leaves while threads of it compute: nothing hangs, nothing crashes.</summary>
public static class ProcessTest {
  private const string Question = "{\"messages\": [{\"role\": \"user\", \"content\": \"What is krill?\"}]}";

  // Leaves with status 7, in the way that is asked for, while background threads are in calls.
  private static int Leave(string how) {
    var engine = new Engine(new Options { ["model"] = "krill" }.Set("threads", 2));
    var started = new CountdownEvent(2);
    for (int i = 0; i < 2; i++) {
      bool first = true;
      ThreadStart read = () => {
        while (true) {
          using (var stream = engine.Chat(Question)) {
            while (stream.Next() != null) {
              if (first) {
                first = false;
                started.Signal();
              }
            }
          }
        }
      };
      new Thread(read) { IsBackground = true }.Start();
    }
    started.Wait();
    if (how == "exit") {
      Environment.Exit(7);
    }
    return 7;
  }

  private static void Check(string how) {
    string runtime = Process.GetCurrentProcess().MainModule.FileName;
    string program = Assembly.GetExecutingAssembly().Location;
    var start = new ProcessStartInfo(runtime, "\"" + program + "\" \"" + how + "\"") { UseShellExecute = false };
    using (Process process = Process.Start(start)) {
      if (!process.WaitForExit(60000)) {
        process.Kill();
        throw new Exception(how + ": hangs");
      }
      if (process.ExitCode != 7) {
        throw new Exception(how + ": status " + process.ExitCode);
      }
    }
  }

  public static int Main(string[] arguments) {
    if (arguments.Length == 1) {
      return Leave(arguments[0]);
    }
    foreach (string how in new[] { "exit", "main ends" }) {
      Check(how);
    }
    Console.WriteLine("2 tests passed");
    return 0;
  }
}
