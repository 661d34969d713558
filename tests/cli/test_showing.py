"""How commands are shown: as one could type them again."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from ldb.cli.showing import as_typed


def test_queries_stay_readable() -> None:
    assert as_typed(["add", "--query", "label == '4'"]) == "add --query \"label == '4'\""
    assert as_typed(["del", "--query", "length(a) > `2`"]) == "del --query 'length(a) > `2`'"


@given(st.lists(st.text(alphabet="a'\"`$\\! \n*é", max_size=8)))
def test_a_shell_gets_the_words_back(words: list[str]) -> None:
    assert shlex.split(as_typed(words)) == words


@given(st.text(max_size=20))
def test_nothing_in_double_quotes_means_anything_to_a_shell(word: str) -> None:
    shown = as_typed([word])
    if shown.startswith('"'):
        assert not set(shown[1:-1]) & set('"$`\\!')
