"""What pages print for their readers to run is run by a test.

Each block (fenced code, or indented lines after an empty one) of README.md, of docs/ and of every other README, the EXAMPLES
of the manual page and the SYNOPSIS of Finback.pod is a row of printed.txt, which names the test that runs it, or says why
none does."""

import os
import re
import sys

import source_tree

ROWS = "tests/lint/printed.txt"
MANUAL_PAGES = {"tools/man/finback.1": r"^\.SH EXAMPLES\n\.nf\n(.*?)^\.fi", "bindings/perl/Finback.pod": r"^=head1 SYNOPSIS\n\n(.*?)^="}
ROW = re.compile(r"^(?P<page>\S+) (?P<start>.+?) \| (?:(?P<test>[\w./]+)|not run: (?P<reason>\S.*))$")


def blocks(text):
    """(line number, first line, language or "") of each block of a page."""
    fenced, indented, before = None, False, ""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```"):
            fenced = line[3:] if fenced is None else None
            if fenced is not None:
                yield number, f"```{fenced}"
        elif fenced is None:
            code = line.startswith("    ") and (indented or not before.strip())
            if code and not indented:
                yield number, line.strip()
            indented = code
        before = line


def printed(root):
    """(page, line number, first line) of every block."""
    for page in source_tree.files(root, (".md",)):
        for number, first in blocks(source_tree.read(root, page).decode()):
            yield page, number, first
    for page, pattern in MANUAL_PAGES.items():
        if os.path.exists(os.path.join(root, page)):
            text = source_tree.read(root, page).decode()
            match = re.search(pattern, text, re.MULTILINE | re.DOTALL)
            if match:
                yield page, text[: match.start(1)].count("\n") + 1, match.group(1).split("\n")[0].strip()


def rows(root, findings):
    for number, line in enumerate(source_tree.read(root, ROWS).decode().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = ROW.match(line)
        if match is None:
            findings.append(f"{ROWS}:{number}: not PAGE FIRST WORDS | TEST, nor ... | not run: REASON")
            continue
        test = match["test"]
        if test and not os.path.isfile(os.path.join(root, test)):
            findings.append(f"{ROWS}:{number}: {test} is not there")
        yield number, match["page"], match["start"]


def main():
    options = source_tree.parser(__doc__).parse_args()
    findings = []
    listed = list(rows(options.root, findings))
    used, checked = set(), 0
    for page, number, first in printed(options.root):
        checked += 1
        found = [row for row, of_page, start in listed if of_page == page and first.startswith(start)]
        used.update(found)
        if not found:
            findings.append(f"{page}:{number}: no row of {ROWS} says which test runs this: {first}")
    findings += [f"{ROWS}:{row}: {page} prints no such block any more" for row, page, _ in listed if row not in used]
    return source_tree.report(findings, checked)


if __name__ == "__main__":
    sys.exit(main())
