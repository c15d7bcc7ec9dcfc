#!/usr/bin/env python3
"""LoRA both ways with PEFT: its patterns, rsLoRA, names; merging; training an adapter further; what is refused.

Usage: train_adapters.py [BIN_DIR]; needs torch, transformers, safetensors and peft.
"""
import os
import subprocess
import sys
import tempfile

from train_peer import BIN, json, near, tell, tool, torch, transformers, write_rows

try:
    import peft
except ImportError:
    print("skipped: no peft")
    sys.exit(0)

ROWS, SEQ, VOCAB = 4, 32, 97
LLAMA = dict(vocab_size=VOCAB, hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=6,
             num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2)
MODELS = {
    "gpt2": transformers.GPT2Config(vocab_size=VOCAB, n_positions=64, n_embd=48, n_layer=3, n_head=6, resid_pdrop=0,
                                    embd_pdrop=0, attn_pdrop=0, bos_token_id=1, eos_token_id=2),
    "llama": transformers.LlamaConfig(**LLAMA),
    "qwen3": transformers.Qwen3Config(**LLAMA, head_dim=10, tie_word_embeddings=True),
    "bert": transformers.BertConfig(vocab_size=VOCAB, hidden_size=48, intermediate_size=80, num_hidden_layers=3,
                                    num_attention_heads=6, max_position_embeddings=64, hidden_dropout_prob=0,
                                    attention_probs_dropout_prob=0),
}
ADAPTERS = {
    "names": dict(r=3, lora_alpha=7, target_modules=["q_proj", "v_proj", "down_proj"]),
    "an expression": dict(r=4, lora_alpha=8, target_modules=r".*\.[12]\.self_attn\.[qk]_proj"),
    "all-linear, rsLoRA": dict(r=4, lora_alpha=3, use_rslora=True, target_modules="all-linear"),
    "patterns": dict(r=2, lora_alpha=4, target_modules=["q_proj", "k_proj", "up_proj"], lora_dropout=0.1,
                     rank_pattern={"k_proj": 5, r"layers\.1\.mlp\.up_proj": 3}, alpha_pattern={"up_proj": 9}),
    "some layers": dict(r=2, lora_alpha=4, target_modules=["q_proj", "o_proj"], layers_to_transform=[0, 2]),
}


def make(config):
    torch.manual_seed(21)
    kind = transformers.AutoModelForMaskedLM if config.model_type == "bert" else transformers.AutoModelForCausalLM
    model = kind.from_config(config).float().eval()
    for p in model.parameters():
        p.data += 0.05 * torch.randn_like(p)
    return model, torch.randint(3, VOCAB, (ROWS, SEQ))


def adapt(model, base, out, **keys):
    """An adapter of PEFT's whose B is not 0, written to out."""
    adapted = peft.get_peft_model(model, peft.LoraConfig(**keys)).eval()
    for key, p in adapted.named_parameters():
        if "lora_B" in key or "lora_embedding_B" in key:
            p.data = 0.1 * torch.randn_like(p)
    adapted.peft_config["default"].base_model_name_or_path = base
    adapted.save_pretrained(out)
    return adapted


def logits(directory, row):
    out = tool("dsgen", "-m", directory, "--max-tokens", 0, "--logits", "--to", "jsonl", "-q",
               input=json.dumps({"tokens": row.tolist()}), capture_output=True, text=True).stdout
    return torch.tensor(json.loads(out)["logits"])


def last(model, row):
    with torch.no_grad():
        return model(input_ids=row[None]).logits[0, -1]


def check_read(name, config, what, keys):
    """PEFT's adapter here: read, merged by dstrain, trained further and back in PEFT."""
    model, rows = make(config)
    bad = []
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(f"{tmp}/m")
        plain = last(model, rows[0])
        data = write_rows(f"{tmp}/rows.jsonl", rows)
        adapted = adapt(model, f"{tmp}/m", f"{tmp}/a", **keys)
        want = last(adapted, rows[0])
        if not near("", plain, want, 1e-2):
            bad.append("the adapter changes nothing")
        bad += near("logits", logits(f"{tmp}/a", rows[0]), want, 1e-4)
        tool("dstrain", "--merge", "--model", f"{tmp}/a", "--out", f"{tmp}/merged", "-q")
        merged = transformers.AutoModelForCausalLM.from_pretrained(f"{tmp}/merged").eval()
        bad += near("merged, in transformers", last(merged, rows[0]), want, 1e-4)
        bad += near("merged, here", logits(f"{tmp}/merged", rows[0]), want, 1e-4)
        if "rank_pattern" not in keys and "layers_to_transform" not in keys:
            tool("dstrain", "--model", f"{tmp}/a", "--tune", "lora", "--out", f"{tmp}/on", "-q", "--set",
                 f"lr=1e-3,max_steps=5,batch_tokens={ROWS * SEQ}", data)
            again, _ = make(config)
            theirs = last(peft.PeftModel.from_pretrained(again, f"{tmp}/on").eval(), rows[0])
            bad += near("trained further, in PEFT", logits(f"{tmp}/on", rows[0]), theirs, 1e-4)
            with open(f"{tmp}/on/log.jsonl") as log:
                first = json.loads(log.readline())["loss"]
            with torch.no_grad():
                loss = adapted(input_ids=rows, labels=rows).loss
            bad += near("the first loss", torch.tensor(first), loss, 1e-5)
        there = adapted.merge_and_unload()
        bad += near("merge_and_unload", last(merged, rows[0]), last(there, rows[0]), 1e-4)
    return tell(f"{name}, {what}: read, merged, trained further", bad)


def check_written(name, config, targets):
    """An adapter of ours in PEFT, trained by names, by an expression, by all-linear."""
    model, rows = make(config)
    bert = config.model_type == "bert"
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(f"{tmp}/m")
        data = write_rows(f"{tmp}/rows.jsonl", rows)
        keys = f"lora_r=3,lora_alpha=5,lr=1e-2,max_steps=10,batch_tokens={ROWS * SEQ}"
        if bert:
            keys += ",mlm_probability=1,mlm_mask_share=0,mlm_random_share=0"
        tool("dstrain", "--model", f"{tmp}/m", "--tune", "lora", "--out", f"{tmp}/l", "-q", "--set", keys,
             "--target-modules", targets, "--eval-data", data, data)
        adapted = peft.PeftModel.from_pretrained(model, f"{tmp}/l").eval()
        with open(f"{tmp}/l/log.jsonl") as log:
            lines = [json.loads(line) for line in log]
        with torch.no_grad():
            loss = adapted(input_ids=rows, labels=rows).loss
        bad = near("loss", torch.tensor(lines[-1]["eval_loss"]), loss, 1e-4)
        if not loss < lines[0]["loss"]:
            bad.append(f"the loss is {loss}, it began at {lines[0]['loss']}")
    return tell(f"{name}, {targets}: in PEFT", bad)


SOFT = {"prompt": lambda: peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5),
        "prefix": lambda: peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)}


def greedy(directory, row, n):
    out = tool("dsgen", "-m", directory, "--max-tokens", n, "--temperature", 0, "--ignore-eos", "--logprobs", "--to", "jsonl",
               "-q", input=json.dumps({"tokens": row.tolist()}), capture_output=True, text=True).stdout
    return json.loads(out)["logprobs"]


def check_soft(name, config, kind):
    """PEFT's virtual tokens here: logits, perplexity, generation, trained further and back in PEFT."""
    model, rows = make(config)
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(f"{tmp}/m")
        data = write_rows(f"{tmp}/rows.jsonl", rows)
        adapted = peft.get_peft_model(model, SOFT[kind]()).eval()
        for p in adapted.prompt_encoder.parameters():
            p.data = 0.5 * torch.randn_like(p)
        adapted.peft_config["default"].base_model_name_or_path = f"{tmp}/m"
        adapted.save_pretrained(f"{tmp}/a")
        want = last(adapted, rows[0])
        bad = near("logits", logits(f"{tmp}/a", rows[0]), want, 1e-4)
        labels = rows.clone()
        labels[:, 0] = -100
        with torch.no_grad():
            loss = adapted(input_ids=rows, labels=labels).loss
            ids, probs = rows[:1, :7], []
            for _ in range(9):
                step = adapted(input_ids=ids).logits[0, -1].log_softmax(-1)
                probs.append(step.max())
                ids = torch.cat([ids, step.argmax()[None, None]], 1)
        bad += near("generation", torch.tensor(greedy(f"{tmp}/a", rows[0, :7], 9)), torch.stack(probs), 1e-4)
        out = tool("dseval", "ppl", "-m", f"{tmp}/a", data, "--json", "-q", capture_output=True, text=True).stdout
        bad += near("perplexity", torch.tensor(json.loads(out)["metrics"][0]["score"]), loss.exp(), 1e-4)
        tool("dstrain", "--model", f"{tmp}/a", "--tune", kind, "--out", f"{tmp}/on", "-q", "--eval-data", data, "--set",
             f"lr=1e-2,max_steps=8,batch_tokens={ROWS * SEQ}", data)
        with open(f"{tmp}/on/log.jsonl") as log:
            lines = [json.loads(line) for line in log]
        bad += near("the first loss", torch.tensor(lines[0]["loss"]), loss, 1e-4)
        again, _ = make(config)
        back = peft.PeftModel.from_pretrained(again, f"{tmp}/on").eval()
        bad += near("trained further, in PEFT", logits(f"{tmp}/on", rows[0]), last(back, rows[0]), 1e-4)
    return tell(f"{name}, PEFT's {kind}: read, measured, continued, trained further", bad)


REFUSED = {
    "modules_to_save": dict(modules_to_save=["lm_head"]),
    "bias='all'": dict(bias="all"),
    "use_dora": dict(use_dora=True),
    "trainable_token_indices": dict(trainable_token_indices=[1, 2]),
    "init_lora_weights='pissa'": dict(init_lora_weights="pissa"),
    "model.embed_tokens.": dict(target_modules=["q_proj", "embed_tokens"]),
}


def check_refused(what, keys):
    model, _ = make(MODELS["llama"])
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(f"{tmp}/m")
        adapt(model, f"{tmp}/m", f"{tmp}/a", **{"r": 2, "target_modules": ["q_proj"], **keys})
        p = subprocess.run([os.path.join(BIN, "dsgen"), "-m", f"{tmp}/a", "-q", "--to", "jsonl"], input='{"tokens":[5]}', text=True,
                           capture_output=True)
    bad = [] if p.returncode in (1, 2) and what in p.stderr else [f"exit {p.returncode}: {p.stderr}"]
    return tell(f"refused by name: {what}", bad)


results = [check_read("llama", MODELS["llama"], what, keys) for what, keys in ADAPTERS.items()]
results += [check_read("qwen3", MODELS["qwen3"], "all-linear", dict(r=3, lora_alpha=7, target_modules="all-linear")),
            check_read("gpt2", MODELS["gpt2"], "names", dict(r=3, lora_alpha=7, target_modules=["c_attn", "c_proj"],
                                                             fan_in_fan_out=True))]
results += [check_written("llama", MODELS["llama"], "query_key_value"),
            check_written("qwen3", MODELS["qwen3"], "all-linear"),
            check_written("gpt2", MODELS["gpt2"], r".*\.h\.[02]\..*c_(attn|fc)"),
            check_written("bert", MODELS["bert"], "query,value")]
results += [check_soft(name, MODELS[name], kind) for name in ("llama", "qwen3", "gpt2") for kind in SOFT]
results += [check_refused(what, keys) for what, keys in REFUSED.items()]
sys.exit(not all(results))
