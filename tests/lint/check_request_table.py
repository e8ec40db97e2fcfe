"""finback.h names every member that a request may have, and its table of requests names no others."""

import re
import sys

import source_tree

HEADER = "capi/include/finback/finback.h"
SOURCE = "core/engine/request.cc"

READ = re.compile(r'\bfields(?:->|\.)(?!Path\b)\w+\(\s*"(\w+)"')  # fields->Bool("stream", false)
LIST = re.compile(r"kServiceFields\[\] = \{(.*?)\}", re.DOTALL)
TABLE = re.compile(r"/\*\n \* Requests are one JSON object.*?\*/", re.DOTALL)
# The first column of a row: members of the request stand three blanks behind the star, values further right.
ROW = re.compile(r"^ \*   (\w[^|\n]*?) *(?:\||$)", re.MULTILINE)
# Words of the table that are values or prose.
OTHER = {"field", "values", "also", "error", "sent", "if", "known", "notice"}


def main():
    options = source_tree.parser(__doc__).parse_args()
    header = source_tree.read(options.root, HEADER).decode()
    source = source_tree.read(options.root, SOURCE).decode()
    read = set(READ.findall(source))
    for names in LIST.findall(source):
        read |= set(re.findall(r'"(\w+)"', names))
    findings = [
        f"{HEADER}: does not name {name}, which {SOURCE} reads"
        for name in sorted(read)
        if not re.search(rf"\b{name}\b", header)
    ]
    table = TABLE.search(header)
    if table is None:
        return source_tree.report(findings + [f"{HEADER}: the table of requests is not there"], 1)
    rows = table.group(0).split("field, values", 1)[-1]
    shown = set()
    for cell in ROW.findall(rows):
        shown |= set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", cell)) | {re.match(r"\w+", cell).group(0)}
    for name in sorted(shown - OTHER):
        if f'"{name}"' not in source:
            findings.append(f"{HEADER}: the table has {name}, which {SOURCE} does not know")
    return source_tree.report(findings, min(len(read), len(shown)))


if __name__ == "__main__":
    sys.exit(main())
