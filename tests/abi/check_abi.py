"""The library keeps its promises to programs linked before: nothing that finback.abi has is gone or changed, and
the Debian symbols file lists exactly what is exported, with the version since which it is there.

`--update` writes finback.abi anew from the library: for additions, and at a new SONAME for anything.
"""

import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lint"))
sys.dont_write_bytecode = True

import source_tree  # noqa: E402 (after the path to it)

BASELINE = "tests/abi/finback.abi"
HEADERS = "capi/include"
SYMBOLS = "packaging/debian/libfinback0.symbols"
PACKAGE = "libfinback0"
ARCHITECTURE = "x86_64"  # of the baseline: sizes and alignments are a machine's
SKIPPED = 77
# Only what the public header shows; nothing of the machine, the folders or the order of types.
DESCRIBE = ["--exported-interfaces-only", "--drop-private-types", "--no-comp-dir-path", "--no-corpus-path"]
DESCRIBE += ["--no-show-locs", "--no-elf-needed", "--no-write-default-sizes", "--type-id-style", "hash"]


def run(command, **options):
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )


def describe(library, headers, path):
    described = run(["abidw", *DESCRIBE, "--headers-dir", headers, "--out-file", path, library])
    if described.returncode != 0:
        sys.exit(f"abidw {library}: {described.stdout}")


def has_types(library):
    """Without debug information abidiff would compare names alone and find nothing."""
    return ".debug_info" in run(["readelf", "--section-headers", "--wide", library]).stdout


def compare(library, headers, baseline):
    """What abidiff finds removed or changed; additions are the symbols file's business. The library is described
    first, as the baseline was: abidiff would take every type for private whose place the baseline does not tell."""
    with tempfile.TemporaryDirectory() as folder:
        now = os.path.join(folder, "now.abi")
        describe(library, headers, now)
        compared = run(["abidiff", "--no-added-syms", baseline, now])
    return [f"{os.path.basename(baseline)}: {compared.stdout.strip()}"] if compared.returncode != 0 else []


def compare_symbols(library, symbols, version):
    """dpkg-gensymbols at level 4: removed and added symbols, and libraries, are errors. The version is a package's:
    symbols of that very version might still be missed."""
    command = ["dpkg-gensymbols", "-c4", f"-p{PACKAGE}", f"-v{version}-1", f"-I{symbols}", f"-e{library}"]
    compared = run(command + ["-O/dev/null"])
    return [f"{os.path.basename(symbols)}: {compared.stdout.strip()}"] if compared.returncode != 0 else []


def project_version(root):
    for line in source_tree.read(root, "CMakeLists.txt").decode().splitlines():
        if line.startswith("project(finback VERSION "):
            return line.split()[2]
    sys.exit("CMakeLists.txt: no line project(finback VERSION ...)")


def main():
    arguments = source_tree.parser(__doc__)
    arguments.add_argument("library", help="libfinback.so, its C interface compiled with -g")
    arguments.add_argument("--baseline", help=f"in place of {BASELINE}")
    arguments.add_argument("--symbols", help=f"in place of {SYMBOLS}")
    arguments.add_argument("--update", action="store_true", help="write the baseline anew")
    options = arguments.parse_args()
    root = os.path.abspath(options.root)
    library, headers = os.path.abspath(options.library), os.path.join(root, HEADERS)
    baseline = options.baseline or os.path.join(root, BASELINE)
    missing = [tool for tool in ("abidw", "abidiff", "dpkg-gensymbols", "readelf") if shutil.which(tool) is None]
    if missing:
        print(f"skipped: not installed: {' '.join(missing)} (Debian: abigail-tools, dpkg-dev, binutils)")
        return SKIPPED
    if os.uname().machine != ARCHITECTURE:
        print(f"skipped: the baseline is of {ARCHITECTURE}")
        return SKIPPED
    if not has_types(library):
        return source_tree.report([f"{library}: has no debug information, nothing of its types can be seen"], 1)
    if options.update:
        describe(library, headers, baseline)
        print(f"wrote {baseline}")
        return 0
    findings = compare(library, headers, baseline)
    symbols = options.symbols or os.path.join(root, SYMBOLS)
    findings += compare_symbols(library, symbols, project_version(root))
    return source_tree.report(findings, 2)


if __name__ == "__main__":
    sys.exit(main())
