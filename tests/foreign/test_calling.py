"""What programs may answer, and what is said of anything else."""

from __future__ import annotations

import json

import pytest

from ldb.foreign.calling import answered, most_bytes, request_of
from ldb.foreign.programs import ProgramFailed

IDS = ["aa" * 16, "bb" * 16, "cc" * 16]
A, B, C = IDS


@pytest.mark.parametrize(
    ("stdout", "places"),
    [
        ("", []),
        ("\n \n", []),
        (f"{C}\n{A}", [2, 0]),
        (f"id:{B}\r\n{A}\n", [1, 0]),
        (f"{C.upper()} {B}", [2, 1]),
        (json.dumps([B]), [1]),
        ("\n[\n]\n", []),
    ],
)
def test_answers(stdout: str, places: list[int]) -> None:
    assert answered(stdout.encode(), IDS, "it") == places


@pytest.mark.parametrize(
    ("stdout", "why"),
    [
        (b"garbage", "'garbage' is not an id that it was given"),
        (b"0" * 32, "is not an id that it was given"),
        (A[:8].encode(), "is not an id that it was given"),
        (f"{A} {A}".encode(), "was printed twice"),
        (f"{A} id:{A}".encode(), "was printed twice"),
        (b"[1, 2]", r"printed '\[1, 2\]', which is no JSON array of ids"),
        (b'["' + A.encode(), "which is no JSON array of ids"),
        (b"[" * 100_000, "which is no JSON array of ids"),
        (b'{"ids": []}', "is not an id that it was given"),
        (bytes(range(256)), "is not an id that it was given"),
    ],
)
def test_garbage(stdout: bytes, why: str) -> None:
    with pytest.raises(ProgramFailed, match=f"^program it: .*{why}") as caught:
        answered(stdout, IDS, "it")
    assert len(str(caught.value)) < 300


def test_the_request_holds_paths_as_the_system_has_them() -> None:
    assert request_of([(A, "/a\udcff", None)]) == f'[["{A}","/a\\udcff",null]]'.encode()


def test_there_is_room_for_every_right_answer() -> None:
    rows = [(each, "", None) for each in IDS]
    assert most_bytes(rows) > len(json.dumps([f"id:{each}" for each in IDS], indent=8))
