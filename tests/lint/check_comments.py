"""Comments of C and C++ sources end within 100 columns: clang-format leaves them as they were written."""

import re
import sys

import source_tree

COLUMNS = 100
SUFFIXES = source_tree.CXX_SUFFIXES + (".inc", ".i")
# What can hold // or /* without being a comment comes first; 1'000 opens no character.
TOKEN = re.compile(
    r'R"(?P<delimiter>[^()\s\\]{0,16})\(.*?\)(?P=delimiter)"|"(?:\\.|[^"\\\n])*"|'
    r"[0-9a-fA-F]'(?=[0-9a-fA-F])|'(?:\\.|[^'\\\n])+'|(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))",
    re.DOTALL,
)


def comments(text):
    """Yields (line number, column of its end) of each line of each comment."""
    for match in TOKEN.finditer(text):
        if match["comment"] is None:
            continue
        number = text.count("\n", 0, match.start()) + 1
        column = match.start() - (text.rfind("\n", 0, match.start()) + 1)
        for line in match["comment"].split("\n"):
            yield number, column + len(line)
            number, column = number + 1, 0


def main():
    options = source_tree.parser(__doc__).parse_args()
    findings, checked = [], 0
    for path in source_tree.files(options.root, SUFFIXES):
        for number, end in comments(source_tree.read(options.root, path).decode("utf-8", "replace")):
            checked += 1
            if end > COLUMNS:
                findings.append(f"{path}:{number}: a comment ends in column {end}, at most {COLUMNS}")
    return source_tree.report(findings, checked)


if __name__ == "__main__":
    sys.exit(main())
