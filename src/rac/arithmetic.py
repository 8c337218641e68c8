"""Which arithmetic is fast on this machine's processor, and safe.

Matrix products are nearly all that training and generation do. Two facts decide how fast they run on a CPU. The float32
products of MKL leave the 512-bit units of other makers' processors idle, where those of oneDNN use them: 1.4 to 2 times
faster, equal to rounding. And where bfloat16 has units of its own (AMX, AMD's AVX-512), products in it are several
times faster still; Intel's AVX-512 alone takes twice as long for them as for float32, and without any such
instruction they are emulated, many times slower.
"""

from __future__ import annotations

import logging
import os
from typing import Any

log = logging.getLogger(__name__)


def usable_cores() -> int:
    """Return how many cores this process may use, which a container or ``taskset`` may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_capabilities() -> dict[str, Any]:
    """Return what torch knows of the processor (``avx512_bf16``, ``amx_bf16``, ...); empty where it cannot tell."""
    import torch

    read = getattr(torch.cpu, "get_capabilities", None)
    return dict(read()) if read is not None else {}


def has_fast_bfloat16(device: Any) -> bool:
    """Return whether a device multiplies bfloat16 matrices faster than float32 ones.

    On a CPU this is a rule from measurements, not a trial, so that one machine always decides alike: yes with AMX, and
    with AVX512-BF16 on AMD (training is 2.6 times faster); no with AVX512-BF16 on an Intel processor without AMX, or
    whose AMX a virtual machine hides: there torch reaches 86 GFLOP/s a core in bfloat16 and 164 in float32.

    Args:
        device: A torch device or its name.
    """
    import torch

    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.is_bf16_supported()
    if kind == "cpu":
        found = cpu_capabilities()
        intel = "intel" in str(found.get("cpu_name", "")).lower()
        return bool(found.get("amx_bf16") or (found.get("avx512_bf16") and not intel))
    return False


def use_wide_float32() -> bool:
    """Let oneDNN compute float32 matrix products where that is faster and still float32; return whether it does.

    torch offers oneDNN for float32 products only together with the permission to use bfloat16 inside them. oneDNN uses
    that permission on processors with AMX alone, so it is given on those that have AVX-512 but no AMX: there the
    results are those of float32 (tested).
    """
    import torch

    found = cpu_capabilities()
    wide = bool(found.get("avx512_f") and not found.get("amx_tile") and not found.get("amx_bf16"))
    if wide and torch.get_float32_matmul_precision() == "highest":
        torch.set_float32_matmul_precision("medium")
        log.debug("float32 matrix products: oneDNN with AVX-512")
    return wide
