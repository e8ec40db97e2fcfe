"""Text rules: ASCII sources, #pragma once, READMEs of at most 60 lines in every folder, line ends, text that is
cut at characters, and a project that speaks of itself alone."""

import os
import re
import sys

import source_tree

ASCII = (".cc", ".h", ".hpp", ".c", ".inc", ".py", ".cmake", ".sh", ".map", "CMakeLists.txt", "CMakePresets.json", "dev")
README_LINES = 60
# Folders that need no page of their own: their parent's describes them.
README_EXEMPT = re.compile(r"^(\.ci|cmake|core|capi/(cmake|include.*)|tests/core(/.*)?|tests/golden|tests/fuzz/corpus.*|"
                           r"tests/\w+/(golden|cases|data).*|tools/(man|completions)|tests/golden/.*|packaging/debian.*|bench/results|python/(src|finback))$")
# Spelt in pieces so that this file passes its own check.
FOREIGN = re.compile(
    r"/work" r"/(?!s\b)|/root" r"/|/home" r"/\w+/|\bissue" r" #?\d|\bissue" r"s? \d+\b|sub-?agent|\bthis session" r" of\b|"
    r"co-authored" r"-by",
    re.IGNORECASE,
)
# Ways to cut text for a message inside a character: base/utf8 alone may.
CUT = re.compile(
    r"& 0x[cC]0\b|%\.\d+s|\.(?:substr\(0, |resize\()(?:[2-9]\d|\d{3,}|kLongest|kMost\w+|kMax\w+|kShown\w*Bytes)\)"
)
CUT_CHECKED = re.compile(r"^(?!core/base/utf8\.)(core|capi)/.*\.(cc|h|hpp)$")


def check_file(root, path):
    content = source_tree.read(root, path)
    name = os.path.basename(path)
    if path.endswith((".cc", ".h", ".hpp", ".c", ".inc", ".py", ".cmake", ".sh", ".map")) or name in ASCII:
        for number, line in enumerate(content.split(b"\n"), 1):
            if not line.isascii():
                yield f"{path}:{number}: not ASCII"
    if path.endswith((".h", ".hpp")) and not path.endswith("finback.h") and b"\n#pragma once\n" not in b"\n" + content:
        yield f"{path}: no #pragma once"
    if b"\0" in content:
        return
    if content and (b"\r\n" in content or not content.endswith(b"\n")):
        yield f"{path}: Windows line ends, or no newline at the end"
    text = content.decode("utf-8", "replace")
    if name == "README.md" and os.path.dirname(path) and text.count("\n") > README_LINES:
        yield f"{path}: {text.count(chr(10))} lines, at most {README_LINES}"
    for match in CUT.finditer(text) if CUT_CHECKED.match(path) else ():
        yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}: cuts text at a byte, use CutUtf8: {match.group(0)}"
    for match in FOREIGN.finditer(text):
        yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}: speaks of something outside the project: {match.group(0)}"


def missing_readmes(paths):
    folders = {os.path.dirname(path) for path in paths}
    for folder in sorted(folders - {""}):
        if not README_EXEMPT.match(folder) and folder + "/README.md" not in paths:
            yield f"{folder}: no README.md"


def main():
    options = source_tree.parser(__doc__).parse_args()
    paths = source_tree.files(options.root)
    findings = list(missing_readmes(set(paths)))
    for path in paths:
        if not re.match(r"tests/(golden|fuzz/corpus)/|.*\.(safetensors|bin|png|npz)$|examples/krill/.*\.(json|txt)$", path):
            findings += check_file(options.root, path)
    return source_tree.report(findings, len(paths))


if __name__ == "__main__":
    sys.exit(main())
