from __future__ import annotations

import pytest

from rac.distributions import distribution_file
from rac.errors import UserError


def test_a_data_file_is_found_by_the_end_of_its_path() -> None:
    found = distribution_file("pytest", "pytest/py.typed", "this test")
    assert found.is_file()
    assert found.parts[-2:] == ("pytest", "py.typed")


def test_only_whole_names_match() -> None:
    with pytest.raises(UserError, match=r"this test needs y\.typed of the package pytest, which lacks it"):
        distribution_file("pytest", "y.typed", "this test")


def test_a_missing_package_says_how_to_install_it() -> None:
    with pytest.raises(UserError, match=r"not installed; install it with `pip .* no-such-package==1\.2`"):
        distribution_file("no-such-package", "x", "this test", "1.2")
