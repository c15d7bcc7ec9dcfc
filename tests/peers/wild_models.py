#!/usr/bin/env python3
"""Every architecture, with a directory as people have it, trained for a step at rate 0 and read by transformers again.

Variants: null keys, a list of eos ids, files beside the weights, chat templates, weights in parts, a padded vocabulary, an
output projection that differs from its embedding. The logits must be transformers' before and after, and so must config,
generation_config, special tokens and rendered chats. Usage: wild_models.py [BIN_DIR]
"""
import json
import os
import subprocess
import sys
import tempfile
import warnings
import zlib

os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
warnings.filterwarnings("ignore")
import tokenizers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
BIN = sys.argv[1] if len(sys.argv) > 1 else "build/bin"
WORDS = [f"word{i}" for i in range(40)] + ["the", "quick", "brown", "fox", "jumps", "hello", "user", "assistant"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
SPECIAL = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCAB = 300


def run(program, *args, **more):
    done = subprocess.run([os.path.join(BIN, program), *map(str, args)], capture_output=True, text=True, **more)
    if done.returncode:
        raise RuntimeError(f"{program} {' '.join(map(str, args))}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def decoder_tokenizer():
    t = tokenizers.Tokenizer(tokenizers.models.BPE())
    t.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=SPECIAL,
                                             initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet())
    t.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="<|im_end|>", pad_token="<pad>")


def encoder_tokenizer():
    t = tokenizers.Tokenizer(tokenizers.models.WordPiece({w: i for i, w in enumerate(BERT_SPECIAL + WORDS)}, unk_token="[UNK]"))
    t.normalizer = tokenizers.normalizers.BertNormalizer()
    t.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    t.decoder = tokenizers.decoders.WordPiece()
    t.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=t, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
                                                sep_token="[SEP]", mask_token="[MASK]")


SIZES = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             max_position_embeddings=64)
LLAMA = dict(SIZES, num_key_value_heads=2, bos_token_id=1, eos_token_id=4, pad_token_id=0)
ARCHS = {
    "bert": lambda: transformers.BertConfig(**SIZES, pad_token_id=0),
    "gpt2": lambda: transformers.GPT2Config(vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=1,
                                            eos_token_id=4, pad_token_id=0),
    "llama": lambda: transformers.LlamaConfig(**LLAMA, head_dim=8),
    "mistral": lambda: transformers.MistralConfig(**LLAMA, head_dim=8, sliding_window=5),
    "qwen2": lambda: transformers.Qwen2Config(**LLAMA),
    "qwen3": lambda: transformers.Qwen3Config(**LLAMA, head_dim=8),
}
NULLS = {"bert": ["classifier_dropout"], "gpt2": ["n_inner", "bos_token_id", "pad_token_id"],
         "llama": ["rope_scaling", "bos_token_id", "pad_token_id"], "mistral": ["sliding_window", "bos_token_id", "pad_token_id"],
         "qwen2": ["rope_scaling", "bos_token_id", "pad_token_id"], "qwen3": ["rope_scaling", "bos_token_id", "pad_token_id"]}


def edit(path, change):
    with open(path) as f:
        v = json.load(f)
    change(v)
    with open(path, "w") as f:
        json.dump(v, f, indent=1)


# A variant changes the config before the model is made, or the directory when it is there.
def null_keys(arch, d):
    edit(f"{d}/config.json", lambda c: c.update({k: None for k in NULLS[arch]}))


def list_eos(arch, d):
    edit(f"{d}/config.json", lambda c: c.update(eos_token_id=[4, 2]))
    with open(f"{d}/generation_config.json", "w") as f:
        json.dump({"eos_token_id": [4, 2], "bos_token_id": 1, "top_p": 0.75}, f)


def side_files(arch, d):
    edit(f"{d}/tokenizer_config.json", lambda c: c.update(model_max_length=61, padding_side="left"))
    with open(f"{d}/generation_config.json", "w") as f:
        json.dump({"max_new_tokens": 7, "do_sample": True, "temperature": 0.5}, f)


def chat_template(arch, d):
    with open(f"{d}/chat_template.jinja", "w") as f:
        f.write(TEMPLATE)


def old_chat_template(arch, d):
    edit(f"{d}/tokenizer_config.json", lambda c: c.update(chat_template=TEMPLATE))


def head_differs(arch, d):
    path = f"{d}/model.safetensors"
    from safetensors.torch import load_file, save_file
    w = load_file(path)
    embedding = next(v for k, v in w.items() if k.endswith(("embed_tokens.weight", "wte.weight")))
    w["lm_head.weight"] = embedding + 0.1 * torch.randn_like(embedding)
    save_file(w, path, metadata={"format": "pt"})
    edit(f"{d}/config.json", lambda c: c.update(tie_word_embeddings=True))


VARIANTS = {"plain": None, "null keys": null_keys, "several eos ids": list_eos, "side files": side_files,
            "a chat template": chat_template, "a template in tokenizer_config.json": old_chat_template,
            "a head that differs": head_differs, "weights in parts": "parts", "a padded vocabulary": "padded"}


def model_class(arch):
    return transformers.AutoModelForMaskedLM if arch == "bert" else transformers.AutoModelForCausalLM


def make(arch, variant, d):
    torch.manual_seed(zlib.crc32(f"{arch} {getattr(variant, '__name__', variant)}".encode()))
    config = ARCHS[arch]()
    if variant == "padded":
        config.vocab_size = 384
    model = model_class(arch).from_config(config).float().eval()
    for p in model.parameters():
        p.data += 0.05 * torch.randn_like(p)
    model.save_pretrained(d, **({"max_shard_size": "30KB"} if variant == "parts" else {}))
    (encoder_tokenizer() if arch == "bert" else decoder_tokenizer()).save_pretrained(d)
    if callable(variant):
        variant(arch, d)


def logits(d, arch, ids):
    model = model_class(arch).from_pretrained(d).float().eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0], model


def same(name, a, b, bad):
    if a != b:
        bad.append(f"{name}: {a!r} became {b!r}")


def check(arch, name, variant):
    bad = []
    with tempfile.TemporaryDirectory() as tmp:
        src, out = f"{tmp}/src", f"{tmp}/out"
        make(arch, variant, src)
        ids = [7, 11, 13, 17, 19, 23, 29, 31, 37, 41]
        want, was = logits(src, arch, ids)
        with open(f"{tmp}/t.txt", "w") as f:
            f.write("the quick brown fox jumps\nhello user\n" * 20)
        run("dstrain", "--model", src, "--seq", 16, "--batch-tokens", 32, "--max-steps", 1, "--lr", 0, "--out", out, "-q", f"{tmp}/t.txt")
        have, now = logits(out, arch, ids)
        far = (want - have).abs().max().item()
        if far > 1e-6:
            bad.append(f"logits of what was written differ by {far:.2e}")
        if arch != "bert":
            with open(f"{tmp}/ids.jsonl", "w") as f:
                f.write(json.dumps({"tokens": ids}) + "\n")
            got = json.loads(run("dsgen", "-m", src, "--max-tokens", 0, "--logits", "--to", "jsonl", "-q", f"{tmp}/ids.jsonl"))["logits"]
            far = (want[-1] - torch.tensor(got)).abs().max().item()
            if far > 2e-4:
                bad.append(f"dsgen's logits differ by {far:.2e}")
        for key in ("bos_token_id", "eos_token_id", "pad_token_id", "sliding_window", "vocab_size", "num_key_value_heads", "n_inner",
                    "classifier_dropout", "rope_parameters"):
            same(key, getattr(was.config, key, None), getattr(now.config, key, None), bad)
        for key in ("eos_token_id", "bos_token_id", "top_p", "max_new_tokens", "do_sample", "temperature"):
            if arch != "bert":
                same(f"generation {key}", getattr(was.generation_config, key), getattr(now.generation_config, key), bad)
        a, b = (transformers.AutoTokenizer.from_pretrained(d) for d in (src, out))
        for key in ("bos_token", "eos_token", "pad_token", "mask_token", "cls_token", "sep_token", "unk_token", "model_max_length",
                    "padding_side", "chat_template"):
            same(key, getattr(a, key, None), getattr(b, key, None), bad)
        same("ids", a("the quick brown fox, <|im_end|> hello")["input_ids"], b("the quick brown fox, <|im_end|> hello")["input_ids"], bad)
        if a.chat_template:
            talk = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "user"}]
            same("a chat", a.apply_chat_template(talk, tokenize=False), b.apply_chat_template(talk, tokenize=False), bad)
    print(f"{'not ok' if bad else 'ok'}: {arch}, {name}" + "".join(f"\n   {line}" for line in bad), flush=True)
    return not bad


def main():
    good = True
    for arch in ARCHS:
        for name, variant in VARIANTS.items():
            if arch == "bert" and variant in (list_eos, chat_template, old_chat_template, head_differs):
                continue
            try:
                good &= check(arch, name, variant)
            except Exception as e:  # the others are wanted too
                print(f"not ok: {arch}, {name}: {type(e).__name__}: {e}", flush=True)
                good = False
    return 0 if good else 1


sys.exit(main())
