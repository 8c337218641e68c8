"""Write a model so that other engines load it: GGUF (llama.cpp, Ollama), merged weights or an adapter (vLLM, peft).

A GGUF file is checked by comparing greedy output: read back with ``transformers`` (``check_gguf``), and in llama.cpp
itself where the extra ``llama`` is installed (``check_in_llama_cpp``).
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rac.errors import UserError
from rac.files import atomic_path, read_json, write_json
from rac.models import load_model, model_info, resolve_model, save_model
from rac.models_tokenizer import tokenizer_fields

if TYPE_CHECKING:
    import numpy as np

    from rac.config import Recipe

log = logging.getLogger(__name__)

GgufType = Literal["f32", "f16", "q8_0"]

_ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""``model_type`` of transformers -> architecture of GGUF."""

_ROTATED = frozenset({"llama"})
"""Architectures whose query and key rows llama.cpp orders in another way."""


_INFO = "rac_base.json"
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", _INFO)
_MODEL_SUFFIXES = frozenset({".json", ".safetensors", ".jinja", ".model"})
"""Of what a merged model is saved as: settings, weights, chat template, tokenizer."""
_MODEL_TEXTS = frozenset({"merges.txt", "vocab.txt"})
"""Its text files; another one is somebody's notes."""
_OF_A_RUN = frozenset({"run.json", "training.json"})
"""A run directory has the one, a model that a run trained the other (``rac.training.identity.RECORD``)."""


def run_model_info(recipe: Recipe, name: str) -> dict[str, Any]:
    """Return what should be known of a run's model where it is used without the run, as ``model_info`` reads it."""
    return {
        "name": name,
        "sees_passages": name != "ungrounded",
        "prompt": recipe.prompt.model_dump(mode="json"),
        "trained_on": [recipe.data.source, *recipe.data.also],
    }


def export_merged(
    source: str | Path, output: Path | str, *, dtype: str = "float32", info: Mapping[str, Any] | None = None
) -> Path:
    """Write a model with its adapter merged in, as a folder that transformers and vLLM load.

    Args:
        source: A model folder, an adapter folder, a hub id or ``embedded``.
        output: The folder; an earlier export is replaced as a whole.
        dtype: Of the weights written.
        info: What is known of the model beside what its folder says, see ``model_info``.

    Raises:
        UserError: if there is something else than an earlier export at ``output``.
    """
    _check_replaceable(Path(output))
    model, tokenizer = load_model(source, dtype=dtype)
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    save_model(model, tokenizer, output, base=str(source), info={**_known_of(source, info), "merged": True})
    return Path(output)


def export_adapter(source: str | Path, output: Path | str, *, info: Mapping[str, Any] | None = None) -> Path:
    """Write an adapter without its base model.

    Args:
        source: A folder of an adapter that rac trained.
        output: The folder; an earlier export is replaced as a whole.
        info: What is known of the model beside what its folder says, see ``model_info``.

    Raises:
        UserError: if the source is a full model, or there is something else than an earlier export at ``output``.
    """
    _check_replaceable(Path(output))
    folder = resolve_model(source)
    if not isinstance(folder, Path) or not (folder / "adapter_config.json").exists():
        raise UserError(
            f"'{source}' is a full model, so there is no adapter to write: export it as merged or gguf, or train with "
            "adapter: lora"
        )
    with atomic_path(output) as temporary:
        temporary.mkdir()
        shutil.copyfile(folder / "adapter_model.safetensors", temporary / "adapter_model.safetensors")
        config = read_json(folder / "adapter_config.json")
        known = {"base": config["base_model_name_or_path"], **_known_of(source, info)}
        # The name of the base, not a path of this machine.
        write_json(temporary / "adapter_config.json", {**config, "base_model_name_or_path": known["base"]})
        write_json(temporary / _INFO, known)
    return Path(output)


def _known_of(source: str | Path, info: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what an export should say of its source: nothing is lost, and what rac did not train does not seem so."""
    return {**model_info(source), **(info or {})} or {"tuned": False}


def _check_replaceable(output: Path) -> None:
    """Refuse to write a folder where anything but an earlier export would be lost."""
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file where a folder is written: give another name")
    if output.is_dir() and any(output.iterdir()) and not _is_export(output):
        raise UserError(
            f"{output} is a folder with something else in it than an earlier export, and would be replaced as a whole: "
            f"give a new one, such as {output / 'model'}"
        )


def _is_export(folder: Path) -> bool:
    """Whether a folder holds an export of a model and nothing else that could be missed.

    A run directory and the models in it have other files and folders; a trained model beside its record is no export.
    """
    names = {path.name for path in folder.iterdir()}
    if _INFO not in names or names & _OF_A_RUN or any(path.is_dir() for path in folder.iterdir()):
        return False
    if names <= set(_ADAPTER_FILES):
        return True
    merged = "merged" in read_json(folder / _INFO)
    return merged and all(name in _MODEL_TEXTS or Path(name).suffix in _MODEL_SUFFIXES for name in names)


def export_gguf(
    source: str | Path, output: Path | str, *, dtype: GgufType = "f16", name: str = "rac"
) -> dict[str, int]:
    """Write a model as one GGUF file; an adapter is merged in.

    Args:
        source: A model folder, an adapter folder, a hub id or ``embedded``.
        output: The file; an existing one is replaced.
        dtype: Of the matrices; vectors are always float32. ``q8_0`` keeps matrices as float16 whose rows are not
            multiples of 32.
        name: The model's name inside the file.

    Returns:
        How many tensors were written in each type.

    Raises:
        UserError: for an architecture, position scaling or tokenizer that cannot be written.
    """
    model, tokenizer = load_model(source)
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    return write_gguf(model, tokenizer, output, dtype=dtype, name=name)


def write_gguf(
    model: Any, tokenizer: Any, output: Path | str, *, dtype: GgufType = "f16", name: str = "rac"
) -> dict[str, int]:
    """Write a loaded model as GGUF; see ``export_gguf``."""
    import gguf

    config = model.config
    architecture = _ARCHITECTURES.get(config.model_type)
    if architecture is None:
        raise UserError(
            f"a model of type '{config.model_type}' cannot be written as GGUF here (known: "
            f"{', '.join(sorted(_ARCHITECTURES))}): export it as merged and use llama.cpp's convert_hf_to_gguf.py"
        )
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type", "default") != "default":
        raise UserError(
            f"position scaling of type '{rope['rope_type']}' cannot be written as GGUF here: export the model as "
            "merged and use llama.cpp's convert_hf_to_gguf.py"
        )
    fields = tokenizer_fields(tokenizer, config.vocab_size)
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // heads
    counts: Counter[str] = Counter()
    with atomic_path(output) as temporary:
        writer = gguf.GGUFWriter(temporary, architecture)
        writer.add_name(name)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_context_length(config.max_position_embeddings)
        writer.add_embedding_length(config.hidden_size)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count(heads)
        writer.add_head_count_kv(kv_heads)
        writer.add_key_length(head_size)
        writer.add_value_length(head_size)
        writer.add_rope_dimension_count(head_size)
        writer.add_rope_freq_base(float(rope.get("rope_theta", 10000.0)))
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_vocab_size(config.vocab_size)
        writer.add_file_type({"f32": 0, "f16": 1, "q8_0": 7}[dtype])
        fields.write(writer)
        names = gguf.get_tensor_name_map(
            next(a for a, text in gguf.MODEL_ARCH_NAMES.items() if text == architecture), config.num_hidden_layers
        )  # fmt: skip
        for key, tensor in model.state_dict().items():
            if key == "lm_head.weight" and config.tie_word_embeddings:
                continue
            target = names.get_name(key, try_suffixes=(".weight", ".bias"))
            if target is None:
                raise UserError(f"the tensor '{key}' has no place in a GGUF file of type '{architecture}'")
            values = tensor.detach().float().cpu().numpy()
            if architecture in _ROTATED and key.endswith(("q_proj.weight", "k_proj.weight")):
                values = _rotate(values, heads if ".q_proj." in key else kv_heads)
            kind = _kind(values, dtype)
            counts[kind.name] += 1
            data = gguf.quants.quantize(values, kind)
            writer.add_tensor(target, data, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    log.info("GGUF: %s", ", ".join(f"{count} tensors {kind}" for kind, count in sorted(counts.items())))
    return dict(counts)


def _kind(values: np.ndarray, dtype: GgufType) -> Any:
    from gguf import GGMLQuantizationType as Kind

    if values.ndim == 1 or dtype == "f32":
        return Kind.F32
    if dtype == "q8_0" and values.shape[-1] % 32 == 0:
        return Kind.Q8_0
    return Kind.F16


def _rotate(values: np.ndarray, heads: int) -> np.ndarray:
    """Reorder the rows of a query or key matrix from half-split to interleaved rotary pairs, as llama.cpp has them."""
    rows = values.shape[0]
    return values.reshape(heads, 2, rows // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def check_gguf(
    path: Path | str, model: Any, tokenizer: Any, prompts: Sequence[str], *, max_new_tokens: int = 32
) -> int:
    """Read a GGUF file back and count for how many prompts its greedy output differs from the model's.

    Args:
        path: The file.
        model: The model that was written, with its adapter merged or active.
        tokenizer: Its tokenizer.
        prompts: Rendered prompts.
        max_new_tokens: Tokens compared.

    Returns:
        Number of prompts with another output, token ids of the prompt included. 0 is expected for ``f32``; narrower
        types may turn a close decision.
    """
    import torch
    import transformers

    path = Path(path)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    read_tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    different = 0
    for prompt in prompts:
        outputs = []
        for one, codec in ((model, tokenizer), (loaded.eval(), read_tokenizer)):
            ids = codec(prompt, add_special_tokens=False, return_tensors="pt").input_ids
            with torch.inference_mode():
                outputs.append(
                    one.generate(
                        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, num_beams=1,
                        max_new_tokens=max_new_tokens, eos_token_id=tokenizer.eos_token_id,
                        pad_token_id=tokenizer.pad_token_id,
                    )[0].tolist()
                )  # fmt: skip
        different += outputs[0] != outputs[1]
    return different


def check_in_llama_cpp(
    path: Path | str, model: Any, tokenizer: Any, prompts: Sequence[str], *, max_new_tokens: int = 32, threads: int = 0
) -> int:
    """Load a GGUF file into llama.cpp and count for how many prompts its greedy text differs from the model's.

    llama.cpp gets the prompts as text, so that its reading of the tokenizer is checked as well.

    Args:
        path: The file.
        model: The model that was written, with its adapter merged or active.
        tokenizer: Its tokenizer.
        prompts: Rendered prompts.
        max_new_tokens: Tokens compared.
        threads: Threads of llama.cpp; 0 leaves it to llama.cpp.

    Raises:
        UserError: if llama.cpp is not installed, or cannot load the file.
    """
    try:
        import xllamacpp
    except ImportError as error:
        raise UserError(
            "checking in llama.cpp needs xllamacpp, which is not installed: pip install 'rac-clarify[llama]'"
        ) from error
    import torch

    settings = xllamacpp.CommonParams()
    settings.model.path = str(path)
    settings.n_ctx, settings.n_parallel, settings.warmup, settings.verbosity = 2048, 1, False, -1
    if threads:
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    try:
        server = xllamacpp.Server(settings)
    except RuntimeError as error:
        raise UserError(f"llama.cpp cannot load {path}: {error}") from error
    different = 0
    for prompt in prompts:
        reply = server.handle_completions(
            {"prompt": prompt, "temperature": 0, "n_predict": max_new_tokens, "max_tokens": max_new_tokens}
        )
        ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
        with torch.inference_mode():
            row = model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, num_beams=1,
                max_new_tokens=max_new_tokens, eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )[0, ids.shape[1] :].tolist()  # fmt: skip
        text = tokenizer.decode(row, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        different += reply["choices"][0]["text"].strip() != text.strip()
    return different
