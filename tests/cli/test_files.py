"""Checkpoint folders as people have them: what the command says of files that are something else."""

import json
import os
import shutil
import struct
import unittest

from command import KRILL, CommandTest, finback, needs_krill

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "ab" * 32 + "\nsize 8720048\n"


@needs_krill
class FilesTest(CommandTest):
    def setUp(self):
        self.folder = self.copy_of_krill()

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def edit(self, name, change):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            document = json.load(file)
        change(document)
        self.write(name, json.dumps(document))

    def chat(self):
        return finback("chat", "-m", self.folder, "--no-think", "--max-tokens", "40", "What do baleen whales eat?")

    def test_what_a_file_is_instead_is_said(self):
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            for text, words in ((POINTER, "git lfs pull"), ("<!doctype html><html>no</html>", "a web page"),
                                ('{"error": "Repository not found"}', "a server"), ("", name)):
                with self.subTest(file=name, text=text[:20]):
                    shutil.copy(os.path.join(KRILL, name), self.folder)
                    self.write(name, text)
                    run = self.chat()
                    self.assert_fails(run, 1, name, words)
                    self.assertNotIn(b"truncated", run.stderr)
                    shutil.copy(os.path.join(KRILL, name), self.folder)

    def test_a_truncated_download_is_blamed_where_the_sizes_say_so(self):
        path = os.path.join(self.folder, "model.safetensors")
        os.truncate(path, os.path.getsize(path) // 2)
        self.assert_fails(self.chat(), 1, "truncated download")

    def test_a_wrong_field_is_not_blamed_on_the_download(self):
        self.edit("config.json", lambda config: config.update(hidden_size="wide"))
        run = self.chat()
        self.assert_fails(run, 1, "hidden_size")
        self.assertNotIn(b"download", run.stderr)

    def test_a_missing_tokenizer_says_what_to_do(self):
        os.remove(os.path.join(self.folder, "tokenizer.json"))
        run = self.chat()
        self.assert_fails(run, 1, "tokenizer.json", "download it")
        self.assertNotIn(b"--model", run.stderr)

    def test_a_tokenizer_without_the_prompt_format_is_named(self):
        def rename(tokenizer):
            for token in tokenizer["added_tokens"]:
                token["content"] = token["content"].replace("think>", "muse>")
            tokenizer["model"]["vocab"] = {
                name.replace("think>", "muse>"): id for name, id in tokenizer["model"]["vocab"].items()
            }

        self.edit("tokenizer.json", rename)
        self.assert_fails(self.chat(), 1, "tokenizer.json", "<think>, </think>")
        self.assert_fails(finback("verify", self.folder), 1, "tokenizer.json", "<think>")
        # Told when it opens, for token ids and plain completions need none of it.
        notes = json.loads(self.assert_ok(finback("inspect", "--json", self.folder)).stdout)["notes"]
        self.assertEqual([note for note in notes if "<think>, </think>" in note and "tokenizer.json" in note], notes)
        self.assertEqual(len(notes), 1)
        self.assert_ok(finback("complete", "-m", self.folder, "--max-tokens", "2", "Whales"))

    def test_zeros_that_were_never_written_are_found(self):
        path = os.path.join(self.folder, "model.safetensors")
        size = os.path.getsize(path)
        with open(path, "r+b") as file:
            file.seek(size // 2)
            file.write(bytes(size - size // 2))
        for run in (finback("verify", self.folder), self.chat(), finback("inspect", self.folder)):
            self.assert_fails(run, 1, "model.safetensors", "never written")

    def test_an_end_that_was_cut_off_and_filled_up_is_found(self):
        path = os.path.join(self.folder, "model.safetensors")
        size = os.path.getsize(path)
        for cut in (4096, 1 << 16, 1 << 20):
            with self.subTest(cut=cut):
                shutil.copy(os.path.join(KRILL, "model.safetensors"), self.folder)
                os.truncate(path, size - cut)
                os.truncate(path, size)
                for run in (finback("inspect", self.folder), finback("verify", self.folder), self.chat()):
                    self.assert_fails(run, 1, "model.safetensors", "never written")

    def test_sampling_defaults_of_other_engines_open(self):
        self.edit("generation_config.json", lambda g: g.update(top_k=-1, repetition_penalty=1.1, temperature=None))
        self.assertIn(b"krill", self.assert_ok(self.chat()).stdout)
        self.write("generation_config.json", POINTER)
        self.assert_ok(self.chat())
        notes = json.loads(self.assert_ok(finback("inspect", "--json", self.folder)).stdout)["notes"]
        self.assertIn("git lfs pull", notes[0])

    def test_any_end_marker_of_any_file_ends_an_answer(self):
        eat = int(self.assert_ok(finback("tokenize", "-m", "krill", " eat")).stdout.split()[-1])
        for name, ends in (("config.json", [1, eat]), ("generation_config.json", eat), ("generation_config.json", [eat])):
            with self.subTest(file=name, ends=ends):
                shutil.copy(os.path.join(KRILL, name), self.folder)
                self.edit(name, lambda document, ends=ends: document.update(eos_token_id=ends))
                self.assertEqual(self.assert_ok(self.chat()).stdout.strip(), b"Baleen whales")
                shutil.copy(os.path.join(KRILL, name), self.folder)

    def test_a_copy_without_draft_blocks_answers_the_same(self):
        def strip(path):
            with open(path, "rb") as file:
                data = file.read()
            size = struct.unpack("<Q", data[:8])[0]
            header, body = json.loads(data[8 : 8 + size]), b""
            kept = {}
            for tensor, entry in header.items():
                if tensor == "__metadata__" or tensor.startswith("mtp."):
                    continue
                begin, end = entry["data_offsets"]
                kept[tensor] = {**entry, "data_offsets": [len(body), len(body) + end - begin]}
                body += data[8 + size + begin : 8 + size + end]
            text = json.dumps(kept).encode()
            with open(path, "wb") as file:
                file.write(struct.pack("<Q", len(text)) + text + body)

        whole = self.assert_ok(self.chat()).stdout
        strip(os.path.join(self.folder, "model.safetensors"))
        self.assertEqual(self.assert_ok(self.chat()).stdout, whole)
        info = json.loads(self.assert_ok(finback("inspect", "--json", self.folder)).stdout)
        self.assertIn("the files have none", info["notes"][0])

    def test_what_is_no_folder_of_a_checkpoint(self):
        gguf = os.path.join(self.folder, "x.gguf")
        self.write("x.gguf", "GGUF")
        self.assert_fails(finback("chat", "-m", gguf, "hi"), 1, "GGUF", "folder")
        self.assert_fails(finback("chat", "-m", "deepseek-ai/DeepSeek-V4-Flash", "hi"), 1, "download its files")
        outer = self.temporary_folder()
        shutil.copytree(self.folder, os.path.join(outer, "snapshots", "main"))
        self.assert_fails(finback("chat", "-m", outer, "hi"), 1, os.path.join("snapshots", "main"))
        os.remove(os.path.join(self.folder, "config.json"))
        self.assert_fails(finback("chat", "-m", self.folder, "hi"), 1, "x.gguf", "not read here")


if __name__ == "__main__":
    unittest.main()
