"""Fast arithmetic is used only where it is float32, or asked for."""

from __future__ import annotations

import pytest
import torch

from rac import arithmetic


@pytest.fixture
def precision_restored() -> object:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("shape", [(300, 576, 1536), (64, 1536, 576), (8, 64, 4096)])
def test_float32_products_stay_float32(precision_restored: object, shape: tuple[int, int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    rows, inner, columns = shape
    a, b = torch.randn(rows, inner, generator=generator), torch.randn(columns, inner, generator=generator)
    exact = a.double() @ b.double().T
    arithmetic.use_wide_float32()
    error = (torch.nn.functional.linear(a, b).double() - exact).norm() / exact.norm()
    assert error < 1e-6, "bfloat16 would be about 2e-3 off"


@pytest.mark.parametrize(
    ("found", "wide"),
    [
        ({"avx512_f": True, "avx512_bf16": True}, True),
        ({"avx512_f": True, "amx_tile": True, "amx_bf16": True}, False),
        ({"avx2": True}, False),
        ({}, False),
    ],
)
def test_onednn_is_allowed_only_where_it_keeps_float32(
    precision_restored: object, monkeypatch: pytest.MonkeyPatch, found: dict[str, bool], wide: bool
) -> None:
    monkeypatch.setattr(arithmetic, "cpu_capabilities", lambda: found)
    assert arithmetic.use_wide_float32() is wide
    assert torch.get_float32_matmul_precision() == ("medium" if wide else "highest")


@pytest.mark.parametrize(
    ("found", "fast"),
    [
        ({"avx512_bf16": True, "cpu_name": "AMD EPYC"}, True),
        ({"avx512_bf16": True, "cpu_name": "Intel Xeon"}, False),
        ({"avx512_bf16": True, "amx_bf16": True, "cpu_name": "Intel Xeon"}, True),
        ({"amx_bf16": True}, True),
        ({}, False),
    ],
)
def test_bfloat16_is_chosen_where_it_is_faster(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, object], fast: bool
) -> None:
    monkeypatch.setattr(arithmetic, "cpu_capabilities", lambda: found)
    assert arithmetic.has_fast_bfloat16("cpu") is fast
