"""Exports are read back by other software's readers (``gguf``, ``transformers``, ``peft``) and give the same output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from gguf import GGUFReader

from rac.asking import Asker
from rac.errors import UserError
from rac.files import read_json, write_json
from rac.models import load_model
from rac.models_export import check_gguf, check_in_llama_cpp, export_adapter, export_gguf, export_merged, write_gguf
from rac.models_tokenizer import tokenizer_fields
from tests_support import byte_tokenizer, tiny_model


def merging_tokenizer() -> Any:
    """The byte tokenizer with two merges; readers expect at least one."""
    from tokenizers import Tokenizer

    tokenizer = byte_tokenizer()
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = content["model"]["vocab"]
    for left, right in (("a", "n"), ("an", "t")):
        content["model"]["merges"].append([left, right])
        vocabulary[left + right] = len(vocabulary)
    merging = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)), eos_token="<|im_end|>", pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
    )  # fmt: skip
    merging.chat_template = tokenizer.chat_template
    return merging


def model_of(**overrides: Any) -> Any:
    return spread(tiny_model(vocab_size=261, **overrides))


PROMPTS = ["<|im_start|>user\nQuery: dune 1984<|im_end|>\n<|im_start|>assistant\n", "Is it  3.14 or 2,718 ants?"]


def spread(model: Any) -> Any:
    """Give random weights that are far enough apart for greedy output to vary."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.dim() == 1), std=0.3)
    return model.eval()


def other_family(kind: str) -> Any:
    sizes: dict[str, Any] = {
        "vocab_size": 261, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 256, "tie_word_embeddings": False, "eos_token_id": 2,
    }  # fmt: skip
    config = {
        "qwen2": transformers.Qwen2Config,
        "qwen3": transformers.Qwen3Config,
        "mistral": transformers.MistralConfig,
    }[kind]
    # Readers of qwen3 files take its default head size; llama.cpp reads it from the file.
    extra = {"qwen2": {}, "qwen3": {"head_dim": 128}, "mistral": {"head_dim": 16}}[kind]
    return spread(transformers.AutoModelForCausalLM.from_config(config(**sizes, **extra)))


def test_float32_is_read_back_without_a_difference(tmp_path: Path) -> None:
    model, tokenizer = model_of(), merging_tokenizer()
    counts = write_gguf(model, tokenizer, tmp_path / "m.gguf", dtype="f32")
    assert set(counts) == {"F32"}
    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="m.gguf", dtype=torch.float32)
    ids = torch.tensor([[5, 9, 200, 4]])
    with torch.no_grad():
        assert torch.allclose(loaded(ids).logits, model(ids).logits, atol=1e-4)
    assert check_gguf(tmp_path / "m.gguf", model, tokenizer, PROMPTS) == 0


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "mistral"])
def test_other_families(family: str, tmp_path: Path) -> None:
    model, tokenizer = other_family(family), merging_tokenizer()
    write_gguf(model, tokenizer, tmp_path / "m.gguf", dtype="f32")
    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="m.gguf", dtype=torch.float32)
    ids = torch.tensor([[5, 9, 200, 4]])
    with torch.no_grad():
        assert torch.allclose(loaded(ids).logits, model(ids).logits, atol=1e-4)


def test_a_difference_is_noticed(tmp_path: Path) -> None:
    write_gguf(model_of(), merging_tokenizer(), tmp_path / "m.gguf", dtype="f32")
    torch.manual_seed(7)
    assert check_gguf(tmp_path / "m.gguf", tiny_model(seed=3, vocab_size=261), merging_tokenizer(), PROMPTS) > 0


@pytest.mark.parametrize(("dtype", "kinds"), [("f16", {"F16", "F32"}), ("q8_0", {"Q8_0", "F32"})])
def test_narrower_types(tmp_path: Path, dtype: Any, kinds: set[str]) -> None:
    model = model_of()
    assert set(write_gguf(model, merging_tokenizer(), tmp_path / "m.gguf", dtype=dtype)) == kinds
    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="m.gguf", dtype=torch.float32)
    ids = torch.tensor([[5, 9, 200, 4]])
    with torch.no_grad():
        difference = (loaded(ids).logits - model(ids).logits).abs().max() / model(ids).logits.abs().max()
    assert 0 < float(difference) < 0.1


def test_rows_that_do_not_fit_a_block_stay_float16(tmp_path: Path) -> None:
    model = model_of(hidden_size=48, intermediate_size=64)
    counts = write_gguf(model, merging_tokenizer(), tmp_path / "m.gguf", dtype="q8_0")
    assert counts["F16"] > 0 and counts["Q8_0"] == 2


def test_the_tokenizer_and_its_template_are_in_the_file(tmp_path: Path) -> None:
    tokenizer = merging_tokenizer()
    write_gguf(spread(tiny_model(vocab_size=265)), tokenizer, tmp_path / "m.gguf", name="mine")
    fields = GGUFReader(tmp_path / "m.gguf").fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    assert tokens[:3] == ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    assert tokens[259:] == ["an", "ant", *(f"[PAD{i}]" for i in range(261, 265))]
    assert fields["tokenizer.ggml.merges"].contents() == ["a n", "an t"]
    types = fields["tokenizer.ggml.token_type"].contents()
    assert types[:4] == [3, 3, 3, 1] and types[-1] == 5
    assert fields["tokenizer.ggml.eos_token_id"].contents() == 2
    assert fields["tokenizer.chat_template"].contents() == tokenizer.chat_template
    assert fields["general.name"].contents() == "mine"
    read = transformers.AutoTokenizer.from_pretrained(tmp_path, gguf_file="m.gguf")
    assert all(read(p).input_ids == tokenizer(p).input_ids for p in PROMPTS)


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    gpt2 = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=259, n_embd=16, n_layer=1, n_head=2))
    with pytest.raises(UserError, match="type 'gpt2' cannot be written"):
        write_gguf(gpt2, merging_tokenizer(), tmp_path / "m.gguf")
    scaled = tiny_model(rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0})
    with pytest.raises(UserError, match="'linear'"):
        write_gguf(scaled, merging_tokenizer(), tmp_path / "m.gguf")
    with pytest.raises(UserError, match="no byte-level BPE"):
        tokenizer_fields(object(), 5)
    assert list(tmp_path.iterdir()) == []


def make_adapter(tmp_path: Path) -> tuple[Path, Any]:
    """Write a base model and an adapter of it as rac does; return the adapter's folder and the tuned model."""
    from peft import LoraConfig, get_peft_model

    base = tmp_path / "base"
    model_of().save_pretrained(base)
    merging_tokenizer().save_pretrained(base)
    model, _ = load_model(base)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    tuned.save_pretrained(tmp_path / "adapter")
    write_json(tmp_path / "adapter" / "rac_base.json", {"base": str(base)})
    return tmp_path / "adapter", tuned.eval()


def test_an_adapter_is_merged_into_a_plain_model(tmp_path: Path) -> None:
    adapter, tuned = make_adapter(tmp_path)
    export_merged(adapter, tmp_path / "merged")
    assert not (tmp_path / "merged" / "adapter_config.json").exists()
    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    ids = torch.tensor([[5, 9, 200, 4]])
    with torch.no_grad():
        assert torch.allclose(loaded(ids).logits, tuned(ids).logits, atol=1e-4)
        base, _ = load_model(tmp_path / "base")
        assert not torch.allclose(base(ids).logits, tuned(ids).logits, atol=1e-2)
    counts = export_gguf(adapter, tmp_path / "m.gguf", dtype="f32")
    assert counts["F32"] == len(base.state_dict()) - 1  # the head is tied to the embedding
    assert check_gguf(tmp_path / "m.gguf", tuned, merging_tokenizer(), PROMPTS) == 0


def test_an_adapter_alone(tmp_path: Path) -> None:
    from peft import PeftModel

    adapter, tuned = make_adapter(tmp_path)
    export_adapter(adapter, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "rac_base.json",
    ]  # fmt: skip
    base, _ = load_model(tmp_path / "base")
    loaded = PeftModel.from_pretrained(base, tmp_path / "out")
    ids = torch.tensor([[5, 9, 200, 4]])
    with torch.no_grad():
        assert torch.allclose(loaded(ids).logits, tuned(ids).logits, atol=1e-5)
    with pytest.raises(UserError, match="full model"):
        export_adapter(tmp_path / "base", tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_only_an_earlier_export_is_replaced(tmp_path: Path) -> None:
    adapter, _ = make_adapter(tmp_path)
    for export in (export_adapter, export_merged):
        target = tmp_path / export.__name__
        target.mkdir()
        for _ in range(2):  # over an empty folder, over its own export
            export(adapter, target)
        (target / "notes.txt").write_text("mine")
        with pytest.raises(UserError, match="something else"):
            export(adapter, target)
        (target / "notes.txt").rename(target / "run.json")
        kept = {
            "a run": target, "a home folder": tmp_path, "a trained model": tmp_path / "trained",
            "a file": tmp_path / "f",
        }  # fmt: skip
        (tmp_path / "trained").mkdir(exist_ok=True)
        for path in adapter.iterdir():
            (tmp_path / "trained" / path.name).write_bytes(path.read_bytes())
        write_json(tmp_path / "trained" / "training.json", {})
        (tmp_path / "f").write_text("mine")
        before = sorted(tmp_path.rglob("*"))
        for what, folder in kept.items():
            with pytest.raises(UserError, match=r"is a (file where a folder|folder with something else)"):
                export(adapter, folder)
            assert sorted(tmp_path.rglob("*")) == before, what


def test_what_is_known_of_a_model_goes_with_it(tmp_path: Path) -> None:
    adapter, _ = make_adapter(tmp_path)
    known = {"base": str(tmp_path / "base"), "sees_passages": False, "prompt": {"passage_tokens": 9}, "name": "mine"}
    write_json(adapter / "rac_base.json", known)
    export_merged(adapter, tmp_path / "merged")
    export_adapter(adapter, tmp_path / "alone", info={"name": "other"})
    assert read_json(tmp_path / "merged/rac_base.json") == {**known, "merged": True}
    assert read_json(tmp_path / "alone/rac_base.json") == {**known, "name": "other"}
    asker = Asker.open(str(tmp_path / "merged"), engine="torch")
    assert (asker.tuned, asker.grounded, asker.settings.passage_tokens) == (True, False, 9)


def test_what_was_not_tuned_is_not_tuned_after_an_export(tmp_path: Path) -> None:
    adapter, _ = make_adapter(tmp_path)
    for number, source in enumerate([tmp_path / "base", tmp_path / "merged-0"]):
        export_merged(source, tmp_path / f"merged-{number}")
        asker = Asker.open(str(tmp_path / f"merged-{number}"), engine="torch")
        assert not asker.tuned and asker.name.endswith("(not tuned to ask)")
    export_merged(adapter, tmp_path / "trained")
    assert Asker.open(str(tmp_path / "trained"), engine="torch").tuned, "as what rac trained is"
    (adapter / "rac_base.json").unlink()
    write_json(
        adapter / "adapter_config.json",
        {**read_json(adapter / "adapter_config.json"), "base_model_name_or_path": str(tmp_path / "base")},
    )
    export_adapter(adapter, tmp_path / "alone")
    assert read_json(tmp_path / "alone/rac_base.json") == {"base": str(tmp_path / "base"), "tuned": False}


@pytest.mark.extra
def test_llama_cpp_loads_the_file_and_gives_the_same_text(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="the extra llama is not installed")
    model, tokenizer = model_of(), merging_tokenizer()
    write_gguf(model, tokenizer, tmp_path / "m.gguf", dtype="f32")
    assert check_in_llama_cpp(tmp_path / "m.gguf", model, tokenizer, PROMPTS[:1], max_new_tokens=8, threads=1) == 0
    other = spread(tiny_model(seed=3, vocab_size=261))
    torch.nn.init.normal_(other.lm_head.weight, std=3.0)
    assert check_in_llama_cpp(tmp_path / "m.gguf", other, tokenizer, PROMPTS[:1], max_new_tokens=8, threads=1) == 1
    (tmp_path / "no.gguf").write_bytes(b"GGUF, but no model")
    with pytest.raises(UserError, match="cannot load"):
        check_in_llama_cpp(tmp_path / "no.gguf", model, tokenizer, PROMPTS[:1])


@pytest.mark.model
def test_the_embedded_tokenizer_is_written_as_its_source_has_it() -> None:
    from rac.models import EMBEDDED_DISTRIBUTION, EMBEDDED_FILE, distribution_file, load_tokenizer

    source = GGUFReader(distribution_file(EMBEDDED_DISTRIBUTION, EMBEDDED_FILE, "the model")).fields
    fields = tokenizer_fields(load_tokenizer("embedded"), 49152)
    assert fields.pre == source["tokenizer.ggml.pre"].contents()
    assert fields.tokens == source["tokenizer.ggml.tokens"].contents()
    assert fields.types == source["tokenizer.ggml.token_type"].contents()
    assert fields.merges == source["tokenizer.ggml.merges"].contents()
    assert fields.special["eos"] == source["tokenizer.ggml.eos_token_id"].contents()
    assert fields.template == source["tokenizer.chat_template"].contents()
    assert fields.adds_start == source["tokenizer.ggml.add_bos_token"].contents()
