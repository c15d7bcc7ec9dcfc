"""Folders train and held of handwritten digits with captions: digits.py MNIST_DIR N_TRAIN N_HELD"""
import gzip
import json
import os
import sys

WORDS = "zero one two three four five six seven eight nine".split()


def main(source, n_train, n_held):
    pixels = gzip.open(source + "/t10k-images-idx3-ubyte.gz").read()[16:]
    digits = gzip.open(source + "/t10k-labels-idx1-ubyte.gz").read()[8:]
    for name, first, last in ("train", 0, n_train), ("held", n_train, n_train + n_held):
        os.mkdir(name)
        with open(name + "/metadata.jsonl", "w", encoding="utf-8") as out:
            for i in range(first, last):
                word = WORDS[digits[i]]
                with open(f"{name}/{i:05}.pgm", "wb") as picture:
                    picture.write(b"P5\n28 28\n255\n" + pixels[784 * i : 784 * (i + 1)])
                record = {"file_name": f"{i:05}.pgm", "text": "a handwritten " + word, "label": word}
                print(json.dumps(record), file=out)


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
