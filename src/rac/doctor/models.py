"""Whether models, corpora, examples and servers of a recipe can be reached."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from rac.config import Recipe
from rac.doctor.check import Check
from rac.errors import UserError
from rac.generation.openai_settings import check_address, read_api_key

_SECONDS = 8


def checks(recipe: Recipe) -> Iterator[Check]:
    """Yield whether what a recipe names is there."""
    yield model_check(recipe.model.base)
    index = recipe.index
    if "dense" in index.retrievers:
        yield model_check(index.model, "embedding model")
    if "sparse" in index.retrievers and index.sparse_model:
        yield model_check(index.sparse_model, "sparse model")
    if index.reranker:
        yield model_check(index.reranker, "reranker")
    if "openai" in recipe.evaluation.systems:
        yield server_check(recipe.openai.url, recipe.openai.api_key_variable)
    yield device_check(recipe)
    yield source_check(recipe)
    yield corpus_check(recipe)


def model_check(name: str, label: str = "model") -> Check:
    """Check that a model can be loaded: embedded, in a folder, in the hub's cache, or on the hub."""
    if name == "embedded":
        return _embedded_check(label)
    path = Path(name).expanduser()
    if path.is_dir():
        if (path / "config.json").exists() or (path / "adapter_config.json").exists():
            return Check(label, "ok", f"{name}: a folder with a model")
        return Check(label, "problem", f"{name} is a folder without a model (no config.json)", "check the path")
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        return Check(
            label, "problem", f"there is no model at '{name}'", "give 'embedded', a folder, or a hub id OWNER/NAME"
        )
    try:
        if cached_config(name) is not None:
            return Check(label, "ok", f"{name}: in the hub's cache on this machine")
    except UserError as error:
        return _problem(label, error)
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return Check(
            label, "problem", f"{name} is not in the cache, and HF_HUB_OFFLINE keeps it from being fetched",
            f"unset HF_HUB_OFFLINE and run: hf download {name}",
        )  # fmt: skip
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    problem = _unreachable(f"{address}/{name}/resolve/main/config.json")
    if problem:
        return Check(
            label, "problem", f"{name} is not on this machine, and {address} does not give it ({problem})",
            "check the name and the connection, or copy the model here and give its folder",
        )  # fmt: skip
    return Check(label, "ok", f"{name}: on the hub, fetched on first use")


def cached_config(name: str) -> Path | None:
    """Return the configuration of a model on the hub from the cache of this machine, None if it is not there.

    Raises:
        UserError: for a name that no model on the hub can have.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, "config.json")
    except HFValidationError as error:
        raise UserError(
            f"there is no folder '{name}', and no model on the hub can have that name; give 'embedded', a folder, or a "
            "hub id OWNER/NAME of letters, digits, '-', '_' and '.'"
        ) from error
    return Path(found) if isinstance(found, str) else None


def _problem(label: str, error: Exception) -> Check:
    """Return the check of an error whose sentence ends with what to do."""
    found, _, advice = str(error).rpartition("; ")
    return Check(label, "problem", found, advice)


def _embedded_check(label: str) -> Check:
    try:
        if label == "model":
            from rac.distributions import distribution_file
            from rac.models import EMBEDDED_DISTRIBUTION, EMBEDDED_FILE

            where = distribution_file(EMBEDDED_DISTRIBUTION, EMBEDDED_FILE, "the embedded language model")
        else:
            from rac.retrieval.encoders import embedded_encoder_path

            where = embedded_encoder_path()
    except UserError as error:
        return _problem(label, error)
    return Check(label, "ok", f"embedded: {where.name} is installed")


def _unreachable(address: str) -> str:
    """Return why an address does not answer, "" if it does."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=_SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        return f"HTTP status {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return _why(error)


def _why(error: Exception) -> str:
    """Return in words why a request had no usable answer."""
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, OSError):
        return "what answers there does not speak HTTP"
    return str(getattr(error, "reason", "") or error) or type(error).__name__


def device_check(recipe: Recipe) -> Check:
    """Check that the recipe's device is there."""
    import torch

    wanted = recipe.model.device
    seen = torch.cuda.is_available()
    if wanted.startswith("cuda") and not seen:
        return Check(
            "device", "problem", f"the recipe wants {wanted}, and torch sees no graphics processor here",
            "use --set model.device=auto, or install the build of torch for your graphics processor",
        )  # fmt: skip
    if recipe.model.dtype == "bfloat16" and not seen and wanted in ("auto", "cpu"):
        return Check(
            "device", "warning", "the recipe wants bfloat16, which is many times slower on most CPUs",
            "use --set model.dtype=float32",
        )  # fmt: skip
    return Check("device", "ok", ("cuda" if seen else "cpu") if wanted == "auto" else wanted)


def source_check(recipe: Recipe) -> Check:
    """Check that the examples are there, or can be fetched."""
    from rac.benchmarks import READERS
    from rac.benchmarks.fetch import default_directory, is_present, mirror_directory

    source = recipe.data.source
    if source == "bootstrap":
        return Check("examples", "ok", "made from the corpus")
    if Path(source).exists():
        return Check("examples", "ok", f"{source} is there")
    if source.lower() not in READERS:
        return Check(
            "examples", "problem", f"there is nothing at '{source}', and no benchmark of that name",
            "check the path; `rac fetch --list` names the benchmarks",
        )  # fmt: skip
    info = READERS[source.lower()].info
    directory = Path(recipe.data.directory) if recipe.data.directory else default_directory()
    if is_present(info, directory):
        return Check("examples", "ok", f"benchmark {source}: its files are on this machine")
    if mirror_directory(None) is not None:
        return Check("examples", "ok", f"benchmark {source}: read from the mirror on first use")
    return Check(
        "examples", "warning", f"benchmark {source}: its files are not all in {directory}", f"run: rac fetch {source}"
    )


def corpus_check(recipe: Recipe) -> Check:
    """Check that the corpus is there."""
    from rac.corpus import wikipedia

    name = recipe.data.corpus or ("wikipedia" if recipe.data.source == "bootstrap" else "")
    if not name:
        return Check("corpus", "ok", "the passages of the examples")
    if name == wikipedia.NAME:
        try:
            return Check("corpus", "ok", f"embedded: {wikipedia.wikipedia_path().name} is installed")
        except UserError as error:
            return _problem("corpus", error)
    path = Path(name.removeprefix("trec:"))
    if path.exists():
        return Check("corpus", "ok", f"{name} is there")
    if name.startswith(("ir_datasets:", "datasets:")):
        return Check("corpus", "note", f"{name}: looked for when it is read", f"try: rac index {name} -o test.index")
    return Check("corpus", "problem", f"there is no corpus at '{name}'", "check data.corpus")


def server_check(server: str, key_variable: str) -> Check:
    """Check that an OpenAI-compatible server answers to the key in an environment variable, and which models it has."""
    address = server.rstrip("/") + "/models"
    try:
        check_address(server)
        key = read_api_key(key_variable)
    except (ValueError, UserError) as error:
        return _problem("server", error)
    request = urllib.request.Request(address)
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:
            models = [str(model["id"]) for model in json.loads(response.read(1_000_000))["data"]]
    except urllib.error.HTTPError as error:
        advice = f"set {key_variable}" if error.code in (401, 403) else "check the address; it mostly ends with /v1"
        return Check("server", "problem", f"{address} answers with HTTP status {error.code}", advice)
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as error:
        return Check(
            "server", "problem", f"{address} does not answer as it should ({_why(error)})", "check the address"
        )
    shown = ", ".join(models[:5]) + (", ..." if len(models) > 5 else "")
    return Check("server", "ok", f"{server} has {len(models)} models: {shown}", figures={"models": models})
