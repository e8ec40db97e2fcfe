"""The conversation on a terminal, through a pseudo-terminal."""

import http.server
import json
import os
import pty
import re
import select
import signal
import struct
import fcntl
import termios
import threading
import time
import unittest

from command import FINBACK, KRILL, CommandTest, environment, needs_krill

PROMPT = "> "
CONTROL_C, CONTROL_D = "\x03", "\x04"


class Terminal:
    """A finback chat on a terminal of its own."""

    def __init__(self, *arguments, env=None, program=None):
        self.shown = ""
        command = program or [FINBACK, "chat", "--threads", "1", *arguments]
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, env or environment())
        self.resize(200)

    def resize(self, columns):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))

    def close(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.terminal)

    def send(self, text):
        os.write(self.terminal, text.encode())

    def read(self, deadline):
        ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError(f"nothing more came; shown so far: {self.shown!r}")
        try:
            piece = os.read(self.terminal, 65536)
        except OSError:  # the other side is closed
            piece = b""
        self.shown += piece.decode(errors="replace")
        return bool(piece)

    def until(self, pattern, timeout=120):
        """Waits for the pattern; what was shown up to its end, which is then forgotten."""
        deadline = time.monotonic() + timeout
        while not (found := re.search(pattern, self.shown)):
            if not self.read(deadline):
                raise AssertionError(f"it ended without {pattern!r}: {self.shown!r}")
        text, self.shown = self.shown[: found.end()], self.shown[found.end() :]
        return text

    def prompt(self):
        """Waits for the prompt at the start of a line."""
        return self.until(r"(?:^|[\r\n]|\x1b\[K)" + re.escape(PROMPT) + "$")

    def ask(self, line):
        """Types a line; what was shown from then to the next prompt, less the echo."""
        self.send(line + "\r")
        self.until(re.escape(line) + r"\s*\r*\n")
        return self.prompt()

    def end(self, timeout=60):
        """Waits for the program to end; its exit code."""
        deadline = time.monotonic() + timeout
        while self.read(deadline):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@needs_krill
class Conversation(CommandTest):
    def start(self, *arguments, **more):
        terminal = Terminal("--model", KRILL, *arguments, env=environment(**more))
        self.addCleanup(terminal.close)
        terminal.greeting = terminal.prompt()
        return terminal

    def saved(self, terminal):
        """The conversation so far, through /save."""
        path = os.path.join(self.temporary_folder(), "saved.json")
        self.assertIn("saved", terminal.ask("/save " + path))
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    def test_greeting_and_leaving(self):
        terminal = self.start()
        self.assertIn("/help", terminal.greeting)
        self.assertIn("krill", terminal.greeting)
        terminal.send("/quit\r")
        self.assertEqual(terminal.end(), 0)

    def test_end_of_input_leaves(self):
        terminal = self.start()
        terminal.send(CONTROL_D)
        self.assertEqual(terminal.end(), 0)

    def test_answers_and_remembers(self):
        terminal = self.start("--no-think")
        self.assertIn("krill", terminal.ask("What do baleen whales eat?").lower())
        terminal.ask("Hello")
        messages = self.saved(terminal)["messages"]
        self.assertEqual([message["role"] for message in messages], ["user", "assistant", "user", "assistant"])
        self.assertEqual(messages[0]["content"], "What do baleen whales eat?")
        self.assertIn("krill", messages[1]["content"].lower())

    def test_reasoning_is_dim(self):
        shown = self.start("--think").ask("What do baleen whales eat?")
        self.assertRegex(shown, r"\x1b\[2m[^\x1b]+\x1b\[0m\s+[^\x1b]*krill")

    def test_no_color_is_respected(self):
        for more in [{"NO_COLOR": "1"}, {"TERM": "dumb"}]:
            with self.subTest(more):
                shown = self.start("--think", **more).ask("What do baleen whales eat?")
                self.assertIn("[thinking]", shown)
                self.assertNotIn("\x1b[2m", shown)

    def test_nothink_and_think_and_max(self):
        terminal = self.start()
        terminal.ask("/nothink")
        self.assertNotIn("\x1b[2m", terminal.ask("What do baleen whales eat?"))
        self.assertEqual(self.saved(terminal)["thinking"], {"type": "disabled"})
        terminal.ask("/think")
        self.assertIn("\x1b[2m", terminal.ask("What do baleen whales eat?"))
        self.assertEqual(self.saved(terminal)["thinking"], {"type": "enabled"})
        terminal.ask("/max")
        self.assertEqual(self.saved(terminal)["reasoning_effort"], "max")

    def test_arguments_are_read_or_refused(self):
        terminal = self.start("--no-think")
        for typed, thinking, effort in [
            ("/think", "enabled", None), ("/think off", "disabled", None), ("/think on", "enabled", None),
            ("/no-think", "disabled", None), ("/think low", "enabled", "low"), ("/nothink", "disabled", None),
            ("/think max", "enabled", "max"), ("/think ofx", "enabled", "max"), ("/no-think no", "enabled", "max"),
            ("/max off", "enabled", "max"),
        ]:  # fmt: skip
            with self.subTest(typed):
                terminal.ask(typed)
                saved = self.saved(terminal)
                self.assertEqual((saved["thinking"]["type"], saved.get("reasoning_effort")), (thinking, effort))
        for typed in ["/reset all", "/quit now", "/help me", "/usage x"]:
            self.assertIn("takes no argument", terminal.ask(typed))
        self.assertIn("did you mean /reset?", terminal.ask("/rest"))

    def test_usage_tells_tokens_and_speed(self):
        terminal = self.start("--no-think")
        self.assertIn("nothing was answered", terminal.ask("/usage"))
        terminal.ask("Hello")
        shown = terminal.ask("/usage")
        self.assertRegex(shown, r"last +prompt: \d+ tokens \(0 cached\).* tokens/s; answer: ")
        self.assertIn("so far", shown)

    def test_saving_writes_over_nothing_unasked(self):
        home = self.temporary_folder()
        path = os.path.join(home, "there.json")
        with open(path, "w", encoding="ascii") as file:
            file.write("precious")
        terminal = self.start("--no-think", HOME=home)
        self.assertIn("/save! ~/there.json", terminal.ask("/save ~/there.json"))
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), "precious")
        self.assertIn("[saved 0", terminal.ask("/save! ~/there.json"))
        self.assertIn("[saved 0", terminal.ask("/save ~/there.json"))
        self.assertIn("is a folder", terminal.ask("/save ~/"))
        self.assertIn("[loaded 0", terminal.ask("/load ~/there.json"))

    def test_what_cannot_be_loaded_changes_nothing(self):
        folder = self.temporary_folder()
        terminal = self.start("--no-think", "--system", "Be brief.")
        for text, named in [(b'{"messages": [1', "ends too early"), (b'[{"role": "robot", "content": "x"}]', "robot"),
                            (b"7", "not a list of messages"), (b"[7]", "messages"), (b"\xff", "0xFF"), (b"", "is empty"),
                            (b'{"messages": [], "temperature": "hot"}', "temperature")]:
            with self.subTest(text):
                path = os.path.join(folder, "bad.json")
                with open(path, "wb") as file:
                    file.write(text)
                shown = terminal.ask("/load " + path)
                self.assertIn(named, shown)
                self.assertNotIn("exception", shown)
                self.assertEqual(self.saved(terminal)["messages"], [{"role": "system", "content": "Be brief."}])

    def test_several_lines_between_quotes(self):
        terminal = self.start("--no-think")
        for typed in ['"""one', "/help", ""]:
            terminal.send(typed + "\r")
            terminal.until(re.escape("| ") + "$")
        terminal.ask('two"""')
        self.assertEqual(self.saved(terminal)["messages"][0]["content"], "one\n/help\n\ntwo")

    def test_what_is_pasted_is_one_text(self):
        terminal = self.start("--no-think")
        terminal.send("see: \x1b[200~one\r/help\r\ttwo \u9be8\x07\r\r\x1b[201~")
        terminal.until("two")
        terminal.send("!\r")
        terminal.prompt()
        self.assertEqual(self.saved(terminal)["messages"][0]["content"], "see: one\n/help\n\ttwo \u9be8\ufffd!")

    def test_pasted_path_with_lines_behind_it_is_no_command(self):
        terminal = self.start("--no-think")
        terminal.send("\x1b[200~/usr/bin/whale: error\rline 2\x1b[201~")
        terminal.until("line 2")
        terminal.send("\r")
        terminal.prompt()
        self.assertEqual(self.saved(terminal)["messages"][0]["content"], "/usr/bin/whale: error\nline 2")

    def test_alt_enter_begins_a_line(self):
        terminal = self.start("--no-think")
        terminal.send("one\x1b\rtwo\r")
        terminal.prompt()
        self.assertEqual(self.saved(terminal)["messages"][0]["content"], "one\ntwo")

    def test_typing_during_an_answer_waits_for_the_prompt(self):
        go_on = threading.Event()

        class Service(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                for content, reason in [("begin ", None), ("rest", "stop")]:
                    choice = {"index": 0, "delta": {"content": content}, "finish_reason": reason}
                    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
                    self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
                    self.wfile.flush()
                    go_on.wait(60)
                self.wfile.write(b"data: [DONE]\n\n")

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(go_on.set)
        terminal = Terminal("--model", "vllm:m", "--set", "environment_proxy=0",
                            "--set", f"base_url=http://127.0.0.1:{server.server_port}/v1")  # fmt: skip
        self.addCleanup(terminal.close)
        terminal.prompt()
        terminal.send("first\r")
        terminal.until("begin ")
        terminal.send("second\rhalf")
        go_on.set()
        self.assertNotIn("second", terminal.until("rest"))
        terminal.until(r"> second\s*\r*\n")
        terminal.until("rest")
        terminal.until("> half")
        terminal.send(" whole\r")
        terminal.until("rest")
        terminal.prompt()
        asked = [message["content"] for message in self.saved(terminal)["messages"] if message["role"] == "user"]
        self.assertEqual(asked, ["first", "second", "half whole"])

    def test_another_width_redraws_the_line(self):
        terminal = self.start("--no-think")
        line = "What do baleen whales eat when the krill of the southern ocean is far away?"
        terminal.send(line)
        terminal.until(re.escape("away?"))
        terminal.resize(40)
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n ]", "", terminal.until(r"away\?"))
        self.assertTrue(shown.endswith(">" + line.replace(" ", "")), shown)
        terminal.resize(200)
        terminal.send("\r")
        terminal.prompt()
        self.assertEqual(self.saved(terminal)["messages"][0]["content"], line)

    def test_stopped_and_continued_by_a_shell(self):
        terminal = Terminal(program=["/bin/sh", "-i"], env=environment(PS1="shell: ", ENV=None))
        self.addCleanup(terminal.close)
        terminal.until("shell: ")
        terminal.send(f"{FINBACK} chat --threads 1 --no-think --model {KRILL}\r")
        terminal.prompt()
        terminal.send("half")
        terminal.until("half")
        terminal.send("\x1a")
        terminal.until("shell: ")
        terminal.send("fg\r")
        terminal.until("> half")
        terminal.send(" whole\r")
        terminal.prompt()
        self.assertEqual(self.saved(terminal)["messages"][0]["content"], "half whole")

    def test_greeting_of_a_service(self):
        terminal = Terminal("--model", "deepseek:deepseek-flash,vllm:x", "--set", "base_url=http://127.0.0.1:1/v1",
                            "--budget", "0.5", "--effort", "max", env=environment(DEEPSEEK_API_KEY="sk-secret"))  # fmt: skip
        self.addCleanup(terminal.close)
        shown = terminal.prompt()
        for text in ["deepseek:deepseek-flash at http://127.0.0.1:1/v1", "vllm:x", "thinking on, effort max",
                     "budget 0.5 dollars (in total)"]:
            self.assertIn(text, shown)
        self.assertNotIn("sk-secret", shown)

    def test_system_and_reset(self):
        terminal = self.start("--no-think", "--system", "Be brief.")
        terminal.ask("Hello")
        terminal.ask("/system Be kind.")
        self.assertEqual(self.saved(terminal)["messages"][0], {"role": "system", "content": "Be kind."})
        terminal.ask("/reset")
        self.assertEqual(self.saved(terminal)["messages"], [{"role": "system", "content": "Be kind."}])

    def test_load_goes_on_with_what_was_saved(self):
        path = os.path.join(self.temporary_folder(), "conversation.json")
        first = self.start("--no-think")
        first.ask("Hello")
        first.ask("/save " + path)
        second = self.start()
        self.assertIn("2 messages", second.ask("/load " + path))
        second.ask("What do baleen whales eat?")
        saved = self.saved(second)
        self.assertEqual(saved["messages"][0]["content"], "Hello")
        self.assertEqual(len(saved["messages"]), 4)
        self.assertEqual(saved["thinking"], {"type": "disabled"})

    def test_mistakes_do_not_end_it(self):
        terminal = self.start("--no-think")
        self.assertIn("unknown command", terminal.ask("/sing"))
        self.assertIn("/no/such/file", terminal.ask("/load /no/such/file"))
        self.assertIn("file name", terminal.ask("/save"))
        self.assertIn("krill", terminal.ask("What do baleen whales eat?").lower())

    def test_help_lists_every_command(self):
        shown = self.start().ask("/help")
        for name in ["think", "no-think", "max", "system", "reset", "usage", "save", "save!", "load", "help", "quit"]:
            self.assertIn("/" + name, shown)

    def test_control_c_gives_up_the_line(self):
        terminal = self.start("--no-think")
        terminal.send("Hello")
        terminal.until("Hello")
        terminal.send(CONTROL_C)
        terminal.prompt()
        terminal.ask("What do baleen whales eat?")
        self.assertEqual(self.saved(terminal)["messages"][0]["content"], "What do baleen whales eat?")

    def test_control_c_stops_the_answer_and_not_the_program(self):
        # Endless text: a hot sampler seldom finds the end, and several seeds are tried.
        stopped = ""
        for seed in range(1, 9):
            terminal = self.start("--no-think", "--temperature", "2", "--min-p", "0", "--seed", str(seed))
            terminal.send("Tell me a story\r")
            terminal.until(r"story\s*\r*\n[^\r\n]{8}")
            terminal.send(CONTROL_C)
            stopped = terminal.prompt()
            # An answer that ended first leaves the key to the next line, at whatever moment it comes.
            if "[stopped]" in stopped:
                self.assertIn("Hello", terminal.ask("/system Hello") + terminal.ask("/system"))
                messages = self.saved(terminal)["messages"]
                self.assertEqual([message["role"] for message in messages], ["system", "user", "assistant"])
                terminal.send("/quit\r")
                self.assertEqual(terminal.end(), 0)
                return
        self.fail(f"every answer had ended before Ctrl-C: {stopped!r}")

    def test_line_continues_after_a_backslash(self):
        terminal = self.start("--no-think")
        terminal.send("one\\\r")
        terminal.until(re.escape("| ") + "$")
        terminal.ask("two")
        self.assertEqual(self.saved(terminal)["messages"][0]["content"], "one\ntwo")

    def test_unicode_can_be_typed(self):
        terminal = self.start("--no-think", LC_ALL=None, LANG=None)
        terminal.send("\u9be8\u00e9\r")
        terminal.prompt()
        self.assertEqual(self.saved(terminal)["messages"][0]["content"], "\u9be8\u00e9")

    def test_history_of_lines_survives(self):
        path = os.path.join(self.temporary_folder(), "history")
        first = self.start("--no-think", FINBACK_HISTORY=path)
        first.ask("/system remembered line")
        first.send("/quit\r")
        first.end()
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        second = self.start("--no-think", FINBACK_HISTORY=path)
        second.send("\x1b[A\x1b[A")
        second.until("remembered line")

    def test_history_that_cannot_be_kept_is_said_at_once(self):
        for path, words in {"/no/such/history": "not there", self.temporary_folder(): "is a folder"}.items():
            terminal = Terminal("--no-think", env=environment(FINBACK_HISTORY=path))
            self.addCleanup(terminal.close)
            terminal.until(f"FINBACK_HISTORY: {path} .*{words}")


if __name__ == "__main__":
    unittest.main()
