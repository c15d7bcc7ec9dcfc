#!/usr/bin/env python3
"""dstrain over many steps against PyTorch: AdamW, Muon, LAMB in float64, two-byte products; PEFT both ways.

A random small model is made by transformers, saved, trained by both on the same four rows.
Usage: train_torch.py [BIN_DIR]; needs torch, transformers and safetensors, for adapters peft.
"""
import inspect
import sys
import tempfile

from train_peer import json, near, tell, tool, torch, train, transformers, write_rows

try:
    import peft
except ImportError:
    peft = None

ROWS, SEQ, VOCAB = 4, 32, 97
LLAMA = dict(vocab_size=VOCAB, hidden_size=48, intermediate_size=80, num_hidden_layers=3,
             num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=64,
             bos_token_id=1, eos_token_id=2)
BERT = dict(vocab_size=VOCAB, hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=6,
            max_position_embeddings=64, hidden_dropout_prob=0, attention_probs_dropout_prob=0)
CASES = {
    "gpt2": transformers.GPT2Config(vocab_size=VOCAB, n_positions=64, n_embd=48, n_layer=3, n_head=6,
                                    resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=1, eos_token_id=2),
    "llama": transformers.LlamaConfig(**LLAMA),
    "llama tied, linear rope": transformers.LlamaConfig(
        **LLAMA, tie_word_embeddings=True, attention_bias=True, rope_scaling={"type": "linear", "factor": 2.0}),
    "mistral, window": transformers.MistralConfig(**LLAMA, sliding_window=9, attn_implementation="eager"),
    "qwen2": transformers.Qwen2Config(**LLAMA),
    "qwen3": transformers.Qwen3Config(**LLAMA, head_dim=16),
    "llama, yarn with all its keys": transformers.LlamaConfig(**LLAMA, rope_scaling={
        "rope_type": "yarn", "factor": 4.0, "beta_fast": 4.0, "beta_slow": 0.5, "mscale": 0.7, "mscale_all_dim": 1.3,
        "original_max_position_embeddings": 32}),
    "bert": transformers.BertConfig(**BERT),
}
PLAIN = dict(mlm_probability=1, mlm_mask_share=0, mlm_random_share=0)  # every token a target, none hidden


def decays(model):
    """Weight decay is off for norms and biases, which are the vectors."""
    yes = [p for p in model.parameters() if p.dim() > 1]
    no = [p for p in model.parameters() if p.dim() < 2]
    return [{"params": yes, "weight_decay": 0.1}, {"params": no, "weight_decay": 0}]


class Lamb(torch.optim.Optimizer):
    """Algorithm 2 of You et al., arXiv 1904.00962 v3, with both means corrected for their bias; what does not decay is
    not scaled, as in the authors' code and in NVIDIA's (apex, without use_nvlamb)."""

    def __init__(self, groups, lr, betas=(0.9, 0.95), eps=1e-8):
        super().__init__(groups, dict(lr=lr, betas=betas, eps=eps, weight_decay=0.0))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                s = self.state[p]
                s["t"] = s.get("t", 0) + 1
                s["m"] = b1 * s.get("m", 0) + (1 - b1) * p.grad
                s["v"] = b2 * s.get("v", 0) + (1 - b2) * p.grad ** 2
                r = s["m"] / (1 - b1 ** s["t"]) / ((s["v"] / (1 - b2 ** s["t"])).sqrt() + group["eps"])
                u = r + group["weight_decay"] * p
                scaled = group["weight_decay"] != 0 and p.norm() > 0 and u.norm() > 0
                trust = p.norm() / u.norm() if scaled else 1.0
                p -= group["lr"] * trust * u


def make(config, seed):
    torch.manual_seed(seed)
    kind = transformers.AutoModelForMaskedLM if config.model_type == "bert" else transformers.AutoModelForCausalLM
    model = kind.from_config(config).float().eval()
    for p in model.parameters():  # biases and norms that are not 0 and 1
        p.data += 0.05 * torch.randn_like(p)
    return model, torch.randint(3, VOCAB, (ROWS, SEQ))


def follow(model, rows, optimizer, steps):
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def furthest(a, b):
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def check_steps(name, config):
    """200 steps of AdamW, and what is written loads again."""
    model, rows = make(config, 7)
    more = PLAIN if config.model_type == "bert" else {}
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(f"{tmp}/m", safe_serialization=True)
        data = write_rows(f"{tmp}/rows.jsonl", rows)
        ours = train(f"{tmp}/m", data, f"{tmp}/out", 200, lr=1e-3, batch_tokens=ROWS * SEQ, **more)
        theirs = follow(model, rows, torch.optim.AdamW(decays(model), lr=1e-3, betas=(0.9, 0.95), eps=1e-8), 200)
        far = furthest(ours, theirs)
        bad = [f"200 steps differ by up to {far:.2e}"] if far > 1e-3 else []
        back = type(model).from_pretrained(f"{tmp}/out").eval()
        with torch.no_grad():
            again, here = back(input_ids=rows, labels=rows).loss.item(), model(input_ids=rows, labels=rows).loss.item()
        if abs(again - here) > 1e-3:
            bad.append(f"what was written gives {again} instead of {here} in transformers")
    return tell(f"{name}, 200 steps of AdamW", bad, f"within {far:.1e}, the last loss is {theirs[-1]:.4f}")


def check_lamb(name, config):
    model, rows = make(config, 11)
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(f"{tmp}/m", safe_serialization=True)
        data = write_rows(f"{tmp}/rows.jsonl", rows)
        ours = train(f"{tmp}/m", data, f"{tmp}/out", 100, lr=5e-3, optimizer="lamb", batch_tokens=ROWS * SEQ)
        model = model.double()
        theirs = follow(model, rows, Lamb(decays(model), lr=5e-3), 100)
    far = furthest(ours, theirs)
    bad = [f"100 steps differ by up to {far:.2e}"] if far > 1e-3 else []
    return tell(f"{name}, 100 steps of LAMB in float64", bad, f"within {far:.1e}, {theirs[0]:.3f} to {theirs[-1]:.3f}")


class Muon:
    """torch.optim.Muon for the matrices inside the model, AdamW for the rest."""

    def __init__(self, model, lr):
        outside = ("embed", "wte", "wpe", "lm_head")
        inside = [p for n, p in model.named_parameters() if p.dim() == 2 and not any(word in n for word in outside)]
        rest = [dict(g, params=[p for p in g["params"] if not any(p is q for q in inside)]) for g in decays(model)]
        self.both = [torch.optim.Muon(inside, lr=lr, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
                     torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.95), eps=1e-8)]

    def zero_grad(self):
        for optimizer in self.both:
            optimizer.zero_grad()

    def step(self):
        for optimizer in self.both:
            optimizer.step()


def check_muon(name, config):
    """100 steps of torch.optim.Muon: its iteration in float32 as ours, and in bfloat16 as it is shipped."""
    shipped, far, bad = torch.optim._muon._zeropower_via_newtonschulz, {}, []
    for kind, bound in (("float32", 1e-3), ("bfloat16", 3e-2)):
        model, rows = make(config, 14)
        with tempfile.TemporaryDirectory() as tmp:
            model.save_pretrained(f"{tmp}/m", safe_serialization=True)
            data = write_rows(f"{tmp}/rows.jsonl", rows)
            ours = train(f"{tmp}/m", data, f"{tmp}/out", 100, lr=2e-3, optimizer="muon", batch_tokens=ROWS * SEQ)
        if kind == "float32":
            exec(inspect.getsource(shipped).replace("torch.bfloat16", "torch.float32"), torch.optim._muon.__dict__)
        theirs = follow(model, rows, Muon(model, 2e-3), 100)
        torch.optim._muon._zeropower_via_newtonschulz = shipped
        far[kind] = furthest(ours, theirs)
        bad += [f"100 steps differ from {kind} by up to {far[kind]:.2e}"] if far[kind] > bound else []
    far = ", ".join(f"{value:.1e} ({kind})" for kind, value in far.items())
    return tell(f"{name}, 100 steps of Muon", bad, f"within {far}, {theirs[0]:.3f} to {theirs[-1]:.3f}")


def check_two_bytes(name, config, precision):
    """Two-byte products stay within 1 % of PyTorch's fp32 loss."""
    model, rows = make(config, 12)
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(f"{tmp}/m", safe_serialization=True)
        data = write_rows(f"{tmp}/rows.jsonl", rows)
        ours = train(f"{tmp}/m", data, f"{tmp}/out", 60, lr=1e-3, precision=precision, batch_tokens=ROWS * SEQ)
        theirs = follow(model, rows, torch.optim.AdamW(decays(model), lr=1e-3, betas=(0.9, 0.95), eps=1e-8), 60)
    far = max(abs(a - b) / b for a, b in zip(ours, theirs, strict=True))
    return tell(f"{name}, 60 steps in {precision}", [f"off by {far:.2%}"] if far > 0.01 else [], f"within {far:.2%} of fp32")


def check_adapter(name, config, tune, keys):
    """An adapter that dstrain trained gives in PEFT the loss that dstrain measured."""
    model, rows = make(config, 8)
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(f"{tmp}/m", safe_serialization=True)
        data = write_rows(f"{tmp}/rows.jsonl", rows)
        tool("dstrain", "--model", f"{tmp}/m", "--tune", tune, "--out", f"{tmp}/l", "-q", "--max-steps", 20,
             "--eval-data", data, "--set", f"{keys},lr=1e-2,batch_tokens={ROWS * SEQ}", data)
        with open(f"{tmp}/l/log.jsonl") as log:
            lines = [json.loads(line) for line in log]
        adapted = peft.PeftModel.from_pretrained(model, f"{tmp}/l")
        with torch.no_grad():
            labels = rows.clone()
            labels[:, 0] = -100  # a prompt's last token would predict it
            theirs = adapted(input_ids=rows, labels=labels).loss.item()
            want = adapted(input_ids=rows[:1]).logits[0, -1] if tune == "lora" else None
        far = abs(theirs - lines[-1]["eval_loss"])
        bad = [] if far < 1e-4 and theirs < lines[0]["loss"] else [f"{theirs} in PEFT, {lines[-1]['eval_loss']} here"]
        if tune == "lora":
            bad += near("logits", logits(f"{tmp}/l", rows[0]), want, 1e-4)
    return tell(f"{tune} of {name} in PEFT", bad, f"{far:.1e} away from ours")


def logits(directory, row):
    out = tool("dsgen", "-m", directory, "--max-tokens", 0, "--logits", "--to", "jsonl", "-q",
               input=json.dumps({"tokens": row.tolist()}), capture_output=True, text=True).stdout
    return torch.tensor(json.loads(out)["logits"])


def check_peft_adapter(name, config, targets):
    """An adapter that PEFT made gives its logits here."""
    model, rows = make(config, 13)
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(f"{tmp}/m", safe_serialization=True)
        adapted = peft.get_peft_model(model, peft.LoraConfig(
            r=3, lora_alpha=7, target_modules=targets, task_type="CAUSAL_LM", fan_in_fan_out=config.model_type == "gpt2"))
        for key, p in adapted.named_parameters():
            if "lora_B" in key:
                p.data = 0.1 * torch.randn_like(p)
        adapted.peft_config["default"].base_model_name_or_path = f"{tmp}/m"
        adapted.eval().save_pretrained(f"{tmp}/a")
        with torch.no_grad():
            want, plain = adapted(input_ids=rows[:1]).logits[0, -1], None
            with adapted.disable_adapter():
                plain = adapted(input_ids=rows[:1]).logits[0, -1]
        bad = near("logits", logits(f"{tmp}/a", rows[0]), want, 1e-4)
        if near("", plain, want, 1e-2) == []:
            bad.append("the adapter changes nothing")
    return tell(f"PEFT's LoRA of {name} here", bad)


results = [check_steps(name, config) for name, config in CASES.items()]
results += [check_lamb(name, CASES[name]) for name in ("gpt2", "llama")]
results += [check_muon(name, CASES[name]) for name in ("gpt2", "qwen3")]
results += [check_two_bytes(name, CASES[name], p) for name in ("gpt2", "llama") for p in ("bf16", "fp16")]
if peft:
    decoders = {name: config for name, config in CASES.items() if name != "bert"}
    results += [check_adapter(name, config, "lora", "lora_r=4,lora_alpha=8") for name, config in decoders.items()]
    results += [check_adapter(name, config, tune, "prompt_tokens=5")
                for tune in ("prompt", "prefix") for name, config in decoders.items()]
    results += [check_peft_adapter("gpt2", CASES["gpt2"], ["c_attn", "c_fc"]),
                check_peft_adapter("llama", CASES["llama"], ["q_proj", "v_proj", "down_proj"]),
                check_peft_adapter("qwen2", CASES["qwen2"], "all-linear")]
else:
    print("skipped: adapters, no peft")
sys.exit(not all(results))
