#!/usr/bin/env python3
"""chatgpt.py - conversations as ChatGPT exports them, a JSON object a line on stdin, as lines of {"messages": ...}

A conversation is a tree of messages, since a question can be asked again in other words; what counts is the branch
that ends at current_node. Messages of tools and pictures are left out, and conversations without an answer.
"""
import json
import sys


def said(message):
    content = (message.get("content") or {})
    parts = content.get("parts") or []
    return "\n".join(p for p in parts if isinstance(p, str)).strip()


for line in sys.stdin:
    talk = json.loads(line)
    nodes, at, messages = talk.get("mapping") or {}, talk.get("current_node"), []
    seen = set()
    while at in nodes and at not in seen:
        seen.add(at)
        message = nodes[at].get("message") or {}
        role = (message.get("author") or {}).get("role")
        text = said(message)
        if role in ("user", "assistant", "system") and text:
            messages.append({"role": role, "content": text})
        at = nodes[at].get("parent")
    if any(m["role"] == "assistant" for m in messages):
        print(json.dumps({"messages": messages[::-1]}, ensure_ascii=False))
