"""finback logits: exact against the oracle, and the same bytes however it is computed."""

import json
import os
import struct
import unittest

from command import CommandTest, finback, oracle_case

PRESET, SEED, TOKENS = "mixed", 20261, 150


def golden(folder, name):
    """A tensor of the case's goldens, which lie beside the weights."""
    import numpy

    with open(os.path.join(folder, "golden.safetensors"), "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        begin, end = header[name]["data_offsets"]
        file.seek(begin, os.SEEK_CUR)
        kind = {"F32": "<f4", "I64": "<i8"}[header[name]["dtype"]]
        return numpy.frombuffer(file.read(end - begin), kind).reshape(header[name]["shape"])


class Logits(CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.model = oracle_case(PRESET, SEED, TOKENS)
        cls.ids = golden(cls.model, "tokens").tolist()

    def setUp(self):
        self.folder = self.temporary_folder()

    def path(self, name):
        return os.path.join(self.folder, name)

    def tokens(self, ids, name="tokens.txt", separator=" "):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(separator.join(map(str, ids)) + "\n")
        return self.path(name)

    def logits(self, ids, *arguments):
        """The bytes that the command writes for these ids."""
        out = self.path("out.f32")
        threads = [] if "--threads" in arguments else ["--threads", 1]  # tests run side by side
        run = finback("logits", self.model, "--tokens", self.tokens(ids), "--out", out, *threads, *arguments)
        self.assert_ok(run)
        self.assertEqual(run.stdout, b"")
        self.assertEqual(run.stderr, b"")
        with open(out, "rb") as file:
            return file.read()

    def test_float32_agrees_with_the_oracle(self):
        import numpy

        expected = golden(self.model, "logits_float32")
        data = self.logits(self.ids, "--precision", "float32")
        rows = numpy.frombuffer(data, "<f4").reshape(len(self.ids), -1)
        self.assertEqual(rows.shape, expected.shape)
        error = numpy.linalg.norm(rows - expected, axis=1) / numpy.linalg.norm(expected, axis=1)
        self.assertLess(error.max(), 1e-5, f"seed {SEED}")
        self.assertTrue((rows.argmax(1) == expected.argmax(1)).all(), f"seed {SEED}")

    def test_published_is_near_bf16_and_they_differ(self):
        published, half = self.logits(self.ids), self.logits(self.ids, "--precision", "bf16")
        self.assertEqual(len(published), len(half))
        self.assertNotEqual(published, half)

    def test_chunks_and_threads_do_not_change_a_byte(self):
        expected = self.logits(self.ids)
        for arguments in [["--chunk", 1], ["--chunk", 3], ["--chunk", 7], ["--chunk", 64], ["--chunk", 1000],
                          ["--threads", 2], ["--threads", 3, "--chunk", 5]]:  # fmt: skip
            with self.subTest(arguments):
                self.assertEqual(self.logits(self.ids, *arguments), expected)

    def test_a_prefix_gives_the_first_rows(self):
        whole = self.logits(self.ids)
        part = self.logits(self.ids[:37])
        self.assertEqual(part, whole[: len(part)])

    def test_snapshot_and_resume_in_a_new_process(self):
        whole = self.logits(self.ids)
        row = len(whole) // len(self.ids)
        for at in [0, 1, 3, 4, 15, 16, 17, 127, 128, 129, len(self.ids)]:
            with self.subTest(at):
                snapshot = self.path("snapshot")
                rows = self.logits(self.ids, "--snapshot-at", at, "--snapshot", snapshot, "--chunk", 40)
                self.assertEqual(rows, whole)
                rest = self.logits(self.ids[at:], "--resume", snapshot)
                self.assertEqual(rest, whole[at * row :])

    def test_snapshot_without_a_place_is_of_the_end(self):
        whole = self.logits(self.ids)
        row = len(whole) // len(self.ids)
        self.logits(self.ids[:50], "--snapshot", self.path("snapshot"))
        self.assertEqual(self.logits(self.ids[50:], "--resume", self.path("snapshot")), whole[50 * row :])

    def test_damaged_snapshot_is_refused(self):
        self.logits(self.ids[:20], "--snapshot", self.path("snapshot"))
        with open(self.path("snapshot"), "rb") as file:
            good = file.read()
        for name, bad in [("cut", good[:-1]), ("empty", b""), ("longer", good + b"x"), ("foreign", b"hello" + good[5:])]:
            with self.subTest(name):
                with open(self.path("bad"), "wb") as file:
                    file.write(bad)
                run = finback("logits", self.model, "--tokens", self.tokens([1]), "--out", self.path("o"), "--resume", self.path("bad"))
                self.assert_fails(run, 1)

    def test_any_white_space_separates_ids(self):
        expected = self.logits(self.ids[:9])
        with open(self.path("odd"), "w", encoding="ascii") as file:
            file.write("\n\t" + " \r\n".join(map(str, self.ids[:9])))
        self.assert_ok(finback("logits", self.model, "--tokens", self.path("odd"), "--out", self.path("o")))
        with open(self.path("o"), "rb") as file:
            self.assertEqual(file.read(), expected)

    def test_no_ids_give_no_rows(self):
        self.assertEqual(self.logits([]), b"")

    def test_errors(self):
        def run(ids, *arguments):
            return finback("logits", self.model, "--tokens", self.tokens(ids), "--out", self.path("o"), *arguments)

        self.assert_fails(run([1, 10**6]), 1, "1000000")
        self.assert_fails(run(["1", "two"]), 1, "two")
        self.assert_fails(run([1, 2], "--snapshot-at", 3, "--snapshot", self.path("s")), 2, "--snapshot-at")
        self.assert_fails(run([1, 2], "--snapshot-at", 1), 2, "--snapshot")
        self.assert_fails(run([1, 2, 3], "--context", 2), 1)
        self.assert_fails(run([1], "--memory", 1000), 1)


if __name__ == "__main__":
    unittest.main()
