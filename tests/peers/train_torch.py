#!/usr/bin/env python3
"""dstrain against PyTorch and transformers: the loss, every parameter's gradient, 200 AdamW steps.

A random small model is made by transformers, saved, trained by both on the same four rows. After one
step the optimizer's first moment is (1 - beta1) times the gradient, so the checkpoint shows it.
Usage: train_torch.py [BIN_DIR]; needs torch, transformers and safetensors.
"""
import json
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.numpy import load_file

try:
    import peft
except ImportError:
    peft = None

BIN = sys.argv[1] if len(sys.argv) > 1 else "build/bin"
ROWS, SEQ, VOCAB = 4, 32, 97
LLAMA = dict(vocab_size=VOCAB, hidden_size=48, intermediate_size=80, num_hidden_layers=3,
             num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=64,
             bos_token_id=1, eos_token_id=2)
CASES = {
    "gpt2": transformers.GPT2Config(vocab_size=VOCAB, n_positions=64, n_embd=48, n_layer=3, n_head=6,
                                    resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=1, eos_token_id=2),
    "llama": transformers.LlamaConfig(**LLAMA),
    "llama tied, linear rope": transformers.LlamaConfig(
        **LLAMA, tie_word_embeddings=True, attention_bias=True, rope_scaling={"type": "linear", "factor": 2.0}),
    "mistral, window": transformers.MistralConfig(**LLAMA, sliding_window=9, attn_implementation="eager"),
    "qwen2": transformers.Qwen2Config(**LLAMA),
}


def ours(directory, out, steps, lr):
    subprocess.run([f"{BIN}/dstrain", "--model", directory, "--out", out, "-q", "--max-steps", str(steps),
                    "--set", f"max_norm=0,weight_decay=0.1,lr={lr},scheduler=constant,batch_tokens={ROWS * SEQ}",
                    f"{directory}/rows.jsonl"], check=True)
    with open(f"{out}/log.jsonl") as log:
        return [json.loads(line)["loss"] for line in log]


def decays(model):
    """Weight decay is off for norms and biases, which are the vectors."""
    yes = [p for p in model.parameters() if p.dim() > 1]
    no = [p for p in model.parameters() if p.dim() < 2]
    return [{"params": yes, "weight_decay": 0.1}, {"params": no, "weight_decay": 0}]


def check(name, config):
    torch.manual_seed(7)
    model = transformers.AutoModelForCausalLM.from_config(config).float()
    for p in model.parameters():  # biases and norms that are not 0 and 1
        p.data += 0.05 * torch.randn_like(p)
    rows = torch.randint(3, VOCAB, (ROWS, SEQ))
    bad = []
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(f"{tmp}/m", safe_serialization=True)
        with open(f"{tmp}/m/rows.jsonl", "w") as f:
            for row in rows.tolist():
                f.write(json.dumps({"tokens": row, "docs": [0]}) + "\n")
        first = ours(f"{tmp}/m", f"{tmp}/one", 1, 0)[0]
        loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        if abs(first - loss.item()) > 1e-5 * abs(loss.item()):
            bad.append(f"loss {first} instead of {loss.item()}")
        moments = load_file(f"{tmp}/one/checkpoint-1/optimizer.safetensors")
        worst = 0.0
        for key, p in model.named_parameters():
            got = torch.tensor(moments.pop(key + ".m")) / (1 - 0.9)
            far = ((got - p.grad).norm() / p.grad.norm()).item()
            worst = max(worst, far)
            if far > 1e-4:
                bad.append(f"gradient of {key} off by {far:.2e}")
        moments = [k for k in moments if k.endswith(".m")]
        if moments:
            bad.append(f"no such parameters: {moments}")
        losses = ours(f"{tmp}/m", f"{tmp}/many", 200, 1e-3)
        optimizer = torch.optim.AdamW(decays(model), lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
        furthest = 0.0
        for step in range(200):
            optimizer.zero_grad()
            loss = model(input_ids=rows, labels=rows).loss
            loss.backward()
            optimizer.step()
            furthest = max(furthest, abs(loss.item() - losses[step]))
        if furthest > 1e-3:
            bad.append(f"200 steps differ by up to {furthest:.2e}")
        back = transformers.AutoModelForCausalLM.from_pretrained(f"{tmp}/many")
        with torch.no_grad():
            again = back(input_ids=rows, labels=rows).loss.item()
            here = model(input_ids=rows, labels=rows).loss.item()
        if abs(again - here) > 1e-3:
            bad.append(f"what was written gives {again} instead of {here} in transformers")
    print(f"{'not ok' if bad else 'ok'} {name}: gradients within {worst:.1e}, 200 steps within {furthest:.1e}")
    for line in bad:
        print(f"# {line}")
    return not bad


def check_adapter(name, config, tune, keys):
    """An adapter that dstrain trained gives in PEFT the loss that dstrain measured."""
    torch.manual_seed(8)
    model = transformers.AutoModelForCausalLM.from_config(config).float()
    rows = torch.randint(3, VOCAB, (ROWS, SEQ))
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(f"{tmp}/m", safe_serialization=True)
        with open(f"{tmp}/m/rows.jsonl", "w") as f:
            for row in rows.tolist():
                f.write(json.dumps({"tokens": row, "docs": [0]}) + "\n")
        subprocess.run([f"{BIN}/dstrain", "--model", f"{tmp}/m", "--tune", tune, "--out", f"{tmp}/l", "-q",
                        "--max-steps", "20", "--eval-data", f"{tmp}/m/rows.jsonl", "--set",
                        f"{keys},lr=1e-2,batch_tokens={ROWS * SEQ}", f"{tmp}/m/rows.jsonl"], check=True)
        with open(f"{tmp}/l/log.jsonl") as log:
            lines = [json.loads(line) for line in log]
        adapted = peft.PeftModel.from_pretrained(model, f"{tmp}/l")
        with torch.no_grad():
            labels = rows.clone()
            labels[:, 0] = -100  # a prompt's last token would predict it
            theirs = adapted(input_ids=rows, labels=labels).loss.item()
    far = abs(theirs - lines[-1]["eval_loss"])
    fine = far < 1e-4 and theirs < lines[0]["loss"]
    print(f"{'ok' if fine else 'not ok'} {tune} of {name} in PEFT: {theirs:.6f}, {far:.1e} away from ours")
    return fine


results = [check(name, config) for name, config in CASES.items()]
if peft:
    for tune, keys in (("lora", "lora_r=4,lora_alpha=8"), ("prompt", "prompt_tokens=5"), ("prefix", "prompt_tokens=5")):
        results += [check_adapter(name, config, tune, keys) for name, config in CASES.items()]
sys.exit(not all(results))
