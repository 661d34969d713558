"""What files of functions may hold, and what is said of those that are wrong."""

from __future__ import annotations

import pytest

from ldb.errors import BadInput
from ldb.foreign.files import Code
from ldb.foreign.functions import load_functions


def load(**files: str) -> dict[str, tuple[tuple[str, ...], int]]:
    """Types and optional arguments of what some files offer."""
    code = Code({f"ldb_user_functions/{name}.py": text.encode() for name, text in files.items()})
    return {
        name: (each.types, each.optional) for name, each in load_functions(code, "here").items()
    }


def test_arguments_are_read_from_the_function() -> None:
    text = (
        "def one(a): ...\ndef two(a, b=1, *, c=2): ...\ndef many(a, *b): ...\n"
        "def free(*b): ...\ndef all_(a=1, b=2): ...\n"
        "CUSTOM_FUNCTIONS = {f.__name__: f for f in (one, two, many, free, all_)}\n"
        "CUSTOM_FUNCTIONS['biggest'] = max\n"
    )
    assert load(a=text) == {
        "one": (("any",), 0),
        "two": (("any",), 1),
        "many": (("any", "*"), 0),
        "free": (("any", "*"), 0),
        "all_": (("any",), 1),
        "biggest": (("any", "*"), 0),
    }


def test_types_are_read_from_the_decorator_of_jmespath() -> None:
    text = (
        "from jmespath.functions import signature\n"
        "@signature({'types': ['number', 'string']}, {'types': [], 'variadic': True})\n"
        "def f(a, *b): ...\n"
        "CUSTOM_FUNCTIONS = {'f': f}\n"
    )
    assert load(a=text) == {"f": (("number|string", "any", "*"), 0)}


def test_files_without_functions_are_fine() -> None:
    assert load(a="x = 1\n", b="") == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def f(:\n", "SyntaxError"),
        ("x = 1\nraise ValueError('no')\n", r"ValueError: no \(line 2\)"),
        ("CUSTOM_FUNCTIONS = [1]\n", "is not a dict"),
        ("CUSTOM_FUNCTIONS = {'a': 1}\n", "is not a dict"),
        ("CUSTOM_FUNCTIONS = {'a b': max}\n", "cannot be a function's name"),
        ("CUSTOM_FUNCTIONS = {1: max}\n", "cannot be a function's name"),
        ("def f(a, *, b): ...\nCUSTOM_FUNCTIONS = {'f': f}\n", "arguments by name"),
    ],
)
def test_what_is_wrong_names_the_file(text: str, why: str) -> None:
    with pytest.raises(BadInput, match=f"here/ldb_user_functions/a.py: .*{why}"):
        load(a=text)


def test_a_name_is_given_once() -> None:
    with pytest.raises(BadInput, match=r"b.py: f\(\) is in here/ldb_user_functions/a.py as well"):
        load(a="CUSTOM_FUNCTIONS = {'f': max}\n", b="CUSTOM_FUNCTIONS = {'f': min}\n")
