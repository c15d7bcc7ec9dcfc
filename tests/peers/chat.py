"""dstok --chat, dstrain and their chat_template.jinja against transformers' apply_chat_template.

usage: chat.py BIN_DIR WORK_DIR     needs: transformers tokenizers jinja2

VECTORS were made by transformers with the template that each family published: layout, bos, eos, whether the template has
no system prompts, the first conversation to be answered, the second one as it is.
"""
import json
import os
import re
import subprocess
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
from transformers import PreTrainedTokenizerFast  # noqa: E402

bin_dir, work = sys.argv[1:3]
passed = failed = 0

VECTORS = [
    ('chatml', '', '', 0, '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi\n<|im_end|>\n<|im_start|>assistant\nHello there <|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n', '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n'),
    ('qwen2', '', '', 0, '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi\n<|im_end|>\n<|im_start|>assistant\nHello there <|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n', '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n'),
    ('qwen2.5', '', '', 0, '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi\n<|im_end|>\n<|im_start|>assistant\nHello there <|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n', '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n'),
    ('qwen3', '', '', 0, '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi\n<|im_end|>\n<|im_start|>assistant\nHello there <|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n', '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nHello<|im_end|>\n'),
    ('phi4', '', '', 0, '<|im_start|>system<|im_sep|>Be brief.<|im_end|><|im_start|>user<|im_sep|> Hi\n<|im_end|><|im_start|>assistant<|im_sep|>Hello there <|im_end|><|im_start|>user<|im_sep|>Bye<|im_end|><|im_start|>assistant<|im_sep|>', '<|im_start|>user<|im_sep|>Hi<|im_end|><|im_start|>assistant<|im_sep|>Hello<|im_end|>'),
    ('phi3', '<s>', '</s>', 0, '<|system|>\nBe brief.<|end|>\n<|user|>\n Hi\n<|end|>\n<|assistant|>\nHello there <|end|>\n<|user|>\nBye<|end|>\n<|assistant|>\n', '<|user|>\nHi<|end|>\n<|assistant|>\nHello<|end|>\n</s>'),
    ('llama2', '<s>', '</s>', 0, '<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Hi [/INST] Hello there </s><s>[INST] Bye [/INST]', '<s>[INST] Hi [/INST] Hello </s>'),
    ('llama3', '<|begin_of_text|>', '', 0, '<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello there<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n', '<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>'),
    ('llama3.1', '<|begin_of_text|>', '', 0, '<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello there<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n', '<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>'),
    ('mistral-v0.1', '<s>', '</s>', 1, '<s>[INST]  Hi\n [/INST]Hello there </s> [INST] Bye [/INST]', '<s>[INST] Hi [/INST]Hello</s> '),
    ('mistral', '<s>', '</s>', 1, '<s>[INST]  Hi\n [/INST]Hello there </s>[INST] Bye [/INST]', '<s>[INST] Hi [/INST]Hello</s>'),
    ('mistral-tekken', '<s>', '</s>', 0, '<s>[INST] Hi\n[/INST]Hello there </s>[INST]Be brief.\n\nBye[/INST]', '<s>[INST]Hi[/INST]Hello</s>'),
    ('gemma', '<s>', '</s>', 0, '<s><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nHello there<end_of_turn>\n<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n', '<s><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello<end_of_turn>\n'),
    ('deepseek', '<｜begin▁of▁sentence｜>', '<｜end▁of▁sentence｜>', 0, '<｜begin▁of▁sentence｜>Be brief.<｜User｜> Hi\n<｜Assistant｜>Hello there <｜end▁of▁sentence｜><｜User｜>Bye<｜Assistant｜>', '<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜>Hello<｜end▁of▁sentence｜>'),
    ('deepseek-llm', '<s>', '</s>', 0, '<s>Be brief.\n\nUser:  Hi\n\n\nAssistant: Hello there </s>User: Bye\n\nAssistant:', '<s>User: Hi\n\nAssistant: Hello</s>'),
    ('deepseek-coder', '<s>', '</s>', 0, '<s>Be brief.### Instruction:\n Hi\n\n### Response:\nHello there \n<|EOT|>\n### Instruction:\nBye\n### Response:\n', '<s>You are an AI programming assistant, utilizing the Deepseek Coder model, developed by Deepseek Company, and you only answer questions related to computer science. For politically sensitive questions, security and privacy issues, and other non-computer science questions, you will refuse to answer\n### Instruction:\nHi\n### Response:\nHello\n<|EOT|>\n'),
    ('alpaca', '<s>', '</s>', 0, '<s>Be brief.\n\n### Instruction:\nHi\n\n### Response:\nHello there</s>\n\n### Instruction:\nBye\n\n### Response:\n', '<s>### Instruction:\nHi\n\n### Response:\nHello</s>\n\n'),
    ('vicuna', '<s>', '</s>', 0, '<s>Be brief.\n\nUSER: Hi\nASSISTANT: Hello there</s>\nUSER: Bye\nASSISTANT:', '<s>USER: Hi\nASSISTANT: Hello</s>\n'),
    ('zephyr', '<s>', '</s>', 0, '<|system|>\nBe brief.</s>\n<|user|>\n Hi\n</s>\n<|assistant|>\nHello there </s>\n<|user|>\nBye</s>\n<|assistant|>\n', '<|user|>\nHi</s>\n<|assistant|>\nHello</s>\n'),
    ('tulu', '<s>', '</s>', 0, '<|system|>\nBe brief.\n<|user|>\n Hi\n\n<|assistant|>\nHello there </s>\n<|user|>\nBye\n<|assistant|>\n', '<|user|>\nHi\n<|assistant|>\nHello</s>'),
    ('openchat', '<s>', '</s>', 0, '<s>GPT4 Correct System: Be brief.<|end_of_turn|>GPT4 Correct User:  Hi\n<|end_of_turn|>GPT4 Correct Assistant: Hello there <|end_of_turn|>GPT4 Correct User: Bye<|end_of_turn|>GPT4 Correct Assistant:', '<s>GPT4 Correct User: Hi<|end_of_turn|>GPT4 Correct Assistant: Hello<|end_of_turn|>'),
    ('command-r', '<s>', '</s>', 0, '<s><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>Be brief.<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hi<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>Hello there<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Bye<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>', '<s><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hi<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>Hello<|END_OF_TURN_TOKEN|>'),
    ('granite', '<s>', '</s>', 0, '<|start_of_role|>system<|end_of_role|>Be brief.<|end_of_text|>\n<|start_of_role|>user<|end_of_role|> Hi\n<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>Hello there <|end_of_text|>\n<|start_of_role|>user<|end_of_role|>Bye<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>', '<|start_of_role|>user<|end_of_role|>Hi<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>Hello<|end_of_text|>\n'),
]

SYSTEM = {"role": "system", "content": "Be brief."}
FIRST = [{"role": "user", "content": " Hi\n"}, {"role": "assistant", "content": "Hello there "}, {"role": "user", "content": "Bye"}]
SECOND = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def tool(name, *args, env=None):
    r = subprocess.run([os.path.join(bin_dir, name), *args], capture_output=True, timeout=300, env={**os.environ, **(env or {})})
    if r.returncode:
        sys.exit(f"{name} {args}: exit {r.returncode}: {r.stderr.decode()}")
    return r.stdout


def check(what, ok):
    global passed, failed
    passed, failed = passed + ok, failed + (not ok)
    print(("ok - " if ok else "not ok - ") + what)


def special_tokens(layout, bos, eos, text):
    """The names in a rendering that are tokens of the family's tokenizer."""
    found = re.findall(r"<[|｜][^<>]*[|｜]>|<(?:start|end)_of_turn>", text)
    if layout == "mistral-tekken":
        found += ["[INST]", "[/INST]"]
    return list(dict.fromkeys([t for t in (bos, eos) if t] + found))


text = os.path.join(work, "text.txt")
open(text, "w").write("Hello there, be brief. You are a helpful assistant. User Assistant System\n" * 20)
chat = os.path.join(work, "chat.jsonl")
open(chat, "w").write(json.dumps({"messages": SECOND}) + "\n")
for layout, bos, eos, no_system, open_text, whole in VECTORS:
    out = os.path.join(work, layout)
    os.makedirs(out)
    specials = special_tokens(layout, bos, eos, open_text + whole)
    if not eos:
        specials.append("</s>")
    tool("dstok", "train", "-q", "-V", str(300 + len(specials)), *[a for s in specials for a in ("--special", s)], text,
         "-o", os.path.join(out, "tokenizer.json"))
    names = {"bos_token": bos or None, "eos_token": eos or "</s>"}
    json.dump({k: v for k, v in names.items() if v}, open(os.path.join(out, "tokenizer_config.json"), "w"))
    hf = PreTrainedTokenizerFast(tokenizer_file=os.path.join(out, "tokenizer.json"), **names)
    ids = hf(whole, add_special_tokens=False)["input_ids"]
    ours = json.loads(tool("dstok", "-q", "-t", out, "--chat", layout, "--to", "jsonl", chat))["tokens"]
    check(f"{layout}: the published template's ids", ours == ids)
    run = os.path.join(work, "run-" + layout)
    tool("dstrain", "--model", "gpt2", "--set", "n_layer=1,n_embd=16,n_head=2,seq=512", "--task", "chat", "--chat", layout,
         "--max-steps", "1", "--batch-tokens", "512", "--out", run, "-q", chat, env={"DS_TOKENIZER": out})
    template = open(os.path.join(run, "chat_template.jinja")).read()
    first = FIRST if no_system else [SYSTEM] + FIRST
    got = hf.apply_chat_template(first, chat_template=template, tokenize=False, add_generation_prompt=True)
    check(f"{layout}: chat_template.jinja opens an answer as the published one", got == open_text)
    got = hf.apply_chat_template(SECOND, chat_template=template, tokenize=False)
    check(f"{layout}: chat_template.jinja gives the conversation of the published one", got == whole)
    open(os.path.join(out, "chat_template.jinja"), "w").write(template)
    ours = json.loads(tool("dstok", "-q", "-t", out, "--chat", "auto", "--to", "jsonl", chat))["tokens"]
    check(f"{layout}: recognised from its template", ours == ids)
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
