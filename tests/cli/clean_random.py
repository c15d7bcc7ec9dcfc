#!/usr/bin/env python3
"""Prints N records of pieces of text, markup, code and odd characters, put together at random: always the same ones."""
import json
import random
import sys

PIECES = """\t| |\n|\r\n|\r|\u00a0|\u3000|\u2003|a|b |é|e\u0301|\u200b|```|~~~|>|>>> |... |    |\f|\v|\u0085|\u2028|x = 1|foo(a);|{|}
<p>|</p>|<pre>|</pre>|<html>|&amp;|&lt;|&nbsp;|<td>|<tr>|<table>|@@ -1|- |+|1. |中|\u1100|\u1161|\u0327|\u0301|\U0001f3f4
\U000e0067|\ufeff|\ufffe|This is a sentence of some words. |import os\n|return 1\n"""

random.seed(1)
pieces = [piece for line in PIECES.split("\n") for piece in line.split("|") if piece] + ["|", "\n", " ", "\n"]
for _ in range(int(sys.argv[1])):
    print(json.dumps({"text": "".join(random.choice(pieces) for _ in range(random.randint(1, 60)))}))
