#!/usr/bin/env python3
"""CLIP and ViT both ways: vectors, logits and prepared pictures of random models against transformers'.

images.py BIN WORK. Pictures are made here, one of each format; a model that save_pretrained wrote is asked by dsgen, one
that dstrain wrote by transformers. Prints the largest difference of each, and ends with 1 where one is over 1e-5.
"""
import base64
import json
import os
import subprocess
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import torch
import transformers
from PIL import Image
from transformers.image_transforms import convert_to_rgb

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
BIN, WORK = sys.argv[1], sys.argv[2]
LIMIT = 1e-5
worst = 0


def tool(*args, **more):
    r = subprocess.run([os.path.join(BIN, args[0]), *args[1:]], capture_output=True, text=True, **more)
    if r.returncode:
        sys.exit(f"{' '.join(args)}: {r.stderr}")
    return r.stdout


def path(name):
    return os.path.join(WORK, name)


def tell(what, ours, theirs):
    global worst
    d = float(np.abs(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)).max())
    worst = max(worst, d)
    print(f"{what:46} {d:.2g}")


def make_pictures():
    rng = np.random.default_rng(7)
    smooth = Image.fromarray(rng.integers(0, 256, (7, 9, 4), dtype=np.uint8)).resize((61, 47), Image.BICUBIC)
    rgb = smooth.convert("RGB")
    all = [("a.png", rgb, {}), ("alpha.png", smooth, {}), ("a.jpg", rgb, {"quality": 85}), ("p.gif", rgb.convert("P"), {}),
           ("clear.gif", rgb.convert("P"), {"transparency": 3}), ("a.webp", rgb, {"lossless": True}), ("alpha.webp", smooth, {}),
           ("a.bmp", rgb, {}), ("a.ppm", rgb, {}), ("tall.jpg", rgb.resize((30, 90)), {"progressive": True}),
           ("grey.png", rgb.convert("L"), {}), ("one.pbm", rgb.convert("1"), {})]
    os.makedirs(path("im"))
    with open(path("pairs.jsonl"), "w") as f:
        for i, (name, im, how) in enumerate(all):
            im.save(path("im/" + name), **how)
            with open(path("im/" + name), "rb") as b:
                row = {"image": base64.b64encode(b.read()).decode(), "text": f"picture {i} of a kind", "label": "ab"[i % 2]}
            f.write(json.dumps(row) + "\n")
    return [convert_to_rgb(Image.open(path("im/" + name)), return_numpy=True) for name, _, _ in all]


def randomize(model):
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.05)
    return model.eval()


def rows(*args):
    return [json.loads(line) for line in tool("dsgen", "-q", "--to", "jsonl", *args, path("pairs.jsonl")).splitlines()]


def clip_ids(tok, seq, bos, eos):
    """As ds_pair_text puts them."""
    out = []
    for line in open(path("pairs.jsonl")):
        ids = [bos] + tok.encode(json.loads(line)["text"], add_special_tokens=False).ids
        ids = ids[: seq - 1] + [eos]
        out.append(ids + [0] * (seq - len(ids)))
    return torch.tensor(out)


def check_clip(what, dir, model, pictures):
    from tokenizers import Tokenizer

    c = model.config.text_config
    size = model.config.vision_config.image_size
    prep = transformers.CLIPImageProcessorPil.from_pretrained(dir)
    assert prep.crop_size["height"] == size
    pixels = prep([Image.fromarray(p) for p in pictures], return_tensors="pt")["pixel_values"]
    tok = Tokenizer.from_file(os.path.join(dir, "tokenizer.json"))
    ids = clip_ids(tok, c.max_position_embeddings, c.bos_token_id, c.eos_token_id)
    with torch.no_grad():
        o = model(input_ids=ids, pixel_values=pixels)
    ours = rows("-m", dir, "--embed")
    image = np.array([r["embedding"] for r in ours])
    text = np.array([r["text_embedding"] for r in ours])
    tell(f"{what}: pictures", image, o.image_embeds)
    tell(f"{what}: texts", text, o.text_embeds)
    factor = float(model.logit_scale.exp())
    tell(f"{what}: logits, by their factor", text @ image.T, o.logits_per_text / factor)
    labels = [json.loads(line)["text"] for line in open(path("pairs.jsonl"))]
    with open(path("labels"), "w") as f:
        f.write("\n".join(labels) + "\n")
    score = np.array([r["score"] for r in rows("-m", dir, "--labels", path("labels"))])
    tell(f"{what}: zero-shot probabilities", score, o.logits_per_image.softmax(-1))


def clip(pictures):
    small = "hidden_size=32,intermediate_size=48,num_hidden_layers=2,num_attention_heads=4,image_size=32,patch_size=8"
    tool("dstrain", "--task", "clip", "--model", "clip-tiny", "--set", small + ",projection_dim=24,max_position_embeddings=16",
         "--max-steps", "3", "--out", path("ours"), "-q", path("pairs.jsonl"))
    model = transformers.CLIPModel.from_pretrained(path("ours")).eval()
    check_clip("CLIP that dstrain wrote", path("ours"), model, pictures)
    c = model.config
    c.vision_config.hidden_size, c.vision_config.patch_size, c.projection_dim = 48, 16, 20
    other = randomize(transformers.CLIPModel(c))
    with torch.no_grad():
        other.logit_scale.fill_(2.5)
    other.save_pretrained(path("theirs"))
    transformers.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(path("theirs"))
    os.link(path("ours/tokenizer.json"), path("theirs/tokenizer.json"))
    check_clip("CLIP that transformers wrote", path("theirs"), other, pictures)


def check_vit(what, dir, model, pictures):
    prep = transformers.ViTImageProcessorPil.from_pretrained(dir)
    pixels = prep([Image.fromarray(p) for p in pictures], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        o = model(pixel_values=pixels, output_hidden_states=True)
        state = model.vit(pixel_values=pixels).last_hidden_state[:, 0]
    ours = rows("-m", dir)
    tell(f"{what}: probabilities", [r["score"] for r in ours], o.logits.softmax(-1))
    assert [r["pred"] for r in ours] == [model.config.id2label[int(i)] for i in o.logits.argmax(-1)]
    tell(f"{what}: vectors", [r["embedding"] for r in rows("-m", dir, "--embed")], state / state.norm(dim=-1, keepdim=True))


def vit(pictures):
    small = "hidden_size=32,intermediate_size=48,num_hidden_layers=2,num_attention_heads=4,image_size=32,patch_size=8"
    tool("dstrain", "--model", "vit-tiny", "--set", small, "--max-steps", "3", "--out", path("vit"), "-q", path("pairs.jsonl"))
    model = transformers.ViTForImageClassification.from_pretrained(path("vit")).eval()
    check_vit("ViT that dstrain wrote", path("vit"), model, pictures)
    c = model.config
    c.patch_size, c.qkv_bias, c.hidden_size = 16, False, 48
    other = randomize(transformers.ViTForImageClassification(c))
    other.save_pretrained(path("vit2"))
    transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(path("vit2"))
    check_vit("ViT that transformers wrote", path("vit2"), other, pictures)


torch.manual_seed(1)
made = make_pictures()
clip(made)
vit(made)
print(f"largest difference {worst:.2g}, the limit is {LIMIT:g}")
sys.exit(worst > LIMIT)
