"""finback chat with a prompt, and complete: what goes where."""

import json
import os
import signal
import subprocess
import time
import unittest

from command import FINBACK, KRILL, CommandTest, environment, finback, needs_krill

QUESTION = "What do baleen whales eat?"


def one_thread(arguments):
    """Tests run side by side: one thread each, unless the test is about threads."""
    return [] if "--threads" in arguments else ["--threads", 1]


@needs_krill
class Chat(CommandTest):
    def chat(self, *arguments, **options):
        return self.assert_ok(finback("chat", "--model", KRILL, *one_thread(arguments), *arguments, **options))

    def test_answer_alone_on_standard_output(self):
        run = self.chat(QUESTION)
        self.assertIn(b"krill", run.stdout.lower())
        self.assertTrue(run.stdout.endswith(b"\n"))
        self.assertNotIn(b"think", run.stdout)
        self.assertEqual(run.stderr, b"")

    def test_prompt_from_standard_input(self):
        expected = self.chat(QUESTION).stdout
        self.assertEqual(self.chat(stdin=QUESTION + "\n").stdout, expected)
        self.assertEqual(self.chat("-", stdin=QUESTION + "\n").stdout, expected)

    def test_argument_and_standard_input_are_joined(self):
        joined = self.chat("--json", "What is\n\n17 + 25?").stdout
        for text in ["17 + 25?", "17 + 25?\n", "17 + 25?\r\n\n"]:
            with self.subTest(text):
                run = self.chat("--json", "What is", stdin=text)
                self.assertEqual(json.loads(run.stdout)["choices"], json.loads(joined)["choices"])
                self.assertEqual(*(json.loads(text)["usage"]["prompt_tokens"] for text in (run.stdout, joined)))
        self.assertEqual(self.chat("", stdin=QUESTION).stdout, self.chat(QUESTION).stdout)

    def test_standard_input_that_holds_nothing_is_no_part_of_the_question(self):
        expected = self.chat(QUESTION).stdout
        for redirection in ["</dev/null", "<&-", "0>/dev/null"]:
            with self.subTest(redirection):
                run = subprocess.run(
                    ["sh", "-c", f'exec "$@" {redirection}', "sh", FINBACK, "chat", "--model", KRILL, "--threads", "1", QUESTION],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), check=False)  # fmt: skip
                self.assertEqual(self.assert_ok(run).stdout, expected)
        self.assertEqual(self.chat(QUESTION, stdin="\n \n").stdout, expected)

    def test_input_that_is_no_text_is_refused(self):
        for piped, named in [(b"a\0b", "zero byte at offset 1"), (b"\xff\xfeh\0", "zero byte"),
                             (b"ab\xed\xa0\x80", "0xED at offset 2"), (b"\xf5", "0xF5"), (b"\xc3", "0xC3")]:
            with self.subTest(piped):
                self.assert_fails(finback("chat", "--model", KRILL, "Explain", stdin=piped), 1, named)
                self.assert_fails(finback("chat", "--model", KRILL, stdin=piped), 1, named)
                self.assert_fails(finback("complete", "--model", KRILL, "Explain", stdin=piped), 1, named)

    def test_request_file_stands_alone(self):
        path = os.path.join(self.temporary_folder(), "request.json")
        with open(path, "w", encoding="ascii") as file:
            json.dump({"messages": [{"role": "user", "content": QUESTION}]}, file)
        for more in [["--max-tokens", 3], ["--system", "Be brief."], ["--no-think"], ["--nothink"], ["--effort", "low"],
                     ["--json-object"], ["--temperature", 1], ["--stop", "x"], ["--tools", path]]:
            with self.subTest(more):
                run = finback("chat", "--model", KRILL, "--request", path, *more)
                self.assert_fails(run, 2, "no effect with --request")
        self.assert_fails(finback("chat", "--model", KRILL, "--logprobs", 1, QUESTION), 2, "--json")

    def test_files_that_are_no_json_are_told_where(self):
        path = os.path.join(self.temporary_folder(), "tools.json")
        for text, named in [(b"", "is empty"), (b"[1,\n2", "ends too early, in line 2"), (b"[\n1 2]", "line 2"),
                            (b"[\xe9]", "0xE9 at offset 1")]:
            with self.subTest(text):
                with open(path, "wb") as file:
                    file.write(text)
                run = self.assert_fails(finback("chat", "--model", KRILL, "--tools", path, "hi"), 1, path, named)
                self.assertNotIn(b"json.exception", run.stderr)

    def test_model_from_the_environment(self):
        run = self.assert_ok(finback("chat", QUESTION, env=environment(FINBACK_MODEL=KRILL)))
        self.assertEqual(run.stdout, self.chat(QUESTION).stdout)

    def test_no_prompt_is_a_usage_error(self):
        self.assert_fails(finback("chat", "--model", KRILL, stdin=b""), 2, "prompt")
        self.assert_fails(finback("chat", "--model", KRILL, stdin=b" \n\n"), 2, "prompt")

    def test_reasoning_on_standard_error_when_asked(self):
        run = self.chat("--think", "--show-reasoning", "What is 23 + 45?")
        self.assertGreater(len(run.stderr), 5)
        self.assertNotIn(b"\033", run.stderr)
        self.assertEqual(run.stdout, self.chat("--think", "What is 23 + 45?").stdout)

    def test_json_is_the_response_object(self):
        run = self.chat("--json", "--think", QUESTION)
        self.assertEqual(run.stderr, b"")
        response = json.loads(run.stdout)
        self.assertEqual(response["object"], "chat.completion")
        choice = response["choices"][0]
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertEqual(choice["message"]["role"], "assistant")
        self.assertTrue(choice["message"]["reasoning_content"])
        self.assertEqual(choice["message"]["content"] + "\n", self.chat("--think", QUESTION).stdout.decode())
        usage = response["usage"]
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])
        self.assertGreater(usage["completion_tokens_details"]["reasoning_tokens"], 0)

    def test_no_think_has_no_reasoning(self):
        message = json.loads(self.chat("--json", "--no-think", QUESTION).stdout)["choices"][0]["message"]
        self.assertFalse(message.get("reasoning_content"))
        self.assertTrue(message["content"])

    def test_logprobs_only_when_asked(self):
        choice = json.loads(self.chat("--json", "--no-think", "--logprobs", 3, QUESTION).stdout)["choices"][0]
        tokens = choice["logprobs"]["content"]
        self.assertEqual("".join(token["token"] for token in tokens), choice["message"]["content"])
        for token in tokens:
            self.assertEqual(len(token["top_logprobs"]), 3)
            self.assertLessEqual(token["logprob"], 0)
        plain = json.loads(self.chat("--json", "--no-think", QUESTION).stdout)["choices"][0]
        self.assertFalse(plain.get("logprobs"))

    def test_max_tokens_cuts_and_says_so(self):
        run = self.chat("--no-think", "--max-tokens", 3, QUESTION)
        whole = self.chat("--no-think", QUESTION)
        self.assertTrue(whole.stdout.startswith(run.stdout.rstrip(b"\n")))
        self.assertLess(len(run.stdout), len(whole.stdout))
        self.assertIn(b"--max-tokens", run.stderr)

    def test_stop_text_is_not_in_the_answer(self):
        whole = self.chat("--no-think", QUESTION).stdout.decode()
        stop = whole.split()[2]
        run = self.chat("--no-think", "--stop", "zzz", "--stop", stop, QUESTION)
        self.assertEqual(run.stdout.decode().rstrip("\n"), whole[: whole.index(stop)])

    def test_seed_decides_and_threads_do_not(self):
        hot = ["--no-think", "--temperature", 1.5, "--max-tokens", 40]
        one = self.chat(*hot, "--seed", 1, QUESTION).stdout
        self.assertEqual(self.chat(*hot, "--seed", 1, "--threads", 2, QUESTION).stdout, one)
        others = {self.chat(*hot, "--seed", seed, QUESTION).stdout for seed in range(2, 7)}
        self.assertTrue(others - {one})

    def test_system_message_is_part_of_the_prompt(self):
        def prompt_tokens(*more):
            return json.loads(self.chat("--json", *more, QUESTION).stdout)["usage"]["prompt_tokens"]

        self.assertGreater(prompt_tokens("--system", "Answer as a sailor would."), prompt_tokens())

    def test_request_file(self):
        path = os.path.join(self.temporary_folder(), "request.json")
        request = {"messages": [{"role": "user", "content": QUESTION}], "thinking": {"type": "disabled"}}
        with open(path, "w", encoding="ascii") as file:
            json.dump(request, file)
        self.assertEqual(self.chat("--request", path).stdout, self.chat("--no-think", QUESTION).stdout)
        self.assert_fails(finback("chat", "--model", KRILL, "--request", path, QUESTION), 2)

    def test_errors_of_a_request_name_the_path(self):
        for arguments, named in [
            (["--effort", "heroic"], "reasoning_effort"),
            (["--temperature", "7"], "temperature"),
            (["--top-p", "0"], "top_p"),
        ]:
            with self.subTest(arguments):
                self.assert_fails(finback("chat", "--model", KRILL, *arguments, QUESTION), 1, named)

    def test_verbose_tells_the_speed(self):
        for command in ["chat", "complete"]:
            run = self.assert_ok(finback(command, "-v", "--model", KRILL, "--threads", 1, "--max-tokens", 9, QUESTION))
            last = run.stderr.decode().splitlines()[-2 if "--max-tokens" in run.stderr.decode().splitlines()[-1] else -1]
            self.assertRegex(last, r"^finback: prompt: \d+ tokens \(0 cached\) in [\d.]+ s, [\d.]+ tokens/s; "
                                   r"answer: \d+ tokens \(\d+ of reasoning\) in \S+ s")  # fmt: skip

    def test_tools_file(self):
        path = os.path.join(self.temporary_folder(), "tools.json")
        tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
        with open(path, "w", encoding="ascii") as file:
            json.dump([tool], file)
        offered = json.loads(self.chat("--json", "--tools", path, QUESTION).stdout)["usage"]["prompt_tokens"]
        plain = json.loads(self.chat("--json", QUESTION).stdout)["usage"]["prompt_tokens"]
        self.assertGreater(offered, plain + 100)

    def test_prompt_that_is_not_utf8(self):
        self.assert_fails(finback("chat", "--model", KRILL, stdin=b"caf\xe9"), 1, "UTF-8")

    def test_prompts_that_look_like_something_else(self):
        for prompt in ["[a, b]", "{}", "/help", "a,b", "--", '"'] :
            with self.subTest(prompt):
                self.assertTrue(self.chat("--max-tokens", 2, "--no-think", "--json", "--", prompt).stdout)

    def test_context_too_small(self):
        self.assert_fails(finback("chat", "--model", KRILL, "--context", 4, QUESTION), 1, "--context")

    def test_memory_too_small_says_what_is_needed(self):
        run = self.assert_fails(finback("chat", "--model", KRILL, "--memory", 1000, QUESTION), 1, "1000")
        self.assertRegex(run.stderr.decode(), r"[2-9]\d{3,}|\d{5,}")

    def test_interrupt_ends_one_answer(self):
        process = subprocess.Popen(
            [FINBACK, "chat", "--model", KRILL, "--no-think", "--temperature", "2", "--seed", "1", QUESTION],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())  # fmt: skip
        process.stdout.read(1)  # the answer has begun
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        _, errors = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - begun, 30)
        # Stopped, unless the answer had ended by then.
        self.assertIn((process.returncode, errors), [(1, b"finback: stopped\n"), (0, b"")])


@needs_krill
class Complete(CommandTest):
    def complete(self, *arguments, **options):
        return self.assert_ok(finback("complete", "--model", KRILL, "--threads", 1, "--max-tokens", 12, *arguments, **options))

    def test_continuation_alone_on_standard_output(self):
        run = self.complete("The finback whale")
        self.assertTrue(run.stdout.strip())
        self.assertNotIn(b"The finback whale", run.stdout)
        self.assertEqual(run.stderr, b"")

    def test_standard_input_counts_byte_for_byte(self):
        def prompt_tokens(text):
            return json.loads(self.complete("--json", stdin=text).stdout)["usage"]["prompt_tokens"]

        self.assertEqual(prompt_tokens("whale\n"), prompt_tokens("whale") + 1)

    def test_input_follows_the_argument_byte_for_byte(self):
        joined = json.loads(self.complete("--json", "Whales\n eat\n").stdout)
        for prompt, text in [("Whales\n", " eat\n"), ("Whales\n eat\n", ""), ("", "Whales\n eat\n")]:
            with self.subTest(prompt):
                response = json.loads(self.complete("--json", prompt, stdin=text).stdout)
                self.assertEqual(response["choices"], joined["choices"])
                self.assertEqual(response["usage"]["prompt_tokens"], joined["usage"]["prompt_tokens"])

    def test_json(self):
        response = json.loads(self.complete("--json", "The finback whale").stdout)
        self.assertEqual(response["object"], "text_completion")
        self.assertLessEqual(response["usage"]["completion_tokens"], 12)

    def test_special_tokens_and_begin_of_sentence(self):
        def prompt_tokens(*arguments):
            return json.loads(self.complete("--json", *arguments, "<think>").stdout)["usage"]["prompt_tokens"]

        self.assertEqual(prompt_tokens(), 2)
        self.assertEqual(prompt_tokens("--no-bos"), 1)
        self.assertGreater(prompt_tokens("--plain"), 2)


if __name__ == "__main__":
    unittest.main()
