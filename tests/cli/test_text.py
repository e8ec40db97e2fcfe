"""finback encode, parse and tokenize."""

import json
import os
import unittest

from command import FIXTURES, KRILL, CommandTest, finback, needs_krill

BOS, EOS = "<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<\uff5cend\u2581of\u2581sentence\uff5c>"
USER, ASSISTANT = "<\uff5cUser\uff5c>", "<\uff5cAssistant\uff5c>"
DSML = "\uff5cDSML\uff5c"


def read(name):
    with open(os.path.join(FIXTURES, name), "rb") as file:
        return file.read()


class Encode(CommandTest):
    def encode(self, value, *arguments):
        text = value if isinstance(value, (str, bytes)) else json.dumps(value)
        return self.assert_ok(finback("encode", *arguments, stdin=text)).stdout.decode()

    def test_published_fixtures(self):
        for number, mode in [(1, "--think"), (2, "--think"), (3, "--think"), (4, "--no-think")]:
            with self.subTest(number):
                path = os.path.join(FIXTURES, f"test_input_{number}.json")
                expected = read(f"test_output_{number}.txt")
                self.assertEqual(self.assert_ok(finback("encode", mode, path)).stdout, expected)
                self.assertEqual(self.assert_ok(finback("encode", mode, stdin=read(f"test_input_{number}.json"))).stdout, expected)

    def test_thinking_is_the_default(self):
        self.assertEqual(self.encode([{"role": "user", "content": "hi"}]), f"{BOS}{USER}hi{ASSISTANT}<think>")

    def test_chat_mode_and_no_bos(self):
        messages = [{"role": "user", "content": "hi"}]
        self.assertEqual(self.encode(messages, "--no-think", "--no-bos"), f"{USER}hi{ASSISTANT}</think>")

    def test_flags_override_what_the_object_says(self):
        value = {"thinking_mode": "thinking", "messages": [{"role": "user", "content": "hi"}]}
        self.assertEqual(self.encode(value, "--no-think"), f"{BOS}{USER}hi{ASSISTANT}</think>")

    def test_keep_thinking(self):
        messages = [
            {"role": "user", "content": "a"},
            {"role": "assistant", "reasoning_content": "r1", "content": "b"},
            {"role": "user", "content": "c"},
        ]
        self.assertIn("r1", self.encode(messages, "--keep-thinking"))
        self.assertNotIn("r1", self.encode(messages))

    def test_numbers_of_any_size_pass_as_spelled(self):
        number = "123456789012345678901234567890"
        call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"n": ' + number + "}"}}
        messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "", "tool_calls": [call]}]
        self.assertIn(f'string="false">{number}</', self.encode(messages))
        schema = '{"messages":[{"role":"system","content":"s","tools":[{"type":"function","function":{"name":"f","x":%s}}]}]}'
        self.assertIn('"x": ' + number, self.encode(schema % number, "--think"))

    def test_errors_name_the_path(self):
        bad = json.dumps([{"role": "robot", "content": "x"}])
        self.assert_fails(finback("encode", stdin=bad), 1, "[0].role", "robot")

    def test_empty_and_malformed_input(self):
        for text in ["", "  \n", "[", "{", "{]", "nonsense", "[1]", "7"]:
            with self.subTest(text):
                self.assert_fails(finback("encode", "--no-think", stdin=text), 1)

    def test_absent_end_of_object_is_not_completed(self):
        self.assert_fails(finback("encode", "--think", stdin='{"messages": []'), 1)


class Parse(CommandTest):
    def parse(self, text, *arguments):
        return json.loads(self.assert_ok(finback("parse", *arguments, stdin=text)).stdout)

    def test_reasoning_and_content(self):
        message = self.parse(f"because</think>so{EOS}", "--strict")
        self.assertEqual(message["role"], "assistant")
        self.assertEqual(message["reasoning_content"], "because")
        self.assertEqual(message["content"], "so")

    def test_chat_mode(self):
        message = self.parse(f"so{EOS}", "--no-think", "--strict")
        self.assertEqual(message["content"], "so")

    def test_fixture_turn_parses_back(self):
        turn = json.loads(read("test_input_2.json"))[-1]
        prompt = read("test_output_2.txt").decode()
        completion = prompt[prompt.rindex("<think>") + len("<think>") :]
        message = self.parse(completion, "--strict")
        self.assertEqual(message["content"], turn["content"])
        self.assertEqual(message["reasoning_content"], turn["reasoning_content"])

    def test_tool_call(self):
        text = (
            f'w</think>\n\n<{DSML}tool_calls>\n<{DSML}invoke name="f">\n'
            f'<{DSML}parameter name="a" string="true">x "y"</{DSML}parameter>\n'
            f'<{DSML}parameter name="b" string="false">1</{DSML}parameter>\n'
            f"</{DSML}invoke>\n</{DSML}tool_calls>{EOS}"
        )
        message = self.parse(text, "--strict")
        function = message["tool_calls"][0]["function"]
        self.assertEqual(function["name"], "f")
        self.assertEqual(json.loads(function["arguments"]), {"a": 'x "y"', "b": 1})

    def test_strict_refuses_what_tolerant_takes(self):
        self.assert_fails(finback("parse", "--strict", stdin="cut off</think>so"), 1)
        self.assertEqual(self.parse("cut off</think>so")["content"], "so")


class CheckService(CommandTest):
    def check(self, request, *arguments):
        text = request if isinstance(request, str) else json.dumps(request)
        return finback("encode", "--check-service", *arguments, stdin=text)

    def test_a_request_that_the_service_takes(self):
        request = {"messages": [{"role": "user", "content": "hi"}], "temperature": 1}
        self.assertEqual(self.assert_ok(self.check(request)).stdout, b"The service would take this request.\n")
        self.assertEqual(self.assert_ok(self.check(request, "--json")).stdout, b"[]\n")
        self.assert_ok(self.check(request["messages"]))  # a list of messages is a request too

    def test_all_that_it_refuses_with_what_to_do(self):
        request = {"temperature": 3, "messages": [
            {"role": "developer", "content": "d"},
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}]}
        run = self.check(request)
        self.assertEqual(run.returncode, 1)
        lines = run.stdout.decode().splitlines()
        paths = ["messages[0].role", "messages[1].tool_calls", "messages[1].reasoning_content", "temperature"]
        self.assertEqual([line.split(": ")[0] for line in lines[::2]], paths)
        self.assertTrue(all(line.startswith("  ") for line in lines[1::2]), lines)
        run = self.check(request, "--json")
        self.assertEqual(run.returncode, 1)
        problems = json.loads(run.stdout)
        self.assertEqual([problem["path"] for problem in problems], paths)
        self.assertEqual(set(problems[0]), {"path", "message", "fix"})

    def test_what_is_no_request(self):
        for text in ["5", "{", "[] x", ""]:
            with self.subTest(text):
                self.assert_fails(self.check(text), 1)
        self.assertIn(b"messages: there are none", self.check("{}").stdout)

    def test_numbers_of_any_size_reach_it(self):
        for seed, code in [("9223372036854775807", 0), ("9223372036854775808", 1), ("1e400", 1)]:
            with self.subTest(seed):
                run = self.check('{"messages": [{"role": "user", "content": "hi"}], "seed": %s}' % seed)
                self.assertEqual(run.returncode, code, run.stderr)

    def test_options_that_mean_nothing_beside_it(self):
        for option in (["--request"], ["--ids"], ["--no-think"], ["--no-bos"], ["--model", "krill"], ["--set", "threads=1"]):
            with self.subTest(option):
                self.assert_fails(self.check("{}", *option), 2, option[0])
        self.assert_fails(finback("encode", "--json", stdin="[]"), 2, "--check-service")


@needs_krill
class Tokenize(CommandTest):
    def tokenize(self, *arguments, stdin=b""):
        return self.assert_ok(finback("tokenize", "--model", KRILL, *arguments, stdin=stdin)).stdout

    def test_round_trip(self):
        for text in ["Whales sing.\n", "  two  spaces\t", "\u9be8 \U0001f40b na\u00efve 12345", ""]:
            with self.subTest(text):
                ids = self.tokenize(stdin=text)
                self.assertRegex(ids.decode(), r"^(\d+( \d+)*)?\n$")
                self.assertEqual(self.tokenize("--ids", stdin=ids).decode(), text)

    def test_argument_and_standard_input_agree(self):
        self.assertEqual(self.tokenize("krill"), self.tokenize(stdin="krill"))

    def test_special_tokens_only_when_asked(self):
        self.assertEqual(self.tokenize("--count", "--special", "<think>"), b"1\n")
        self.assertGreater(int(self.tokenize("--count", "<think>")), 1)

    def test_count(self):
        self.assertEqual(int(self.tokenize("--count", "Whales sing.")), len(self.tokenize("Whales sing.").split()))

    def test_what_is_no_id(self):
        for text in ["1 x 2", "-1", "1.5", "99999999999999999999"]:
            with self.subTest(text):
                run = finback("tokenize", "--model", KRILL, "--ids", stdin=text)
                self.assert_fails(run, 1, text.split()[-1] if text != "1 x 2" else "x")

    def test_id_beyond_the_vocabulary(self):
        self.assert_fails(finback("tokenize", "--model", KRILL, "--ids", "99999999"), 1, "99999999")

    def test_invalid_utf8_names_the_offset(self):
        self.assert_fails(finback("tokenize", "--model", KRILL, stdin=b"abc\xffdef"), 1, "3")

    def test_encode_request_as_ids(self):
        request = json.dumps({"messages": [{"role": "user", "content": "hi"}], "thinking": {"type": "disabled"}})
        ids = self.assert_ok(finback("encode", "--ids", "--model", KRILL, stdin=request)).stdout
        text = self.assert_ok(finback("encode", "--request", "--model", KRILL, stdin=request)).stdout
        self.assertEqual(text.decode(), f"{BOS}{USER}hi{ASSISTANT}</think>")
        self.assertEqual(self.tokenize("--ids", stdin=ids), text)


if __name__ == "__main__":
    unittest.main()
