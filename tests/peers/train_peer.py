"""What the checks of dstrain against PyTorch share: running it, reading what it leaves, comparing."""
import json
import os
import subprocess
import sys
import warnings

os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
warnings.filterwarnings("ignore")

import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402

transformers.utils.logging.disable_progress_bar()

BIN = sys.argv[1] if len(sys.argv) > 1 else "build/bin"


def tool(name, *args, **how):
    return subprocess.run([f"{BIN}/{name}", *map(str, args)], check=True, **how)


def write_rows(path, rows, docs=None):
    """Rows of one length, packed; docs: where the documents of each begin."""
    with open(path, "w") as f:
        for i, row in enumerate(rows.tolist()):
            f.write(json.dumps({"tokens": row, "docs": docs[i] if docs else [0]}) + "\n")
    return path


def train(directory, data, out, steps, **keys):
    """The losses of a run of dstrain on all rows of data a step; keys: what --set takes."""
    keys = {"max_norm": 0, "weight_decay": 0.1, "scheduler": "constant", "max_steps": steps, **keys}
    pairs = ",".join(f"{k}={v}" for k, v in keys.items())
    tool("dstrain", "--model", directory, "--out", out, "-q", "--set", pairs, data)
    with open(f"{out}/log.jsonl") as log:
        return [json.loads(line)["loss"] for line in log]


def near(what, ours, theirs, bound):
    far = ((ours - theirs).norm() / theirs.norm()).item()
    return [] if far <= bound else [f"{what} off by {far:.2e}"]


def stored_gradients(model):
    """Every gradient by the name its tensor has in a file: transformers keeps the experts of a layer in two tensors."""
    words = {"mixtral": ("block_sparse_moe", "w1", "w3", "w2")}.get(model.config.model_type, ("mlp", "gate_proj", "up_proj", "down_proj"))
    for key, p in model.named_parameters():
        at, _, what = key.partition(".mlp.experts.")
        if p.grad is None:  # not used
            continue
        if not what:
            yield key.replace(".mlp.gate.", f".{words[0]}.gate."), p.grad
            continue
        for e, grad in enumerate(p.grad):
            parts = zip(words[1:3], grad.chunk(2)) if what == "gate_up_proj" else [(words[3], grad)]
            for word, part in parts:
                yield f"{at}.{words[0]}.experts.{e}.{word}.weight", part


def near_gradients(model, out, bound=1e-4):
    """The optimizer's first moment after one step is (1 - beta1) times the gradient."""
    moments, bad, worst = load_file(f"{out}/checkpoint-1/optimizer.safetensors"), [], 0.0
    for key, grad in stored_gradients(model):
        if key + ".m" not in moments:
            bad.append(f"no gradient of {key}")
            continue
        got = torch.tensor(moments.pop(key + ".m")) / (1 - 0.9)
        if grad.norm() > 1e-6:  # a key's bias changes nothing
            worst = max(worst, ((got - grad).norm() / grad.norm()).item())
            bad += near(f"gradient of {key}", got, grad, bound)
        elif got.norm() > 1e-5:
            bad.append(f"gradient of {key} is {got.norm():.2e} instead of 0")
    return bad + [f"no such parameter: {key}" for key in moments if key.endswith(".m")], worst


def tell(name, bad, more=""):
    print(f"{'not ok' if bad else 'ok'} {name}{': ' if more else ''}{more}", flush=True)
    for line in bad:
        print(f"# {line}", flush=True)
    return not bad
