using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Finback {

/// <summary>Values as they cross into the library: an int64 of bytes and then those bytes.</summary>
internal static class Block {
  private const int Head = 8;
  private static readonly Encoding Utf8 = new UTF8Encoding(false, true);

  [DllImport("finback_csharp", EntryPoint = "finback_csharp_free")]
  private static extern void Free(IntPtr block);

  private static byte[] New(Array items, int bytes) {
    var block = new byte[checked(Head + bytes)];
    Buffer.BlockCopy(new[] { (long)bytes }, 0, block, 0, Head);
    Buffer.BlockCopy(items, 0, block, Head, bytes);
    return block;
  }

  internal static string Quote(string text) {
    var quoted = new StringBuilder("\"");
    foreach (char character in text) {
      if (character == '"' || character == '\\') {
        quoted.Append('\\').Append(character);
      } else if (character < ' ') {
        quoted.Append("\\u").Append(((int)character).ToString("x4"));
      } else {
        quoted.Append(character);
      }
    }
    return quoted.Append('"').ToString();
  }

  private static T NotNull<T>(T value, string name) where T : class {
    if (value == null) {
      throw new ArgumentNullException(name);
    }
    return value;
  }

  internal static byte[] Of(string text, string name) {
    try {
      byte[] bytes = Utf8.GetBytes(NotNull(text, name));
      return New(bytes, bytes.Length);
    } catch (EncoderFallbackException) {
      throw new FinbackException(-1, "invalid_argument",
        name + ": text with half a surrogate pair has no UTF-8 form", "{}");
    }
  }

  internal static byte[] Of(byte[] bytes, string name) {
    return New(NotNull(bytes, name), bytes.Length);
  }

  internal static byte[] Of(int[] numbers, string name) {
    return New(NotNull(numbers, name), checked(numbers.Length * sizeof(int)));
  }

  /// <summary>Makes an array of the block's items and frees the block.</summary>
  private static T[] Take<T>(IntPtr block, int itemSize, Action<IntPtr, T[]> copy) {
    if (block == IntPtr.Zero) {
      throw new OutOfMemoryException("finback: no memory for a result");
    }
    try {
      var items = new T[Marshal.ReadInt64(block) / itemSize];
      copy(new IntPtr(block.ToInt64() + Head), items);
      return items;
    } finally {
      Free(block);
    }
  }

  internal static byte[] TakeBytes(IntPtr block) {
    return Take<byte>(block, 1, (from, to) => Marshal.Copy(from, to, 0, to.Length));
  }

  internal static string TakeText(IntPtr block) {
    return Encoding.UTF8.GetString(TakeBytes(block));
  }

  internal static int[] TakeInts(IntPtr block) {
    return Take<int>(block, sizeof(int), (from, to) => Marshal.Copy(from, to, 0, to.Length));
  }

  internal static float[] TakeFloats(IntPtr block) {
    return Take<float>(block, sizeof(float), (from, to) => Marshal.Copy(from, to, 0, to.Length));
  }
}

}
