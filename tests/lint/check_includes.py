"""Rooms include only the rooms below them, by paths from the root of the sources, and only what they use."""

import functools
import re
import sys

import source_tree

PUBLIC = ("capi/include/finback/",)
# room -> rooms, or single headers, it may include besides itself. A file is in the longest room that its path starts with.
MAY_INCLUDE = {
    "core/base/": (),
    "core/json/": ("core/base/",),
    "core/schema/": ("core/base/", "core/json/"),
    "core/service_rules/": ("core/base/", "core/json/", "core/schema/"),
    "core/kernels/": ("core/base/",),
    "core/chat/": ("core/base/", "core/json/"),
    "core/tokenizer/": ("core/base/", "core/json/"),
    "core/checkpoint/settings/": ("core/base/", "core/json/"),
    "core/checkpoint/": ("core/base/", "core/json/", "core/checkpoint/settings/"),
    "core/network/": ("core/base/", "core/kernels/", "core/checkpoint/"),
    "core/bench/": (
        "core/base/", "core/json/", "core/kernels/", "core/checkpoint/", "core/network/", "core/local/together/"),
    "core/engine/": ("core/base/", "core/json/", "core/chat/"),
    "core/local/together/": ("core/base/", "core/checkpoint/", "core/network/"),
    "core/local/": (
        "core/base/", "core/json/", "core/kernels/", "core/tokenizer/", "core/checkpoint/",
        "core/checkpoint/settings/", "core/network/", "core/chat/", "core/engine/", "core/local/cache/", "core/local/together/"),
    "core/local/cache/": (
        "core/base/", "core/json/", "core/kernels/", "core/checkpoint/", "core/network/", "core/engine/options.h"),
    "core/remote/transport/": ("core/base/", "core/json/"),
    "core/remote/catalog/": ("core/base/", "core/json/", "core/engine/effort.h", "core/engine/options.h"),
    "core/remote/policy/": (
        "core/base/", "core/json/", "core/engine/", "core/chat/", "core/remote/transport/", "core/remote/catalog/"),
    "core/remote/wire/": (
        "core/base/", "core/json/", "core/schema/", "core/chat/", "core/engine/", "core/remote/transport/",
        "core/remote/catalog/", "core/remote/money/dollars.h"),
    "core/remote/money/": ("core/base/", "core/json/", "core/engine/"),
    "core/remote/record/": ("core/base/", "core/json/", "core/engine/", "core/remote/transport/"),
    "core/remote/": (
        "core/base/", "core/json/", "core/schema/", "core/chat/", "core/engine/", "core/remote/transport/",
        "core/remote/catalog/", "core/remote/policy/", "core/remote/wire/", "core/remote/money/", "core/remote/record/"),
    "capi/": ("core/engine/", "core/chat/", "core/json/", "core/base/", "core/service_rules/"),
    "capi/include/finback/": (),
    "tools/": PUBLIC,
    "examples/": PUBLIC,
    "bindings/": PUBLIC,
    "python/": PUBLIC,
    "tests/capi/": PUBLIC,
}
# file -> rooms it may include beyond its room's, and why.
MORE = {
    "capi/backends.cc": ("core/bench/", "core/local/", "core/local/cache/", "core/remote/", "core/remote/catalog/", "core/remote/money/"),  # the one file that names the backends
}
INCLUDE = re.compile(rb'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)
# Files compiled for one instruction set: anything with inline functions would be compiled for it too.
ISA_FILE = re.compile(rf"^core/kernels/.*{source_tree.ISA_SUFFIX}\.cc$")
ISA_SYSTEM = re.compile(r"^(stdint\.h|stddef\.h|string\.h|\w*intrin\.h|arm_neon\.h|arm_bf16\.h)$")


def room_of(path):
    rooms = [room for room in MAY_INCLUDE if path.startswith(room)]
    return max(rooms, key=len) if rooms else None


def resolve(root_files, path, name):
    if name in root_files:
        return name
    if name.startswith("finback/"):
        return "capi/include/" + name
    sibling = path.rsplit("/", 1)[0] + "/" + name
    return sibling if sibling in root_files else None


def check_file(root_files, path, content):
    room = room_of(path)
    allowed = MAY_INCLUDE[room] + (room,) + MORE.get(path, ())
    if room == "capi/":
        allowed += PUBLIC
    for quote, raw in INCLUDE.findall(content):
        name = raw.decode()
        target = resolve(root_files, path, name)
        if quote == b"<" and not name.startswith("finback/"):
            if ISA_FILE.match(path) and not ISA_SYSTEM.match(name):
                yield f"{path}: a file with its own instruction set may not include <{name}>"
            continue
        if target is None:
            yield f'{path}: "{name}" is not a path from the root of the sources'
            continue
        if name not in root_files and not name.startswith("finback/") and room.startswith("core/"):
            yield f'{path}: "{name}" must be included as "{target}"'
        if room_of(target) not in allowed and target not in allowed:
            yield f'{path}: {room} may not include "{target}"'


def blank_comments(text):
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', " ", text, flags=re.DOTALL)


def declared(header):
    """Names that a header declares: types, aliases, functions, constants, enumerators and macros, not members of others."""
    text = re.sub(r"^[ \t]*#[ \t]*include[^\n]*", "", header, flags=re.MULTILINE)
    names = set(re.findall(r"\b(?:class|struct|enum|union|using|concept)\s+(?:class\s+)?([A-Za-z_]\w*)", text))
    names |= set(re.findall(r"#\s*define\s+(\w+)", text))
    names |= set(re.findall(r"\b([A-Z]\w*)\s*\(", text))  # functions, in PascalCase
    names |= set(re.findall(r"\b(k[A-Z0-9]\w*)\b", text))  # constants and enumerators
    names |= set(re.findall(r"\boperator\s*\W+\s*\(", text))
    return names - {"namespace"}


def unused_includes(texts, path):
    """Headers of other rooms that `path` includes though nothing in it names what they declare."""
    used = set(re.findall(r"\w+", blank_comments(INCLUDE.sub(b"", texts(path)).decode())))
    for quote, raw in INCLUDE.findall(texts(path)):
        target = raw.decode()
        if quote == b"<" or not target.startswith("core/") or not target.endswith(".h") or room_of(target) == room_of(path):
            continue
        try:
            names = declared(blank_comments(texts(target).decode()))
        except OSError:
            continue  # a path that does not exist is another finding
        if not names & used:
            yield f'{path}: includes "{target}" and uses nothing of it'


def main():
    options = source_tree.parser(__doc__).parse_args()
    root_files = set(source_tree.files(options.root))
    texts = functools.cache(lambda path: source_tree.read(options.root, path))
    findings, checked = [], 0
    for path in sorted(root_files):
        if path.endswith(source_tree.CXX_SUFFIXES + (".inc",)) and room_of(path):
            checked += 1
            findings += check_file(root_files, path, texts(path))
            if path.startswith(("core/", "capi/")):
                findings += unused_includes(texts, path)
    return source_tree.report(findings, checked)


if __name__ == "__main__":
    sys.exit(main())
