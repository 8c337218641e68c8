from __future__ import annotations

import pytest
from pydantic import ValidationError

from rac.training.settings import Stage1, Stage2


@pytest.mark.parametrize("section", [Stage1, Stage2])
def test_every_setting_is_described(section: type) -> None:
    for name, field in section.model_fields.items():
        assert field.description and field.description.endswith("."), name


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValidationError, match="learning_rat"):
        Stage1(learning_rat=1.0)


def test_simpo_without_length_normalisation_is_refused() -> None:
    with pytest.raises(ValidationError, match="defined on log-probabilities per token"):
        Stage2(loss="simpo", length_normalised=False)


@pytest.mark.parametrize(
    ("loss", "normalised", "reference"),
    [
        ("cpo", False, False),
        ("dpo", False, True),
        ("ipo", True, True),
        ("simpo", True, False),
        ("listwise", False, True),
    ],
)
def test_losses_do_as_their_authors(loss: str, normalised: bool, reference: bool) -> None:
    settings = Stage2(loss=loss)
    assert settings.normalised is normalised
    assert settings.needs_reference is reference
    assert not Stage2(loss=loss, reference="none").needs_reference
    if loss != "simpo":
        assert not Stage2(loss=loss, length_normalised=False).normalised
