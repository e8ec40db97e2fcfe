package finback;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.ref.Cleaner;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Finds the native library: in the folder that the system property finback.library.path names, else
 * inside the jar, else where the JVM looks.
 */
final class Library {
  static final Cleaner CLEANER = Cleaner.create();
  private static final String WRAPPER = "libfinback_java.so";

  private Library() {}

  static void load() {
    String folder = System.getProperty("finback.library.path");
    String inside = "native/" + platform() + "/";
    if (folder != null) {
      System.load(Path.of(folder, WRAPPER).toAbsolutePath().toString());
    } else if (Library.class.getResource(inside + "files") != null) {
      System.load(extract(inside).resolve("lib").resolve(WRAPPER).toString());
    } else {
      System.loadLibrary("finback_java");
    }
  }

  private static String platform() {
    String machine = System.getProperty("os.arch");
    return System.getProperty("os.name").toLowerCase() + "-"
        + (machine.equals("amd64") ? "x86_64" : machine);
  }

  // "files" lists what belongs to the library, laid out as it looks for it.
  private static Path extract(String inside) {
    try {
      Path target = Files.createTempDirectory("finback-");
      target.toFile().deleteOnExit();
      for (String name : lines(inside + "files")) {
        Path file = target.resolve(name);
        Path parent = file.getParent();
        for (int depth = target.getNameCount() + 1; depth <= parent.getNameCount(); depth++) {
          Path folder = parent.getRoot().resolve(parent.subpath(0, depth));
          if (!Files.exists(folder)) {
            Files.createDirectory(folder);
            folder.toFile().deleteOnExit();
          }
        }
        try (InputStream from = Library.class.getResourceAsStream(inside + name)) {
          Files.copy(from, file);
        }
        file.toFile().deleteOnExit();
      }
      return target;
    } catch (IOException error) {
      throw new UncheckedIOException("finback: cannot extract its native library", error);
    }
  }

  private static Iterable<String> lines(String name) throws IOException {
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(
                Library.class.getResourceAsStream(name), StandardCharsets.UTF_8))) {
      return reader.lines().toList();
    }
  }
}
