#!/usr/bin/env python3
"""Seconds of a training step of PyTorch: a model of transformers, AdamW, clipping, two threads.

Usage: train.py MODEL ROWS SEQ STEPS fp32|bf16 eager|compile, MODEL gpt2, llama-15m, moe (that with 8 experts), bert or lora (r = 16 on
GPT-2, by peft); prints tokens a second (the median step) and the peak memory in MB. bf16 is autocast; dropout
is 0.
"""
import resource
import statistics
import sys
import time

import torch
import transformers

kind = sys.argv[1]
rows, seq, steps = map(int, sys.argv[2:5])
bf16, how = sys.argv[5] == "bf16", sys.argv[6]
torch.set_num_threads(2)
torch.manual_seed(1)
if kind == "llama-15m":
    config = transformers.LlamaConfig(
        vocab_size=32000, hidden_size=288, intermediate_size=768, num_hidden_layers=6, num_attention_heads=6,
        max_position_embeddings=256, tie_word_embeddings=True)
    model = transformers.LlamaForCausalLM(config).train()
elif kind == "moe":
    config = transformers.MixtralConfig(
        vocab_size=32000, hidden_size=288, intermediate_size=768, num_hidden_layers=6, num_attention_heads=6, num_key_value_heads=6,
        num_local_experts=8, num_experts_per_tok=2, max_position_embeddings=256, tie_word_embeddings=True, output_router_logits=True)
    model = transformers.MixtralForCausalLM(config).train()
elif kind == "bert":
    config = transformers.BertConfig(hidden_dropout_prob=0, attention_probs_dropout_prob=0)
    model = transformers.BertForMaskedLM(config).train()
else:
    config = transformers.GPT2Config(resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
    model = transformers.GPT2LMHeadModel(config).train()
model.config.use_cache = False
if kind == "lora":
    import peft

    model = peft.get_peft_model(
        model, peft.LoraConfig(r=16, lora_alpha=32, target_modules=["c_attn"], fan_in_fan_out=True))
trained = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=3e-4, fused=True)
run = torch.compile(model) if how == "compile" else model
times = []
for _ in range(steps):
    ids = torch.randint(0, config.vocab_size, (rows, seq))
    labels = ids.masked_fill(torch.rand(ids.shape) > 0.15, -100) if kind == "bert" else ids
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = run(input_ids=ids, labels=labels).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    times.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(f"{rows * seq / statistics.median(times[2:]):.0f} {peak}")
