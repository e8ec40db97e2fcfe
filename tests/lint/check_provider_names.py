"""Code knows no service and no model by its name: how they deviate is a field of their rows in core/remote/catalog/data."""

import json
import re
import sys

import source_tree

TABLES = "core/remote/catalog/data/"
# (path, literal): why it may stand there.
ALLOWED = {
    ("core/remote/catalog/provider.h", "custom"): "the row of addresses without one, looked up in one place",
}
# A literal beside the name of a row: compared with it, or put behind it to make another's.
NAME = r"\b(?:provider_?|row|target|endpoint_?|main|model_entry|entry|plan_?|served)(?:\(\))?(?:(?:\.|->)\w+(?:\(\))?)*(?:\.|->)" \
       r"(?:name|model|family|pattern)"
COMPARED = re.compile(
    NAME + r'\s*(?:[!=]=|\+|\.(?:starts_with|ends_with|find|compare|rfind)\()\s*"([^"]*)"|"([^"]*)"\s*[!=]=\s*' + NAME)
LITERAL = re.compile(r'"((?:\\.|[^"\\\n])*)"')


def known_names(root):
    """What providers, models and their families are called, without the stars of patterns."""
    names = set()
    for path in source_tree.files(root, (".json",), (TABLES,)):
        document = json.loads(source_tree.read(root, path))
        names |= {row["name"] for row in document.get("providers", [])}
        for row in document.get("models", []):
            names |= {row["pattern"].strip("*"), row.get("family", "")}
    return {name for name in names if len(name) > 2 and name != "none"}


def without_comments(text):
    keep = lambda match: match.group(0) if match.group(0).startswith('"') else " "
    return re.sub(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', keep, text, flags=re.DOTALL)


def check_file(path, text, names):
    for number, line in enumerate(without_comments(text).split("\n"), 1):
        if re.match(r"\s*#\s*include", line):
            continue
        for match in LITERAL.finditer(line):
            literal = match.group(1)
            if literal in names and (path, literal) not in ALLOWED:
                yield f'{path}:{number}: "{literal}" names a service or a model; make what depends on it a field of its row'
        for match in COMPARED.finditer(line):
            literal = match.group(1) or match.group(2)
            if literal and re.fullmatch(r"[\w.-]+", literal) and literal not in names:
                yield f'{path}:{number}: a name is compared with "{literal}", or made with it; make that a field of the row'


def main():
    options = source_tree.parser(__doc__).parse_args()
    names = known_names(options.root)
    if not names:
        print(f"no names in {TABLES}")
        return 1
    findings, checked = [], 0
    for path in source_tree.files(options.root, (".cc", ".h", ".inc"), ("core/remote/", "core/engine/", "capi/")):
        checked += 1
        findings += check_file(path, source_tree.read(options.root, path).decode(), names)
    return source_tree.report(findings, checked)


if __name__ == "__main__":
    sys.exit(main())
