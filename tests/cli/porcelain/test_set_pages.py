"""The sessions in the pages of commands on whole datasets are true; how: test_pages.py."""

from __future__ import annotations

import pytest

from tests.cli.porcelain.conftest import Pets
from tests.cli.porcelain.test_pages import play


@pytest.mark.parametrize("name", ["split", "dedup"])
def test_page(name: str, pets: Pets) -> None:
    play(name, pets)


@pytest.mark.parametrize("name", ["merge", "refresh"])
def test_page_of_a_dataset(name: str, cats: Pets) -> None:
    play(name, cats)
