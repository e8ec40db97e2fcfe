"""Train krill, Finback's tiny DeepSeek-V4, from nothing and write it as a published checkpoint.

    python3 train_krill.py --out FOLDER [--minutes 34] [--seed 1]

Needs torch, numpy and tokenizers. FOLDER gets config.json, generation_config.json, tokenizer.json,
tokenizer_config.json, model.safetensors and sample_text.txt. The schedule follows the clock: the second half of the
time trains with every quantization of the published precision simulated, and also trains the MTP block.
"""

import argparse
import math
import os
import random
import shutil
import time

import torch
import torch.nn.functional as F

import check_krill
import export
import text
import tools
from network import Network, weight_kind

TOOL_ROWS, TOOL_LENGTH = 4, 768
SHORT_ROWS, SHORT_LENGTH = 6, 512
TOOL_CONVERSATIONS = 3000  # for the tokenizer, beside ten times as many without tools
ADAM_ONLY = ("embed.", "head.", "gate.weight", "weights_proj", "norm.weight")


class Muon:
    """Momentum with orthogonalized updates for the matrices, AdamW for everything else."""

    def __init__(self, params, rate, small_rate, decay):
        self.params, self.rate, self.decay, groups = params, rate, decay, {}
        rest = []
        for name, w in params.items():
            if w.dim() >= 2 and weight_kind(name) != "f32" and not any(s in name for s in ADAM_ONLY):
                groups.setdefault(tuple(w.shape[-2:]), []).append(name)
            else:
                rest.append(name)
        self.groups = [(names, torch.cat([torch.zeros_like(params[n]).view(-1, *shape) for n in names]))
                       for shape, names in groups.items()]
        plain = [params[n] for n in rest if params[n].dim() < 2 or weight_kind(n) == "f32"]
        wide = [params[n] for n in rest if params[n].dim() >= 2 and weight_kind(n) != "f32"]
        self.adam = torch.optim.AdamW([{"params": plain, "weight_decay": 0.0}, {"params": wide, "weight_decay": decay}],
                                      lr=small_rate, betas=(0.9, 0.95), eps=1e-10, fused=True)
        self.small_rate = small_rate

    @staticmethod
    def orthogonal(g):
        """Newton-Schulz iteration towards the nearest orthogonal matrix, batched."""
        x = g.bfloat16()
        turned = x.shape[-2] > x.shape[-1]
        x = x.mT if turned else x
        x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
        for _ in range(5):
            a = x @ x.mT
            x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
        return (x.mT if turned else x).float()

    @torch.no_grad()
    def step(self, factor):
        for names, momentum in self.groups:
            shape = momentum.shape[-2:]
            grad = torch.cat([(self.params[n].grad if self.params[n].grad is not None else torch.zeros_like(self.params[n]))
                              .view(-1, *shape) for n in names])
            momentum.lerp_(grad, 0.05)
            update = self.orthogonal(grad.lerp_(momentum, 0.95)) * (0.2 * max(shape) ** 0.5)
            a = 0
            for n in names:
                w = self.params[n].view(-1, *shape)
                w.mul_(1 - self.rate * factor * self.decay).add_(update[a : a + len(w)], alpha=-self.rate * factor)
                a += len(w)
        for group in self.adam.param_groups:
            group["lr"] = self.small_rate * factor
        self.adam.step()
        for w in self.params.values():
            w.grad = None


def rate_factor(done, gentle):
    """Share of the full learning rate after this share of the time: short warm-up, plateau, cosine to almost nothing."""
    if gentle:
        return 0.4 * min(1.0, done / 0.05 + 0.1) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
    if done < 0.35:
        return min(1.0, done / 0.02 + 0.05)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (done - 0.35) / 0.65)))


def losses(net, ids, weights, extras):
    """Weighted cross entropy of the next token; of the indexers, and with `extras` of the MTP block."""
    x, y, w = ids[:, :-1], ids[:, 1:], weights[:, 1:]
    each = F.cross_entropy(net.forward(x, index_loss=True), y.flatten(), reduction="none")
    said = (w.flatten() >= 0.5).float()
    main = (each * w.flatten()).sum() / w.sum()
    report = (each.detach() * said).sum() / said.sum()
    total = main + 0.1 * sum(net.index_losses)
    if extras:
        draft = F.cross_entropy(net.draft(x), torch.roll(y, -1, 1).flatten(), reduction="none").view_as(w)
        w2 = torch.roll(w, -1, 1)[:, :-1]
        total = total + 0.3 * (draft[:, :-1] * w2).sum() / w2.sum()
    return total, report


def balance(net, tables, step_size):
    """Nudge the selection bias of every expert towards an even load."""
    for name, load in net.loads.items():
        share = load.float() / load.sum()
        tables[name + "gate.bias"] -= step_size * torch.sign(share - share.mean())


def write_sample(folder, tokenizer, seed=990001, tokens=2400):
    """Rendered conversations of a seed that training never sees."""
    rng = random.Random(seed)
    out, count = ["".join(t for t, _ in tools.sample(rng, True, 1))], 0
    while count < tokens:
        s = "".join(t for t, _ in text.sample(rng))
        if len(s) < 900:
            out.append(s)
            count += len(tokenizer.encode(s, add_special_tokens=False).ids)
    with open(os.path.join(folder, "sample_text.txt"), "w", encoding="utf-8") as f:
        f.write("".join(out) + "\n")


def renumber(params, tables, before, after):
    """Carry weights over to another tokenizer: the row of a token new to it is made from its pieces before."""
    pieces = []
    for i in range(after.get_vocab_size()):
        same = before.token_to_id(after.id_to_token(i))
        text_of = after.decode([i], skip_special_tokens=False)
        pieces.append([same] if same is not None else before.encode(text_of, add_special_tokens=False).ids)
    params["embed.weight"] = torch.stack([params["embed.weight"][p].mean(0) for p in pieces])
    first = [p[0] for p in pieces]
    params["head.weight"] = params["head.weight"][first].clone()
    for name in tables:
        if name.endswith("tid2eid"):
            tables[name] = tables[name][first].clone()


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--out", required=True)
    args.add_argument("--minutes", type=float, default=34)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--rows", type=int, default=12)
    args.add_argument("--length", type=int, default=256)
    args.add_argument("--quantize-from", type=float, default=0.5, help="share of the time after which rounding is simulated")
    args.add_argument("--resume", help="go on from this checkpoint, quantized throughout, at less than half the rate")
    args.add_argument("--retokenize", action="store_true", help="with --resume: train the tokenizer anew, at the full rate and schedule")
    args.add_argument("--no-compile", action="store_true", help="do without torch.compile (slower, needs no C++ compiler)")
    args.add_argument("--steps", type=int, default=0, help="stop after so many steps (for trials)")
    a = args.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    torch._dynamo.config.recompile_limit = 100
    os.makedirs(a.out, exist_ok=True)
    gentle, makers = bool(a.resume) and not a.retokenize, [(tools.sample, TOOL_CONVERSATIONS)]
    if a.resume:
        config, params, tables = check_krill.load(a.resume)
    if a.resume and a.retokenize:
        config["vocab_size"], _ = text.train_tokenizer(a.out, a.seed, makers)
        renumber(params, tables, text.load_tokenizer(a.resume), text.load_tokenizer(a.out))
    elif a.resume:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(os.path.join(a.resume, name), os.path.join(a.out, name))
    else:
        vocab, _ = text.train_tokenizer(a.out, a.seed, makers)
        config = {**export.CONFIG, "vocab_size": vocab}
        params, tables = export.first_weights(config, a.seed)
    tokenizer = text.load_tokenizer(a.out)
    write_sample(a.out, tokenizer)
    for w in params.values():
        w.requires_grad_()
    size = export.save(a.out, config, params, tables)
    print(f"{sum(w.numel() for w in params.values())} parameters, {size} bytes", flush=True)
    wrap = (lambda f: f) if a.no_compile else (lambda f: torch.compile(f, dynamic=False))
    net = Network(config, tables, torch.bfloat16, wrap)
    optimizer = Muon(params, 4e-3, 3e-3, 0.05)
    # In turn: conversations without tools, with tools, and with the whole block that tells of tools.
    plain = text.Stream(tokenizer, a.seed, text.sample), a.rows, a.length
    short = text.Stream(tokenizer, a.seed, tools.short_sample), SHORT_ROWS, SHORT_LENGTH
    whole = text.Stream(tokenizer, a.seed, tools.sample), TOOL_ROWS, TOOL_LENGTH
    sources = [plain, short, whole, short, whole] if gentle else [plain, short, plain, whole, short]
    begin, step, tokens, shown, smooth, saved = time.time(), 0, 0, 0.0, {}, 0
    while True:
        done = (time.time() - begin) / (60 * a.minutes)
        if done >= 1 or (a.steps and step >= a.steps):
            break
        quantize = gentle or done >= a.quantize_from
        stream, rows, length = sources[step % len(sources)]
        ids, weights = stream.rows(rows, length)
        tokens += rows * length
        net.begin(params, quantize)
        total, report = losses(net, torch.tensor(ids), torch.tensor(weights), quantize and (step % 3 == 0 or not gentle))
        total.backward()
        torch.nn.utils.clip_grad_norm_(params.values(), 1.0)
        optimizer.step(rate_factor(done, gentle))
        if done < 0.85:
            balance(net, tables, 0.0005 if gentle else 0.002)
        step += 1
        smooth[length] = 0.95 * smooth.get(length, report.item()) + 0.05 * report.item()
        if time.time() - shown > 10:
            shown = time.time()
            print(f"step {step} minute {(shown - begin) / 60:.2f} loss {smooth} total {total.item():.4f} quantize {quantize}", flush=True)
        if int(done * 8) > saved:
            saved = int(done * 8)
            export.save(a.out, config, params, tables)
    export.save(a.out, config, params, tables)
    print(f"{step} steps, {tokens} tokens, {(time.time() - begin) / 60:.1f} minutes, loss {smooth}")


if __name__ == "__main__":
    main()
