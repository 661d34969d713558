"""Batches through encoders that fail at some, or all, or give nonsense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from ldb.errors import BadInput
from ldb.search import encoder as encoders
from ldb.search.encoding import EncoderFailed, encode, encode_query, encode_text


class Lengths:
    """Encodes what is not empty."""

    name, version, modality = "lengths", "1", "text"

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.batches: list[int] = []

    def encode(self, data: Sequence[bytes]) -> Any:
        self.batches.append(len(data))
        if self.answer is not None:
            return self.answer
        return [[len(each) / (1 if each else 0), 1.0] for each in data]

    def encode_texts(self, texts: Sequence[str]) -> Any:
        return self.encode([each.encode() for each in texts])


def test_one_that_fails_does_not_fail_the_others() -> None:
    encoder = Lengths()
    vectors, failed = encode(encoder, [b"aaa", b"", b"a"])
    assert encoder.batches == [3, 1, 1, 1]
    assert list(failed) == [1]
    assert failed[1].startswith("ZeroDivisionError")
    assert np.allclose(np.linalg.norm(vectors[[0, 2]], axis=1), 1)
    assert np.isnan(vectors[1]).all()


def test_a_batch_that_works_is_asked_once() -> None:
    encoder = Lengths()
    assert encode(encoder, [b"a", b"bb"])[1] == {}
    assert encoder.batches == [2]


def test_all_may_fail() -> None:
    vectors, failed = encode(Lengths(), [b"", b""])
    assert sorted(failed) == [0, 1]
    assert np.isnan(vectors).all()


@pytest.mark.parametrize("answer", ["x", [], [1.0, 2.0], [[1.0]], [[], []], [[1], ["x"]], {"a": 1}])
def test_nonsense_is_an_error(answer: object) -> None:
    with pytest.raises(EncoderFailed, match="encoder lengths: gave"):
        encode(Lengths(answer), [b"a", b"b"])


def test_what_is_asked_with_must_have_a_direction() -> None:
    with pytest.raises(EncoderFailed, match="file: ZeroDivisionError"):
        encode_query(Lengths(), b"", "file")
    with pytest.raises(EncoderFailed, match="'': ZeroDivisionError"):
        encode_text(Lengths(), "")
    with pytest.raises(EncoderFailed, match="without a direction"):
        encode_query(Lengths([[0.0, 0.0]]), b"x", "file")


def test_names_in_any_case_with_a_suffix() -> None:
    assert encoders.find("CLIP") == ("clip", "")
    assert encoders.find("Clip-Text") == ("clip", "text")
    assert encoders.find("efficientnet-image") == ("efficientnet", "image")
    assert encoders.find("nothing") is None
    assert encoders.find("-text") is None


def test_what_is_no_encoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "_factory", lambda name: lambda settings: object())
    with pytest.raises(BadInput, match="encoder clip: does not keep to the protocol: object"):
        encoders.load("clip", {})
