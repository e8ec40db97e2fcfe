package finback;

/** A call into the library failed. */
public final class FinbackException extends RuntimeException {
  private static final long serialVersionUID = 1;
  static final int INVALID_ARGUMENT = -1;

  private final int code;
  private final String status;
  private final String details;

  FinbackException(int code, String status, String message, String details) {
    super(message);
    this.code = code;
    this.status = status;
    this.details = details;
  }

  // Called by the wrapper.
  FinbackException(int code, byte[] status, byte[] message, byte[] details) {
    this(code, Text.decode(status), Text.decode(message), Text.decode(details));
  }

  /** FINBACK_ERROR_* of finback.h, such as -3. */
  public int code() {
    return code;
  }

  /** The code's name, such as "not_found". */
  public String status() {
    return status;
  }

  /** What is known of a service's failure, a JSON object; "{}" for other failures. */
  public String details() {
    return details;
  }
}
