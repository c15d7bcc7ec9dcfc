#!/usr/bin/env python3
"""What transformers makes of every key of every architecture: absent, null, a value.

Prints tests/unit/config_keys.def, which test_config.c holds against what is read here. A key that
transformers refuses as null is "refused"; "none" is its None.
"""
import json
import os
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
import transformers

transformers.logging.set_verbosity_error()

SIZES = dict(vocab_size=60000, hidden_size=64, intermediate_size=40, num_hidden_layers=2, num_attention_heads=32,
             max_position_embeddings=48)
GPT2 = dict(vocab_size=60000, n_embd=64, n_layer=2, n_head=32, n_positions=48)
BERT = dict(SIZES, num_attention_heads=4)
# a value of each key, as JSON
VALUES = dict(vocab_size="61000", hidden_size="128", n_embd="128", intermediate_size="72", n_inner="72", num_hidden_layers="3",
              n_layer="3", num_attention_heads="16", n_head="16", num_key_value_heads="8", head_dim="10",
              max_position_embeddings="77", n_positions="77", type_vocab_size="5", sliding_window="9", bos_token_id="7",
              eos_token_id="7", pad_token_id="7", rms_norm_eps="0.001", layer_norm_epsilon="0.001", layer_norm_eps="0.001",
              rope_theta="500.0", initializer_range="0.5", embd_pdrop="0.25", resid_pdrop="0.25", attn_pdrop="0.25",
              hidden_dropout_prob="0.25", attention_probs_dropout_prob="0.25", attention_dropout="0.25",
              classifier_dropout="0.25", hidden_act='"relu"', activation_function='"relu"', tie_word_embeddings=None,
              attention_bias="true", mlp_bias="true", num_experts="16", num_local_experts="16", num_experts_per_tok="3",
              moe_intermediate_size="24", shared_expert_intermediate_size="20", decoder_sparse_step="2", norm_topk_prob=None,
              output_router_logits=None, router_aux_loss_coef="0.25", image_size="64", patch_size="4",
              num_channels="3", projection_dim="24", logit_scale_init_value="1.5", qkv_bias="false")
LLAMA = list(SIZES) + """num_key_value_heads bos_token_id eos_token_id pad_token_id rms_norm_eps rope_theta initializer_range
    attention_dropout hidden_act tie_word_embeddings""".split()
EXPERTS = "num_experts_per_tok output_router_logits router_aux_loss_coef".split()
QWEN_EXPERTS = LLAMA + EXPERTS + "num_experts moe_intermediate_size decoder_sparse_step norm_topk_prob".split()
TEXT = dict(SIZES, num_attention_heads=4)
IMAGE = dict(hidden_size=96, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8)
ARCHS = {
    "bert": (BERT, list(BERT) + """type_vocab_size pad_token_id layer_norm_eps initializer_range hidden_dropout_prob
        attention_probs_dropout_prob classifier_dropout hidden_act tie_word_embeddings""".split()),
    "clip": (dict(projection_dim=32, logit_scale_init_value=2.0), ["projection_dim", "logit_scale_init_value"]),
    "clip_text_model": (TEXT, list(TEXT) + """bos_token_id eos_token_id pad_token_id layer_norm_eps initializer_range
        attention_dropout hidden_act""".split()),
    "clip_vision_model": (IMAGE, list(IMAGE) + """num_channels layer_norm_eps initializer_range attention_dropout
        hidden_act""".split()),
    "gpt2": (GPT2, list(GPT2) + """n_inner bos_token_id eos_token_id pad_token_id layer_norm_epsilon initializer_range embd_pdrop
        resid_pdrop attn_pdrop activation_function tie_word_embeddings""".split()),
    "llama": (dict(SIZES, num_key_value_heads=4, head_dim=8), LLAMA + ["head_dim", "attention_bias", "mlp_bias"]),
    "mistral": (dict(SIZES, num_key_value_heads=4, head_dim=8), LLAMA + ["head_dim", "sliding_window"]),
    "mixtral": (dict(SIZES, num_key_value_heads=4, head_dim=8), LLAMA + EXPERTS + ["head_dim", "sliding_window",
                                                                                  "num_local_experts"]),
    "qwen2_moe": (dict(SIZES, num_key_value_heads=4), QWEN_EXPERTS + ["shared_expert_intermediate_size"]),
    "qwen3_moe": (dict(SIZES, num_key_value_heads=4, head_dim=8), QWEN_EXPERTS + ["head_dim", "attention_bias"]),
    "qwen2": (dict(SIZES, num_key_value_heads=4), LLAMA),
    "qwen3": (dict(SIZES, num_key_value_heads=4, head_dim=8), LLAMA + ["head_dim", "attention_bias"]),
    "vit": (IMAGE, list(IMAGE) + """num_channels qkv_bias layer_norm_eps initializer_range hidden_dropout_prob
        attention_probs_dropout_prob hidden_act""".split()),
}
# What transformers 4 read and 5 refuses.
ALSO = {("mistral", "num_key_value_heads"): "32"}


def text(v):
    if v is None:
        return "none"
    return str(v).lower() if isinstance(v, bool) else str(v)


def read(arch, config, key):
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, "config.json"), "w") as f:
            json.dump(dict(config, model_type=arch), f)
        try:
            c = transformers.AutoConfig.from_pretrained(d)
        except Exception:
            return "refused"
    if key == "rope_theta":
        theta = c.rope_parameters["rope_theta"]
        return "refused" if theta is None else text(theta)
    if key == "n_inner" and c.n_inner is None:
        return text(4 * c.n_embd)
    if key == "attention_dropout" and c.attention_dropout is None:
        return "0.0"
    if arch.startswith("clip") and not key.endswith("_id") and getattr(c, key) is None:
        return "refused"  # it is taken, and no model can be built of it
    if key == "hidden_dropout_prob" and c.hidden_dropout_prob is None:
        return "refused"
    if key == "head_dim" and getattr(c, key, None) is None:
        return text(c.hidden_size // c.num_attention_heads)
    if key == "num_key_value_heads" and c.num_key_value_heads is None:
        return "refused"
    return text(getattr(c, key))


def main():
    print("/* Made by tests/peers/wild_keys.py: what transformers reads. */")
    for arch, (base, keys) in ARCHS.items():
        print(f"BASE({arch}, {json.dumps(json.dumps(dict(base, model_type=arch)))})")
        for key in keys:
            without = {k: v for k, v in base.items() if k != key}
            absent = read(arch, without, key)
            null = ALSO.get((arch, key)) or read(arch, dict(without, **{key: None}), key)
            value = VALUES[key] or ("false" if absent == "true" else "true")
            got = read(arch, dict(without, **{key: json.loads(value)}), key)
            print(f'KEY({arch}, "{key}", "{absent}", "{null}", {json.dumps(value)}, "{got}")')


sys.exit(main())
