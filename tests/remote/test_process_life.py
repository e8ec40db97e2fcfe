"""The programs of tests/capi at a service: on a thread with a small stack, and in forked children."""

import os
import unittest

from processes import BIN, SOURCE, FaultServer, ProcessTest

KRILL = os.path.join(SOURCE, "examples", "krill")


class ProcessLifeTest(ProcessTest):
    def run_at_service(self, program, scenario, answers):
        server = self.service(FaultServer)
        self.finish(os.path.join(BIN, program), "unused", KRILL, server.url(scenario))
        outcomes = [entry["outcome"] for entry in server.log(scenario)]
        self.assertGreaterEqual(outcomes.count("complete"), answers, outcomes)

    def test_a_small_stack_is_enough(self):
        self.run_at_service("small_stacks", "json", 3)

    def test_children_ask_and_the_parent_goes_on(self):
        self.run_at_service("fork", "answer", 8)  # more without a sanitizer


if __name__ == "__main__":
    unittest.main()
