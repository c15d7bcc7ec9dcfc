"""Published runs against dsplan: parameters to the printed digit, seconds of a step, a table of errors."""
import json
import statistics
import subprocess
import sys

WORST, MEDIAN = 0.25, 0.12


def model_of(shape, seq):
    if shape[0] == "gpt2":
        hidden, layers, heads, vocabulary = shape[1:5]
        keys = f"n_embd={hidden},n_layer={layers},n_head={heads},vocab_size={vocabulary},n_positions={seq}"
        return "gpt2", keys + (",tie_word_embeddings=false" if "untied" in shape else "")
    hidden, layers, heads, kv, inside, vocabulary = shape[1:7]
    return "llama", (
        f"hidden_size={hidden},num_hidden_layers={layers},num_attention_heads={heads},num_key_value_heads={kv},"
        f"intermediate_size={inside},vocab_size={vocabulary},head_dim={int(hidden) // int(heads)},"
        f"max_position_embeddings={seq},tie_word_embeddings=false"
    )


def plan(row):
    _, gpu, gpus, layout, shape, seq, batch, rows, again, interleave, unfused, _, _ = row
    replicas = dict(w.split("=") for w in layout.split(",")).get("dp", "1")
    micro = int(batch) // int(replicas) // int(rows)
    name, keys = model_of(shape.split(), seq)
    command = ["dsplan", "--model", name, "--set", keys, "--gpu", gpu, "--gpus", gpus, "--seq", seq]
    command += ["--batch-tokens", str(int(seq) * int(batch)), "--interleave", interleave, "--json"]
    command += ["--set", f"parallel_strategy={layout},gradient_checkpointing={again},gradient_accumulation_steps={micro}"]
    command += ["--unfused"] if unfused == "yes" else []
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1), run.stderr  # 1: it does not fit as dstrain has it
    return json.loads(run.stdout)


def main(path):
    errors, wrong = [], []
    print(f"{'run':26} {'params':>9} {'said':>8} {'seconds':>8} {'said':>8} {'error':>7}")
    for line in open(path, encoding="utf-8"):
        if line.startswith("#"):
            continue
        row = line.rstrip("\n").split("\t")
        name, seconds, params = row[0], float(row[11]), row[12]
        found = plan(row)
        digits = len(params.partition(".")[2])
        billions = found["parameters"] / 1e9
        step = found["layouts"][0]["time"]["step"]
        error = step / seconds - 1
        errors.append(abs(error))
        print(f"{name:26} {billions:9.2f} {params:>8} {step:8.2f} {seconds:8.2f} {100 * error:+6.1f} %")
        if params != "-" and f"{billions:.{digits}f}" != params:
            wrong.append(f"{name}: {billions:.{digits}f} parameters, printed {params}")
        if abs(error) > WORST:
            wrong.append(f"{name}: {100 * error:+.1f} %")
    median = statistics.median(errors)
    print(f"{len(errors)} runs: median error {100 * median:.1f} %, worst {100 * max(errors):.1f} %")
    if median > MEDIAN:
        wrong.append(f"median {100 * median:.1f} %")
    if wrong:
        sys.exit("\n".join(wrong))


main(sys.argv[1])
