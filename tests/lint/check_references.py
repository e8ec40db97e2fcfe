"""References lead somewhere: cited pages and their sections, links of Markdown pages, paths of files in text."""

import os
import re
import sys

import source_tree

TEXT = (".cc", ".h", ".hpp", ".c", ".inc", ".py", ".cmake", ".sh", ".md", ".txt", ".json", ".i", "dev")
# Recorded bytes, and the planted faults of the gates.
EXEMPT = re.compile(r"^(tests/(golden|fuzz/corpus)/|examples/krill/.*\.(json|txt)$|tests/lint/test_\w+\.py$)")

NUMBER = r"\d+(?:\.\d+)*"
# docs/architecture.md 3.9, 3.10 and 5.2 to 5.4, over the end of a comment's line too
GAP = r"(?:[ \t]|\n[ \t]*(?://|#|\*)?[ \t]*)+"
CITED = re.compile(rf"docs/([a-z][\w-]*\.md)(?:{GAP}({NUMBER}(?:(?:,|{GAP}and|{GAP}to){GAP}{NUMBER})*)(?![\w%]))?")
# What a page is not called: its old name, or its bare name with a number.
UNNAMED = re.compile(r"(?<![\w/.])(architecture|remote API|services\.md|architecture\.md) \d")
# A section: a heading that begins with a number, or a row of a table that does.
SECTION = re.compile(rf"^(?:#+ ({NUMBER})\.?(?= )|\| ({NUMBER}) \|)", re.MULTILINE)

LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")

# A file of the tree by its path from the root. Folders of the tree are found by looking.
PATH = re.compile(r"(?<![\w/.$}{>~-])((?:[\w-]+/)+[\w.-]+\.(?:cc|h|hpp|c|inc|py|md|cmake|json|sh|map))(?![\w/]|\.\w)")


def sections(text):
    return {heading or row for heading, row in SECTION.findall(text)}


def anchors(text):
    """Of headings, as GitHub makes them."""
    found = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(plain.replace(" ", "-"))
    return found


class Tree:
    def __init__(self, root):
        self.root = root
        self.paths = set(source_tree.files(root))
        self.folders = {os.path.dirname(path) for path in self.paths}
        self.tops = {path.split("/")[0] for path in self.paths if "/" in path}
        self.texts = {}

    def text(self, path):
        if path not in self.texts:
            self.texts[path] = source_tree.read(self.root, path).decode("utf-8", "replace")
        return self.texts[path]

    def has(self, path):
        if path in self.paths:
            return True
        parents = path.rstrip("/")
        return any(folder == parents or folder.startswith(parents + "/") for folder in self.folders)


def check_citations(tree, path, text):
    for match in CITED.finditer(text):
        page = "docs/" + match.group(1)
        if page not in tree.paths:
            yield match.start(), f"cites {page}, which is not there"
            continue
        known = sections(tree.text(page))
        for number in re.findall(NUMBER, match.group(2) or ""):
            if number not in known:
                yield match.start(), f"cites {page} {number}, a section that is not there"
    for match in UNNAMED.finditer(text):
        yield match.start(), f"cites a page by another name than docs/NAME.md: {match.group(0)}"


def without_examples(text):
    """A Markdown page without its fenced blocks; what is left stays where it was."""
    return FENCE.sub(lambda fence: "".join("\n" if c == "\n" else " " for c in fence.group(0)), text)


def check_links(tree, path, text):
    plain = CODE.sub(lambda code: " " * len(code.group(0)), without_examples(text))
    for match in LINK.finditer(plain):
        target, _, anchor = match.group(1).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
        if not tree.has(file):
            yield match.start(), f"links to {target}, which is not there"
        elif anchor and file.endswith(".md") and anchor not in anchors(tree.text(file)):
            yield match.start(), f"links to #{anchor}, a heading that {file} does not have"


def check_paths(tree, path, text):
    for match in PATH.finditer(without_examples(text) if path.endswith(".md") else text):
        named = match.group(1)
        if named.split("/")[0] not in tree.tops or named.startswith("docs/"):
            continue  # of no folder of ours, or a citation
        beside = os.path.join(os.path.dirname(path), named)
        if not tree.has(named) and not tree.has(beside):
            yield match.start(), f"names {named}, which is not there"


def main():
    options = source_tree.parser(__doc__).parse_args()
    tree = Tree(options.root)
    findings, checked = [], 0
    for path in sorted(tree.paths):
        if EXEMPT.match(path) or not (path.endswith(TEXT) or os.path.basename(path) in TEXT):
            continue
        checked += 1
        text = tree.text(path)
        checks = [check_citations, check_paths] + ([check_links] if path.endswith(".md") else [])
        for check in checks:
            for offset, what in check(tree, path, text):
                findings.append(f"{path}:{text.count(chr(10), 0, offset) + 1}: {what}")
    return source_tree.report(findings, checked)


if __name__ == "__main__":
    sys.exit(main())
