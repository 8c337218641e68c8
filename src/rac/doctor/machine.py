"""Versions of what rac needs, extras, processors, disk."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import rac
from rac.arithmetic import usable_cores
from rac.doctor.check import Check

DISTRIBUTION = "rac-clarify"
_OLDEST = (3, 11)
_LITTLE_DISK = 5e9


def checks(output: Path) -> Iterator[Check]:
    """Yield what is found out about the machine; ``output`` is where runs will be written."""
    yield python_check()
    yield from package_checks()
    yield processor_check()
    yield memory_check()
    yield disk_check("disk for runs", output)
    from rac.models import cache_dir

    yield disk_check("disk for the cache", cache_dir())


def python_check() -> Check:
    """Check the version of Python."""
    found = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, rac {rac.__version__}"
    if sys.version_info < _OLDEST:
        return Check("python", "problem", found, f"install Python {_OLDEST[0]}.{_OLDEST[1]} or newer")
    return Check("python", "ok", found)


def package_checks() -> Iterator[Check]:
    """Check that what rac depends on is installed in versions that it works with, and say which extras are."""
    from packaging.requirements import Requirement

    try:
        declared = [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or []]
    except importlib.metadata.PackageNotFoundError:
        yield Check("packages", "warning", "rac runs from its source, not installed", "run: pip install -e .")
        return
    missing, other, versions = [], [], {}
    extras: dict[str, list[str]] = {}
    for requirement in declared:
        have = _version(requirement.name)
        extra = _extra_of(str(requirement.marker) if requirement.marker else "")
        if extra:
            extras.setdefault(extra, [])
            if have is None or not requirement.specifier.contains(have, prereleases=True):
                extras[extra].append(requirement.name)
            continue
        if have is None:
            missing.append(str(requirement))
        else:
            versions[requirement.name] = have
            if not requirement.specifier.contains(have, prereleases=True):
                other.append(f"{requirement.name} {have} (needs {requirement.specifier})")
    if missing or other:
        wanted = " ".join(f"'{name.split(';')[0].strip()}'" for name in [*missing, *(o.split()[0] for o in other)])
        found = "; ".join([*(["missing: " + ", ".join(missing)] if missing else []), *other])
        yield Check("packages", "problem", found, f"run: pip install --upgrade {wanted}", versions)
    else:
        shown = ", ".join(f"{name} {versions[name]}" for name in ("torch", "transformers") if name in versions)
        yield Check("packages", "ok", f"all {len(versions)} are installed ({shown})", figures=versions)
    there = sorted(extra for extra, lacking in extras.items() if not lacking)
    absent = {extra: lacking for extra, lacking in sorted(extras.items()) if lacking}
    found = f"installed: {', '.join(there) or 'none'}"
    if absent:
        found += "; not installed: " + ", ".join(absent)
    advice = f"for those that you need: pip install '{DISTRIBUTION}[{','.join(absent)}]'" if absent else ""
    yield Check("extras", "note" if absent else "ok", found, advice, {"missing": absent})


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _extra_of(marker: str) -> str:
    """Return the extra that a marker like ``extra == "dense"`` names."""
    _, found, behind = marker.partition("extra == ")
    return behind[1:].partition(behind[0])[0] if found else ""


def torch_problem() -> str:
    """Return why torch cannot be imported, "" if it can."""
    try:
        import torch  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: a shared library of it is missing
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return ""


def processor_check() -> Check:
    """Say what computes: graphics processors, or how many cores."""
    cores = usable_cores()
    problem = torch_problem()
    if problem:
        advice = "install torch to train and to ask; reading, indexing and metrics work without it"
        return Check("processor", "warning", f"{cores} cores; torch cannot be used ({problem})", advice)
    import torch

    if torch.cuda.is_available():
        names = []
        for number in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(number)
            names.append(f"{properties.name} ({properties.total_memory / 1e9:.0f} GB)")
        return Check("processor", "ok", f"{', '.join(names)}; {cores} cores", figures={"cores": cores, "gpus": names})
    found = f"{cores} cores, no graphics processor that torch sees"
    if shutil.which("nvidia-smi") or Path("/dev/nvidia0").exists():
        return Check(
            "processor", "warning", f"{found}, though this machine seems to have one",
            "install the build of torch for it (with this repository: make GPU=1 install), or check the driver "
            "with nvidia-smi", {"cores": cores, "gpus": []},
        )  # fmt: skip
    return Check("processor", "ok", found, figures={"cores": cores, "gpus": []})


def available_memory() -> float:
    """Return bytes of memory that a new process can have, within the limit of its container."""
    import psutil

    free = float(psutil.virtual_memory().available)
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            left = float(Path(limit).read_text()) - float(Path(used).read_text())
        except (OSError, ValueError):
            continue  # no such group, or no limit ("max")
        free = min(free, max(left, 0.0))
    return free


def memory_check() -> Check:
    """Say how much memory is free."""
    free = available_memory()
    found = f"{free / 1e9:.1f} GB free"
    if free < 2e9:
        return Check(
            "memory", "warning", found, "end other programs: even the smallest model needs 2 GB", {"free": free}
        )
    return Check("memory", "ok", found, figures={"free": free})


def free_disk(folder: Path) -> tuple[Path, float]:
    """Return the nearest folder above that exists, and the bytes free there."""
    where = folder.absolute()
    while not where.exists() and where != where.parent:
        where = where.parent
    return where, float(shutil.disk_usage(where).free)


def disk_check(name: str, folder: Path) -> Check:
    """Check that a folder can be written to and how much space is left there."""
    where, free = free_disk(folder)
    found = f"{free / 1e9:.1f} GB free at {folder}"
    if not os.access(where, os.W_OK):
        return Check(name, "problem", f"{where} cannot be written to", "give another folder (-o, or $RAC_CACHE)")
    if free < _LITTLE_DISK:
        return Check(name, "warning", found, "free some space: a run of the smallest model takes 2 GB", {"free": free})
    return Check(name, "ok", found, figures={"free": free})
