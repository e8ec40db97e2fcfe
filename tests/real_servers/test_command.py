"""The finback command at llama.cpp's server, as a user drives it."""

import json
import os
import unittest

from real import RealTest, Server, finback, main, temporary_folder

SERVER = None


def setUpModule():
    global SERVER
    SERVER = Server("llama_server.py")
    unittest.addModuleCleanup(SERVER.stop)


class Command(RealTest):
    def run_at(self, command, *arguments, path="/v1"):
        where = ["--model", "llama-server:krillet", "--set", f"base_url={SERVER.url}{path}"]
        return finback(command, *where, *arguments)

    def said(self, run):
        self.assertEqual(run.returncode, 0, run.stderr.decode())
        return run.stdout.decode()

    def assert_one_line(self, run, *named):
        """A failure is one line that names what was wrong, and no hint about something else."""
        errors = run.stderr.decode()
        self.assertEqual((run.returncode, run.stdout), (1, b""), errors)
        self.assertEqual(errors.count("\n"), 1, errors)
        for name in named:
            self.assertIn(name, errors)

    def test_an_answer(self):
        run = self.run_at("chat", "say whales")
        self.assertEqual((self.said(run), run.stderr), ("Krill are small crustaceans.\n", b""))

    def test_reasoning_goes_to_standard_error(self):
        run = self.run_at("chat", "--show-reasoning", "say think")
        self.assertEqual(self.said(run), "Baleen whales eat krill.\n")
        self.assertIn(b"Whales filter water.", run.stderr)

    def test_sampling_and_stop(self):
        self.assertEqual(
            self.said(self.run_at("chat", "--max-tokens", "3", "say forever")), "la li la\n"
        )
        self.assertEqual(
            self.said(self.run_at("chat", "--stop", " crust", "say whales")), "Krill are small\n"
        )

    def test_the_whole_response(self):
        response = json.loads(
            self.said(self.run_at("chat", "--json", "--logprobs", "1", "say bytes"))
        )
        self.assertEqual(
            response["choices"][0]["message"]["content"], "In pieces: \U0001f433 and \u00e9!"
        )
        self.assertEqual(response["service"]["provider"], "llama-server")
        self.assertTrue(response["choices"][0]["logprobs"]["content"])

    def test_a_text_is_continued(self):
        self.assertEqual(
            self.said(self.run_at("complete", "<|whales|>")), "Krill are small crustaceans.\n"
        )

    def test_models(self):
        self.assertEqual(self.said(self.run_at("models")), "krillet\n")
        self.assertEqual(
            json.loads(self.said(self.run_at("models", "--json")))["data"][0]["id"], "krillet"
        )

    def test_a_record_is_replayed_without_the_server(self):
        folder = os.path.join(temporary_folder(self), "record")
        recorded = self.said(self.run_at("chat", "--record", folder, "say bytes"))
        where = ["--model", "llama-server:krillet", "--set", "base_url=http://127.0.0.1:1/v1"]
        self.assertEqual(
            self.said(finback("chat", *where, "--replay", folder, "say bytes")), recorded
        )

    def test_a_ledger_counts_tokens_without_a_price(self):
        ledger = os.path.join(temporary_folder(self), "ledger.sqlite")
        for _ in range(2):
            self.said(self.run_at("chat", "--ledger", ledger, "say whales"))
        report = json.loads(
            self.said(finback("cost", "--ledger", ledger, "--by", "model", "--json"))
        )
        row = report["rows"][0]
        self.assertEqual((row["attempts"], row["failed"], row["unknown"]), (2, 0, 2))
        self.assertEqual((row["prompt_tokens"], row["completion_tokens"]), (58, 14))

    def test_a_budget_needs_a_price(self):
        folder = temporary_folder(self)
        ledger = os.path.join(folder, "ledger.sqlite")
        run = self.run_at("chat", "--ledger", ledger, "--budget", "0.01", "say whales")
        self.assert_one_line(
            run, "price of this request is unknown", "prices_file", "unknown_price"
        )

    def test_failures_say_what_to_do(self):
        self.assert_one_line(
            self.run_at("chat", "say whales" + " krill" * 400), "1024 tokens", "shorten"
        )
        self.assert_one_line(self.run_at("chat", "hello", path="/v9"), "404", "base_url")
        self.assert_one_line(
            self.run_at("chat", "--set", "max_retries=0", "say nothing"), "empty answer"
        )
        self.assert_one_line(self.run_at("balance"), "balance")
        gone = finback(
            "chat",
            "--model",
            "llama-server:m",
            "--set",
            "base_url=http://127.0.0.1:1/v1",
            "--set",
            "max_retries=0",
            "x",
        )
        self.assert_one_line(gone, "127.0.0.1:1", "base_url")


if __name__ == "__main__":
    main()
