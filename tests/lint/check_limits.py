"""Limits on rooms, files, functions, complexity and parameters, measured by pmccabe.

limits_allowed.txt lists what may exceed them: "PATH NAME LIMIT reason", where NAME is a function or "-" for
the whole file or room and LIMIT is lines, complexity, parameters, room-lines or room-files. A line that is no
longer needed is a finding, so the list only shrinks.
"""

import itertools
import os
import re
import subprocess
import sys

import source_tree

FILE_LINES = 800
# A room is a folder of core/ without the rooms in it; tables that it compiles in are not counted.
ROOM_LINES = 3000
ROOM_FILES = 30
LIMITS = {"lines": 120, "complexity": 25}
KERNEL_LIMITS = {"lines": 250, "complexity": 40}
PARAMETERS = 6
KERNEL = re.compile(rf"^core/kernels/.*(_scalar|_blas|{source_tree.ISA_SUFFIX})\.cc$")
# Signatures of kernels are contracts over plain pointers and sizes.
PARAMETERS_EXEMPT = re.compile(r"^core/kernels/")
FOLDERS = ("core/", "capi/", "tools/", "tests/", "bench/", "examples/", "bindings/")


def measure(root, paths):
    """(path, line, function, complexity, lines) of each function."""
    output = subprocess.run(["pmccabe", *paths], cwd=root, capture_output=True, text=True, check=True).stdout
    for row in output.splitlines():
        columns = row.split("\t")
        # modified complexity, complexity, statements, first line, lines, "path(line): function"
        where = re.match(r"(.*)\((\d+)\): (.*)", columns[5])
        yield where.group(1), int(where.group(2)), where.group(3).split("::")[-1], int(columns[0]), int(columns[4])


def split_parameters(text):
    """Top-level commas of a parameter list; brackets of all kinds nest."""
    depth, count = 0, 1 if text.strip() not in ("", "void") else 0
    for character in text:
        depth += character in "(<[{"
        depth -= character in ")>]}"
        count += character == "," and depth == 0
    return count


def parameters(text):
    """(line, name, number of parameters) of what looks like a function's definition or declaration."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))
    text = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.DOTALL)
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.MULTILINE)
    start = r"^[ \t]*(?:[\w:<>,*&\[\]\"]+[ \t*&]+)+([A-Za-z_][\w:]*)\("
    for match in re.finditer(start, text, re.MULTILINE):
        if re.match(r"\s*(return|else|case|new|delete|throw|using)\b", match.group(0)):
            continue
        depth, position = 1, match.end()
        while depth and position < len(text):
            depth += text[position] == "("
            depth -= text[position] == ")"
            position += 1
        if re.match(r"\s*(?:const|noexcept|override|final|\s)*(?:->[^{;]*)?[{;:]", text[position:]):
            line = text.count("\n", 0, match.start(1)) + 1
            yield line, match.group(1).split("::")[-1], split_parameters(text[match.end() : position - 1])


def allowed(path):
    rows = {}
    if os.path.exists(path):
        with open(path, encoding="ascii") as file:
            for line in file:
                if line.strip() and not line.startswith("#"):
                    columns = line.split(None, 3)
                    rows[tuple(columns[:3])] = columns[3].strip() if len(columns) == 4 else ""
    return rows


def room_excesses(root, paths):
    """As excesses(), for rooms."""
    rooms = {}
    for path in paths:
        if path.startswith("core/"):
            rooms.setdefault(os.path.dirname(path), []).append(path)
    for room, members in sorted(rooms.items()):
        lines = sum(source_tree.read(root, path).count(b"\n") for path in members)
        if lines > ROOM_LINES:
            yield (room, "-", "room-lines"), f"{room}: {lines} lines, at most {ROOM_LINES} a room"
        if len(members) > ROOM_FILES:
            yield (room, "-", "room-files"), f"{room}: {len(members)} files, at most {ROOM_FILES} a room"


def excesses(root, paths):
    """((path, name, limit), message) of everything that is over a limit."""
    for path in paths:
        lines = source_tree.read(root, path).count(b"\n")
        if lines > FILE_LINES:
            yield (path, "-", "lines"), f"{path}: {lines} lines, at most {FILE_LINES}"
        if not PARAMETERS_EXEMPT.match(path):
            for line, name, count in parameters(source_tree.read(root, path).decode()):
                if count > PARAMETERS:
                    message = f"{path}:{line}: {name} takes {count} parameters, at most {PARAMETERS}"
                    yield (path, name, "parameters"), message
    for path, line, name, complexity, lines in measure(root, paths):
        limits = KERNEL_LIMITS if KERNEL.match(path) else LIMITS
        if lines > limits["lines"]:
            yield (path, name, "lines"), f"{path}:{line}: {name} has {lines} lines, at most {limits['lines']}"
        if complexity > limits["complexity"]:
            message = f"{path}:{line}: {name} has complexity {complexity}, at most {limits['complexity']}"
            yield (path, name, "complexity"), message


def main():
    options = source_tree.parser(__doc__).parse_args()
    paths = source_tree.files(options.root, source_tree.CXX_SUFFIXES, FOLDERS)
    if not paths:
        return source_tree.report([], 0)
    rows = allowed(os.path.join(options.root, "tests/lint/limits_allowed.txt"))
    findings, used = [], set()
    rooms = source_tree.files(options.root, source_tree.CXX_SUFFIXES + (".inc",), ("core/",))
    for key, message in itertools.chain(excesses(options.root, paths), room_excesses(options.root, rooms)):
        used.add(key)
        if key not in rows:
            findings.append(message)
    findings += [f"limits_allowed.txt: no reason given for {' '.join(key)}" for key in rows if not rows[key]]
    findings += [f"limits_allowed.txt: no longer needed: {' '.join(key)}" for key in sorted(set(rows) - used)]
    return source_tree.report(findings, len(paths))


if __name__ == "__main__":
    sys.exit(main())
