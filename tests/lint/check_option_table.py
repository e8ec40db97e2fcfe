"""The table of options in finback.h says what the list of options says: names in order, defaults, types and bounds,
and the words of their descriptions. `--print` writes the table from the list."""

import re
import sys
import textwrap

import source_tree

HEADER = "capi/include/finback/finback.h"
LISTS = ("capi/", "core/engine/")  # folders where it may be
TYPEDEF = "typedef struct finback_options finback_options;"
WIDTH = 100

STRING = r'"(?:[^"\\]|\\.)*"'
# FINBACK_OPTION(.., "name", "type", "default", .., FINBACK_BOUNDS(..), "doc" "more"): other arguments may stand between.
BOUNDS = re.compile(r"FINBACK_(ANY|RANGE|CHOICES)\b(?:\(([^)]*)\))?")


def unquote(text):
    """The text of adjacent string literals."""
    return "".join(re.sub(r"\\(.)", r"\1", part[1:-1]) for part in re.findall(STRING, text))


def arguments(text):
    """What stands between the commas of a macro's parentheses."""
    parts, depth, last = [], 0, 0
    for match in re.finditer(rf"{STRING}|[(),]", text):
        symbol = match.group(0)
        depth += {"(": 1, ")": -1}.get(symbol, 0)
        if symbol == "," and depth == 0:
            parts.append(text[last : match.start()])
            last = match.end()
    return [part.strip() for part in parts + [text[last:]]]


def closing(text, start):
    depth = 0
    for match in re.compile(rf"{STRING}|[()]").finditer(text, start):
        depth += {"(": 1, ")": -1}.get(match.group(0), 0)
        if depth == 0:
            return match.start()
    return len(text)


def bounds_text(kind, bounds):
    match = BOUNDS.match(bounds)
    if kind == "switch":
        return " [0, 1]"
    if match.group(1) == "RANGE":
        return " [" + "..".join(unquote(part) for part in arguments(match.group(2))) + "]"
    if match.group(1) == "CHOICES":
        return " [" + ", ".join(re.findall(r'"([^"]*)"', unquote(match.group(2)))) + "]"
    return ""


def listed(text):
    """(name, default, words) of each row of the list."""
    rows = []
    for match in re.finditer(r"^ *FINBACK_OPTION\(", text, re.MULTILINE):
        parts = arguments(text[match.end() : closing(text, match.end() - 1)])
        at = next((i for i, part in enumerate(parts) if BOUNDS.match(part)), None)
        texts = [unquote(part) for part in parts if part.startswith('"')]
        if at is None or len(texts) != 4:
            rows.append((f"a row that cannot be read: {parts[0]}", "", ""))
            continue
        name, kind, default, words = texts
        rows.append((name, default or "(none)", words + bounds_text(kind, parts[at])))
    return rows


def shown(header):
    """The same of each row of the header's two tables."""
    before = header[: header.index(TYPEDEF)]
    comment = before[before.rindex("/*") :]
    rows = []
    for line in comment.split("\n"):
        row = re.match(r" \*   ([a-z][a-z0-9_]*) +(\S+) +(\S.*)$", line)
        more = re.match(r" \* {8,}(\S.*)$", line)
        if row and row.group(1) != "name":
            rows.append([row.group(1), row.group(2), row.group(3)])
        elif more and rows:
            rows[-1][2] += " " + more.group(1)
    return [tuple(row) for row in rows]


def table(rows):
    name = max(len(row[0]) for row in rows) + 1
    default = max(len(row[1]) for row in rows) + 1
    margin = " *   " + " " * (name + default)
    lines = [f" *   {'name':<{name}}{'default':<{default}}meaning [values]"]
    for row in rows:
        together = re.sub(r"\[.*\]$", lambda bounds: bounds.group(0).replace(" ", "\0"), row[2])
        words = textwrap.wrap(together, WIDTH - len(margin), break_on_hyphens=False, break_long_words=False)
        words = [line.replace("\0", " ") for line in words]
        lines.append(f" *   {row[0]:<{name}}{row[1]:<{default}}{words[0]}")
        lines += [margin + rest for rest in words[1:]]
    return "\n".join(lines)


def main():
    parser = source_tree.parser(__doc__)
    parser.add_argument("--print", action="store_true", help="write the tables as the header should have them")
    options = parser.parse_args()
    paths = source_tree.files(options.root, (".inc", ".h"), LISTS)
    rows = [row for path in paths for row in listed(source_tree.read(options.root, path).decode())]
    if options.print:
        first = next(i for i, row in enumerate(rows) if row[0] == "base_url")
        print(table(rows[:first]), table(rows[first:]), sep="\n *\n")
        return 0
    found = shown(source_tree.read(options.root, HEADER).decode())
    findings = []
    for want, have in zip(rows + [None] * len(found), found + [None] * len(rows)):
        if want is None and have is None:
            break
        if want == have:
            continue
        if want is None or have is None or want[0] != have[0]:
            findings.append(
                f"{HEADER}: the table has {have[0] if have else 'no more'} where the list has {want[0] if want else 'no more'}"
            )
            break
        for what, listed_text, header_text in zip(("name", "default", "meaning"), want, have):
            if listed_text != header_text:
                findings.append(f"{HEADER}: {what} of {want[0]}: the list says \"{listed_text}\", the table \"{header_text}\"")
    return source_tree.report(findings, min(len(rows), len(found)))


if __name__ == "__main__":
    sys.exit(main())
