"""images.py PROGRAM PHOTOS: the same pictures by it, by Pillow and by torchvision, in one run."""
import glob
import io
import os
import resource
import statistics
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
TURNS = int(os.environ.get("RUNS", 7))
ROUNDS = 4


def user():
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def make(photos, to):
    kinds = {"jpeg 640x480": [], "png 320x240": []}
    for i, path in enumerate(sorted(glob.glob(photos + "/*.[jp][pn]g"))):
        im = Image.open(path).convert("RGB")
        for kind, (w, h, name) in {"jpeg 640x480": (640, 480, "jpg"), "png 320x240": (320, 240, "png")}.items():
            kinds[kind].append(f"{to}/{i}.{name}")
            im.resize((w, h), Image.BICUBIC).save(kinds[kind][-1], quality=85)
    return kinds


def pillow(data):
    im = Image.open(io.BytesIO(data)).convert("RGB")
    w, h = im.size
    s = 224 / min(w, h)
    im = im.resize((int(w * s), int(h * s)), Image.BICUBIC)
    w, h = im.size
    a = np.asarray(im.crop(((w - 224) // 2, (h - 224) // 2, (w - 224) // 2 + 224, (h - 224) // 2 + 224)))
    return ((a.astype(np.float32) * np.float32(1 / 255) - MEAN) / STD).transpose(2, 0, 1)


def torchvision_of():
    try:
        import torch
        from torchvision.io import ImageReadMode, decode_image
        from torchvision.transforms.v2 import functional as F
    except ImportError:
        return None
    torch.set_num_threads(1)

    def run(data):
        t = decode_image(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB)
        t = F.center_crop(F.resize(t, [224], interpolation=F.InterpolationMode.BICUBIC, antialias=True), [224, 224])
        return F.normalize(t.float() / 255, MEAN.tolist(), STD.tolist())

    return run


def timed(f, datas):
    start = user()
    for _ in range(ROUNDS):
        for d in datas:
            f(d)
    return user() - start


def main():
    tv = torchvision_of()
    with tempfile.TemporaryDirectory() as to:
        for kind, files in make(sys.argv[2], to).items():
            datas = [open(f, "rb").read() for f in files]
            peers = {"Pillow": pillow, **({"torchvision": tv} if tv else {})}
            times = {name: [] for name in ["ours", *peers]}
            for _ in range(TURNS + 1):
                times["ours"].append(float(subprocess.check_output([sys.argv[1], str(ROUNDS), *files])))
                for name, f in peers.items():
                    times[name].append(timed(f, datas))
            rate = {n: ROUNDS * len(files) / statistics.median(t[1:]) for n, t in times.items()}
            print(f"{kind:14} " + "  ".join(f"{n} {r:.0f}/s" for n, r in rate.items()) + "  ratio "
                  + " ".join(f"{rate['ours'] / rate[n]:.2f}" for n in peers))


main()
