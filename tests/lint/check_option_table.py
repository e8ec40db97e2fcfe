"""The tables of docs/options.md say what the list of options says: names in order, defaults, values, and the words of
their descriptions. `--print` writes the tables from the list."""

import re
import sys

import source_tree

PAGE = "docs/options.md"
COLUMNS = ["name", "default", "values", "meaning"]
LISTS = ("capi/", "core/engine/")  # folders where the list may be

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
        return "0, 1"
    if match.group(1) == "RANGE":
        return " to ".join(unquote(part) for part in arguments(match.group(2)))
    if match.group(1) == "CHOICES":
        return ", ".join(re.findall(r'"([^"]*)"', unquote(match.group(2))))
    return "text"


def listed(text):
    """(name, default, values, words) of each row of the list."""
    rows = []
    for match in re.finditer(r"^ *FINBACK_OPTION\(", text, re.MULTILINE):
        parts = arguments(text[match.end() : closing(text, match.end() - 1)])
        at = next((i for i, part in enumerate(parts) if BOUNDS.match(part)), None)
        texts = [unquote(part) for part in parts if part.startswith('"')]
        if at is None or len(texts) != 4:
            rows.append((f"a row that cannot be read: {parts[0]}", "", "", ""))
            continue
        name, kind, default, words = texts
        rows.append((name, default or "(none)", bounds_text(kind, parts[at]), words))
    return rows


def shown(page):
    """The same of each row of the page's tables."""
    rows = []
    for line in page.split("\n"):
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == len(COLUMNS) and re.fullmatch(r"`[a-z][a-z0-9_]*`", cells[0]):
            rows.append((cells[0].strip("`"), *cells[1:]))
    return rows


def table(rows):
    lines = [COLUMNS, ["---"] * len(COLUMNS), *([f"`{row[0]}`", *row[1:]] for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def main():
    parser = source_tree.parser(__doc__)
    parser.add_argument("--print", action="store_true", help="write the tables as the page should have them")
    options = parser.parse_args()
    paths = source_tree.files(options.root, (".inc", ".h"), LISTS)
    rows = [row for path in paths for row in listed(source_tree.read(options.root, path).decode())]
    if options.print:
        first = next(i for i, row in enumerate(rows) if row[0] == "base_url")
        print(table(rows[:first]), table(rows[first:]), sep="\n\n")
        return 0
    found = shown(source_tree.read(options.root, PAGE).decode())
    findings = []
    for want, have in zip(rows + [None] * len(found), found + [None] * len(rows)):
        if want is None and have is None:
            break
        if want == have:
            continue
        if want is None or have is None or want[0] != have[0]:
            findings.append(
                f"{PAGE}: the table has {have[0] if have else 'no more'} where the list has {want[0] if want else 'no more'}"
            )
            break
        for what, listed_text, page_text in zip(COLUMNS, want, have):
            if listed_text != page_text:
                findings.append(f'{PAGE}: {what} of {want[0]}: the list says "{listed_text}", the table "{page_text}"')
    return source_tree.report(findings, min(len(rows), len(found)))


if __name__ == "__main__":
    sys.exit(main())
