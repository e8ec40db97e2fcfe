"""finback bench: what it prints, refuses and leaves behind."""

import glob
import json
import os
import signal
import subprocess
import time
import unittest

from command import FINBACK, KRILL, CommandTest, environment, finback, needs_krill

# The roofs read a part of the memory.
FAST = ["--threads", 1, "--repeats", 1, "--tokens", 2, "--memory", 1200 << 20]
NO_COMPANY = ["--together", "none", "--streams", "none"]
SMALL = ["--shape", "tiny", "--depths", "0,600", "--prefill", "20", "--together", "2", "--streams", "1,2", *FAST]


class Bench(CommandTest):
    def report(self, *arguments):
        return json.loads(self.assert_ok(finback("bench", "--json", *arguments)).stdout)

    def test_json_has_every_part(self):
        report = self.report(*SMALL)
        self.assertEqual([part["depth"] for part in report["decode"]], [0, 600])
        self.assertEqual([part["tokens"] for part in report["prefill"]], [20])
        self.assertEqual([part["tokens"] for part in report["together"]], [2])
        self.assertEqual([part["streams"] for part in report["streams"]], [1, 2])
        self.assertGreater(report["streams"][1]["times_one"]["measured"], 0)
        self.assertEqual(report["threads"], 1)
        for kind in ["decode", "prefill", "together"]:
            for part in report[kind]:
                self.assertIsNone(part["skipped"])
                self.assertGreater(part["tokens_per_second"]["best"], 0)
                self.assertAlmostEqual(sum(part["phases"].values()), 1, places=3)
        self.assertGreater(report["roofs"]["read_bytes_per_second"]["best"], 0)
        self.assertEqual(report["checkpoint"]["kinds"], [0, 4, 128, 4])
        self.assertGreaterEqual(report["memory"]["peak_bytes"], report["memory"]["weight_bytes"])
        self.assertIn(report["memory"]["huge_page_bytes"] or 0, range(report["memory"]["peak_bytes"] + 1))

    def test_table_names_every_part(self):
        run = self.assert_ok(finback("bench", *SMALL))
        self.assertEqual(run.stderr, b"")
        table = run.stdout.decode()
        for words in ["random weights in the shape of tiny", "Roofs of this machine", "Decode, tokens/s", "Prefill, tokens/s",
                      "Several tokens of one sequence", "Several streams", "Where the time goes", "hyper_connections", "Memory, GB: planned"]:
            self.assertIn(words, table)

    def test_parts_can_be_left_out(self):
        report = self.report("--shape", "tiny", "--depths", "none", "--prefill", "none", *NO_COMPANY, *FAST)
        self.assertEqual([report[kind] for kind in ("decode", "prefill", "together", "streams")], [[], [], [], []])

    def test_numbers_may_end_in_K(self):
        report = self.report("--shape", "tiny", "--depths", "1K", "--prefill", "none", *NO_COMPANY, *FAST)
        self.assertEqual(report["decode"][0]["depth"], 1024)

    @needs_krill
    def test_own_model(self):
        report = self.report("--model", KRILL, "--depths", "0", "--prefill", "16", *NO_COMPANY, *FAST)
        self.assertEqual(report["checkpoint"]["weights"], "model")
        self.assertEqual(report["checkpoint"]["layers"], report["checkpoint"]["layers_of_whole"])
        self.assertGreater(report["decode"][0]["tokens_per_second"]["best"], 0)
        bound = report["token"]["weight_bytes"]
        self.assertEqual(report["decode"][0]["weight_bytes"], bound)
        info = json.loads(self.assert_ok(finback("inspect", "--json", KRILL)).stdout)
        self.assertAlmostEqual(info["read_per_token"]["weights"], bound, delta=bound / 100)

    def test_what_cannot_be_held_is_skipped_with_a_word(self):
        self.assertIn(b"1M: ", self.assert_ok(finback(
            "bench", "--shape", "tiny", "--kinds", ",".join(["4"] * 24), "--precision", "float32", "--depths", "0,1M",
            "--prefill", "none", *NO_COMPANY, *FAST)).stdout)  # fmt: skip

    def test_weights_are_kept_in_a_folder(self):
        folder = os.path.join(self.temporary_folder(), "weights")
        first, second = (self.report(*SMALL, "--folder", folder) for _ in range(2))
        self.assertGreater(first["load"]["make_seconds"], 0)
        self.assertIsNone(second["load"]["make_seconds"])
        self.assertEqual(first["checkpoint"]["bytes"], second["checkpoint"]["bytes"])
        self.assert_fails(finback("bench", *SMALL, "--experts", 8, "--folder", folder), 1, "holds something else")

    def test_what_is_asked_wrongly_is_named(self):
        for arguments, words in [(["--shape", "orca"], "unknown shape"), (["--kinds", "0,2"], "kinds[1]"),
                                 (["--experts", 3], "experts: expected 0 or 6 to 256"), (["--depths", "2M"], "depths[0]"),
                                 (["--repeats", 0], "repeats"), (["-m", "deepseek:deepseek-flash"], "in this process"),
                                 (["-m", "/nowhere"], "/nowhere")]:
            with self.subTest(arguments):
                self.assert_fails(finback("bench", *arguments), 1, words)
        self.assert_fails(finback("bench", "--depths", "1,x"), 2, '"x" is no number')

    def test_memory_that_does_not_suffice_is_told_with_the_number(self):
        run = finback("bench", "--experts", 256, "--memory", 3 << 30)
        self.assert_fails(run, 1, "GB in all, and 3.2 GB of memory is available")
        self.assertIn(b"--folder", run.stderr)
        self.assertNotIn(b"--context", run.stderr)

    def test_interrupt_ends_it_and_leaves_nothing(self):
        before = set(glob.glob("/dev/shm/finback-bench-*") + glob.glob("/tmp/finback-bench-*"))
        run = subprocess.Popen([FINBACK, "bench", "--shape", "tiny", "--repeats", "100", "--tokens", "1024", "--threads", "1"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())  # fmt: skip
        time.sleep(1)  # in the middle of something, whatever it is
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 1, err)
        self.assertEqual(out, b"")
        self.assertIn(b"cancelled", err)
        left = set(glob.glob("/dev/shm/finback-bench-*") + glob.glob("/tmp/finback-bench-*")) - before
        deadline = time.monotonic() + 60  # for those of other tests that run beside this one
        while any(map(os.path.exists, left)) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(set(filter(os.path.exists, left)), set())

    def test_counting_needs_no_memory(self):
        report = self.report("--costs", "--shape", "pro")
        self.assertEqual(report["token"]["layers"], 61)
        self.assertNotIn("decode", report)


if __name__ == "__main__":
    unittest.main()
