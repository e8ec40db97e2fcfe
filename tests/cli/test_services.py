"""Models at services, played by the fault server: answers, lists, balances, budgets, ledgers, recordings."""

import json
import os
import unittest
import urllib.request

from command import ServiceTest, environment, finback

MODEL = "deepseek:deepseek-flash"


class Services(ServiceTest):
    def service(self, scenario):
        """The options that make the scenario the service."""
        return ["--set", f"base_url=http://127.0.0.1:{self.port}/s/{scenario}", "--set", "environment_proxy=false"]

    def run_at(self, scenario, *arguments, **more):
        env = environment(DEEPSEEK_API_KEY="sk-from-the-environment")
        return finback(arguments[0], *self.service(scenario), *arguments[1:], env=env, **more)

    def test_chat_prints_the_answer(self):
        run = self.assert_ok(self.run_at("answer", "chat", "-m", MODEL, "What is 2+2?"))
        self.assertEqual(run.stdout.decode(), "It is 4, na\u00efve \u2713 \U0001f600.\n")

    def test_json_answer_names_the_service_and_its_price(self):
        run = self.assert_ok(self.run_at("answer", "chat", "-m", MODEL, "--json", "hi"))
        response = json.loads(run.stdout)
        self.assertEqual(response["service"]["provider"], "deepseek")
        self.assertGreater(response["service"]["cost_picodollars"], 0)
        self.assertEqual(response["service"]["cost_source"], "table")

    def test_complete_fills_in_the_middle(self):
        self.assert_ok(self.run_at("answer~fim", "complete", "-m", MODEL, "--suffix", "return x", "def f(x):"))
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/log?scenario=answer~fim") as log:
            sent = json.loads(json.load(log)[0]["body"])
        self.assertEqual((sent["prompt"], sent["suffix"], sent["model"]), ("def f(x):", "return x", "deepseek-flash"))

    def test_complete_refuses_what_a_service_cannot_do(self):
        self.assert_fails(self.run_at("answer", "complete", "-m", MODEL, "--no-bos", "x"), 1, "add_bos", "deepseek")
        self.assert_fails(self.run_at("answer", "complete", "-m", MODEL, "--plain", "x"), 1, "recognize_special")

    def test_suffix_is_refused_in_process(self):
        self.assert_fails(finback("complete", "--suffix", "x", "y"), 1, "suffix")

    def test_models_of_a_service(self):
        run = self.assert_ok(self.run_at("answer", "models", MODEL))
        self.assertEqual(run.stdout, b"deepseek-flash\ndeepseek-v4-pro\n")

    def test_models_known_without_a_service(self):
        run = self.assert_ok(finback("models"))
        self.assertIn(b"deepseek:deepseek-v4-pro ", run.stdout)
        self.assertIn(b"OPENROUTER_API_KEY", run.stdout)
        self.assertNotIn(b"deepseek-reasoner", run.stdout)
        known = json.loads(self.assert_ok(finback("models", "--json")).stdout)
        retired = {model["model"]: model for model in known["models"] if model["refused"]}
        self.assertEqual(retired["deepseek:deepseek-reasoner"]["instead"], "deepseek:deepseek-flash")
        names = [model["model"] for model in known["models"]]
        self.assertEqual(len(names), len(set(names)))

    def test_known_models_include_those_of_a_file(self):
        table = os.path.join(self.temporary_folder(), "providers.json")
        rows = {
            "providers": [{"name": "ours", "base_url": "http://127.0.0.1:1/v1"}],
            "models": [{"provider": "ours", "pattern": "whale-1", "context_tokens": 77}],
        }
        with open(table, "w", encoding="utf-8") as file:
            json.dump(rows, file)
        run = self.assert_ok(finback("models", "--json", "--set", f"providers_file={table}"))
        found = [model for model in json.loads(run.stdout)["models"] if model["model"] == "ours:whale-1"]
        self.assertEqual([model["context_tokens"] for model in found], [77])

    def test_balance(self):
        run = self.assert_ok(self.run_at("answer", "balance", MODEL))
        self.assertEqual(run.stdout, b"110.00 USD (granted 10.00, topped up 100.00)\n")

    def test_a_model_without_its_service_is_told_how_to_be_named(self):
        for name, hint in (("deepseek-v4-pro", 'at a service: "deepseek:deepseek-v4-pro"'),
                           ("deepseek-chat", 'at a service: "deepseek:deepseek-flash"'),
                           ("vllm", '"vllm" is a service: name a model there, "vllm:MODEL"')):
            with self.subTest(name):
                run = finback("chat", "-m", name, "hi", env=environment())
                self.assertEqual(run.returncode, 1)
                self.assertIn(f"no such model folder: {name}; {hint}\n", run.stderr.decode())

    def test_a_bad_address_is_refused_before_anything_is_sent(self):
        for address in ["ftp://host/v1", "127.0.0.1:80", "http://", "http://user:secret@host/", "http://host/v1?x=1"]:
            with self.subTest(address):
                run = finback("chat", "-m", MODEL, "--set", f"base_url={address}", "--set", "api_key=sk-x", "hi")
                self.assert_fails(run, 1, "base_url")

    def test_a_refused_key_is_never_repeated(self):
        run = self.assert_fails(self.run_at("401-key", "chat", "-m", MODEL, "hi"), 1, "HTTP 401", "check the API key")
        self.assertNotIn(b"sk-from-the-environment", run.stderr)

    def test_ledger_budget_and_report(self):
        ledger = os.path.join(self.temporary_folder(), "costs.sqlite")
        self.assert_ok(self.run_at("answer", "chat", "-m", MODEL, "--ledger", ledger, "hi"))
        run = self.run_at("answer", "chat", "-m", MODEL, "--ledger", ledger, "--budget", "0.000001", "hi")
        self.assert_fails(run, 1, "budget")
        report = json.loads(self.assert_ok(finback("cost", "--ledger", ledger, "--by", "model", "--json")).stdout)
        self.assertEqual([(row["group"], row["attempts"], row["open"]) for row in report["rows"]], [("deepseek-flash", 1, 0)])
        self.assertGreater(report["rows"][0]["cost_pico"], 0)
        table = self.assert_ok(finback("cost", "--ledger", ledger, "--by", "model")).stdout.decode()
        self.assertIn(report["rows"][0]["cost"], table)

    def test_reports_make_no_files(self):
        folder = self.temporary_folder()
        missing = os.path.join(folder, "none.sqlite")
        for arguments in [["cost", "--ledger", missing], ["cost", "--ledger", missing, "--reprice"]]:
            self.assert_fails(finback(*arguments), 1, "no such ledger", missing)
        for arguments in [["models"], ["models", MODEL], ["balance", MODEL], ["inspect", "-m", MODEL]]:
            for name in ["ledger", "record"]:
                self.assert_fails(finback(*arguments, "--set", f"{name}={missing}"), 2, "writes no files")
        self.assertEqual(os.listdir(folder), [])
        empty = os.path.join(folder, "empty")
        with open(empty, "wb"):
            pass
        for name in [empty, folder]:
            self.assert_fails(finback("cost", "--ledger", name), 1, "not a ledger")
        self.assertEqual(os.listdir(folder), ["empty"])
        self.assertEqual(os.path.getsize(empty), 0)

    def test_a_recording_is_answered_from_without_a_service(self):
        folder = os.path.join(self.temporary_folder(), "exchanges")
        live = self.assert_ok(self.run_at("answer", "chat", "-m", MODEL, "--record", folder, "hi"))
        self.assertLessEqual({"request.json", "response.sse", "events.jsonl"}, set(os.listdir(folder)))
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                self.assertNotIn(b"sk-from-the-environment", file.read())
        gone = ["--set", "base_url=http://127.0.0.1:1/s/answer"]
        replayed = self.assert_ok(finback("chat", "-m", MODEL, *gone, "--replay", folder, "hi"))
        self.assertEqual(replayed.stdout, live.stdout)


if __name__ == "__main__":
    unittest.main()
