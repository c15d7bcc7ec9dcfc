#!/usr/bin/env python3
"""Every op of ops.def against PyTorch: results and gradients of random instances.

The unit test writes instances with what the CPU kernels made of them; here the same nodes are computed
in double by PyTorch, whose autograd gives the gradients. Usage: train_ops.py TEST_GRAPH_OPS.
"""
import json
import math
import os
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F

ACTS = {"gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "gelu_erf": F.gelu, "gelu": F.gelu, "silu": F.silu,
        "relu": F.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


def embed(n, i):
    return [F.embedding(i[1], i[0])]


def linear(n, i):
    return [F.linear(i[0], i[1].T if n["in_out"] else i[1], i[2])]


def matmul(n, i):
    a, b = i[0].view(-1, n["a_rows"], i[0].shape[-1]), i[1].view(-1, n["b_rows"], i[1].shape[-1])
    y = (a.transpose(1, 2) if n["a_turned"] else a) @ (b.transpose(1, 2) if n["b_turned"] else b)
    return [y.reshape(-1, y.shape[-1])]


def norm(n, i):
    x, size = i[0] if i[1] is None else i[0] + i[1], i[2].shape
    parts = x.view(x.shape[0], -1, size[0])  # the weight may be as wide as a head
    y = F.rms_norm(parts, size, i[2], n["eps"]) if n["rms"] else F.layer_norm(parts, size, i[2], i[3], n["eps"])
    return [y.view(x.shape), x]


def attention(n, i):
    if n["dropout"] > 0:
        return None  # its numbers are the counter's; finite differences look at it
    heads, group, d, seq, kv = n["heads"], n["heads"] // n["kv_heads"], n["dim"], n["seq"], n["kv_seq"]
    q = i[0].view(-1, seq, heads, d).transpose(1, 2)
    k = i[1].view(-1, kv, heads // group, d).transpose(1, 2).repeat_interleave(group, 1)
    v = i[2].view(-1, kv, heads // group, d).transpose(1, 2).repeat_interleave(group, 1)
    if i[6] is not None:
        k, v = k[i[6]], v[i[6]]  # whose cache a sequence reads
    batch, key = q.shape[0], torch.arange(kv)[None, None, :]
    past = i[5] if i[5] is not None else torch.zeros(batch, dtype=torch.long)
    at = past[:, None, None] + torch.arange(seq)[None, :, None]
    see = torch.ones(batch, seq, kv, dtype=torch.bool)
    if i[3] is not None:
        see = see & (key >= i[3].view(batch, seq, 1))
    if i[4] is not None:
        see = see & (key < i[4].view(batch, seq, 1))
    if n["causal"]:
        see = see & (key <= at)
    if n["window"]:
        see = see & (key > at - n["window"])
    see = see[:, None]
    scores = (q @ k.transpose(2, 3) * n["scale"]).masked_fill(~see, -math.inf)
    # A query that sees nothing gives zeros, as the header says.
    p = torch.softmax(scores.masked_fill(~see.any(-1, keepdim=True), 0), -1) * see
    return [(p @ v).transpose(1, 2).reshape(batch * seq, heads * d)]


def rope(n, i):
    d, half = n["dim"], n["rot"] // 2
    x = i[0].view(i[0].shape[0], -1, d)
    angle = (i[1][:, None] * i[2][None, :])[:, None]
    cos, sin = angle.cos() * n["factor"], angle.sin() * n["factor"]
    a, b = (x[..., 0:2 * half:2], x[..., 1:2 * half:2]) if n["interleaved"] else (x[..., :half], x[..., half:2 * half])
    a, b = a * cos - b * sin, b * cos + a * sin
    turned = torch.stack((a, b), -1).flatten(-2) if n["interleaved"] else torch.cat((a, b), -1)
    return [torch.cat((turned, x[..., 2 * half:]), -1).reshape(i[0].shape)]


def cache_put(n, i):
    cache, seq, kv = i[0].clone(), n["seq"], n["kv_seq"]
    slots = range(len(i[2])) if i[3] is None else i[3].tolist()
    for b, past in enumerate(i[2].tolist()):
        for t in range(seq):
            if 0 <= past + t < kv:
                cache[slots[b] * kv + past + t] = i[1][b * seq + t]
    return [cache]


def linear_xent(n, i):
    targets = i[3]
    nll = F.cross_entropy(F.linear(i[0], i[1], i[2]), targets, ignore_index=-1, reduction="none")
    return [nll.sum() * i[4][0], nll]


def scores(n, x):
    return torch.sigmoid(x) if n["sigmoid"] else torch.softmax(x, -1)


def route(n, i):
    s = scores(n, i[0])
    choice = s.detach() if i[1] is None else (s + i[1]).detach()
    if n["groups"] > 1:
        groups = choice.view(len(s), n["groups"], -1)
        worth = groups.topk(min(n["group_best"], groups.shape[-1]), -1).values.sum(-1)
        closed = torch.ones_like(worth, dtype=torch.bool).scatter(1, worth.topk(n["top_groups"], -1).indices, False)
        choice = groups.masked_fill(closed[..., None], -math.inf).view(s.shape)
    ids = choice.topk(n["k"], -1).indices
    w = s.gather(1, ids)
    return [(w / w.sum(-1, keepdim=True) if n["norm"] else w) * n["scale"], ids]


def dispatch(n, i):
    source = torch.sort(i[0].flatten(), stable=True).indices
    slots = torch.empty_like(source).scatter(0, source, torch.arange(len(source)))
    ends = torch.bincount(i[0].flatten(), minlength=n["experts"]).cumsum(0)
    return [slots.view(i[0].shape), source, F.pad(ends, (1, 0))]


def grouped(n, i):
    ends, experts = i[2].tolist(), len(i[2]) - 1
    w = i[1].view(experts, -1, i[1].shape[-1])
    return [torch.cat([F.linear(i[0][ends[e]:ends[e + 1]], w[e], None if i[3] is None else i[3][e]) for e in range(experts)])]


def route_stats(n, i):
    s = scores(n, i[0])
    return [torch.bincount(i[1].flatten(), minlength=n["experts"]) / len(s), (s / s.sum(-1, keepdim=True)).mean(0),
            torch.logsumexp(i[0], -1).square().mean()[None]]


OPS = {
    "route": route, "dispatch": dispatch, "grouped": grouped, "route_stats": route_stats,
    "permute": lambda n, i: [i[0][i[1] // i[2].shape[1]]],
    "unpermute": lambda n, i: [(i[0][i[1]] * i[2][..., None]).sum(1)],
    "balance": lambda n, i: [(len(i[0]) * (i[0] * i[1]).sum())[None]],
    "per_target": lambda n, i: [i[0] * (i[1] >= 0).sum() * i[2]],
    "embed": embed, "linear": linear, "matmul": matmul, "norm": norm, "attention": attention, "rope": rope, "cache_put": cache_put,
    "unary": lambda n, i: [ACTS[n["act"]](i[0])],
    "glu": lambda n, i: [ACTS[n["act"]](i[0]) * i[1]],
    "add": lambda n, i: [i[0] + i[1]],
    "scale": lambda n, i: [i[0] * n["by"]],
    "gain": lambda n, i: [i[0] * i[1].exp()],
    "dropout": lambda n, i: None,
    "slice": lambda n, i: [i[0][:, n["from"]:n["from"] + n["n"]]],
    "rows": lambda n, i: [i[0][i[1]]],
    "linear_xent": linear_xent, "linear_xent_grad": linear_xent,
}


def leaf(t):
    if not t or "values" not in t:
        return None
    whole = all(isinstance(v, int) for v in t["values"]) and not t["grad"]
    x = torch.tensor(t["values"], dtype=torch.long if whole else torch.double)
    x = x if t["rank"] == 1 else x.view(t["rows"], t["cols"])
    return x.requires_grad_() if t["grad"] else x


def far(result, want):
    got = torch.tensor(result, dtype=torch.double).view(want.shape)
    return ((got - want).abs().max() / want.abs().max().clamp(min=1e-3)).item() if want.numel() else 0.0


def compare(case):
    """The largest difference over the largest value of a tensor; None: has draws of its own."""
    at = [leaf(t) for t in case["tensors"]]
    for n in case["nodes"]:
        out = OPS[n["op"]](n, [at[k] if k else None for k in n["in"]])
        if out is None:
            return None
        for k, x in zip(n["out"], out):
            if k:
                at[k] = x
    goal = sum((at[of] * at[seed].view(at[of].shape)).sum() for of, seed in case["seeds"])
    if case["loss"]:
        goal = goal + at[case["loss"]]
    if torch.is_tensor(goal) and goal.requires_grad:
        goal.backward()
    worst = 0.0
    for k, t in enumerate(case["tensors"]):
        if not t:
            continue
        if "result" in t and at[k] is not None:
            worst = max(worst, far(t["result"], at[k].detach()))
        if t["grad"]:
            want = at[k].grad if at[k].grad is not None else torch.zeros_like(at[k])
            worst = max(worst, far(case["tensors"][t["grad"]]["result"], want))
    return worst


with tempfile.TemporaryDirectory() as tmp:
    env = {**os.environ, "DS_DUMP_OPS": f"{tmp}/ops.jsonl"}
    subprocess.run([sys.argv[1]], env=env, check=True)
    found = {}
    with open(f"{tmp}/ops.jsonl") as f:
        for line in f:
            case = json.loads(line)
            found.setdefault(case["op"], []).append(compare(case))
wrong = 0
for op, distances in found.items():
    counted = [d for d in distances if d is not None]
    if not counted:
        print(f"skipped: {op}, whose draws are its own")
        continue
    good = all(d <= 2e-5 for d in counted)
    wrong += not good
    print(f"{'ok' if good else 'not ok'} {op}: {len(counted)} instances within {max(counted):.1e} of PyTorch")
sys.exit(wrong > 0)
