using System;

namespace Finback {

/// <summary>A call into the library failed.</summary>
public sealed class FinbackException : Exception {
  internal FinbackException(int code, string status, string message, string details) : base(message) {
    Code = code;
    Status = status;
    Details = details;
  }

  /// <summary>FINBACK_ERROR_* of finback.h, such as -3.</summary>
  public int Code { get; }

  /// <summary>The code's name, such as "not_found".</summary>
  public string Status { get; }

  /// <summary>What is known of a service's failure, a JSON object; "{}" for other failures.</summary>
  public string Details { get; }
}

}
