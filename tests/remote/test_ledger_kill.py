"""A ledger outlives the processes that write it, however they end: what was settled stays exact, and of a process
that was killed only the request that ran is an estimate."""

import json
import os
import signal
import sqlite3
import unittest

from processes import FINBACK, FaultServer, ProcessTest, wait_until

# What fault_server's answers cost: 54 misses, 256 hits, 61 tokens out, at the prices below.
PRICES = {
    "prices": [
        {
            "provider": "deepseek", "model": "deepseek-v4-pro", "valid_from": "2026-01-01",
            "tariff": "flat", "hit": "1", "miss": "10", "output": "100",
        }
    ]
}  # fmt: skip
ANSWER_PICO = 256 * 1_000_000 + 54 * 10_000_000 + 61 * 100_000_000
MAX_TOKENS = 1000
OUTPUT_RESERVE_PICO = MAX_TOKENS * 100_000_000

# Where a process is killed: the scenario, and what of the answer has been shown by then.
PLACES = {"hang": "", "hang-headers": "", "stall": "Two and", "stall-comments": "Two and", "trickle": "tick tick"}


class LedgerKillTest(ProcessTest):
    def setUp(self):
        self.server = self.service(FaultServer)
        self.home = self.folder()
        self.ledger = os.path.join(self.home, "ledger.sqlite")
        self.prices = os.path.join(self.home, "prices.json")
        with open(self.prices, "w", encoding="utf-8") as file:
            json.dump(PRICES, file)

    def command(self, scenario, *more):
        settings = {"base_url": self.server.url(scenario), "prices_file": self.prices, "max_retries": 0}
        settings["environment_proxy"] = 0
        words = [FINBACK, "chat", "--model", "deepseek:deepseek-v4-pro", "--ledger", self.ledger]
        for name, value in settings.items():
            words += ["--set", f"{name}={value}"]
        return [*words, "--max-tokens", MAX_TOKENS, "--show-reasoning", *more, "Weather?"]

    def answer(self, *more, **options):
        return self.finish(*self.command("answer", *more), **options)

    def run_until(self, scenario, *more):
        """A process that is in the middle of `scenario`: the service has its request, and text has come or not."""
        shown = os.path.join(self.home, scenario.replace("~", "-") + ".out")

        def has_shown(text):
            with open(shown, encoding="utf-8") as file:
                return text in file.read()

        with open(shown, "wb") as file:
            process = self.start(*self.command(scenario, *more), stdout=file, stderr=file)
        text = PLACES[scenario.partition("~")[0]]
        if text:
            wait_until(lambda: has_shown(text), f"{scenario}: nothing of the answer was shown")
        else:
            wait_until(lambda: self.server.log(scenario), f"{scenario}: no request came")
        self.assertIsNone(process.poll())
        return process

    def kill(self, process):
        process.send_signal(signal.SIGKILL)
        self.assertEqual(process.wait(), -signal.SIGKILL)

    def cost(self):
        """The report's one row, after whatever has to be recovered."""
        report = json.loads(self.finish(FINBACK, "cost", "--ledger", self.ledger, "--by", "model", "--json"))
        (row,) = report["rows"]
        return row

    def rows(self):
        names = "state, cost_source, cost_pico, charge_pico, reserve_pico, running_pico, failure"
        database = sqlite3.connect(self.ledger)
        database.row_factory = sqlite3.Row
        try:
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchone()[0], "ok")
            rows = [dict(row) for row in database.execute(f"SELECT {names} FROM attempts ORDER BY id")]
            booked = database.execute("SELECT sum(micro), sum(rest_pico) FROM spending").fetchone()
        finally:
            database.close()
        # What budgets look at is the sum of the charges.
        self.assertEqual(booked[0] * 1_000_000 + booked[1], sum(row["charge_pico"] for row in rows))
        return rows

    def check_settled(self, row):
        self.assertEqual((row["state"], row["cost_source"], row["cost_pico"]), ("settled", "table", ANSWER_PICO))
        self.assertEqual(row["charge_pico"], ANSWER_PICO)

    def check_lost(self, row, had_text):
        """Estimated at what was last known: with text the running estimate, else the reserve."""
        known = row["running_pico"] if had_text else row["reserve_pico"]
        self.assertEqual((row["state"], row["cost_source"], row["failure"]), ("estimated", "estimated", "process_gone"))
        self.assertEqual((row["cost_pico"], row["charge_pico"]), (known, known))
        self.assertGreater(row["reserve_pico"], OUTPUT_RESERVE_PICO)
        if had_text:
            self.assertGreater(known, 0)
            self.assertLess(known, row["reserve_pico"] - OUTPUT_RESERVE_PICO // 2)

    def check_report(self, report, settled, estimated_pico):
        names = ("attempts", "open", "failed", "estimated", "unknown", "prompt_tokens", "cached_tokens")
        names += ("completion_tokens", "reasoning_tokens", "cost_pico", "reserved_pico")
        expected = [settled + len(estimated_pico), 0, 0, len(estimated_pico), 0, 310 * settled, 256 * settled]
        expected += [61 * settled, 22 * settled, ANSWER_PICO * settled + sum(estimated_pico), 0]
        self.assertEqual([report[name] for name in names], expected)

    def test_a_killed_process_leaves_one_estimate_wherever_it_was(self):
        for number, (scenario, text) in enumerate(PLACES.items()):
            with self.subTest(scenario):
                self.answer()
                self.kill(self.run_until(scenario))
                report = self.cost()
                rows = self.rows()
                self.assertEqual(len(rows), 2 * number + 2)
                self.check_settled(rows[-2])
                self.check_lost(rows[-1], bool(text))
                self.check_report(report, number + 1, [row["cost_pico"] for row in rows[1::2]])

    def test_of_several_processes_only_the_killed_are_estimated(self):
        self.answer()
        places = [name for name, text in PLACES.items() if text]
        running = [self.run_until(f"{place}~{number}") for number in range(2) for place in places]
        killed, alive = running[: len(places)], running[len(places) :]
        for process in killed:
            self.kill(process)
        report = self.cost()  # the living still hold theirs
        self.assertEqual((report["open"], report["estimated"]), (len(alive), len(killed)))
        self.assertEqual([row["state"] for row in self.rows()].count("running"), len(alive))
        self.answer()
        for process in alive:
            self.kill(process)
        report = self.cost()
        lost = [row for row in self.rows() if row["state"] == "estimated"]
        self.assertEqual(len(lost), len(running))
        for row in lost:
            self.check_lost(row, True)
        self.check_report(report, 2, [row["cost_pico"] for row in lost])

    def test_what_the_dead_had_reserved_is_free_again(self):
        # Room for one such request and a half.
        budget = ["--budget", f"{1.5 * OUTPUT_RESERVE_PICO / 1e12:.6f}"]
        running = self.run_until("stall", *budget)
        refused = self.finish(*self.command("answer", *budget), code=1)
        self.assertEqual(refused, "")
        self.assertIn("budget", self.errors)
        self.kill(running)
        self.answer(*budget)
        lost, settled = self.rows()
        self.check_lost(lost, True)
        self.check_settled(settled)

    def test_a_report_while_another_process_writes_changes_nothing(self):
        running = self.run_until("trickle")
        for _ in range(5):
            report = self.cost()
            self.assertEqual((report["attempts"], report["open"], report["estimated"]), (1, 1, 0))
        self.kill(running)
        self.assertEqual(self.cost()["estimated"], 1)


if __name__ == "__main__":
    unittest.main()
