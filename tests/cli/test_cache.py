"""finback cache, and the conversations that a terminal keeps."""

import json
import os
import shutil
import tempfile
import unittest

from command import KRILL, CommandTest, environment, finback, needs_krill
from test_terminal import PROMPT, Terminal


class Cache(CommandTest):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="finback-home-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.folder = os.path.join(self.home, ".cache", "finback", "conversations")

    def env(self, **more):
        return environment(HOME=self.home, **more)

    def cache(self, *arguments):
        return finback("cache", *arguments, env=self.env())

    def talk(self, *arguments, **more):
        terminal = Terminal("--model", KRILL, "--no-think", "--max-tokens", "4", *arguments, env=self.env(**more))
        self.addCleanup(terminal.close)
        terminal.until(PROMPT)
        terminal.send("What do whales eat?\n")
        terminal.until(PROMPT)
        terminal.send("/quit\n")

    def report(self):
        return json.loads(self.assert_ok(self.cache("--json")).stdout)

    def files(self):
        return [os.path.join(folder, name) for folder, _, names in os.walk(self.folder) for name in names]

    @needs_krill
    def test_a_terminal_keeps_its_conversation(self):
        self.talk()
        [model] = self.report()["models"]
        self.assertGreaterEqual(model["points"], 1)
        self.assertEqual(os.path.realpath(model["model"]), os.path.realpath(KRILL))
        for path in self.files():
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(self.folder).st_mode & 0o777, 0o700)
        shown = self.assert_ok(self.cache()).stdout.decode()
        self.assertIn(model["name"], shown)
        self.assertIn(self.folder, shown)

    @needs_krill
    def test_no_cache_keeps_nothing(self):
        self.talk("--no-cache")
        self.talk("--set", "cache_folder=")
        self.assertFalse(os.path.exists(os.path.join(self.home, ".cache")))

    @needs_krill
    def test_an_option_names_another_folder(self):
        other = os.path.join(self.home, "other")
        self.talk("--set", "cache_folder=" + other)
        self.assertFalse(os.path.exists(os.path.join(self.home, ".cache")))
        report = json.loads(self.assert_ok(self.cache("list", "--folder", other, "--json")).stdout)
        self.assertEqual(len(report["models"]), 1)

    @needs_krill
    def test_verify_removes_what_is_damaged(self):
        self.talk()
        self.assertIn("none was damaged", self.assert_ok(self.cache("verify")).stdout.decode())
        [path] = [path for path in self.files() if os.path.basename(path).startswith("p-")][:1]
        with open(path, "r+b") as file:
            file.seek(1000)
            byte = file.read(1)
            file.seek(1000)
            file.write(bytes([byte[0] ^ 1]))
        self.assertIn("1 were damaged", self.assert_ok(self.cache("verify")).stdout.decode())
        self.assertFalse(os.path.exists(path))

    @needs_krill
    def test_clear_throws_all_away(self):
        self.talk()
        self.assert_fails(self.cache("clear", "--name", "v1-other"), 1, "v1-other")
        name = self.report()["models"][0]["name"]
        self.assertRegex(self.assert_ok(self.cache("clear", "--name", name)).stdout.decode(), r"^removed \d+ files, ")
        self.assertEqual(self.files(), [])

    def test_nothing_is_kept_yet(self):
        self.assertEqual(self.report()["models"], [])
        self.assertIn("removed 0 files", self.assert_ok(self.cache("clear")).stdout.decode())

    def test_what_is_wrong_is_said(self):
        self.assert_fails(self.cache("wipe"), 2, "wipe")
        self.assert_fails(self.cache("--name", "v1-x"), 2, "--name")
        self.assert_fails(finback("cache", env=environment(HOME="/nonexistent")), 2, "--folder")
        self.assert_fails(self.cache("--folder", "/dev/null"), 1, "/dev/null")


if __name__ == "__main__":
    unittest.main()
