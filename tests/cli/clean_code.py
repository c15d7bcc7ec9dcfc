#!/usr/bin/env python3
"""Python files and answers parse after dsclean's default rules to what they parsed to before: CODE ANSWERS"""
import ast
import json
import subprocess
import sys
import warnings

warnings.simplefilter("ignore")


def tree(text):
    """What is parsed, without the texts that stand for comments; None where it is no Python."""
    try:
        parsed = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    for node in ast.walk(parsed):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = None
    return ast.dump(parsed)


def records(path, field):
    with open(path, encoding="utf-8") as file:
        found = [json.loads(line) for line in file]
    for record in found:
        record["text"] = record.get(field) or ""
    return [r for r in found if "\n" in r["text"] and tree(r["text"])]


def cleaned(texts):
    given = "\n".join(json.dumps(t) for t in texts)
    done = subprocess.run(["dsclean", "-q", "--to", "jsonl", "--from", "jsonl"], input=given.encode(),
                          capture_output=True, check=True)
    return [json.loads(line)["text"] for line in done.stdout.decode().split("\n") if line]


def indented(text):
    return "".join("    " + line if line.strip() else line for line in text.splitlines(True))


code = [r for r in records(sys.argv[1], "text") if r["lang"] == "Python"]
answers = records(sys.argv[2], "response")
FENCE = ("This is  it:\n\n```python\n", "```\n\nThat is  all.\n")
bad = 0


def check(name, sources, made, inner=lambda text: text):
    global bad
    results = cleaned(made)
    wrong = [i for i, text in enumerate(results) if tree(inner(text)) != tree(sources[i]["text"])]
    wrong += ["records"] * (len(results) != len(sources))
    bad += len(wrong)
    print(f"{name}: {len(wrong)} of {len(sources)} differ", wrong[:5])


check("path", code, [{"path": r["path"], "text": r["text"]} for r in code])
check("lang", code, [{"lang": r["lang"], "text": r["text"]} for r in code])
check("bare", code, [{"text": r["text"]} for r in code])
check("fenced", code, [{"text": FENCE[0] + r["text"] + FENCE[1]} for r in code],
      lambda text: text.split("```python\n", 1)[1].rsplit("```", 1)[0])
check("indented", code, [{"text": "So it is:\n\nif 1:\n" + indented(r["text"])} for r in code],
      lambda text: "".join(line.removeprefix("    ") for line in text.split("if 1:\n", 1)[1].splitlines(True)))
check("answers", answers, [{"text": r["text"]} for r in answers])
sys.exit(bad > 0 or len(code) < 50 or len(answers) < 500)
