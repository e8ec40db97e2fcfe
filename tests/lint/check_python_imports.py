"""The Python package's modules import one another in one direction, also for types alone, and an import inside a
function has a comment that says why it stands there."""

import ast
import os
import re
import sys

import source_tree

PACKAGE = "python/finback/"


def imports(tree):
    """Every import of a module, with the functions that it stands in."""
    def visit(node, functions):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.Import, ast.ImportFrom)):
                yield child, functions
            inner = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from visit(child, functions + [child] if inner else functions)

    yield from visit(tree, [])


def targets(node, modules):
    """The modules of the package that an import names; what is none of them is the package's own, in __init__."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
        return [name.split(".")[1] for name in names if re.match(r"finback\.\w", name)] + ["__init__"] * ("finback" in names)
    path = (node.module or "").split(".")
    if node.level == 0:
        if path[0] != "finback":
            return []
        path = path[1:]
    if path and path[0]:
        return [path[0]]
    return [alias.name if alias.name in modules else "__init__" for alias in node.names]


def has_reason(node, lines):
    before = lines[node.lineno - 2].strip() if node.lineno > 1 else ""
    return "#" in lines[node.end_lineno - 1] or before.startswith("#")


def rings(graph):
    """Each ring of imports once, from its first module by name."""
    found = set()
    for start in sorted(graph):
        paths = [[start]]
        seen = set()
        while paths:
            path = paths.pop()
            for following in sorted(graph.get(path[-1], ())):
                if following == start:
                    found.add(tuple(path) if start == min(path) else None)
                elif following not in seen:
                    seen.add(following)
                    paths.append(path + [following])
    return sorted(found - {None})


def main():
    options = source_tree.parser(__doc__).parse_args()
    paths = source_tree.files(options.root, (".py",), (PACKAGE,))
    modules = {os.path.basename(path)[: -len(".py")] for path in paths} | {"_finback"}
    findings, graph = [], {}
    for path in paths:
        name = os.path.basename(path)[: -len(".py")]
        text = source_tree.read(options.root, path).decode()
        lines = text.splitlines()
        for node, functions in imports(ast.parse(text)):
            graph.setdefault(name, set()).update(targets(node, modules))
            if functions and not has_reason(node, lines):
                findings.append(f"{path}:{node.lineno}: an import inside a function, without a comment that says why")
    findings += [f"{PACKAGE}: a ring of imports: {' -> '.join(ring + ring[:1])}" for ring in rings(graph)]
    return source_tree.report(findings, len(paths))


if __name__ == "__main__":
    sys.exit(main())
