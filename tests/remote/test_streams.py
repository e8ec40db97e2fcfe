"""500 streams at once in one process: nothing is lost, and nothing comes to another stream."""

import json
import os
import resource
import unittest

from processes import BIN, FINBACK, ProcessTest, StreamServer

STREAMS = 500
CLIENT = os.path.join(BIN, "stream_client")
NEEDED_FILES = 6 * STREAMS + 64  # as stream_client reckons


class StreamsTest(ProcessTest):
    def setUp(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY and hard < NEEDED_FILES:
            self.skipTest(f"{STREAMS} streams need {NEEDED_FILES} open files; the hard limit is {hard}")
        self.server = self.service(StreamServer)

    def pull(self, path, *options, **more):
        command = [CLIENT, "--url", f"{self.server.origin}/{path}", "--streams", STREAMS, *options]
        report = json.loads(self.finish(*command, **more))
        self.assertEqual(report["wrong"], 0)
        return report

    def test_each_gets_its_own_text_as_fast_as_it_comes(self):
        self.assertEqual(self.pull("events-60", "--events", 60)["events"], STREAMS * 60)

    def test_each_gets_its_own_text_in_small_pieces(self):
        self.assertEqual(self.pull("events-20-every-20000", "--events", 20)["events"], STREAMS * 20)

    def test_two_threads_can_pull_them_all_in_turn(self):
        report = self.pull("events-60", "--events", 60, "--threads", 2)
        self.assertEqual((report["events"], report["threads"]), (STREAMS * 60, 2))

    def test_cancelled_ones_leave_nothing_behind_for_those_that_come_after(self):
        # Two rounds: the second goes over the connections that the first left.
        report = self.pull("events-40", "--events", 40, "--rounds", 2, "--cancel-every", 7)
        # However much has come already, a cancelled stream gives nothing after its cancel, the twentieth event.
        cancelled = sum(number % 7 == 6 for number in range(2 * STREAMS))
        self.assertEqual(report["events"], 2 * STREAMS * 40 - cancelled * 20)

    def test_the_ledger_knows_every_one_of_them(self):
        ledger = os.path.join(self.folder(), "ledger.sqlite")
        self.pull("events-12", "--events", 12, "--ledger", ledger)
        (row,) = json.loads(self.finish(FINBACK, "cost", "--ledger", ledger, "--by", "model", "--json"))["rows"]
        names = ("attempts", "open", "failed", "estimated", "unknown", "prompt_tokens", "completion_tokens")
        self.assertEqual([row[name] for name in names], [STREAMS, 0, 0, 0, 0, STREAMS * 10, STREAMS * 12])

    def test_a_low_soft_limit_is_raised(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        limit = (64, hard)
        self.pull("events-4", "--events", 4, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit))


class LimitTest(ProcessTest):
    def test_a_low_hard_limit_is_named_with_what_to_do(self):
        command = [CLIENT, "--url", "http://127.0.0.1:9", "--streams", STREAMS]
        limit = (64, 64)
        self.finish(*command, code=77, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit))
        self.assertIn("ulimit -Hn", self.errors)


if __name__ == "__main__":
    unittest.main()
