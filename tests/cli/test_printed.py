"""The commands that pages print, run as they are printed: README.md's with a compiler, docs/README.md, examples and krill,
the manual page's examples. tests/cli/test_readme.py has README.md's other blocks."""

import os
import re
import unittest

from command import SOURCE, CommandTest, ServiceTest, needs_krill
from printed import Clone, commands, fenced, text_of

SANITIZED = os.environ.get("FINBACK_SANITIZED") == "1"
ANSWER = "Baleen whales eat krill and small fish, which they filter from the water.\n"
needs_plain_library = unittest.skipIf(SANITIZED, "a plain program cannot load a sanitized library")


class PrintedTest(CommandTest):
    def setUp(self):
        self.clone = Clone(self.temporary_folder())

    def assert_answers(self, run):
        self.assertEqual(self.assert_ok(run).stdout.decode(), ANSWER)


@needs_krill
@needs_plain_library
class WithACompiler(PrintedTest):
    def test_readme_against_the_build_tree(self):
        self.clone.write("answer.c", *fenced("README.md", "c"))
        lines = commands("README.md", "cc answer.c -I")
        self.assert_answers(self.clone.run(*lines))
        # The program was compiled; with a model that is not there it says which, and fails.
        run = self.clone.run("sed -i s/krill/nowhere/ answer.c", *lines)
        self.assertEqual(run.returncode, 1)
        self.assertIn("nowhere", run.stderr.decode())

    def test_readme_installed(self):
        self.clone.write("answer.c", *fenced("README.md", "c"))
        run = self.assert_ok(self.clone.run(*commands("README.md", "sudo cmake --install")))
        self.assertTrue(run.stdout.decode().endswith("\n" + ANSWER), run.stdout)

    def test_readme_before_it_is_installed(self):
        self.clone.write("answer.c", *fenced("README.md", "c"))
        run = self.clone.run(*commands("README.md", "sudo cmake --install")[1:])
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("finback", run.stderr.decode())

    def test_docs_before_any_language(self):
        run = self.assert_ok(self.clone.run(*commands("docs/README.md", "./dev build")))
        self.assertRegex(run.stdout.decode(), r"\n\d+\.\d+\.\d+\n$")

    def test_packages_of_languages_without_the_library(self):
        for page in sorted(os.listdir(os.path.join(SOURCE, "docs"))):
            for line in re.findall(r"^    (bindings/package .*)$", text_of(f"docs/{page}"), re.MULTILINE):
                with self.subTest(line):
                    run = self.clone.run(line, PKG_CONFIG_PATH=None, PKG_CONFIG_LIBDIR="/nowhere")
                    self.assertEqual((run.returncode, run.stdout), (1, b""))
                    self.assertRegex(run.stderr.decode(), "install the library, or set PKG_CONFIG_PATH\n$")

    def test_packages_of_languages_that_are_not_there(self):
        run = self.clone.run("bindings/package cobol .")
        self.assertEqual(run.returncode, 1)
        self.assertIn("languages: csharp go java lua", run.stderr.decode())

    def test_examples(self):
        lines = commands("examples/README.md", "cc examples/chat.c")
        # (Not into the build tree: another run may be there.)
        lines = [line.replace("build/chat", "chat").replace("-o chat", "-o ./chat") for line in lines]
        lines[1:] = [f"./{line}" for line in lines[1:]]
        self.assert_answers(self.clone.run(*lines))
        run = self.clone.run("./chat /nowhere Hello")
        self.assertEqual((run.returncode, run.stdout), (1, b""))
        self.assertIn("/nowhere", run.stderr.decode())


@needs_krill
class Commands(PrintedTest):
    def test_krill(self):
        [line] = commands("examples/krill/README.md", "finback chat")
        self.assert_answers(self.clone.run(line))
        run = self.clone.run(line.replace("examples/krill", "examples/kril"))
        self.assertEqual((run.returncode, run.stdout), (1, b""))
        self.assertIn("examples/kril", run.stderr.decode())


@needs_krill
class ManualPage(ServiceTest):
    """EXAMPLES of the manual page. krill stands in for the checkpoint, a service on loopback for DeepSeek's."""

    MODEL = "/models/DeepSeek-V4-Flash"

    @staticmethod
    def lines():
        examples = re.search(r"^\.SH EXAMPLES\n\.nf\n(.*?)^\.fi", text_of("tools/man/finback.1"), re.MULTILINE | re.DOTALL)
        return examples.group(1).replace("\\-", "-").splitlines()

    def setUp(self):
        self.clone = Clone(self.temporary_folder())
        self.model = self.copy_of_krill()
        # git diff has something to say, and the checkpoint its sums.
        self.clone.write("song.txt", "Whales sing.\n")
        self.assert_ok(
            self.clone.run(
                "git init --quiet && git add song.txt && echo 'Whales sing low.' >song.txt",
                f"(cd {self.model} && sha256sum *) >SHA256SUMS",
            )
        )

    def run_line(self, line, scenario="answer", **more):
        service = f"--set base_url=http://127.0.0.1:{self.port}/s/{scenario} --set environment_proxy=false"
        line = line.replace("--model deepseek:", f"{service} --ledger ~/finback.sqlite --model deepseek:")
        line = line.replace(self.MODEL, self.model).replace("--context 100000", "--context 1000")
        more.setdefault("DEEPSEEK_API_KEY", "sk-of-a-test")
        return self.clone.run(line, **more)

    def test_every_line_works_as_printed(self):
        lines = self.lines()
        self.assertGreaterEqual(len(lines), 6)
        for line in lines:
            with self.subTest(line):
                self.assertNotEqual(self.assert_ok(self.run_line(line)).stdout, b"")

    def one(self, start):
        [line] = [line for line in self.lines() if line.startswith(start)]
        return line

    def test_a_model_that_is_not_there(self):
        for start in ("finback inspect", "finback verify"):
            run = self.clone.run(self.one(start))
            self.assert_fails(run, 1, self.MODEL)

    def test_sums_that_differ(self):
        self.assert_ok(self.clone.run("sed -i s/^.../fff/ SHA256SUMS"))
        self.assert_fails(self.run_line(self.one("finback verify")), 1, "model.safetensors")

    def test_sums_that_are_not_there(self):
        os.remove(os.path.join(self.clone.folder, "SHA256SUMS"))
        self.assert_fails(self.run_line(self.one("finback verify")), 1, "SHA256SUMS")

    def test_without_a_key(self):
        line = self.one("finback chat --model")
        self.assert_fails(self.run_line(line, DEEPSEEK_API_KEY=None), 1, "DEEPSEEK_API_KEY")

    def test_a_ledger_that_nobody_wrote(self):
        self.assert_fails(self.run_line(self.one("finback cost")), 1, "finback.sqlite")

    def test_a_day_that_is_none(self):
        self.assert_ok(self.run_line(self.one("finback chat --model")))
        run = self.run_line(self.one("finback cost").replace("2026-11-01", "yesterday"))
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("since: expected a day", run.stderr.decode())


if __name__ == "__main__":
    unittest.main()
