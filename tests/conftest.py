"""Fixtures for all tests: a tiny random model with a byte-level tokenizer, and the embedded real one."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests_support import byte_tokenizer, tiny_model

# Examples follow from the test alone, so that one run tells what the next will; RAC_EXPLORE=1 draws others each time.
# No test depends on how fast the machine is.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", derandomize=False, deadline=None)
settings.load_profile("explore" if os.environ.get("RAC_EXPLORE") else "repeatable")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_mirror() -> Path:
    """The folder with public benchmark files, where there is one."""
    for candidate in (os.environ.get("RAC_MIRROR"), ROOT.parent / "shared" / "data"):
        if candidate and (Path(candidate) / "MANIFEST.tsv").exists():
            return Path(candidate)
    pytest.skip("benchmark files are not here: set RAC_MIRROR to a folder laid out OWNER/REPO/PATH")


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return byte_tokenizer()


@pytest.fixture
def model() -> Any:
    return tiny_model()


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model and its tokenizer, as a user's own base model."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model().save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def embedded_tokenizer() -> Any:
    from rac.models import load_tokenizer

    return load_tokenizer("embedded")
