"""Records made of shared bytes are those that the codec makes of the same values."""

from __future__ import annotations

import os

from hypothesis import example, given
from hypothesis import strategies as st

from ldb.catalog import record_payload
from ldb.ids import Oid
from ldb.indexing.records import Records, attributes_of, file_type

NAMES = ["a.jpg", "b.JPG", "c", ".png", "d.", "x.y/plain", "e.tar.gz", "\x02path\x03", "é.jpg"]
TAGS = [(), ("t",), ("\x02path\x03", "u")]


def state_of(mode: int, owner: int, size: int, mtime: int) -> os.stat_result:
    """A state as the system gives it: ten numbers, three times more, and those in nanoseconds."""
    times = [mtime // 10**9] * 3
    return os.stat_result((mode, 1, 1, 1, owner, owner + 1, size, *times, *times, mtime, mtime, 0))


def whole(note: bytes, state: os.stat_result, uri: str, tags: tuple[str, ...]) -> bytes:
    seen = {
        "gid": state.st_gid,
        "mode": state.st_mode,
        "mtime": min(state.st_mtime_ns, (1 << 63) - 1),
        "path": uri,
        "uid": state.st_uid,
    }
    return record_payload(
        annotations=[bytes(note)] if note else [],
        first_indexed=5,
        last_indexed=5,
        paths=[seen],
        size=state.st_size,
        tags=list(tags),
        type=file_type(uri),
    )


FILE = st.tuples(
    st.sampled_from([b"", Oid(bytes(32)), bytes(range(32)), b"\xff" * 32]),
    st.builds(
        state_of,
        st.sampled_from([0o100644, 0o100600]),
        st.integers(0, 70_000),
        st.integers(0, 1 << 45),
        st.integers(0, 1 << 62) | st.just(1 << 65),
    ),
    st.builds("file:///data/{}{}".format, st.text("ab/é", max_size=300), st.sampled_from(NAMES)),
)


@given(st.lists(FILE, max_size=8), st.sampled_from(TAGS))
@example([(b"", state_of(0o100644, 0x61626364, 0x6162636465666768, 1), "file:///a.jpg")], ())
def test_as_the_codec_makes_them(
    files: list[tuple[bytes, os.stat_result, str]], tags: tuple[str, ...]
) -> None:
    notes, states, uris = [list(column) for column in zip(*files)] or ([], [], [])
    records, wanted = Records(5, tags), [whole(*each, tags) for each in files]
    assert records.payloads(notes, attributes_of(states), uris) == wanted
    assert (
        records.payloads(notes, attributes_of(states), uris) == wanted
    )  # now from what was learnt
