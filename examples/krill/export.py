"""Krill's configuration, its first weights, and writing them in the layout of the published checkpoints."""

import json
import math
import os
import struct

import torch

from network import pow2_scale, round_e2m1, weight_kind

CONFIG = {
    "architectures": ["DeepseekV4ForCausalLM"], "model_type": "deepseek_v4", "torch_dtype": "bfloat16",
    "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 0, "eos_token_id": 1, "hidden_act": "silu",
    "expert_dtype": "fp4", "hc_eps": 1e-06, "hc_mult": 4, "hc_sinkhorn_iters": 20, "initializer_range": 0.02,
    "max_position_embeddings": 65536, "n_shared_experts": 1, "norm_topk_prob": True, "num_key_value_heads": 1,
    "num_nextn_predict_layers": 1, "rms_norm_eps": 1e-06, "rope_theta": 10000, "compress_rope_theta": 160000,
    "rope_scaling": {"type": "yarn", "factor": 16, "beta_fast": 32, "beta_slow": 1,
                     "original_max_position_embeddings": 65536},
    "scoring_func": "sqrtsoftplus", "swiglu_limit": 10.0, "tie_word_embeddings": False, "topk_method": "noaux_tc",
    "use_cache": True,
    "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                            "scale_fmt": "ue8m0", "weight_block_size": [128, 128]},
    "hidden_size": 256, "num_hidden_layers": 5, "num_attention_heads": 4, "head_dim": 128, "qk_rope_head_dim": 64,
    "q_lora_rank": 128, "o_groups": 2, "o_lora_rank": 64, "sliding_window": 128, "index_n_heads": 4,
    "index_head_dim": 64, "index_topk": 64, "n_routed_experts": 8, "num_experts_per_tok": 2,
    "moe_intermediate_size": 128, "num_hash_layers": 1, "routed_scaling_factor": 1.5,
    "compress_ratios": [0, 4, 128, 4, 0, 0],
}
GENERATION = {"bos_token_id": 0, "eos_token_id": 1, "do_sample": False, "temperature": 0.0, "top_p": 1.0}


def first_weights(c, seed):
    """Random parameters and the tables that are not learned by gradient (hash routing, selection bias)."""
    g = torch.Generator().manual_seed(seed)
    d, heads, hd, ql = c["hidden_size"], c["num_attention_heads"], c["head_dim"], c["q_lora_rank"]
    og, ol, inter, m = c["o_groups"], c["o_lora_rank"], c["moe_intermediate_size"], c["hc_mult"]
    vocab, experts, ihd, ih = c["vocab_size"], c["n_routed_experts"], c["index_head_dim"], c["index_n_heads"]
    p, tables = {}, {}
    normal = lambda std, *shape: torch.randn(*shape, generator=g) * std

    def matrix(name, o, i, gain=1.0):
        p[name + ".weight"] = normal(gain * i**-0.5, o, i)

    def norm(name, n):
        p[name + ".weight"] = torch.ones(n)

    def compressor(name, ratio, width):
        co = 2 if ratio == 4 else 1
        matrix(name + ".wkv", co * width, d)
        matrix(name + ".wgate", co * width, d, 0.5)
        p[name + ".ape"] = normal(0.1, ratio, co * width)
        norm(name + ".norm", width)

    def hyper(name, with_sinkhorn=True):
        rows = (2 + m) * m if with_sinkhorn else m
        base = torch.full((rows,), -math.log(m - 1.0))
        if with_sinkhorn:
            base[m : 2 * m] = normal(0.5, m)
            base[2 * m :] = (2.5 * torch.eye(m) + normal(0.3, m, m)).flatten()
        p[name + "_fn"], p[name + "_base"] = normal((m * d) ** -0.5, rows, m * d), base
        p[name + "_scale"] = torch.full((3 if with_sinkhorn else 1,), 0.3)

    def block(n, ratio, hashed):
        norm(n + "attn_norm", d)
        norm(n + "ffn_norm", d)
        hyper(n + "hc_attn")
        hyper(n + "hc_ffn")
        matrix(n + "attn.wq_a", ql, d)
        norm(n + "attn.q_norm", ql)
        matrix(n + "attn.wq_b", heads * hd, ql)
        matrix(n + "attn.wkv", hd, d)
        norm(n + "attn.kv_norm", hd)
        p[n + "attn.attn_sink"] = torch.zeros(heads)
        matrix(n + "attn.wo_a", og * ol, heads * hd // og)
        matrix(n + "attn.wo_b", d, og * ol, 0.5)
        if ratio:
            compressor(n + "attn.compressor", ratio, hd)
        if ratio == 4:
            matrix(n + "attn.indexer.wq_b", ih * ihd, ql)
            matrix(n + "attn.indexer.weights_proj", ih, d)
            compressor(n + "attn.indexer.compressor", 4, ihd)
        matrix(n + "ffn.gate", experts, d)
        if hashed:
            k = c["num_experts_per_tok"]
            tables[n + "ffn.gate.tid2eid"] = torch.stack([torch.randperm(experts, generator=g)[:k] for _ in range(vocab)])
        else:
            tables[n + "ffn.gate.bias"] = torch.zeros(experts)
        for part in ("w1", "w3"):
            p[f"{n}ffn.experts.{part}"] = normal(d**-0.5, experts, inter, d)
            matrix(f"{n}ffn.shared_experts.{part}", inter, d)
        p[n + "ffn.experts.w2"] = normal(0.5 * inter**-0.5, experts, d, inter)
        matrix(n + "ffn.shared_experts.w2", d, inter, 0.5)

    p["embed.weight"] = normal(0.5, vocab, d)
    for i in range(c["num_hidden_layers"]):
        block(f"layers.{i}.", c["compress_ratios"][i], i < c["num_hash_layers"])
    norm("norm", d)
    matrix("head", vocab, d, 0.5)
    hyper("hc_head", False)
    block("mtp.0.", 0, False)
    matrix("mtp.0.e_proj", d, d, 0.7)
    matrix("mtp.0.h_proj", d, d, 0.7)
    for name in ("enorm", "hnorm", "norm"):
        norm("mtp.0." + name, d)
    hyper("mtp.0.hc_head", False)
    return p, tables


def fp8_tensors(w):
    """E4M3 codes and one E8M0 byte per 128x128 tile."""
    t = w.unflatten(-1, (-1, 128)).unflatten(-3, (-1, 128))
    s = pow2_scale(t.abs().amax((-3, -1), keepdim=True).clamp_min(1e-30), 1 / 448.0)
    codes = (t / s).flatten(-2).flatten(-3, -2).to(torch.float8_e4m3fn)
    return codes.view(torch.uint8), (s.view(torch.int32) >> 23).to(torch.uint8)[:, 0, :, 0]


def fp4_tensors(w):
    """Packed E2M1 codes, low nibble first, and one E8M0 byte per row and 32 columns."""
    t = w.unflatten(-1, (-1, 32))
    s = pow2_scale(t.abs().amax(-1, keepdim=True).clamp_min(1e-30), 1 / 6.0)
    q = round_e2m1(t / s).flatten(-2)
    grid = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    code = torch.searchsorted(grid, q.abs()) + 8 * (q < 0)
    return (code[:, 0::2] | (code[:, 1::2] << 4)).to(torch.uint8), (s.view(torch.int32) >> 23).to(torch.uint8)[..., 0]


def published(params, tables):
    """name -> (dtype tag, tensor of raw codes) in the published layout."""
    out = {}

    def put(name, w, kind):
        if kind in ("fp8", "fp4"):
            codes, scale = fp8_tensors(w) if kind == "fp8" else fp4_tensors(w)
            out[name] = ("F8_E4M3" if kind == "fp8" else "I8", codes)
            out[name[: -len("weight")] + "scale"] = ("F8_E8M0", scale)
        elif kind == "bf16":
            out[name] = ("BF16", w.bfloat16().view(torch.int16))
        else:
            out[name] = ("F32", w.float())

    for name, w in params.items():
        w = w.detach()
        if ".experts.w" in name:
            stem, part = name.rsplit(".", 1)
            for e in range(len(w)):
                put(f"{stem}.{e}.{part}.weight", w[e], "fp4")
        else:
            put(name, w, weight_kind(name))
    for name, t in tables.items():
        out[name] = ("I64", t) if name.endswith("tid2eid") else ("F32", t)
    return out


def save(folder, config, params, tables):
    """Write config.json, generation_config.json and model.safetensors, in which all but the smallest tensors, which come
    first, begin at a multiple of 64 bytes: rows that lie across cache lines take two reads."""
    os.makedirs(folder, exist_ok=True)
    for name, content in (("config.json", config), ("generation_config.json", GENERATION)):
        with open(os.path.join(folder, name), "w") as f:
            f.write(json.dumps(content, indent=1) + "\n")
    header, parts, offset = {}, [], 0
    tensors = [(name, tag, t, t.contiguous().numpy().tobytes()) for name, (tag, t) in published(params, tables).items()]
    for name, tag, t, raw in sorted(tensors, key=lambda tensor: (len(tensor[3]) % 64 == 0, tensor[0])):
        header[name] = {"dtype": tag, "shape": list(t.shape), "data_offsets": [offset, offset + len(raw)]}
        parts.append(raw)
        offset += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    small = sum(len(raw) for *_, raw in tensors if len(raw) % 64 != 0)
    text += b" " * (-(8 + len(text) + small) % 64)
    path = os.path.join(folder, "model.safetensors")
    with open(path + ".new", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(parts))
    os.replace(path + ".new", path)
    return offset + len(text) + 8
