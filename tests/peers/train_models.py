#!/usr/bin/env python3
"""Every architecture on random small configurations: loss, logits and every parameter's gradient.

transformers makes a model of random sizes; dstrain reads its directory, in one file or several, takes
one step on random rows, with documents or without, in parts or whole, computing again or keeping; what
it logs and leaves must be PyTorch's. Usage: train_models.py [BIN_DIR]; DS_SEED draws others.
"""
import os
import random
import sys
import tempfile

from train_peer import json, near, near_gradients, tell, tool, torch, train, transformers, write_rows

SEED, ROUNDS = int(os.environ.get("DS_SEED", "1")), int(os.environ.get("ROUNDS", "4"))


def common(r):
    """Sizes that all architectures have, under Llama's names."""
    heads = r.choice([1, 2, 3, 4, 6])
    return dict(vocab_size=r.randint(40, 200), num_hidden_layers=r.randint(1, 3), num_attention_heads=heads,
                max_position_embeddings=r.choice([48, 64, 100]), hidden_size=heads * 2 * r.randint(2, 12),
                intermediate_size=r.randint(9, 90), bos_token_id=1, eos_token_id=2, pad_token_id=0,
                hidden_act=r.choice(["silu", "gelu", "gelu_pytorch_tanh", "relu"]), tie_word_embeddings=r.random() < 0.5)


def gpt2(r):
    c = common(r)
    return transformers.GPT2Config(
        vocab_size=c["vocab_size"], n_positions=c["max_position_embeddings"], n_embd=c["hidden_size"],
        n_layer=c["num_hidden_layers"], n_head=c["num_attention_heads"], n_inner=r.choice([None, c["intermediate_size"]]),
        activation_function=r.choice(["gelu_new", "gelu", "relu", "silu"]), layer_norm_epsilon=r.choice([1e-5, 1e-4]),
        tie_word_embeddings=c["tie_word_embeddings"], resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=1, eos_token_id=2)


def grouped(r, **more):
    c = common(r)
    heads = c["num_attention_heads"]
    c.update(num_key_value_heads=r.choice([k for k in range(1, heads + 1) if heads % k == 0]),
             rms_norm_eps=r.choice([1e-6, 1e-5]), **more)
    return c


def scaling(r, theta):
    """transformers of today keeps theta in the same object."""
    kind = r.choice(["default", "linear", "llama3", "yarn", "dynamic"])
    parts = {"rope_type": kind, "rope_theta": theta}
    if kind != "default":
        parts["factor"] = r.choice([2.0, 8.0])
    if kind == "yarn":
        parts["original_max_position_embeddings"] = r.choice([16, 32])
        parts.update(r.choice([{}, {"beta_fast": 4.0, "beta_slow": 0.5}, {"mscale": 0.7, "mscale_all_dim": 1.3}]))
    if kind == "llama3":
        parts.update(low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=r.choice([16, 32]))
    return parts


def llama(r):
    return transformers.LlamaConfig(**grouped(
        r, head_dim=2 * r.randint(2, 9), rope_parameters=scaling(r, r.choice([1e4, 5e5])),
        attention_bias=r.random() < 0.5, mlp_bias=r.random() < 0.5))


def mistral(r):
    return transformers.MistralConfig(**grouped(
        r, head_dim=2 * r.randint(2, 9), sliding_window=r.choice([None, 1, 3, 9, 40]),
        rope_parameters={"rope_type": "default", "rope_theta": 1e4}))


def qwen2(r):
    return transformers.Qwen2Config(**grouped(r, rope_parameters=scaling(r, 1e6)))


def qwen3(r):
    return transformers.Qwen3Config(**grouped(
        r, head_dim=2 * r.randint(2, 9), attention_bias=r.random() < 0.5, rope_parameters=scaling(r, 1e6)))


def experts(r, **more):
    """What a model with experts has beside; whether their routers' losses count."""
    n = r.choice([1, 2, 5, 8, 16])
    return dict(num_experts_per_tok=r.randint(1, min(n, 4)), output_router_logits=r.random() < 0.5, router_aux_loss_coef=0.3,
                rope_parameters={"rope_type": "default", "rope_theta": 1e4}, **more), n


def mixtral(r):
    more, n = experts(r, head_dim=2 * r.randint(2, 9), sliding_window=r.choice([None, 5]))
    return transformers.MixtralConfig(**grouped(r, num_local_experts=n, **more))


def qwen2_moe(r):
    more, n = experts(r, moe_intermediate_size=r.randint(5, 40), shared_expert_intermediate_size=r.randint(5, 40))
    return transformers.Qwen2MoeConfig(**grouped(r, num_experts=n, decoder_sparse_step=r.choice([1, 2]),
                                                 norm_topk_prob=r.random() < 0.5, **more))


def qwen3_moe(r):
    more, n = experts(r, moe_intermediate_size=r.randint(5, 40), head_dim=2 * r.randint(2, 9))
    return transformers.Qwen3MoeConfig(**grouped(r, num_experts=n, decoder_sparse_step=r.choice([1, 2]),
                                                 norm_topk_prob=r.random() < 0.5, **more))


def bert(r, **more):
    c = common(r)
    c["hidden_act"] = r.choice(["gelu", "relu", "gelu_new", "silu"])
    return transformers.BertConfig(**c, hidden_dropout_prob=0, attention_probs_dropout_prob=0,
                                   type_vocab_size=r.choice([1, 2]), layer_norm_eps=r.choice([1e-12, 1e-5]), **more)


def shake(model, seed):
    """Biases and norms that are not 0 and 1."""
    torch.manual_seed(seed)
    for p in model.parameters():
        p.data += 0.05 * torch.randn_like(p)
    return model.float().eval()


def begins(r, seq):
    return sorted({0, *r.sample(range(1, seq), min(seq - 1, r.randint(0, 4)))})


def visible(docs, seq, causal, window):
    """Who sees whom: the block diagonal of the documents, what lies behind, what the window holds."""
    doc = torch.tensor([sum(b <= t for b in docs) for t in range(seq)])
    at = torch.arange(seq)
    see = doc[:, None] == doc[None, :]
    if causal:
        see &= at[:, None] >= at[None, :]
    if window:
        see &= at[:, None] - at[None, :] < window
    return see


def mask_and_positions(docs, seq, causal, window):
    see = torch.stack([visible(d, seq, causal, window) for d in docs])[:, None]
    mask = torch.zeros(see.shape).masked_fill(~see, torch.finfo(torch.float32).min)
    where = torch.stack([torch.tensor([t - max(b for b in d if b <= t) for t in range(seq)]) for d in docs])
    return mask, where


def ways(r, rows, seq):
    """How dstrain computes a step; none of it may show."""
    parts = r.choice([k for k in range(1, rows + 1) if rows % k == 0])
    return dict(lr=0, batch_tokens=rows * seq, gradient_accumulation_steps=parts,
                gradient_checkpointing=r.choice(["false", "elements", "attention", "true"]))


def save(model, directory, r):
    model.save_pretrained(directory, safe_serialization=True, max_shard_size=r.choice(["5GB", "20KB"]))


def logits(directory, rows, model):
    """dsgen's logits after prompts of several lengths."""
    prompts = [row[:n].tolist() for row in rows for n in (1, rows.shape[1] // 2 + 1, rows.shape[1])]
    lines = "".join(json.dumps({"tokens": p}) + "\n" for p in prompts)
    out = tool("dsgen", "-m", directory, "--max-tokens", 0, "--logits", "--to", "jsonl", "-q", input=lines,
               capture_output=True, text=True).stdout
    got = [torch.tensor(json.loads(line)["logits"]) for line in out.splitlines()]
    bad = []
    with torch.no_grad():
        for prompt, ours in zip(prompts, got):
            bad += near(f"logits after {len(prompt)} tokens", ours, model(input_ids=torch.tensor([prompt])).logits[0, -1], 1e-4)
    return bad


def read_back(directory, model, rows):
    """What dstrain leaves, read by transformers: no tensor too few or too many, and the same logits."""
    again, info = type(model).from_pretrained(directory, output_loading_info=True, attn_implementation="eager")
    bad = [f"{what}: {info[what]}" for what in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[what]]
    with torch.no_grad():
        return bad + near("logits of what was left", again.eval()(rows).logits, model(rows).logits, 1e-5)


def check_decoder(name, make, number):
    r = random.Random(f"{name} {SEED} {number}")
    config = make(r)
    config._attn_implementation = "eager"
    model = shake(transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager"), number)
    count, seq = r.randint(1, 4), r.randint(2, 48)
    rows = torch.randint(3, config.vocab_size, (count, seq))
    docs = [begins(r, seq) for _ in range(count)] if r.random() < 0.6 else None
    if docs and all(len(d) == seq for d in docs):
        docs = None  # nothing would be left to predict
    how = ways(r, count, seq)
    labels, asked = rows.clone(), {}
    routed = getattr(config, "output_router_logits", False)
    if routed:  # transformers takes their losses over a whole batch of whole rows
        docs, how["gradient_accumulation_steps"] = None, 1
    if docs:
        window = getattr(config, "sliding_window", None)
        mask, where = mask_and_positions(docs, seq, True, window if config.model_type in ("mistral", "mixtral") else None)
        asked = dict(attention_mask=mask, position_ids=where)
        for i, d in enumerate(docs):
            labels[i, d] = -100  # a document's first token follows from nothing
    with tempfile.TemporaryDirectory() as tmp:
        save(model, f"{tmp}/m", r)
        data = write_rows(f"{tmp}/rows.jsonl", rows, docs)
        bad = logits(f"{tmp}/m", rows, model)
        got = train(f"{tmp}/m", data, f"{tmp}/out", 1, doc_attention="true" if docs else "false", **how)[0]
        result = model(input_ids=rows, labels=labels, **asked)
        loss = result.loss
        loss.backward()
        if routed and result.aux_loss:
            with open(f"{tmp}/out/log.jsonl") as log:
                bad += near("balance loss", torch.tensor(json.loads(log.readline())["aux_loss"]), result.aux_loss, 1e-5)
            loss = loss - config.router_aux_loss_coef * result.aux_loss
        bad += near("loss", torch.tensor(got), loss, 1e-5)
        more, worst = near_gradients(model, f"{tmp}/out")
        bad += more + read_back(f"{tmp}/out", model, rows)
    if bad:
        bad.append(f"{config.to_diff_dict()} rows {tuple(rows.shape)} docs {docs} {how}")
    return tell(f"{name} {number}", bad, f"gradients within {worst:.1e}")


def check_masked(number):
    """Every token is a target and none is hidden: labels are the ids themselves."""
    r = random.Random(f"bert {SEED} {number}")
    config = bert(r)
    model = shake(transformers.BertForMaskedLM._from_config(config, attn_implementation="eager"), number)
    count, seq = r.randint(1, 4), r.randint(2, 48)
    rows, asked = torch.randint(3, config.vocab_size, (count, seq)), {}
    docs = [begins(r, seq) for _ in range(count)] if r.random() < 0.5 else None
    if docs:
        mask, where = mask_and_positions(docs, seq, False, None)
        asked = dict(attention_mask=mask, position_ids=where)
    how = ways(r, count, seq)
    with tempfile.TemporaryDirectory() as tmp:
        save(model, f"{tmp}/m", r)
        got = train(f"{tmp}/m", write_rows(f"{tmp}/rows.jsonl", rows, docs), f"{tmp}/out", 1, mlm_probability=1, mlm_mask_share=0,
                    mlm_random_share=0, doc_attention="true" if docs else "false", **how)[0]
        loss = model(input_ids=rows, labels=rows, **asked).loss
        loss.backward()
        bad = near("loss", torch.tensor(got), loss, 1e-5)
        more, worst = near_gradients(model, f"{tmp}/out")
    return tell(f"bert masked {number}", bad + more, f"gradients within {worst:.1e}")


def check_labels(kind, number):
    r = random.Random(f"bert {kind} {SEED} {number}")
    names = {i: chr(65 + i) for i in range(r.randint(2, 5))}
    config = bert(r, id2label=names, label2id={v: k for k, v in names.items()})
    cls = transformers.BertForTokenClassification if kind == "tokcls" else transformers.BertForSequenceClassification
    model = shake(cls._from_config(config, attn_implementation="eager"), number)
    count, seq = r.randint(1, 4), r.randint(3, 40)
    lengths = [seq] + [r.randint(1, seq) for _ in range(count - 1)]
    rows, mask = torch.randint(3, config.vocab_size, (count, seq)), torch.zeros(count, seq, dtype=torch.long)
    for i, n in enumerate(lengths):
        mask[i, :n] = 1
    labels = torch.tensor([r.randrange(len(names)) for _ in range(count)])
    if kind == "tokcls":
        labels = torch.randint(0, len(names), (count, seq))
        labels[:, 2::4] = -100
        labels[mask == 0] = -100
    with tempfile.TemporaryDirectory() as tmp:
        save(model, f"{tmp}/m", r)
        with open(f"{tmp}/rows.jsonl", "w") as f:
            for i, n in enumerate(lengths):
                record = {"tokens": rows[i, :n].tolist()}
                if kind == "tokcls":
                    record["labels"] = [None if k < 0 else names[k] for k in labels[i, :n].tolist()]
                else:
                    record["label"] = names[labels[i].item()]
                f.write(json.dumps(record) + "\n")
        got = train(f"{tmp}/m", f"{tmp}/rows.jsonl", f"{tmp}/out", 1, seq=seq, **ways(r, count, seq))[0]
        loss = model(input_ids=rows, attention_mask=mask, labels=labels).loss
        loss.backward()
        bad = near("loss", torch.tensor(got), loss, 1e-5)
        more, worst = near_gradients(model, f"{tmp}/out")
    return tell(f"bert {kind} {number}", bad + more, f"gradients within {worst:.1e}")


decoders = {"gpt2": gpt2, "llama": llama, "mistral": mistral, "qwen2": qwen2, "qwen3": qwen3,
            "mixtral": mixtral, "qwen2_moe": qwen2_moe, "qwen3_moe": qwen3_moe}
results = []
for n in range(ROUNDS):
    results += [check_decoder(name, make, n) for name, make in decoders.items()]
    results += [check_masked(n), check_labels("cls", n), check_labels("tokcls", n)]
sys.exit(not all(results))
