#!/usr/bin/env python3
"""PyTorch's side of bench-cuda, on one CUDA device.

Usage: cuda_peer.py train CONFIG.json ROWS SEQ STEPS eager|compile   tokens a second (median step), peak GB
       cuda_peer.py lora  CONFIG.json ROWS SEQ STEPS eager|compile   the same, r = 16 on the attention's projections
       cuda_peer.py limits                                           copy bandwidth in GB/s, bf16 product in TFLOP/s
       cuda_peer.py attention BATCH HEADS SEQ DIM                    SDPA forward and backward in ms, causal, bf16
       cuda_peer.py weights DIR KEY=VALUE,…                          a Qwen2 model of that shape, weights at random in bf16

Weights are f32 with autocast to bf16, as dstrain's --precision bf16; random ids, AdamW (fused), clipping. Without a
device everything runs on the CPU, once and small: to see that it runs.
"""
import importlib
import json
import os
import statistics
import sys
import time

import torch

GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"


def wait():
    if GPU:
        torch.cuda.synchronize()


def timed(fn, n=20):
    if not GPU:
        start = time.perf_counter()
        fn()
        return 1e3 * (time.perf_counter() - start)
    for _ in range(3):
        fn()
    torch.cuda.synchronize()
    times = []
    for _ in range(n):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        fn()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def made_on(device, kind, config):
    """Its code is loaded first: PyTorch does not like that within torch.device."""
    importlib.import_module(type(config).__module__.replace("configuration_", "modeling_"))
    with torch.device(device):
        return kind.from_config(config, attn_implementation="sdpa")


def model_of(path):
    import transformers

    with open(path, encoding="utf-8") as f:
        c = json.load(f)
    kind = c.get("model_type", "gpt2")
    skipped = {"architectures", "transformers_version", "torch_dtype", "dtype", "model_type"}
    keys = {k: v for k, v in c.items() if k not in skipped}
    config = transformers.AutoConfig.for_model(kind, **keys)
    config.use_cache = False
    kind = transformers.AutoModelForMaskedLM if kind == "bert" else transformers.AutoModelForCausalLM
    return made_on(DEVICE, kind, config), config


def train(path, rows, seq, steps, how, lora):
    torch.manual_seed(1)
    model, config = model_of(path)
    if lora:
        import peft

        gpt2 = config.model_type == "gpt2"
        model = peft.get_peft_model(model, peft.LoraConfig(
            r=16, lora_alpha=32, fan_in_fan_out=gpt2,
            target_modules=["c_attn"] if gpt2 else ["q_proj", "v_proj"]))
    model = model.to(DEVICE).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-4, fused=GPU)
    run = torch.compile(model) if how == "compile" else model
    times = []
    for _ in range(steps):
        ids = torch.randint(0, config.vocab_size, (rows, seq), device=DEVICE)
        wait()
        start = time.perf_counter()
        with torch.autocast(DEVICE, torch.bfloat16):
            loss = run(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        wait()
        times.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated() / 1e9 if GPU else 0
    print(f"{rows * seq / statistics.median(times[2:]):.0f} {peak:.2f}")


def limits():
    count = 1 << (28 if GPU else 12)
    a, b = torch.randn(count, device=DEVICE), torch.empty(count, device=DEVICE)
    ms = timed(lambda: b.copy_(a))
    print(f"copy {2 * a.numel() * 4 / ms * 1e-6:.0f} GB/s")
    n = 8192 if GPU else 64
    x, y = (torch.randn(n, n, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    ms = timed(lambda: x @ y)
    print(f"product {2 * n ** 3 / ms * 1e-9:.0f} TFLOP/s")


def attention(batch, heads, seq, dim):
    from torch.nn.attention import SDPBackend, sdpa_kernel

    q, k, v = (torch.randn(batch, heads, seq, dim, device=DEVICE, dtype=torch.bfloat16, requires_grad=True)
               for _ in range(3))
    grad = torch.randn_like(q)
    for name, backend in (("flash", SDPBackend.FLASH_ATTENTION), ("cudnn", SDPBackend.CUDNN_ATTENTION)):
        try:
            with sdpa_kernel(backend):
                forward = timed(lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True))
                o = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
                back = timed(lambda: torch.autograd.grad(o, (q, k, v), grad, retain_graph=True))
            print(f"{name} {forward:.4f} {back:.4f}")
        except RuntimeError as e:
            print(f"{name} - - {str(e).splitlines()[0]}")


def weights(folder, keys):
    """Its numbers are one block of random ones, again and again: their values cost no time, unlike zeros they cost power."""
    import transformers

    config = transformers.Qwen2Config(**{k: int(v) for k, v in (pair.split("=") for pair in keys.split(","))})
    config.tie_word_embeddings = False
    model = made_on("meta", transformers.AutoModelForCausalLM, config)
    shapes = {k: list(v.shape) for k, v in model.state_dict().items()}
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2 * torch.Size(shape).numel()
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    block = (torch.randn(1 << 24) * 0.02).bfloat16().view(torch.int16).numpy().tobytes()
    os.makedirs(folder, exist_ok=True)
    config.architectures = ["Qwen2ForCausalLM"]
    config.save_pretrained(folder)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for left in range(at, 0, -len(block)):
            f.write(block[:left])
    print(f"{at / 1e9:.1f} GB")


if sys.argv[1] == "weights":
    weights(*sys.argv[2:4])
elif sys.argv[1] == "limits":
    limits()
elif sys.argv[1] == "attention":
    attention(*map(int, sys.argv[2:6]))
else:
    train(sys.argv[2], *map(int, sys.argv[3:6]), sys.argv[6], sys.argv[1] == "lora")
