"""The ABI gates see what they are for. A library of empty bodies, made from finback.h, stands for the real one: it
passes, and with one promise broken it must be refused, by the name of what was broken."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
LINT = os.path.join(ROOT, "tests", "lint")
sys.path[:0] = [HERE, LINT]
sys.dont_write_bytecode = True

import check_abi  # noqa: E402 (after the path to it)
import source_tree  # noqa: E402

HEADER = "capi/include/finback/finback.h"
MAP = "capi/finback.map"
ADDED = "FINBACK_API const char *finback_version_of_nothing(void);\n"


def with_added(header):
    end = header.rindex("#ifdef __cplusplus")
    return header[:end] + ADDED + header[end:]


def bodies(header):
    """C source with an empty body for each declared function."""
    text = re.sub(r"/\*.*?\*/", " ", header, flags=re.DOTALL)
    yield "#include <finback/finback.h>"
    for declaration in re.findall(r"FINBACK_API\b([^;{]*);", text):
        one_line = " ".join(declaration.split())
        if "(" in one_line:
            yield one_line + (" {}" if one_line.startswith("void finback_") else " { return 0; }")


class Library:
    """A small tree with a header, and the library of its empty bodies; undone when it goes."""

    def __init__(self, header=None, exports=None, more=""):
        self.folder = tempfile.TemporaryDirectory()
        root = self.folder.name
        files = {path: source_tree.read(ROOT, path).decode() for path in (HEADER, MAP, "CMakeLists.txt")}
        files[HEADER] = header or files[HEADER]
        files[MAP] = exports or files[MAP]
        files["finback.c"] = "\n".join(bodies(files[HEADER])) + "\n"
        files["more.cc"] = more
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        self.path = os.path.join(root, "libfinback.so.0")
        include = ["-I", os.path.join(root, check_abi.HEADERS)]
        self.compile("cc", "-std=c99", "-c", "finback.c", "-o", "finback.o", *include)
        link = ["-Wl,-soname,libfinback.so.0", f"-Wl,--version-script={MAP}", "-o", "libfinback.so.0"]
        self.compile("c++", "-std=c++20", "-shared", "finback.o", "more.cc", *link)

    def compile(self, compiler, *arguments):
        subprocess.run([compiler, "-g", "-fPIC", *arguments], cwd=self.folder.name, check=True)

    def gate(self, script, *arguments):
        """Exit status and output of a gate on this tree."""
        command = [sys.executable, script, "--root", self.folder.name, self.path, *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout


class AbiGates(unittest.TestCase):
    def abi(self, library):
        baseline, symbols = (os.path.join(ROOT, path) for path in (check_abi.BASELINE, check_abi.SYMBOLS))
        script = os.path.join(HERE, "check_abi.py")
        return library.gate(script, "--baseline", baseline, "--symbols", symbols)

    def exported(self, library):
        return library.gate(os.path.join(LINT, "check_exported_symbols.py"))

    def refused(self, outcome, *named):
        status, output = outcome
        self.assertEqual(status, 1, output)
        for name in named:
            self.assertRegex(output, name)

    def setUp(self):
        self.header = source_tree.read(ROOT, HEADER).decode()

    def without(self, name):
        """The header without the declaration of a function."""
        changed = re.sub(rf"FINBACK_API\b[^;]*\b{name}\([^;]*;", "", self.header)
        self.assertNotEqual(changed, self.header)
        return changed

    def replaced(self, before, after):
        self.assertEqual(self.header.count(before), 1, f"{HEADER} has no longer: {before}")
        return self.header.replace(before, after)

    def test_the_interface_as_it_is_passes(self):
        library = Library()
        for gate in (self.abi, self.exported):
            status, output = gate(library)
            self.assertEqual(status, 0, output)

    def test_removed_symbol(self):
        library = Library(self.without("finback_session_chat"))
        named = [r"finback\.abi:(.|\n)*finback_session_chat", r"symbols:(.|\n)*-\s*finback_session_chat"]
        self.refused(self.abi(library), *named)

    def test_new_symbol_that_no_header_declares(self):
        library = Library(more='extern "C" int finback_secret() { return 1; }\n')
        self.refused(self.exported(library), r"exports finback_secret, which .*finback\.h does not declare")

    def test_new_symbol_without_a_line_in_the_symbols_file(self):
        self.refused(self.abi(Library(with_added(self.header))), r"symbols:(.|\n)*\+\s*finback_version_of_nothing")

    def test_struct_with_a_field_inserted(self):
        field = "  int64_t prompt_tokens; "
        library = Library(self.replaced(field, "  int64_t inserted_tokens;\n" + field))
        self.refused(self.abi(library), r"finback\.abi:(.|\n)*finback_usage(.|\n)*inserted_tokens")

    def test_parameter_with_another_type(self):
        library = Library(self.replaced("finback_sequence *self, int64_t tokens)", "finback_sequence *self, int32_t tokens)"))
        self.refused(self.abi(library), r"finback_sequence_roll_back(.|\n)*int32_t")

    def test_leaked_standard_library(self):
        leak = "#include <algorithm>\ntemplate const int &std::max<int>(const int &, const int &);\n"
        exports = "FINBACK_0 { global: finback_*; _ZSt*; local: *; };\n"
        library = Library(exports=exports, more=leak)
        self.refused(self.exported(library), r"exports .*std::max<int>")
        self.refused(self.abi(library), r"symbols:(.|\n)*_ZSt3maxIiE")

    def test_another_name_of_the_library(self):
        library = Library()
        library.compile("c++", "-shared", "finback.o", "-Wl,-soname,libfinback.so.1",
                        f"-Wl,--version-script={MAP}", "-o", "libfinback.so.0")  # fmt: skip
        self.refused(self.abi(library), r"libfinback\.so\.1")

    def test_library_without_debug_information(self):
        library = Library()
        subprocess.run(["strip", "--strip-debug", library.path], check=True)
        self.refused(self.abi(library), "has no debug information")

    def test_header_that_is_not_c99(self):
        for added, named in [("bool finback_is_open(void);", r"finback\.h as c99(.|\n)*bool"),
                             ("struct finback_more { int count; char rest[]; };", r"finback\.h as c\+\+20(.|\n)*rest")]:
            with self.subTest(added), tempfile.TemporaryDirectory() as root:
                shutil.copytree(os.path.join(ROOT, check_abi.HEADERS), os.path.join(root, check_abi.HEADERS))
                with open(os.path.join(root, HEADER), "w", encoding="utf-8") as file:
                    file.write(with_added(self.header).replace(ADDED, added + "\n"))
                command = [sys.executable, os.path.join(LINT, "check_header.py"), "--root", root]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                self.refused((done.returncode, done.stdout), named)


if __name__ == "__main__":
    tools = ("abidiff", "dpkg-gensymbols", "readelf", "strip")
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing or os.uname().machine != check_abi.ARCHITECTURE:
        print(f"skipped: not installed: {' '.join(missing)}" if missing else "skipped: the baseline is of another machine")
        sys.exit(check_abi.SKIPPED)
    # Temporary trees are removed when they are no longer referred to.
    unittest.main(warnings="ignore")
