"""dsexport onnx against ONNX and ONNX Runtime: the checker accepts the file, logits equal dsgen's within 1e-4.

usage: onnx_runtime.py BIN_DIR WORK_DIR     needs: numpy onnx onnxruntime
"""
import json
import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime

bin_dir, work = sys.argv[1:3]
os.makedirs(work, exist_ok=True)
passed = failed = 0


def tool(name, *args, text=None):
    r = subprocess.run([os.path.join(bin_dir, name), *args], input=text, capture_output=True, timeout=300)
    if r.returncode:
        sys.exit(f"{name} {args}: exit {r.returncode}: {r.stderr.decode()}")
    return r.stdout


def check(what, ok):
    global passed, failed
    passed, failed = passed + ok, failed + (not ok)
    print(("ok - " if ok else "not ok - ") + what)


def model(name, sets):
    out = os.path.join(work, name)
    if not os.path.exists(os.path.join(out, "model.safetensors")):
        rng = np.random.default_rng(1)
        rows = "".join(json.dumps({"tokens": rng.integers(0, 97, 33).tolist()}) + "\n" for _ in range(8))
        path = os.path.join(work, "tokens.jsonl")
        open(path, "w").write(rows)
        tool("dstrain", "--model", name, "--set", "vocab_size=97,bos_token_id=1,eos_token_id=2,pad_token_id=0,seq=32,batch_tokens=64,max_steps=2," + sets,
             "--out", out, "-q", path)
    return out


def ours(path, ids):
    line = tool("dsgen", "-m", path, "--max-tokens", "0", "--logits", "--to", "jsonl", "-q",
                text=json.dumps({"tokens": ids}).encode() + b"\n")
    return np.array(json.loads(line)["logits"], dtype=np.float32)


cases = [
    ("gpt2", "n_layer=2,n_embd=48,n_head=3,n_positions=64"),
    ("llama", "num_hidden_layers=2,hidden_size=48,intermediate_size=80,num_attention_heads=4,"
              "num_key_value_heads=2,head_dim=12,max_position_embeddings=64"),
    ("qwen3", "num_hidden_layers=2,hidden_size=48,intermediate_size=80,num_attention_heads=4,num_key_value_heads=2,"
              "head_dim=10,max_position_embeddings=64,rope_scaling=yarn,rope_scaling_factor=2,rope_original_positions=32"),
]
for name, sets in cases:
    path = model(name, sets)
    ids = np.random.default_rng(2).integers(0, 97, 24).tolist()
    want = ours(path, ids)
    for opset in (13, 17, 18, 21):
        for inputs in (["--input", "input_ids=1,24"], ["--input", "input_ids=batch,seq"], []):
            file = os.path.join(work, f"{name}.onnx")
            tool("dsexport", "onnx", "-m", path, "-o", file, "--opset", str(opset), "-q", *inputs)
            onnx.checker.check_model(file, full_check=True)
            session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
            feed = {"input_ids": np.array([ids], dtype=np.int64)}
            if not inputs:
                feed["attention_mask"] = np.ones((1, 24), dtype=np.int64)
                feed["position_ids"] = np.arange(24, dtype=np.int64)[None]
            names = sorted(i.name for i in session.get_inputs())
            got = session.run(["logits"], feed)[0][0, -1]
            error = float(np.abs(got - want).max())
            check(f"{name} opset {opset} {inputs[-1:]}: inputs {names}, largest difference {error:.1e}",
                  names == sorted(feed) and error < 1e-4)
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
