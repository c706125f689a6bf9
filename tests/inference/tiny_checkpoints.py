"""Checkpoints of the hub's architectures that a test makes in a second and loads by the same call.

`parrot` learns one sentence by heart, so it has something to say: letters of two bytes, an emoji of
four, and its end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

SENTENCE = "Şu köşe yaz köşesi 🧵, şu köşe kış köşesi."
END = "<|endoftext|>"
CONTEXT = 128

#: one line a message, as small as a chat template gets
CHAT = (
    "{% for message in messages %}{{ message.role[0] }}:{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}"
)


def byte_tokenizer(chat_template: str | None = None) -> PreTrainedTokenizerFast:
    """GPT-2's way of writing bytes as tokens, without any merges: 256 tokens and the end."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {END: 0, **{letter: number for number, letter in enumerate(alphabet, start=1)}}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END, special=True)])
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=END, eos_token=END)
    made.chat_template = chat_template
    return made


def gpt2() -> GPT2LMHeadModel:
    """An untaught GPT-2 of 2 layers and width 32, lively enough to write different tokens."""
    torch.manual_seed(4)
    config = GPT2Config(
        vocab_size=257,
        n_positions=CONTEXT,
        n_embd=32,
        n_layer=2,
        n_head=4,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.4,
    )
    return GPT2LMHeadModel(config).eval()


def parrot(folder: Path) -> Path:
    """A GPT-2 that knows `SENTENCE` by heart: it continues its beginnings, and then ends."""
    tokenizer, network = byte_tokenizer(), gpt2()
    ids = torch.tensor([[*tokenizer(SENTENCE)["input_ids"], 0]])
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    loss = torch.tensor(torch.inf)
    torch.set_num_threads(1)  # two threads for so little work would wait for each other
    network.train()
    while loss > 0.01:
        optimiser.zero_grad()
        loss = network(ids, labels=ids).loss
        loss.backward()
        optimiser.step()
    return saved(folder, network.eval(), tokenizer)


def babbler(folder: Path) -> Path:
    """An untaught GPT-2: it never stops by itself, and every seed gives another text."""
    network = gpt2()
    network.generation_config.eos_token_id = None
    return saved(folder, network, byte_tokenizer())


def llama(folder: Path) -> Path:
    """An untaught Llama with a chat template: rotary positions, grouped queries."""
    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=257,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.4,
    )
    return saved(folder, LlamaForCausalLM(config).eval(), byte_tokenizer(CHAT))


def clip(folder: Path) -> Path:
    """An untaught CLIP for pictures of 32 pixels: its cosines mean nothing, but have gradients."""
    torch.manual_seed(6)
    layers = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    config = CLIPConfig(
        text_config={
            **layers,
            "vocab_size": 257,
            "max_position_embeddings": CONTEXT,
            "bos_token_id": 0,
            "eos_token_id": 0,
            "pad_token_id": 0,
        },
        vision_config={**layers, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    tokenizer = byte_tokenizer()
    tokenizer.pad_token = END  # whose first one is the end, as with CLIP's own
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(folder)
    return saved(folder, CLIPModel(config).eval(), tokenizer)


def saved(folder: Path, network: Any, tokenizer: PreTrainedTokenizerFast) -> Path:
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
