"""finback inspect and verify."""

import hashlib
import json
import os
import shutil
import struct
import unittest

from command import KRILL, CommandTest, environment, finback, needs_krill


@needs_krill
class Inspect(CommandTest):
    def inspect(self, *arguments):
        return json.loads(self.assert_ok(finback("inspect", "--json", *arguments, KRILL)).stdout)

    def test_json_agrees_with_the_checkpoint(self):
        info = self.inspect()
        with open(os.path.join(KRILL, "config.json"), encoding="ascii") as file:
            config = json.load(file)
        self.assertEqual(info["config"]["hidden"], config["hidden_size"])
        self.assertEqual(info["config"]["vocab"], config["vocab_size"])
        with open(os.path.join(KRILL, "model.safetensors"), "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        header.pop("__metadata__", None)
        self.assertEqual(info["tensors"]["count"], len(header))
        sizes = [tensor["data_offsets"][1] - tensor["data_offsets"][0] for tensor in header.values()]
        self.assertEqual(info["tensors"]["bytes"], sum(sizes))
        kinds = info["tensors"]["by_kind"].values()
        self.assertEqual(sum(kind["bytes"] for kind in kinds), sum(sizes))
        self.assertEqual(sum(kind["count"] for kind in kinds), len(header))

    def test_memory_plan_follows_the_context(self):
        small, large = self.inspect("--context", 1000), self.inspect("--context", 60000)
        self.assertEqual(small["memory"]["context_tokens"], 1000)
        self.assertLess(small["memory"]["sequence_bytes"], large["memory"]["sequence_bytes"])
        self.assertLess(small["read_per_token"]["cache"], large["read_per_token"]["cache"])
        self.assertEqual(small["read_per_token"]["weights"], large["read_per_token"]["weights"])

    def test_table_says_the_same(self):
        info = self.inspect()
        table = self.assert_ok(finback("inspect", KRILL)).stdout.decode()
        self.assertIn(f"{info['tensors']['bytes']:,} (", table)
        self.assertIn(f"{info['memory']['sequence_bytes']:,} (", table)
        for name in ["config", "by_kind", "routed_experts", "memory", "read_per_token", "model.safetensors"]:
            self.assertIn(name, table)

    def test_folder_whose_name_is_not_utf8(self):
        folder = os.path.join(self.temporary_folder(), os.fsdecode(b"model-\xe9"))
        shutil.copytree(KRILL, folder)
        for arguments in [["inspect"], ["inspect", "--json"], ["verify"], ["chat", "--json", "--max-tokens", "2", "hi"],
                          ["complete", "--max-tokens", "2", "hi"], ["tokenize", "hi"]]:
            with self.subTest(arguments):
                run = finback(*arguments, "--model", folder)
                text = self.assert_ok(run).stdout.decode("utf-8")
                self.assertNotIn("exception", run.stderr.decode("utf-8"))
                if "--json" in arguments:
                    json.loads(text)

    def test_first_sentence_says_whether_it_fits(self):
        def first(*arguments):
            return self.assert_ok(finback("inspect", *arguments, KRILL)).stdout.decode().splitlines()[0]

        self.assertRegex(first("--context", 1000), r"^(Fits|Runs, but slowly): 8\.72 MB of weights .* 1,000 tokens, and ")
        self.assertRegex(first("--memory", 1000), r"^Does not fit: .* --memory allows 1 KB: .*lower --context\.$")
        service = finback("inspect", "-m", "deepseek:deepseek-flash", env=environment(DEEPSEEK_API_KEY="x"))
        self.assertTrue(self.assert_ok(service).stdout.startswith(b"Answers come from a service"))

    def test_needs_no_tokenizer(self):
        folder = self.temporary_folder()
        for name in ["config.json", "model.safetensors"]:
            shutil.copy(os.path.join(KRILL, name), folder)
        self.assert_ok(finback("inspect", folder))
        self.assert_fails(finback("tokenize", "--model", folder, "x"), 1, "tokenizer.json")


@needs_krill
class Verify(CommandTest):
    def setUp(self):
        self.folder = self.copy_of_krill()
        self.shard = os.path.join(self.folder, "model.safetensors")
        with open(self.shard, "rb") as file:
            self.bytes = bytearray(file.read())
        self.data = 8 + struct.unpack("<Q", self.bytes[:8])[0]
        self.header = json.loads(self.bytes[8 : self.data])

    def spoil(self, dtype, value):
        """Overwrites the middle byte of the first tensor of a dtype; its name."""
        name, tensor = next((n, t) for n, t in self.header.items() if n != "__metadata__" and t["dtype"] == dtype)
        begin, end = tensor["data_offsets"]
        self.bytes[self.data + (begin + end) // 2] = value
        with open(self.shard, "wb") as file:
            file.write(self.bytes)
        return name

    def test_sound_checkpoint(self):
        run = self.assert_ok(finback("verify", self.folder))
        self.assertRegex(run.stdout.decode(), r"^ok: \d+ tensors, \d+ bytes\n$")
        self.assertEqual(run.stderr, b"")

    def test_nan_in_a_weight_is_named(self):
        name = self.spoil("F8_E4M3", 0x7F)
        self.assert_fails(finback("verify", self.folder), 1, "model.safetensors", name)

    def test_nan_in_a_scale_is_named(self):
        name = self.spoil("F8_E8M0", 0xFF)
        self.assert_fails(finback("verify", self.folder), 1, "model.safetensors", name)

    def test_expert_out_of_range_is_named(self):
        name = self.spoil("I64", 0x7F)
        self.assert_fails(finback("verify", self.folder), 1, "model.safetensors", name)

    def test_truncated_file_is_named(self):
        with open(self.shard, "wb") as file:
            file.write(self.bytes[:-100])
        self.assert_fails(finback("verify", self.folder), 1, "model.safetensors")

    def write_list(self, digest, name="model.safetensors"):
        path = os.path.join(self.folder, "SHA256SUMS")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{digest}  {name}\n")
        return path

    def test_sha256_list(self):
        good = hashlib.sha256(self.bytes).hexdigest()
        run = self.assert_ok(finback("verify", "--sha256", self.write_list(good), self.folder))
        self.assertIn(b"SHA-256", run.stdout)
        bad = ("0" if good[0] != "0" else "1") + good[1:]
        self.assert_fails(finback("verify", "--sha256", self.write_list(bad), self.folder), 1, "model.safetensors")
        self.assert_fails(finback("verify", "--sha256", self.write_list(good, "other"), self.folder), 1)
        self.assert_fails(finback("verify", "--sha256", "/no/such/list", self.folder), 1, "/no/such/list")


if __name__ == "__main__":
    unittest.main()
