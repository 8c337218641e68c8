"""A tokenizer as the fields of a GGUF file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from rac.errors import UserError

_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5

_DIGITS_ONE_BY_ONE = "Digits"


@dataclass(frozen=True)
class TokenizerFields:
    """What llama.cpp needs to know of a byte-level BPE tokenizer.

    Attributes:
        pre: Name of the rule that splits text before BPE ("gpt-2", "smollm", "qwen2", "llama-bpe").
        tokens: Every token by id; ids without a token are filled.
        types: Kind of every token.
        merges: Merges in order.
        special: Ids of the special tokens by name.
        template: Chat template, or "".
        adds_start: Whether encoding puts a start token in front.
    """

    pre: str
    tokens: list[str]
    types: list[int]
    merges: list[str]
    special: dict[str, int]
    template: str
    adds_start: bool

    def write(self, writer: Any) -> None:
        """Add the fields to a ``GGUFWriter``."""
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        writer.add_token_merges(self.merges)
        for name, number in self.special.items():
            getattr(writer, f"add_{name}_token_id")(number)
        writer.add_add_bos_token(self.adds_start)
        writer.add_add_space_prefix(False)
        if self.template:
            writer.add_chat_template(self.template)


def tokenizer_fields(tokenizer: Any, size: int) -> TokenizerFields:
    """Read the fields off a fast tokenizer.

    Args:
        tokenizer: A fast byte-level BPE tokenizer.
        size: Rows of the model's embedding.

    Raises:
        UserError: for another kind of tokenizer.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    content = json.loads(backend.to_str()) if backend is not None else {}
    if (content.get("model") or {}).get("type") != "BPE" or "ByteLevel" not in json.dumps(content.get("decoder")):
        raise UserError(
            "the model's tokenizer is no byte-level BPE, the only kind that can be written as GGUF here: export the "
            "model as merged and use llama.cpp's convert_hf_to_gguf.py"
        )
    tokens = [f"[PAD{i}]" for i in range(size)]
    types = [_UNUSED] * size
    for token, number in content["model"]["vocab"].items():
        tokens[number], types[number] = token, _NORMAL
    for added in content.get("added_tokens", []):
        tokens[added["id"]] = added["content"]
        types[added["id"]] = _CONTROL if added["special"] else _USER_DEFINED
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in content["model"]["merges"]]
    special = {
        name: number
        for name, number in (
            ("bos", tokenizer.bos_token_id), ("eos", tokenizer.eos_token_id), ("pad", tokenizer.pad_token_id),
            ("unk", tokenizer.unk_token_id),
        )
        if number is not None
    }  # fmt: skip
    first = tokenizer("a").input_ids[:1]
    adds_start = tokenizer.bos_token_id is not None and first == [tokenizer.bos_token_id]
    template = tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else ""
    pre = _splitting_rule(content.get("pre_tokenizer"), tokens)
    return TokenizerFields(pre, tokens, types, merges, special, template, adds_start)


def _splitting_rule(pre_tokenizer: dict[str, Any] | None, tokens: list[str]) -> str:
    """Return llama.cpp's name of the splitting rule.

    A tokenizer that was itself read from GGUF comes without the rule that digits stand alone; its vocabulary shows it,
    since then no token has two digits.
    """
    text = json.dumps(pre_tokenizer)
    if r"\\p{N}{1,3}" in text:
        return "llama-bpe"
    if r"\\p{N}|" in text:
        return "qwen2"
    if "Split" in text or "ByteLevel" not in text:
        raise UserError(
            "the model's tokenizer splits text by a rule that is not known here: export the model as merged and use "
            "llama.cpp's convert_hf_to_gguf.py"
        )
    single = not any(sum(c.isdigit() for c in token) > 1 and token.lstrip("Ġ").isdigit() for token in tokens)
    return "smollm" if _DIGITS_ONE_BY_ONE in text or single else "gpt-2"
