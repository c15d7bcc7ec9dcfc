#!/usr/bin/env python3
"""Seconds of a training step of PyTorch: GPT-2 124M by transformers, AdamW, clipping, two threads.

Usage: train.py ROWS SEQ STEPS fp32|bf16 eager|compile; prints tokens a second (the median step) and
the peak memory in MB. bf16 is autocast; dropout is 0.
"""
import resource
import statistics
import sys
import time

import torch
import transformers

rows, seq, steps = map(int, sys.argv[1:4])
bf16, how = sys.argv[4] == "bf16", sys.argv[5]
torch.set_num_threads(2)
torch.manual_seed(1)
config = transformers.GPT2Config(resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
model = transformers.GPT2LMHeadModel(config).train()
model.config.use_cache = False
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)
run = torch.compile(model) if how == "compile" else model
times = []
for _ in range(steps):
    ids = torch.randint(0, 50257, (rows, seq))
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = run(input_ids=ids, labels=ids).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    times.append(time.perf_counter() - start)
print(f"{rows * seq / statistics.median(times[1:]):.0f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}")
