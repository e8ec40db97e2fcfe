"""Every gate can fail: for each rule a small tree with one violation, which the gate must name, and the same
tree without it, which must pass."""

import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))

HEADER = """#ifndef FINBACK_FINBACK_H
#define FINBACK_FINBACK_H
#define FINBACK_API __attribute__((visibility("default")))
/* FINBACK_API int finback_in_a_comment(void); */
/*
 * What there is:
 *
 *     const char *version = finback_version();
 *     puts(version);
 *
 *   a table  is no example
 */
FINBACK_API const char *finback_version(void);
#endif
"""
WRAPPER = """// The wrapper:
//
//     const char* const version =
//         finback_version();
//
//     std::cout << version;
#pragma once
#include "finback.h"
"""
CLEAN = {
    "capi/include/finback/finback.h": HEADER,
    "capi/include/finback/finback.hpp": WRAPPER,
    "capi/README.md": "# C ABI\n",
    "core/base/status.h": "#pragma once\n\nint Zero();\n",
    "core/base/status.cc": '#include "core/base/status.h"\n\nint Zero() { return 0; }\n',
    "core/base/README.md": "# Base\n",
    "tests/README.md": "# Tests\n",
    "tests/lint/limits_allowed.txt": "# none\n",
    "tests/lint/printed.txt": "# none\n",
    "tests/lint/README.md": "# Lint\n",
    "dev": "#!/usr/bin/env bash\necho fine\n",
}


class Tree:
    """A temporary source tree: the clean one with some files replaced or added."""

    def __init__(self, changes):
        self.folder = tempfile.TemporaryDirectory()
        self.root = self.folder.name
        for path, content in {**CLEAN, **changes}.items():
            full = os.path.join(self.root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)

    def path(self, name):
        return os.path.join(self.root, name)

    def run(self, script, *arguments):
        run = subprocess.run(
            [sys.executable, os.path.join(HERE, script), "--root", self.root, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return run.returncode, run.stdout


def lines(count, text="  f();\n"):
    return text * count


class Lints(unittest.TestCase):
    def passes(self, script, changes=None):
        code, output = Tree(changes or {}).run(script)
        self.assertEqual(code, 0, output)

    def catches(self, script, changes, *named):
        code, output = Tree(changes).run(script)
        self.assertNotEqual(code, 0, f"{script} did not notice: {output}")
        for name in named:
            self.assertIn(name, output)

    # include directions

    def test_includes_clean(self):
        self.passes("check_includes.py")

    def test_includes_upwards(self):
        changes = {"core/chat/a.h": "#pragma once\n", "core/base/bad.cc": '#include "core/chat/a.h"\n'}
        self.catches("check_includes.py", changes, "core/base/bad.cc", "core/chat/a.h")

    def test_includes_core_from_tools(self):
        self.catches("check_includes.py", {"tools/main.cc": '#include "core/base/status.h"\n'}, "tools/main.cc")

    def test_includes_relative_path(self):
        self.catches("check_includes.py", {"core/base/other.cc": '#include "status.h"\n'}, "core/base/other.cc")

    def test_includes_inline_code_in_an_isa_file(self):
        changes = {"core/kernels/x_avx2.cc": "#include <immintrin.h>\n#include <vector>\n"}
        self.catches("check_includes.py", changes, "x_avx2.cc", "<vector>")

    def test_includes_of_every_room_upwards(self):
        for room, above in (
            ("core/json/", "core/chat/"),
            ("core/tokenizer/", "core/checkpoint/"),
            ("core/checkpoint/", "core/network/"),
            ("core/network/", "core/local/"),
            ("core/remote/money/", "core/remote/wire/"),
            ("core/remote/wire/", "core/remote/money/"),
            ("core/remote/wire/", "core/remote/"),
            ("core/local/", "core/remote/"),
        ):
            changes = {above + "above.h": "#pragma once\nint Above();\n"}
            changes[room + "bad.cc"] = f'#include "{above}above.h"\n\nint Bad() {{ return Above(); }}\n'
            self.catches("check_includes.py", changes, f"{room}bad.cc: {room} may not include")

    def test_includes_unused(self):
        changes = {"core/json/idle.cc": '#include "core/base/status.h"\n\n// Zero() is named here alone.\nint One();\n'}
        self.catches("check_includes.py", changes, 'core/json/idle.cc: includes "core/base/status.h" and uses nothing')

    def test_includes_used(self):
        self.passes("check_includes.py", {"core/json/busy.cc": '#include "core/base/status.h"\n\nint One() { return Zero(); }\n'})

    # names of services and models

    PROVIDERS = {
        "core/remote/catalog/data/providers.json": '{"providers": [{"name": "deepsea"}, {"name": "custom"}]}\n',
        "core/remote/catalog/data/models.json":
            '{"models": [{"provider": "*", "pattern": "*krill-r1*", "family": "krill-r"}]}\n',
    }

    def test_provider_names_clean(self):
        self.passes("check_provider_names.py", {
            **self.PROVIDERS,
            "core/remote/catalog/provider.h": '#pragma once\nconstexpr const char* kCustomProvider = "custom";\n',
            "core/remote/wire/plan.cc": '// As "deepsea" does.\nauto where = plan_.model + " at " + provider_.name;\n',
        })

    def test_provider_names_in_code(self):
        for code in (
            'bool quirk = provider_.name != "deepsea";\n',
            'constexpr Row kForwarded[] = {{"safety_check", "deepsea"}};\n',
            'constexpr const char* kFamily = "krill-r1";\n',
            'bool quirk = plan_.model_entry.family == "krill-r";\n',
            'bool quirk = endpoint().provider.name.starts_with("deep");\n',
            'auto beside = Find(target->provider.name + "-responses");\n',
            'bool own = "custom" == row.name;\n',
        ):
            self.catches("check_provider_names.py", {**self.PROVIDERS, "core/remote/wire/plan.cc": code}, "plan.cc:1")

    def test_provider_names_without_tables(self):
        self.catches("check_provider_names.py", {"core/remote/wire/plan.cc": "int x;\n"}, "no names")

    # imports of the Python package

    PACKAGE = {
        "python/finback/__init__.py": "from . import high\n",
        "python/finback/high.py": "import json\n\nfrom .low import x\n",
        "python/finback/low.py": "x = 1\n",
    }

    def test_python_imports_clean(self):
        self.passes("check_python_imports.py", self.PACKAGE)

    def test_python_imports_in_a_ring(self):
        for text in (
            "from .high import y\n",
            "from . import high\n",
            "import finback.high\n",
            "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from .high import y\n",
            "def f():\n    from .high import y  # as late as can be\n",
        ):
            changes = {**self.PACKAGE, "python/finback/low.py": text}
            self.catches("check_python_imports.py", changes, "a ring of imports: high -> low -> high")

    def test_python_imports_in_a_ring_through_the_package(self):
        changes = {**self.PACKAGE, "python/finback/low.py": "from finback import y\n"}
        self.catches("check_python_imports.py", changes, "a ring of imports: __init__ -> high -> low -> __init__")

    def test_python_imports_inside_a_function(self):
        late = "def f():\n    import numpy{}\n    return numpy\n"
        changes = {**self.PACKAGE, "python/finback/low.py": late.format("")}
        self.catches("check_python_imports.py", changes, "python/finback/low.py:2: an import inside a function")
        changes["python/finback/low.py"] = late.format("  # optional")
        self.passes("check_python_imports.py", changes)

    # limits

    def test_limits_clean(self):
        self.passes("check_limits.py")

    def test_limits_long_file(self):
        self.catches("check_limits.py", {"core/base/long.cc": "\n" * 801}, "core/base/long.cc: 801 lines")

    def test_limits_large_room(self):
        changes = {f"core/base/part{i}.cc": "\n" * 800 for i in range(4)}
        self.catches("check_limits.py", changes, "core/base: 32")

    def test_limits_room_of_many_files(self):
        self.catches("check_limits.py", {f"core/base/part{i}.cc": "\n" for i in range(30)}, "core/base: 32 files")

    def test_limits_rooms_within_a_room_count_alone(self):
        self.passes("check_limits.py", {f"core/base/inner{i}/part.cc": "\n" * 800 for i in range(4)})

    def test_limits_long_function(self):
        code = "void f();\nvoid LongOne() {\n" + lines(120) + "}\n"
        self.catches("check_limits.py", {"core/base/a.cc": code}, "LongOne has 122 lines")

    def test_limits_kernels_may_be_longer(self):
        code = "void f();\nvoid LongOne() {\n" + lines(120) + "}\n"
        self.passes("check_limits.py", {"core/kernels/a_avx2.cc": code})

    def test_limits_complex_function(self):
        code = "void f();\nvoid Tangled(int a) {\n" + lines(25, "  if (a) f();\n") + "}\n"
        self.catches("check_limits.py", {"core/base/a.cc": code}, "Tangled has complexity 26")

    def test_limits_many_parameters(self):
        code = "void Wide(int a, int b, int c, int d,\n          int e, int f, int g);\n"
        self.catches("check_limits.py", {"core/base/a.h": "#pragma once\n" + code}, "Wide takes 7 parameters")

    def test_limits_six_parameters_pass(self):
        code = "void Wide(int a, int b, int c, int d,\n          int e, Map<int, int> f);\n"
        self.passes("check_limits.py", {"core/base/a.h": "#pragma once\n" + code})

    def test_limits_allowed_with_a_reason(self):
        changes = {
            "core/base/long.cc": "\n" * 801,
            "tests/lint/limits_allowed.txt": "core/base/long.cc - lines a table of data\n",
        }
        self.passes("check_limits.py", changes)

    def test_limits_allowed_without_a_reason(self):
        changes = {"core/base/long.cc": "\n" * 801, "tests/lint/limits_allowed.txt": "core/base/long.cc - lines\n"}
        self.catches("check_limits.py", changes, "no reason given")

    def test_limits_allowed_needlessly(self):
        changes = {"tests/lint/limits_allowed.txt": "core/base/status.cc - lines once it was long\n"}
        self.catches("check_limits.py", changes, "no longer needed")

    # the table of options

    OPTIONS = {
        "capi/options.inc": '// FINBACK_OPTION(enumerator, name, type, default, bounds, doc)\n'
        'FINBACK_OPTION(kModel, "model", "string", "", FINBACK_ANY, "a folder (or a name)")\n'
        'FINBACK_OPTION(kThreads, "threads", "integer", "0", FINBACK_RANGE("0", "1024"),\n'
        '               "threads; 0: one for "\n               "each core")\n'
        'FINBACK_OPTION(kKind, "kind", "choice", "auto", FINBACK_CHOICES("[\\"auto\\", \\"own\\"]"),\n'
        '               "which one")\n'
        'FINBACK_OPTION(kTrust, "trust", "switch", "1", FINBACK_ANY, "1: all")\n',
        "docs/options.md": "# Options\n\n| name | default | values | meaning |\n| --- | --- | --- | --- |\n"
        "| `model` | (none) | text | a folder (or a name) |\n"
        "| `threads` | 0 | 0 to 1024 | threads; 0: one for each core |\n\nAnd others:\n\n"
        "| name | default | values | meaning |\n| --- | --- | --- | --- |\n"
        "| `kind` | auto | auto, own | which one |\n| `trust` | 1 | 0, 1 | 1: all |\n",
    }

    def options(self, file, old, new):
        changed = dict(self.OPTIONS)
        self.assertIn(old, changed[file])
        changed[file] = changed[file].replace(old, new)
        return changed

    def test_options_clean(self):
        self.passes("check_option_table.py", self.OPTIONS)

    def test_options_each_difference(self):
        for old, new, named in [
            ("kThreads, \"threads\"", "kThreads, \"workers\"", "the table has threads where the list has workers"),
            ('"string", ""', '"string", "krill"', "default of model"),
            ('"0", "1024"', '"0", "512"', 'values of threads: the list says "0 to 512", the table "0 to 1024"'),
            ('\\"own\\"', '\\"other\\"', "values of kind"),
            ('"switch", "1"', '"string", "1"', "values of trust"),
            ("which one", "which | one", "meaning of kind"),
            ("each core", "every core", "meaning of threads"),
            ('FINBACK_ANY, "1: all"', '"1: all"', "a row that cannot be read: kTrust"),
        ]:
            with self.subTest(new):
                self.catches("check_option_table.py", self.options("capi/options.inc", old, new), named)

    def test_options_only_in_one_place(self):
        page = "docs/options.md"
        changes = self.options(page, "| `kind` | auto | auto, own | which one |\n", "")
        self.catches("check_option_table.py", changes, "the table has trust where the list has kind")
        changes = self.options(page, "| `kind`", "| `other` | 1 | 0, 1 | no option |\n| `kind`")
        self.catches("check_option_table.py", changes, "the table has other where the list has kind")

    def test_options_bar_in_the_words(self):
        changes = self.options("capi/options.inc", "which one", "which | one")
        changes["docs/options.md"] = changes["docs/options.md"].replace("which one", "which \\| one")
        self.passes("check_option_table.py", changes)

    # the table of requests

    REQUESTS = {
        "core/engine/request.cc": 'constexpr const char* kServiceFields[] = {"user", "store"};\n'
        'void Read() { fields->Bool("stream", false); inner.FindString("type"); fields.Find("top_k"); }\n',
        "capi/include/finback/finback.h": "/*\n * Requests are one JSON object.\n *\n"
        " *   field, values | local | service\n *   stream true   | -     | -\n"
        " *   top_k >= 0    | kept  | sent\n *     (0: off)    |       |\n"
        " *   user, store: - |\n */\n",
    }

    def requests(self, file, old, new):
        changed = dict(self.REQUESTS)
        self.assertIn(old, changed[file])
        changed[file] = changed[file].replace(old, new)
        return changed

    def test_requests_clean(self):
        self.passes("check_request_table.py", self.REQUESTS)

    def test_requests_not_in_the_header(self):
        source = "core/engine/request.cc"
        changes = self.requests(source, '"top_k"', '"top_p"')
        self.catches("check_request_table.py", changes, "does not name top_p", "the table has top_k")
        changes = self.requests(source, '"store"', '"store", "metadata"')
        self.catches("check_request_table.py", changes, "does not name metadata")

    def test_requests_only_in_the_header(self):
        changes = self.requests("capi/include/finback/finback.h", "user, store", "user, safety_check, store")
        self.catches("check_request_table.py", changes, "the table has safety_check")

    # what pages print

    PRINTED = {
        "docs/run.md": "# Run\n\nSo:\n\n    ./dev run\n    ./dev stop\n\n```c\nint main(void) {\n\n    return 0;\n}\n```\n"
        "- a list\n    that goes on\n",
        "tools/man/finback.1": ".SH EXAMPLES\n.nf\nfinback chat\n.fi\n",
        "tests/test_run.py": "",
        "tests/lint/printed.txt": "# rows\ndocs/run.md ./dev run | tests/test_run.py\ndocs/run.md ```c | not run: a sketch\n"
        "tools/man/finback.1 finback | tests/test_run.py\n",
    }

    def printed(self, path, old, new):
        changed = dict(self.PRINTED)
        self.assertIn(old, changed[path])
        changed[path] = changed[path].replace(old, new)
        return changed

    def test_printed_clean(self):
        self.passes("check_printed.py", self.PRINTED)

    def test_printed_and_run_by_no_test(self):
        for path, old, new, named in [
            ("docs/run.md", "```c\n", "```sh\nls\n```\n```c\n", "docs/run.md:8: no row of tests/lint/printed.txt"),
            ("docs/run.md", "So:\n", "So:\n\n    ls\n\nOr:\n", "which test runs this: ls"),
            ("tools/man/finback.1", "finback chat", "echo Hi", "tools/man/finback.1:3: no row"),
            ("tests/README.md", "# Tests\n", "# Tests\n\n    ctest\n", "tests/README.md:3: no row"),
        ]:
            with self.subTest(named):
                changes = {**self.PRINTED, "tests/README.md": "# Tests\n"}
                self.assertIn(old, changes[path])
                changes[path] = changes[path].replace(old, new)
                self.catches("check_printed.py", changes, named)

    def test_printed_rows_that_are_wrong(self):
        rows = "tests/lint/printed.txt"
        self.catches("check_printed.py", self.printed(rows, "./dev run", "./dev walk"), "prints no such block any more", ":5: no row")
        self.catches("check_printed.py", self.printed(rows, "test_run", "test_walk"), "tests/test_walk.py is not there")
        self.catches("check_printed.py", self.printed(rows, "not run: a sketch", "not run:"), "printed.txt:3: not PAGE")

    # references

    PAGE = "# Page\n\n[below](#2-what-follows)\n\n## 1. First\n\n### 1.1 Part\n\n## 2. What follows\n\n| 2.1 | row |\n"

    def cited(self, text, path="core/base/a.cc"):
        return {"docs/page.md": self.PAGE, path: text}

    def test_references_clean(self):
        text = "// As docs/page.md 1 has it (docs/page.md 1.1, 2 and\n// 2.1); 3 times. See docs/page.md, and\n// core/base/status.h.\n"
        self.passes("check_references.py", self.cited(text))
        links = "[page](../../docs/page.md#11-part) [folder](../../core) [far](https://nowhere.example/x.md) `[a](b.md)`\n"
        self.passes("check_references.py", self.cited(links, "core/base/README.md"))

    def test_references_dead_citations(self):
        for text, named in [
            ("// docs/gone.md 1\n", "core/base/a.cc:1: cites docs/gone.md, which is not there"),
            ("\n// docs/page.md 3\n", "core/base/a.cc:2: cites docs/page.md 3, a section that is not there"),
            ("// docs/page.md 1.1, 2.2\n", "cites docs/page.md 2.2"),
            ("// docs/page.md 1 to 4\n", "cites docs/page.md 4"),
            ("// docs/page.md 1\n// and 5\n", "cites docs/page.md 5"),
            ("// (remote" " API 8)\n", "by another name"),
            ("# see architecture" " 3.9\n", "by another name"),
        ]:
            with self.subTest(text):
                self.catches("check_references.py", self.cited(text), named)

    def test_references_dead_links(self):
        for text, named in [
            ("[a](gone.md)\n", "core/base/README.md:1: links to gone.md, which is not there"),
            ("[a](../../docs/page.md#3-more)\n", "links to #3-more, a heading that docs/page.md does not have"),
            ("# Base\n\n[a](#other)\n", "core/base/README.md:3: links to #other"),
        ]:
            with self.subTest(text):
                self.catches("check_references.py", self.cited(text, "core/base/README.md"), named)

    def test_references_dead_paths(self):
        self.catches("check_references.py", self.cited("// see core/base/gone.h\n"), "names core/base/gone.h")

    # text

    def test_text_clean(self):
        self.passes("check_text.py")

    def test_text_not_ascii(self):
        self.catches("check_text.py", {"core/base/a.cc": "// na\u00efve\n"}, "core/base/a.cc:1: not ASCII")

    def test_text_no_pragma_once(self):
        self.catches("check_text.py", {"core/base/a.h": "int a();\n"}, "core/base/a.h: no #pragma once")

    def test_text_no_readme(self):
        self.catches("check_text.py", {"bench/a.cc": "\n"}, "bench: no README.md")

    def test_text_long_readme(self):
        self.catches("check_text.py", {"core/base/README.md": "x\n" * 61}, "core/base/README.md: 61 lines")

    def test_text_foreign_path(self):
        self.catches("check_text.py", {"core/base/a.cc": "// see /work" "/main\n"}, "core/base/a.cc:1")

    def test_text_issue_number(self):
        self.catches("check_text.py", {"core/base/a.cc": "\n// for issue" " 12\n"}, "core/base/a.cc:2")

    def test_text_cut_at_a_byte(self):
        for cut in ('Format("got %.32s", text)', "text.substr(0, 64)", "text.substr(0, kLongest)", "text.resize(200)",
                    "(text[end] & 0xC0) == 0x80"):
            self.catches("check_text.py", {"core/chat/a.cc": f"int a = {cut};\n"}, "core/chat/a.cc:1: cuts text at a byte")
        self.passes("check_text.py", {"core/base/utf8.cc": "int a = (text[end] & 0xC0) == 0x80;\n", "core/base/a.cc": "// substr(0, 9)\n"})

    # comments

    def test_comments_clean(self):
        code = "// " + "a" * 97 + '\nconst char* url = "http://' + "a" * 90 + '";\n'
        code += 'const char* raw = R"x(\n// ' + "a" * 100 + '\n)x";\nint million = 1\'000\'000; /* a\n b */\n'
        self.passes("check_comments.py", {"core/base/a.cc": code})

    def test_comments_wide(self):
        self.catches("check_comments.py", {"core/base/a.cc": "\n// " + "a" * 98 + "\n"}, "core/base/a.cc:2", "column 101")

    def test_comments_wide_behind_code(self):
        code = "#define LIMIT 1'000  // " + "a" * 90 + "\n"
        self.catches("check_comments.py", {"core/base/a.inc": code}, "core/base/a.inc:1")

    def test_comments_wide_in_a_block(self):
        code = "/*\n * \"\n * " + "a" * 98 + "\n */\n"
        self.catches("check_comments.py", {"capi/include/finback/finback.h": code}, "finback.h:3", "column 101")

    # external checkers

    def test_format(self):
        self.passes("check_format.py")
        self.catches("check_format.py", {"core/base/a.cc": "int   a( ) ;\n"}, "core/base/a.cc")

    def test_spelling(self):
        self.passes("check_spelling.py")
        self.catches("check_spelling.py", {"core/base/a.cc": "// Rec" "ieve\n"}, "core/base/a.cc")

    def test_shell(self):
        self.passes("check_shell.py")
        self.catches("check_shell.py", {"dev": "#!/usr/bin/env bash\nrm $1\n"}, "dev", "SC2086")

    # the header

    def test_header_clean(self):
        self.passes("check_header.py")

    def test_header_not_c99(self):
        changed = HEADER.replace("#endif", "static inline int f(void) { for (auto x = 0;;) return x; }\n#endif")
        self.catches("check_header.py", {"capi/include/finback/finback.h": changed}, "finback.h as c99")

    def test_header_needs_another_header(self):
        changed = HEADER.replace("const char", "size_t f(void); const char")
        self.catches("check_header.py", {"capi/include/finback/finback.h": changed}, "finback.h as c99")

    def test_header_warning_in_the_wrapper(self):
        changes = {"capi/include/finback/finback.hpp": "#pragma once\ninline int f(int unused) { return 0; }\n"}
        self.catches("check_header.py", changes, "finback.hpp as c++20", "unused")

    # examples in the headers

    def test_examples_clean(self):
        self.passes("check_examples.py")

    def test_examples_torn(self):
        for header, name, good, torn in [
            ("finback.h", "example is no c99", "*     puts", "*     version: puts"),
            ("finback.hpp", "example is no c++20", "version =\n//         finback", "version = //\n// finback"),
        ]:
            path = f"capi/include/finback/{header}"
            self.assertIn(good, CLEAN[path])
            self.catches("check_examples.py", {path: CLEAN[path].replace(good, torn)}, path, name)

    def test_examples_that_warn(self):
        changed = HEADER.replace("puts(version);", "puts(version); int unused = 1;")
        self.catches("check_examples.py", {"capi/include/finback/finback.h": changed}, "unused", "finback.h:8")

    def test_examples_none_found(self):
        for header in ("finback.h", "finback.hpp"):
            path = f"capi/include/finback/{header}"
            changes = {path: CLEAN[path].replace("     ", "   ")}
            self.catches("check_examples.py", changes, f"{header}: no example in its comments")


class Objects(unittest.TestCase):
    """Gates that look at what the compiler made."""

    def compile(self, tree, source, target, *flags):
        full = tree.path(target)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        subprocess.run(["c++", "-std=c++20", "-O1", "-x", "c++", "-", "-o", full, *flags], input=source, text=True, check=True)
        return full

    def library(self, source):
        tree = Tree({})
        header = tree.path("capi/include")
        path = self.compile(
            tree, source, "lib/libfinback.so", "-shared", "-fPIC", "-fvisibility=hidden", "-I", header
        )
        return tree.run("check_exported_symbols.py", path)

    SHOWN = '__attribute__((visibility("default"))) '

    def test_exported_exactly(self):
        code, output = self.library(f'extern "C" {self.SHOWN}const char *finback_version(void) {{ return ""; }}\n')
        self.assertEqual(code, 0, output)

    def test_exported_too_much(self):
        code, output = self.library(
            f'extern "C" {self.SHOWN}const char *finback_version(void) {{ return ""; }}\n'
            f"{self.SHOWN}int leaked() {{ return 1; }}\n"
        )
        self.assertNotEqual(code, 0)
        self.assertIn("leaked", output)

    def test_exported_too_little(self):
        code, output = self.library('extern "C" const char *finback_version(void) { return ""; }\n')
        self.assertNotEqual(code, 0)
        self.assertIn("declares finback_version", output)

    def undefined(self, source, name="core/base/status.cc"):
        tree = Tree({name: "\n"})
        self.compile(tree, source, f"out/CMakeFiles/finback_base.dir/{name}.o", "-c")
        return tree.run("check_undefined.py", tree.path("out"))

    def test_undefined_clean(self):
        code, output = self.undefined("#include <string>\nstd::string f(int a) { return std::to_string(a); }\n")
        self.assertEqual(code, 0, output)

    def test_undefined_each_kind(self):
        for body, symbol in [
            ('#include <cstdio>\nvoid f(int a) { printf("%d", a); }\n', "printf"),
            ('#include <cstdio>\nvoid f(int a) { fprintf(stderr, "%d", a); }\n', "stderr"),
            ("#include <iostream>\nvoid f(int a) { std::cout << a; }\n", "_ZSt4cout"),
            ("#include <cstdlib>\nvoid f() { abort(); }\n", "abort"),
            ("#include <cstdlib>\nvoid f() { exit(1); }\n", "exit"),
            ("#include <cassert>\nvoid f(int a) { assert(a == 1); }\n", "__assert_fail"),
            ('#include <cstdlib>\nconst char *f() { return getenv("HOME"); }\n', "getenv"),
            ('#include <clocale>\nvoid f() { setlocale(LC_ALL, ""); }\n', "setlocale"),
        ]:
            with self.subTest(symbol):
                code, output = self.undefined(body)
                self.assertNotEqual(code, 0)
                self.assertIn(symbol, output)

    def test_undefined_getenv_where_documented(self):
        source = '#include <cstdlib>\nconst char *f() { return getenv("FINBACK_ISA"); }\n'
        code, output = self.undefined(source, "core/kernels/isa.cc")
        self.assertEqual(code, 0, output)

    def weak(self, source):
        tree = Tree({})
        path = self.compile(tree, source, "out/x_avx2.cc.o", "-c")
        run = subprocess.run(
            [sys.executable, os.path.join(HERE, "check_kernel_symbols.py"), path],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # fmt: skip
        return run.returncode, run.stdout

    def test_kernel_symbols_clean(self):
        code, output = self.weak("static int twice(int a) { return 2 * a; }\nint f(int a) { return twice(a); }\n")
        self.assertEqual(code, 0, output)

    def test_kernel_symbols_weak(self):
        source = "__attribute__((noinline)) inline int twice(int a) { return 2 * a; }\nint f(int a) { return twice(a); }\n"
        code, output = self.weak(source)
        self.assertNotEqual(code, 0)
        self.assertIn("twice(int)", output)

    def stack_frames(self, size):
        tree = Tree({})
        source = f"void use(char *);\nvoid f() {{ char place[{size}]; use(place); }}\n"
        path = self.compile(tree, source, "out/libx.so", "-shared", "-fPIC", "-O2")
        return tree.run("check_stack_frames.py", path)

    def test_stack_frames_clean(self):
        code, output = self.stack_frames(4000)
        self.assertEqual(code, 0, output)

    def test_stack_frames_large(self):
        code, output = self.stack_frames(20000)
        self.assertNotEqual(code, 0)
        self.assertIn("f()", output)

    def test_undefined_nothing_there(self):
        tree = Tree({})
        code, output = tree.run("check_undefined.py", tree.path("nowhere"))
        self.assertNotEqual(code, 0, output)


if __name__ == "__main__":
    # Temporary trees are removed when they are no longer referred to.
    unittest.main(warnings="ignore")
