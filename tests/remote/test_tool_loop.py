"""examples/tool_loop.c says the same of krill in its own process, of DeepSeek's service and of vLLM's: the same kinds
of events, over a question, a call with thinking before it, its result and the answer."""

import os
import unittest

from processes import BIN, SOURCE, FaultServer, ProcessTest

EXAMPLE = os.path.join(BIN, "example_tool_loop")
KRILL = os.path.join(SOURCE, "examples", "krill")
KINDS = ["reasoning", "call", "arguments", "end", "finish", "reasoning", "content", "finish"]


def kinds(output):
    """What stands before each event; pieces of one text count once."""
    words = [line.split(" ", 1)[0] for line in output.splitlines()]
    return [word for i, word in enumerate(words) if i == 0 or word != words[i - 1]]


def texts(output, kind):
    return [line[10:] for line in output.splitlines() if line.startswith(kind + " ")]


class ToolLoopTest(ProcessTest):
    def check(self, *arguments):
        output = self.finish(EXAMPLE, *arguments)
        self.assertEqual(kinds(output), KINDS, output)
        self.assertEqual(texts(output, "call"), ["get_weather"])
        (arguments,) = texts(output, "end")
        self.assertIn('"city"', arguments)
        self.assertEqual("".join(texts(output, "arguments")), arguments)
        return output

    def test_it_fits_into_forty_lines(self):
        with open(os.path.join(SOURCE, "examples", "tool_loop.c"), encoding="ascii") as file:
            self.assertLessEqual(len(file.readlines()), 40)

    def test_krill_calls_the_tool_and_answers(self):
        self.check(KRILL)

    def test_services_say_the_same_kinds_of_things(self):
        server = self.service(FaultServer)
        for model in ("deepseek:deepseek-v4-pro", "vllm:deepseek-ai/DeepSeek-V4-Flash"):
            with self.subTest(model):
                scenario = f"tool-turn~{model.partition(':')[0]}"
                output = self.check(model, server.url(scenario))
                self.assertIn("It is 4", "".join(texts(output, "content")))
                # The service refuses a second turn without what it said in the first.
                self.assertEqual([entry["outcome"] for entry in server.log(scenario)], ["complete"] * 2)


if __name__ == "__main__":
    unittest.main()
