#!/usr/bin/env python3
"""Write the skeleton of a published checkpoint: true headers, sparse files, no data.

    make_skeleton.py FOLDER [--model flash|pro|flash-0731] [--shards N]

Names, shapes and dtypes are those of the published inventory; the data of every tensor is a hole in a
sparse file, so that a full Flash takes about 15 MB of disk. Needs the standard library alone.
"""

import argparse
import json
import os
import struct

BYTES = {"F32": 4, "BF16": 2, "F8_E4M3": 1, "F8_E8M0": 1, "I8": 1, "I64": 8}

COMMON = {
    "architectures": ["DeepseekV4ForCausalLM"], "model_type": "deepseek_v4", "torch_dtype": "bfloat16",
    "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 0, "eos_token_id": 1,
    "hidden_act": "silu", "hc_eps": 1e-06, "hc_mult": 4, "hc_sinkhorn_iters": 20, "head_dim": 512,
    "index_head_dim": 128, "index_n_heads": 64, "initializer_range": 0.02,
    "max_position_embeddings": 1048576, "n_shared_experts": 1, "norm_topk_prob": True,
    "num_experts_per_tok": 6, "num_hash_layers": 3, "num_key_value_heads": 1,
    "num_nextn_predict_layers": 1, "o_lora_rank": 1024, "qk_rope_head_dim": 64, "rms_norm_eps": 1e-06,
    "rope_theta": 10000, "compress_rope_theta": 160000,
    "rope_scaling": {"type": "yarn", "factor": 16, "beta_fast": 32, "beta_slow": 1,
                     "original_max_position_embeddings": 65536},
    "scoring_func": "sqrtsoftplus", "sliding_window": 128, "swiglu_limit": 10.0,
    "tie_word_embeddings": False, "topk_method": "noaux_tc", "transformers_version": "4.57.1",
    "use_cache": True, "vocab_size": 129280,
    "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                            "scale_fmt": "ue8m0", "weight_block_size": [128, 128]},
}
FLASH = {
    "hidden_size": 4096, "index_topk": 512, "moe_intermediate_size": 2048, "n_routed_experts": 256,
    "num_attention_heads": 64, "num_hidden_layers": 43, "o_groups": 8, "q_lora_rank": 1024,
    "routed_scaling_factor": 1.5, "compress_ratios": [0, 0] + [4, 128] * 20 + [4, 0],
}
PRO = {
    "hidden_size": 7168, "index_topk": 1024, "moe_intermediate_size": 3072, "n_routed_experts": 384,
    "num_attention_heads": 128, "num_hidden_layers": 61, "o_groups": 16, "q_lora_rank": 1536,
    "routed_scaling_factor": 2.5, "compress_ratios": [128, 128] + [4, 128] * 29 + [4, 0],
}
DSPARK = {
    "compress_ratios": FLASH["compress_ratios"] + [0, 0], "expert_dtype": "fp4", "dspark_block_size": 5,
    "dspark_markov_rank": 256, "dspark_target_layer_ids": [40, 41, 42], "dspark_noise_token_id": 128799,
}
MODELS = {"flash": FLASH, "pro": PRO, "flash-0731": {**FLASH, **DSPARK}}


class Inventory:
    """name -> (dtype, shape), in the order of the published table."""

    def __init__(self, config):
        self.c, self.tensors = config, {}
        c, d, m = config, config["hidden_size"], config["hc_mult"]
        self.add("embed.weight", "BF16", c["vocab_size"], d)
        for layer in range(c["num_hidden_layers"]):
            self.block(f"layers.{layer}.", c["compress_ratios"][layer], layer < c["num_hash_layers"])
        self.add("norm.weight", "BF16", d)
        self.add("head.weight", "BF16", c["vocab_size"], d)
        self.hyper("hc_head", m, 1)
        if any(key.startswith("dspark_") for key in c):
            self.dspark(d)
            return
        for i in range(c["num_nextn_predict_layers"]):
            p = f"mtp.{i}."
            self.block(p, c["compress_ratios"][c["num_hidden_layers"] + i], False)
            self.fp8(p + "e_proj", d, d)
            self.fp8(p + "h_proj", d, d)
            for name in ("enorm", "hnorm", "norm"):
                self.add(p + name + ".weight", "BF16", d)
            self.hyper(p + "hc_head", m, 1)

    def add(self, name, dtype, *shape):
        self.tensors[name] = (dtype, list(shape))

    def fp8(self, name, o, i):
        self.add(name + ".weight", "F8_E4M3", o, i)
        self.add(name + ".scale", "F8_E8M0", -(-o // 128), -(-i // 128))

    def fp4(self, name, o, i):
        self.add(name + ".weight", "I8", o, i // 2)
        self.add(name + ".scale", "F8_E8M0", o, i // 32)

    def hyper(self, name, rows, scales):
        self.add(name + "_fn", "F32", rows, self.c["hc_mult"] * self.c["hidden_size"])
        self.add(name + "_base", "F32", rows)
        self.add(name + "_scale", "F32", scales)

    def compressor(self, name, ratio, width):
        channels = width * (2 if ratio == 4 else 1)
        self.add(name + ".wkv.weight", "BF16", channels, self.c["hidden_size"])
        self.add(name + ".wgate.weight", "BF16", channels, self.c["hidden_size"])
        self.add(name + ".ape", "F32", ratio, channels)
        self.add(name + ".norm.weight", "BF16", width)

    def block(self, p, ratio, hashed):
        c, d, m = self.c, self.c["hidden_size"], self.c["hc_mult"]
        heads, hd, ql, inter = c["num_attention_heads"], c["head_dim"], c["q_lora_rank"], c["moe_intermediate_size"]
        grouped = c["o_groups"] * c["o_lora_rank"]
        self.add(p + "attn_norm.weight", "BF16", d)
        self.add(p + "ffn_norm.weight", "BF16", d)
        self.hyper(p + "hc_attn", (2 + m) * m, 3)
        self.hyper(p + "hc_ffn", (2 + m) * m, 3)
        self.fp8(p + "attn.wq_a", ql, d)
        self.add(p + "attn.q_norm.weight", "BF16", ql)
        self.fp8(p + "attn.wq_b", heads * hd, ql)
        self.fp8(p + "attn.wkv", hd, d)
        self.add(p + "attn.kv_norm.weight", "BF16", hd)
        self.add(p + "attn.attn_sink", "F32", heads)
        self.fp8(p + "attn.wo_a", grouped, heads * hd // c["o_groups"])
        self.fp8(p + "attn.wo_b", d, grouped)
        if ratio:
            self.compressor(p + "attn.compressor", ratio, hd)
        if ratio == 4:
            self.fp8(p + "attn.indexer.wq_b", c["index_n_heads"] * c["index_head_dim"], ql)
            self.add(p + "attn.indexer.weights_proj.weight", "BF16", c["index_n_heads"], d)
            self.compressor(p + "attn.indexer.compressor", 4, c["index_head_dim"])
        self.add(p + "ffn.gate.weight", "BF16", c["n_routed_experts"], d)
        if hashed:
            self.add(p + "ffn.gate.tid2eid", "I64", c["vocab_size"], c["num_experts_per_tok"])
        else:
            self.add(p + "ffn.gate.bias", "F32", c["n_routed_experts"])
        for e in range(c["n_routed_experts"]):
            for name, o, i in (("w1", inter, d), ("w2", d, inter), ("w3", inter, d)):
                self.fp4(f"{p}ffn.experts.{e}.{name}", o, i)
        for name, o, i in (("w1", inter, d), ("w2", d, inter), ("w3", inter, d)):
            self.fp8(p + "ffn.shared_experts." + name, o, i)

    def dspark(self, d):
        """Stands in for the draft module of a later revision: names that no V4 block has."""
        for i in range(3):
            self.block(f"mtp.{i}.", 0, False)
        self.fp8("mtp.0.main_proj", d, 3 * d)
        self.add("mtp.0.main_norm.weight", "BF16", d)
        self.add("mtp.2.markov_head.markov_w1.weight", "BF16", self.c["vocab_size"], 256)
        self.add("mtp.2.markov_head.markov_w2.weight", "BF16", self.c["vocab_size"], 256)


def size_of(dtype, shape):
    size = BYTES[dtype]
    for n in shape:
        size *= n
    return size


def write(folder, config, shards):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f, indent=1)
    tensors = Inventory(config).tensors
    total = sum(size_of(*t) for t in tensors.values())
    headers = [{} for _ in range(shards)]
    ends, weight_map, before = [0] * shards, {}, 0
    for name, (dtype, shape) in tensors.items():
        size = size_of(dtype, shape)
        shard = min(before * shards // total, shards - 1)
        headers[shard][name] = {"dtype": dtype, "shape": shape, "data_offsets": [ends[shard], ends[shard] + size]}
        ends[shard] += size
        weight_map[name] = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        before += size
    for shard, header in enumerate(headers):
        text = json.dumps({"__metadata__": {"format": "pt"}, **header}, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        path = os.path.join(folder, f"model-{shard + 1:05}-of-{shards:05}.safetensors")
        with open(path, "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text)
            f.truncate(8 + len(text) + ends[shard])
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}, f, indent=2)
    print(len(tensors), total)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("folder")
    args.add_argument("--model", choices=MODELS, default="flash")
    args.add_argument("--shards", type=int)
    a = args.parse_args()
    write(a.folder, {**COMMON, **MODELS[a.model]}, a.shards or (64 if a.model == "pro" else 46))


if __name__ == "__main__":
    main()
