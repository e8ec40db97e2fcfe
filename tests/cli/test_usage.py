"""Exit codes, help, and where output goes when something is wrong with the command line or the outputs."""

import json
import os
import re
import subprocess
import unittest

from command import FINBACK, FIXTURES, CommandTest, environment, finback

COMMANDS = ["chat", "complete", "encode", "parse", "tokenize", "inspect", "verify", "bench", "logits",
            "models", "balance", "cost", "cache", "options"]


class Usage(CommandTest):
    def test_help_goes_to_standard_output(self):
        for arguments in [["--help"]] + [[command, "--help"] for command in COMMANDS]:
            with self.subTest(arguments):
                run = self.assert_ok(finback(*arguments))
                self.assertIn(b"Usage: finback", run.stdout)
                self.assertEqual(run.stderr, b"")

    def test_version_names_the_instruction_set(self):
        run = self.assert_ok(finback("--version"))
        self.assertRegex(run.stdout.decode(), r"^finback \d+\.\d+\.\d+\ninstruction set \w+, of .*scalar")

    def test_version_as_json(self):
        info = json.loads(self.assert_ok(finback("--version", "--json")).stdout)
        self.assertIn(info["isa"], info["isas_compiled"])
        self.assertIn("scalar", info["isas_compiled"])
        self.assertIn(info["isa"], info["isas_available"])
        text = self.assert_ok(finback("--version")).stdout.decode()
        self.assertTrue(text.endswith(": " + info["isa_reason"] + "\n"), text)

    def test_forced_instruction_set(self):
        info = json.loads(finback("--version", "--json", env=environment(FINBACK_ISA="scalar")).stdout)
        self.assertEqual(info["isa"], "scalar")

    def test_no_command_is_a_usage_error(self):
        run = finback()
        self.assertEqual(run.returncode, 2)
        self.assertEqual(run.stdout, b"")
        self.assertIn(b"chat", run.stderr)

    def test_usage_errors(self):
        for arguments in [
            ["sing"],
            ["--sing"],
            ["chat", "--sing"],
            ["chat", "--think", "--no-think", "hi"],
            ["chat", "one", "two"],
            ["chat", "--temperature", "hot", "hi"],
            ["chat", "--precision", "int3", "hi"],
            ["logits"],
            ["logits", "model"],
            ["logits", "model", "--tokens", "x"],
            ["encode", "one", "two"],
        ]:
            with self.subTest(arguments):
                self.assert_fails(finback(*arguments), 2, "--help")

    def test_values_of_the_wrong_kind_are_named_in_plain_words(self):
        for arguments, words in [
            (["--temperature", "hot"], '--temperature: must be a number, got "hot"'),
            (["--max-tokens", "5.5"], '--max-tokens: must be a whole number, got "5.5"'),
            (["--think=maybe"], '--think: takes no value, got "maybe"'),
        ]:
            with self.subTest(arguments):
                self.assert_fails(finback("chat", *arguments, "hi"), 2, words)

    def test_records_are_refused_where_there_is_no_service(self):
        for option in ["record", "replay"]:
            with self.subTest(option):
                self.assert_fails(finback("chat", "--" + option, "x", "hi"), 1, f"option {option}:", "krill")

    def test_mistyped_names_are_told_what_they_were_meant_to_be(self):
        for arguments, code, meant in [
            (["caht", "hi"], 2, "did you mean chat?"),
            (["models", "deepsek"], 1, "did you mean deepseek:MODEL?"),
            (["inspct"], 2, "did you mean inspect?"),
            (["chat", "--temprature", "1", "hi"], 2, "did you mean --temperature?"),
            (["chat", "--max_tokens=3", "hi"], 2, "did you mean --max-tokens?"),
            (["inspect", "--contxt", "9"], 2, "did you mean --context?"),
            (["chat", "--precision", "flaot32", "hi"], 2, "did you mean float32?"),
            (["cost", "--ledger", "x", "--by", "mdel"], 2, "did you mean model?"),
            (["chat", "--set", "thrads=1", "hi"], 2, "did you mean threads?"),
            (["chat", "--set", "context-tokens=1", "hi"], 2, "did you mean context_tokens?"),
            (["chat", "-m", "krlil", "hi"], 1, "did you mean krill?"),
            (["chat", "-m", "depseek:deepseek-flash", "hi"], 1, "did you mean deepseek:deepseek-flash?"),
            (["models", "opnrouter:x"], 1, "did you mean openrouter:x?"),
        ]:
            with self.subTest(arguments):
                self.assert_fails(finback(*arguments), code, meant)
        self.assertNotIn(b"did you mean", finback("xylophone").stderr)

    def test_empty_values_are_refused(self):
        for arguments in [["chat", "--model", "", "hi"], ["inspect", ""], ["verify", "-m", ""], ["models", ""],
                          ["tokenize", "--model=", "x"], ["chat", "--set", "model=", "hi"], ["chat", ""],
                          ["chat", "--ledger", "", "hi"], ["chat", "--effort", "", "hi"], ["chat", "--set", "=1", "hi"]]:
            with self.subTest(arguments):
                self.assert_fails(finback(*arguments), 2)
        self.assert_ok(finback("tokenize", "x", env=environment(FINBACK_MODEL="")))

    def test_options_of_the_library(self):
        rows = json.loads(self.assert_ok(finback("options", "--json")).stdout)
        names = [row["name"] for row in rows]
        table = self.assert_ok(finback("options")).stdout.decode()
        self.assertEqual([line.split()[0] for line in table.splitlines()[1:]], names)
        self.assertLessEqual({"model", "threads", "base_url", "budget", "effort_ladder"}, set(names))
        one = self.assert_ok(finback("options", "precision")).stdout.decode()
        self.assertIn("published, bf16, float32", one)
        self.assertEqual(json.loads(self.assert_ok(finback("options", "--json", "threads")).stdout)["max"], 1024)
        self.assert_fails(finback("options", "base-rl"), 2, "did you mean base_url?")

    def test_what_would_be_ignored_is_refused(self):
        self.assert_fails(finback("--json", "tokenize", "x"), 2, "--json")
        self.assert_fails(finback("encode", "--request", "--no-think", stdin="{}"), 2, "--request")
        for option in (["--model", "krill"], ["-m", "/no/such/model"], ["--set", "threads=1"]):
            self.assert_fails(finback("encode", *option, stdin="[]"), 2, "--request")
        self.assert_ok(finback("--version", env=environment(FINBACK_ISA="")))

    def test_variables_are_judged_by_name(self):
        for isa, near in {"Scalar": "scalar", "blass": "blas", "none": "", "avx512-and-more": ""}.items():
            for command in [["--version"], ["models"], ["chat", "x"]]:
                said = [f"FINBACK_ISA={isa}", "blas, scalar", f"did you mean {near}?" if near else ""]
                self.assert_fails(finback(*command, env=environment(FINBACK_ISA=isa)), 2, *said)
        for model, near in {"kril": "krill", "deepsek:x": "deepseek:x", "/no/such": ""}.items():
            run = finback("chat", "x", env=environment(FINBACK_MODEL=model))
            self.assert_fails(run, 1, "FINBACK_MODEL: ", model, f"did you mean {near}?" if near else "")
        run = finback("chat", "--model", "/no/such", "x", env=environment(FINBACK_MODEL="kril"))
        self.assert_fails(run, 1, "/no/such")
        self.assertNotIn(b"FINBACK_MODEL:", run.stderr)

    def test_messages_are_utf8_whatever_was_typed(self):
        odd = b"\xe9\xff"
        for arguments in [["chat", "--s" + os.fsdecode(odd), "x"], [os.fsdecode(odd)], ["chat", os.fsdecode(odd)],
                          ["inspect", "/no/" + os.fsdecode(odd)], ["encode", "/no/" + os.fsdecode(odd)],
                          ["chat", "--system", os.fsdecode(odd), "x"], ["chat", "--set", os.fsdecode(odd) + "=1", "x"],
                          ["cost", "--ledger", "/no/" + os.fsdecode(odd)], ["chat", "--stop", os.fsdecode(odd), "x"]]:
            with self.subTest(arguments):
                run = finback(*arguments)
                self.assertIn(run.returncode, (1, 2))
                self.assertTrue(run.stderr.decode("utf-8").startswith("finback: "))
                self.assertNotIn(b"exception", run.stderr)
        run = finback("inspect", env=environment(FINBACK_MODEL=os.fsdecode(b"/no/\xe9")))
        self.assertIn("/no/\ufffd", self.assert_fails(run, 1).stderr.decode("utf-8"))

    def test_missing_model_is_a_failure_that_names_it(self):
        for arguments in [["inspect", "/no/such/model"], ["chat", "--model", "/no/such/model", "hi"]]:
            with self.subTest(arguments):
                self.assert_fails(finback(*arguments), 1, "/no/such/model")

    def test_model_from_the_environment(self):
        run = finback("inspect", env=environment(FINBACK_MODEL="/no/such/model/either"))
        self.assert_fails(run, 1, "/no/such/model/either")

    def test_missing_file_is_a_failure_that_names_it(self):
        self.assert_fails(finback("encode", "/no/such/file"), 1, "/no/such/file")
        self.assert_fails(finback("parse", "/no/such/file"), 1, "/no/such/file")
        self.assert_fails(
            finback("logits", "/no/such/model", "--tokens", "/no/such/file", "--out", "/dev/null"), 1, "/no/such/file"
        )

    def test_option_out_of_bounds_is_a_usage_error(self):
        self.assert_fails(finback("inspect", "--threads", "-5", "/tmp"), 2, "threads")
        self.assert_fails(finback("inspect", "--threads", "many", "/tmp"), 2, "threads")


class Outputs(CommandTest):
    """What happens when standard output cannot be written."""

    FIXTURE = os.path.join(FIXTURES, "test_input_2.json")

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            self.assert_fails(finback("encode", self.FIXTURE, stdout=full), 1, "standard output", "No space")

    def test_closed_standard_output(self):
        run = subprocess.run(
            ["sh", "-c", 'exec "$@" >&-', "sh", FINBACK, "encode", self.FIXTURE],
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
        self.assert_fails(run, 1, "standard output")

    def test_reader_that_went_away_gets_no_complaint(self):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            run = finback("encode", self.FIXTURE, stdout=pipe)
        self.assertNotEqual(run.returncode, 0)
        self.assertEqual(run.stderr, b"")


class Manual(CommandTest):
    """The man page and the completions know every option, and no other."""

    SOURCE = os.path.normpath(os.path.join(FIXTURES, "..", "..", "..", "tools"))

    def options(self):
        names = set()
        for command in COMMANDS:
            text = self.assert_ok(finback(command, "--help")).stdout.decode()
            names |= set(re.findall(r"^\s+(?:-\w,)?(--[\w-]+)", text, re.MULTILINE))
        return names - {"--help"}

    def test_man_page(self):
        with open(os.path.join(self.SOURCE, "man", "finback.1"), encoding="ascii") as file:
            page = file.read().replace("\\-", "-")
        for option in sorted(self.options()):
            self.assertRegex(page, re.escape(option) + r"\b")

    def test_completions(self):
        for name, pattern in (("finback.bash", r"--([a-z][\w-]+)"), ("_finback", r"--([a-z][\w-]+)"),
                              ("finback.fish", r" -l ([a-z][\w-]+)")):
            with self.subTest(name):
                with open(os.path.join(self.SOURCE, "completions", name), encoding="ascii") as file:
                    completed = {"--" + option for option in re.findall(pattern, file.read())}
                self.assertEqual(completed - {"--help", "--version"}, self.options())


if __name__ == "__main__":
    unittest.main()
