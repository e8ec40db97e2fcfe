"""The DeepSeek-V4 network in PyTorch, in the parallel form that training needs (all tokens of a row at once).

Parameters live in one flat dict under the names of the published checkpoints; the routed experts of a layer are
stacked into one tensor (`...experts.w1` [experts, inter, hidden]) and split on export. With `quantize` on, every
rounding of the published precision but the bfloat16 ones of the small vectors is simulated, and gradients pass
straight through.
"""

import math

import torch
import torch.nn.functional as F

FP8_KINDS = ("wq_a", "wq_b", "wkv", "wo_a", "wo_b", "e_proj", "h_proj", "shared_experts.w1", "shared_experts.w2",
             "shared_experts.w3")


def weight_kind(name):
    """How the published layout stores this parameter: fp4, fp8, bf16 or f32."""
    if ".experts.w" in name:
        return "fp4"
    if name.endswith(".weight"):
        stem = name[: -len(".weight")]
        if ".compressor." not in name and stem.endswith(FP8_KINDS):
            return "fp8"
        return "bf16"
    return "f32"


# ---------------------------------------------------------------- number formats, straight-through

def pow2_scale(amax, inverse_max):
    """2**k with the smallest k such that amax * inverse_max <= 2**k, read off the float32 bits."""
    bits = (amax * inverse_max).view(torch.int32)
    exponent = (bits >> 23) + ((bits & 0x7FFFFF) != 0).to(torch.int32)
    return (exponent << 23).view(torch.float32)


def round_e4m3(x):
    """Nearest E4M3 value of |x| <= 448: four significant bits, or multiples of 2**-9 below 2**-6."""
    c = x * 1048577.0
    normal = c - (c - x)
    small = (x + 24576.0) - 24576.0
    return torch.where(x.abs() < 2.0**-6, small, normal)


def round_e2m1(x):
    """Nearest E2M1 value of |x| <= 6."""
    a = x.abs()
    coarse = torch.where(a < 4, torch.round(x), 2 * torch.round(x * 0.5))
    return torch.where(a < 2, 0.5 * torch.round(2 * x), coarse)


def quantize_blocks(x, block, inverse_max, floor, rounding):
    """Quantize and dequantize with one scale per `block` channels; the gradient passes unchanged."""
    b = x.float().unflatten(-1, (-1, block))
    s = pow2_scale(b.detach().abs().amax(-1, keepdim=True).clamp_min(floor), inverse_max)
    q = rounding(b / s) * s
    return (b + (q - b).detach()).flatten(-2).to(x.dtype)


def act_fp8(x, block=128):
    return quantize_blocks(x, block, 1 / 448.0, 1e-4, round_e4m3)


def act_fp4(x):
    return quantize_blocks(x, 32, 1 / 6.0, 1e-30, round_e2m1)


@torch.no_grad()
def weight_fp8(w):
    """Round a matrix to E4M3 with one scale per 128x128 tile."""
    t = w.unflatten(-1, (-1, 128)).unflatten(-3, (-1, 128))
    s = pow2_scale(t.abs().amax((-3, -1), keepdim=True).clamp_min(1e-30), 1 / 448.0)
    return (round_e4m3(t / s) * s).flatten(-2).flatten(-3, -2)


@torch.no_grad()
def weight_fp4(w):
    """Round a matrix to E2M1 with one scale per row and 32 columns."""
    t = w.unflatten(-1, (-1, 32))
    s = pow2_scale(t.abs().amax(-1, keepdim=True).clamp_min(1e-30), 1 / 6.0)
    return (round_e2m1(t / s) * s).flatten(-2)


class Rounded(torch.autograd.Function):
    """The weight as the checkpoint will hold it, in the compute type; identity for the gradient."""

    @staticmethod
    def forward(ctx, w, kind, dtype):
        if kind:
            w = weight_fp8(w) if kind == "fp8" else weight_fp4(w) if kind == "fp4" else w.bfloat16()
        return w.to(dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad.float(), None, None


# ---------------------------------------------------------------- small pieces

def rms_norm(x, weight, eps=1e-6):
    v = x.float()
    return (weight * (v * torch.rsqrt(v.square().mean(-1, keepdim=True) + eps))).to(x.dtype)


def rotate(x, cos, sin):
    """Rotary embedding of the last channels; cos and sin broadcast against x[..., -64::2]."""
    r = 2 * cos.shape[-1]
    plain, turned = x[..., :-r], x[..., -r:].float().unflatten(-1, (-1, 2))
    a, b = turned[..., 0], turned[..., 1]
    turned = torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)
    return torch.cat([plain, turned.to(x.dtype)], -1)


def rotary_frequencies(c, compressed):
    r = c["qk_rope_head_dim"]
    base = c["compress_rope_theta"] if compressed else c["rope_theta"]
    f = 1.0 / base ** (torch.arange(0, r, 2, dtype=torch.float32) / r)
    y = c["rope_scaling"]
    if compressed:
        turn = lambda n: r * math.log(y["original_max_position_embeddings"] / (n * 2 * math.pi)) / (2 * math.log(base))
        low, high = max(math.floor(turn(y["beta_fast"])), 0), min(math.ceil(turn(y["beta_slow"])), r - 1)
        ramp = ((torch.arange(r // 2) - low) / ((high - low) or 0.001)).clamp(0, 1)
        f = f / y["factor"] * ramp + f * (1 - ramp)
    return f


def hadamard(n):
    h = torch.ones(1, 1)
    while len(h) < n:
        h = torch.cat([torch.cat([h, h], 1), torch.cat([h, -h], 1)])
    return h * n**-0.5


class Sinkhorn(torch.autograd.Function):
    """Spec 3.3 step 5 on logits [m, m, tokens]: dim 0 is the source stream, dim 1 the destination."""

    @staticmethod
    def forward(ctx, b, iterations, eps):
        soft = torch.softmax(b, 1)
        outs, sums, x = [], [], soft + eps
        for i in range(2 * iterations - 1):
            s = x.sum(i % 2, keepdim=True).add_(eps)
            x = x / s
            outs.append(x)
            sums.append(s)
        ctx.save_for_backward(soft, *outs, *sums)
        return x

    @staticmethod
    def backward(ctx, g):
        soft, *rest = ctx.saved_tensors
        outs, sums = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        for i in reversed(range(len(outs))):
            g = (g - (g * outs[i]).sum(i % 2, keepdim=True)) / sums[i]
        return soft * (g - (g * soft).sum(1, keepdim=True)), None, None


class Grouped(torch.autograd.Function):
    """Rows sorted by expert times each expert's own matrix: x [rows, i], w [experts, o, i] -> [rows, o]."""

    @staticmethod
    def forward(ctx, x, w, ends):
        ctx.save_for_backward(x, w)
        ctx.ends = ends
        out, a = x.new_empty(len(x), w.shape[1]), 0
        for e, b in enumerate(ends):
            if b > a:
                torch.mm(x[a:b], w[e].t(), out=out[a:b])
            a = b
        return out

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        gx, gw, a = torch.empty_like(x), torch.zeros_like(w), 0
        for e, b in enumerate(ctx.ends):
            if b > a:
                torch.mm(g[a:b], w[e], out=gx[a:b])
                torch.mm(g[a:b].t(), x[a:b], out=gw[e])
            a = b
        return gx, gw, None


def hyper_pre(streams, fn, eps=1e-6):
    """u [rows of fn, tokens] of spec 3.3 from streams [tokens, m, d]."""
    z = streams.flatten(1).float()
    return (z @ fn.t() * torch.rsqrt(z.square().mean(-1, keepdim=True) + eps)).t()


def hyper_sum(pre, streams):
    """Weighted sum of the streams: pre [m, tokens]."""
    return sum(pre[j, :, None] * streams[:, j] for j in range(streams.shape[1])).to(streams.dtype)


def hyper_merge(y, streams, post, comb):
    """New streams: post [m, tokens], comb [m, m, tokens], source first."""
    m = streams.shape[1]
    rows = [post[k, :, None] * y + sum(comb[j, k, :, None] * streams[:, j] for j in range(m)) for k in range(m)]
    return torch.stack(rows, 1).to(streams.dtype)


def swiglu(both, weight, limit, quantize):
    """silu(gate) * up with the published clamps; both holds gate and up side by side."""
    gate, up = both.float().chunk(2, -1)
    h = F.silu(gate.clamp(max=limit)) * up.clamp(-limit, limit)
    h = (h if weight is None else h * weight[:, None]).to(both.dtype)
    return act_fp8(h) if quantize else h


def norm_quantize(x, weight, quantize):
    """RMS norm, plain and as the input of a quantized linear."""
    y = rms_norm(x, weight)
    return y, act_fp8(y) if quantize else y


def attend(q, keys, sink, bias):
    """q [b, heads, t, c], keys = values [b, n, c], bias [b or 1, t, n] -> output and probabilities, float32."""
    b, heads, t, c = q.shape
    score = (q.reshape(b, heads * t, c) @ keys.transpose(1, 2)).view(b, heads, t, -1).float() * c**-0.5 + bias[:, None]
    sink = sink[None, :, None, None]
    top = torch.maximum(score.detach().amax(-1, keepdim=True), sink.detach())
    e = torch.exp(score - top)
    p = e / (e.sum(-1, keepdim=True) + torch.exp(sink - top))
    out = (p.to(q.dtype).reshape(b, heads * t, -1) @ keys).view(b, heads, t, c)
    return out, p


def finish_q(q, cos, sin):
    q = q.float()
    return rotate((q * torch.rsqrt(q.square().mean(-1, keepdim=True) + 1e-6)).to(q.dtype), cos, sin)


def finish_kv(kv, weight, cos, sin, quantize):
    kv = rotate(rms_norm(kv, weight), cos, sin)
    if quantize:
        n = kv.shape[-1] - 2 * cos.shape[-1]
        kv = torch.cat([act_fp8(kv[..., :n], 64), kv[..., n:]], -1)
    return kv


def pool(kv, gate):
    """Softmax over the tokens of a window (dim -2), per channel."""
    return (kv * torch.softmax(gate, -2)).sum(-2)


class Network:
    """Forward pass over rows of token ids [batch, tokens], every row starting at position 0."""

    def __init__(self, config, tables, dtype=torch.float32, wrap=lambda f: f):
        self.c, self.tables, self.dtype = config, tables, dtype
        self.quantize, self.cache, self.kept = False, {}, {}
        self.frequencies = [rotary_frequencies(config, k) for k in (False, True)]
        self.hadamard = hadamard(config["index_head_dim"])
        for f in (hyper_pre, hyper_sum, hyper_merge, swiglu, norm_quantize, attend, finish_q, finish_kv, pool):
            setattr(self, f.__name__, wrap(f))

    def begin(self, params, quantize):
        """Take this step's parameters and round them as the checkpoint would."""
        self.p, self.quantize, self.cache = params, quantize, {}

    def w(self, name):
        """The matrix as used in products: in the compute type, rounded to its stored format when quantizing."""
        if name not in self.cache:
            kind = weight_kind(name)
            self.cache[name] = Rounded.apply(self.p[name], kind if self.quantize else None, self.dtype)
        return self.cache[name]

    def wide(self, name):
        """A float32 parameter, or a bfloat16 one widened."""
        w = self.p[name]
        return Rounded.apply(w, "bf16", torch.float32) if self.quantize and weight_kind(name) == "bf16" else w

    def angles(self, compressed, count, stride=1):
        key = (compressed, count, stride)
        if key not in self.kept:
            angle = torch.arange(0, count * stride, stride)[:, None].float() * self.frequencies[compressed][None]
            self.kept[key] = angle.double().cos().float(), angle.double().sin().float()
        return self.kept[key]

    def compress(self, x, name, ratio, rotated):
        """Entries [b, tokens // ratio, width] of a compressor."""
        b, t, d = x.shape
        n = t // ratio
        x = x[:, : n * ratio]
        kv = (x @ self.w(name + ".wkv.weight").t()).float().view(b, n, ratio, -1)
        gate = (x @ self.w(name + ".wgate.weight").t()).float().view(b, n, ratio, -1) + self.p[name + ".ape"]
        if ratio == 4:
            half = kv.shape[-1] // 2
            before = F.pad(kv[:, :-1, :, :half], (0, 0, 0, 0, 1, 0))
            before_gate = F.pad(gate[:, :-1, :, :half], (0, 0, 0, 0, 1, 0), value=-1e9)
            kv, gate = torch.cat([before, kv[..., half:]], 2), torch.cat([before_gate, gate[..., half:]], 2)
        e = self.pool(kv, gate).to(self.dtype)
        cos, sin = self.angles(True, n, ratio)
        e = self.finish_kv(e, self.wide(name + ".norm.weight"), cos, sin, self.quantize and not rotated)
        if rotated and self.quantize:
            e = act_fp4(e @ self.hadamard.to(e.dtype))
        return e

    def index(self, x, qr, name, count):
        """Index scores [b, t, entries]; only the indexer's own weights learn from them."""
        c = self.c
        x, qr = x.detach(), qr.detach()
        heads, width = c["index_n_heads"], c["index_head_dim"]
        b, t, _ = x.shape
        keys = self.compress(x, name + ".compressor", 4, True)
        q = (qr @ self.w(name + ".wq_b.weight").t()).view(b, t, heads, width)
        cos, sin = self.angles(True, t)
        q = rotate(q, cos[:, None], sin[:, None])
        if self.quantize:
            q = act_fp4(q @ self.hadamard.to(q.dtype))
        weight = (x @ self.w(name + ".weights_proj.weight").t()).float() * (width * heads) ** -0.5
        dots = torch.relu((q.reshape(b, t * heads, width) @ keys.transpose(1, 2)).float()).view(b, t, heads, -1)
        return (dots * weight[..., None]).sum(2)

    def bias(self, t, ratio):
        """Additive mask [1, t, keys]: the window, then the visible compressed entries."""
        key = ("bias", t, ratio)
        if key not in self.kept:
            i, j = torch.arange(t)[:, None], torch.arange(t)[None]
            ok = (j <= i) & (j > i - self.c["sliding_window"])
            if ratio:
                ok = torch.cat([ok, torch.arange(t // ratio)[None] < (i + 1) // ratio], 1)
            self.kept[key] = torch.where(ok, 0.0, -1e9)[None]
        return self.kept[key]

    def attention(self, x, xq, name, ratio):
        """x normed input [b, t, d], xq the same quantized."""
        c = self.c
        b, t, _ = x.shape
        heads, hd = c["num_attention_heads"], c["head_dim"]
        cos, sin = self.angles(bool(ratio), t)
        qr, qrq = self.norm_quantize(xq @ self.w(name + "wq_a.weight").t(), self.wide(name + "q_norm.weight"), self.quantize)
        q = (qrq @ self.w(name + "wq_b.weight").t()).view(b, t, heads, hd).transpose(1, 2)
        q = self.finish_q(q, cos, sin).to(self.dtype)
        keys = self.finish_kv(xq @ self.w(name + "wkv.weight").t(), self.wide(name + "kv_norm.weight"), cos, sin, self.quantize)
        bias, score = self.bias(t, ratio), None
        if ratio and t >= ratio:
            entries = self.compress(x, name + "compressor", ratio, False)
            keys = torch.cat([keys, entries], 1)
            if ratio == 4 and (self.index_loss_on or entries.shape[1] > c["index_topk"]):
                score = self.index(x, qrq, name + "indexer", entries.shape[1]) + bias[..., t:]
                if entries.shape[1] > c["index_topk"]:
                    least = score.detach().topk(c["index_topk"], -1).values[..., -1:]
                    bias = torch.cat([bias[..., :t].expand(b, -1, -1), torch.where(score >= least, bias[..., t:], -1e9)], -1)
        out, p = self.attend(q, keys, self.p[name + "attn_sink"], bias)
        if score is not None and self.index_loss_on:
            self.add_index_loss(score, p[..., t:].detach().mean(1))
        out = rotate(out, cos, -sin).transpose(1, 2)
        groups, rank = c["o_groups"], c["o_lora_rank"]
        wo_a = self.w(name + "wo_a.weight").view(groups, rank, -1)
        low = (out.reshape(b * t, groups, -1).transpose(0, 1) @ wo_a.transpose(1, 2)).transpose(0, 1).reshape(b, t, -1)
        return (act_fp8(low) if self.quantize else low) @ self.w(name + "wo_b.weight").t()

    def add_index_loss(self, score, mass):
        """Cross entropy between the indexer's softmax and the attention that the entries really got."""
        rows = slice(3, None)
        total = mass[:, rows].sum(-1, keepdim=True)
        target = mass[:, rows] / total.clamp_min(1e-9)
        loss = -(target * torch.log_softmax(score[:, rows], -1)).sum(-1)
        self.index_losses.append((loss * total[..., 0]).sum() / total.sum().clamp_min(1e-9))

    def route(self, x, name, hashed, ids):
        """Chosen experts and their weights [n, k]."""
        c, k = self.c, self.c["num_experts_per_tok"]
        score = torch.sqrt(F.softplus(x.float() @ self.wide(name + "gate.weight").t()) + 1e-20)
        if hashed:
            chosen = self.tables[name + "gate.tid2eid"][ids]
        else:
            biased = score.detach() + self.tables[name + "gate.bias"]
            chosen = biased.topk(k, -1).indices
            self.loads[name] = torch.bincount(chosen.flatten(), minlength=c["n_routed_experts"])
        weight = score.gather(1, chosen)
        return chosen, weight / weight.sum(-1, keepdim=True) * c["routed_scaling_factor"]

    def experts(self, x, xq, name, hashed, ids):
        """Mixture of experts over rows [n, d]."""
        k, limit = self.c["num_experts_per_tok"], self.c["swiglu_limit"]
        chosen, weight = self.route(x, name, hashed, ids)
        flat = chosen.flatten()
        order = torch.argsort(flat, stable=True)
        ends = torch.bincount(flat, minlength=self.c["n_routed_experts"]).cumsum(0).tolist()
        inner = torch.cat([self.w(name + "experts.w1"), self.w(name + "experts.w3")], 1)
        h = self.swiglu(Grouped.apply(xq[order // k], inner, ends), weight.flatten()[order], limit, self.quantize)
        y = Grouped.apply(h, self.w(name + "experts.w2"), ends)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order))
        shared = torch.cat([self.w(name + "shared_experts.w1.weight"), self.w(name + "shared_experts.w3.weight")])
        s = self.swiglu(xq @ shared.t(), None, limit, self.quantize) @ self.w(name + "shared_experts.w2.weight").t()
        return y[back].view(len(x), k, -1).sum(1) + s

    def hyper(self, streams, name):
        """-> layer input, post, comb."""
        m = self.c["hc_mult"]
        u = self.hyper_pre(streams, self.p[name + "_fn"])
        scale, base = self.p[name + "_scale"], self.p[name + "_base"][:, None]
        pre = torch.sigmoid(u[:m] * scale[0] + base[:m]) + self.c["hc_eps"]
        post = 2 * torch.sigmoid(u[m : 2 * m] * scale[1] + base[m : 2 * m])
        comb = Sinkhorn.apply((u[2 * m :] * scale[2] + base[2 * m :]).reshape(m, m, -1), self.c["hc_sinkhorn_iters"], self.c["hc_eps"])
        return self.hyper_sum(pre, streams), post, comb

    def block(self, streams, ids, name, ratio, hashed):
        """streams [b * t, m, d]."""
        b, t = ids.shape
        x, post, comb = self.hyper(streams, name + "hc_attn")
        x, xq = self.norm_quantize(x, self.wide(name + "attn_norm.weight"), self.quantize)
        y = self.attention(x.view(b, t, -1), xq.view(b, t, -1), name + "attn.", ratio).reshape(b * t, -1)
        streams = self.hyper_merge(y, streams, post, comb)
        x, post, comb = self.hyper(streams, name + "hc_ffn")
        x, xq = self.norm_quantize(x, self.wide(name + "ffn_norm.weight"), self.quantize)
        return self.hyper_merge(self.experts(x, xq, name + "ffn.", hashed, ids.flatten()), streams, post, comb)

    def head(self, streams, prefix):
        u = self.hyper_pre(streams, self.p[prefix + "hc_head_fn"])
        pre = torch.sigmoid(u * self.p[prefix + "hc_head_scale"] + self.p[prefix + "hc_head_base"][:, None]) + self.c["hc_eps"]
        y = rms_norm(self.hyper_sum(pre, streams), self.wide(prefix + "norm.weight"))
        return (y @ self.w("head.weight").t()).float()

    def forward(self, ids, index_loss=False):
        """Logits [b * t, vocab]; keeps the final streams for `draft`, the index losses and the expert loads."""
        c = self.c
        self.index_loss_on, self.index_losses, self.loads = index_loss, [], {}
        e = F.embedding(ids.flatten(), self.wide("embed.weight")).to(self.dtype)
        streams = e[:, None].expand(-1, c["hc_mult"], -1).contiguous()
        for i in range(c["num_hidden_layers"]):
            streams = self.block(streams, ids, f"layers.{i}.", c["compress_ratios"][i], i < c["num_hash_layers"])
        self.streams = streams
        return self.head(streams, "")

    def draft(self, ids):
        """The MTP block's logits [b * t, vocab] for token t + 2 (the last column of each row is meaningless)."""
        following = torch.roll(ids, -1, 1)
        e = F.embedding(following.flatten(), self.wide("embed.weight").detach()).to(self.dtype)
        _, e = self.norm_quantize(e, self.wide("mtp.0.enorm.weight"), self.quantize)
        _, x = self.norm_quantize(self.streams.detach(), self.wide("mtp.0.hnorm.weight"), self.quantize)
        x = x @ self.w("mtp.0.h_proj.weight").t() + (e @ self.w("mtp.0.e_proj.weight").t())[:, None]
        return self.head(self.block(x, ids, "mtp.0.", 0, False), "mtp.0.")
