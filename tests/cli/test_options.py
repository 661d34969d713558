"""Filters keep the order of the command line, and nonsense is a usage error."""

from __future__ import annotations

from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.cli.options import filter_options, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.query.selection import FilterSpec

Given = tuple[tuple[str, ...], tuple[FilterSpec, ...], int | None]


@click.command(cls=Command)
@click.argument("sources", nargs=-1)
@click.option("-m", "--message")
@filter_options
@output_options(json=True)
def probe(
    sources: tuple[str, ...],
    message: str | None,
    filters: tuple[FilterSpec, ...],
    seed: int | None,
    out: Output,
) -> Given:
    return sources, filters, seed


def parse(*args: str) -> Given:
    result: Given = probe.main(list(args), standalone_mode=False)
    return result


def filters(*args: str) -> list[tuple[str, Any]]:
    return [(spec.kind, spec.value) for spec in parse(*args)[1]]


def test_none() -> None:
    assert parse() == ((), (), None)


def test_order_with_sources_between() -> None:
    sources, found, seed = parse(
        *("ds:a", "--limit", "9", "--query", "a", "--seed", "7", "id:12", "--shuffle"),
        *("--query=b", "--limit=3", "-q", "--jquery", "c", "s3://x/", "--shuffle", "--seed=8"),
    )
    assert sources == ("ds:a", "id:12", "s3://x/")
    assert seed == 8
    assert found == (
        FilterSpec("limit", 9),
        FilterSpec("query", "a"),
        FilterSpec("shuffle", True),
        FilterSpec("query", "b"),
        FilterSpec("limit", 3),
        FilterSpec("jquery", "c"),
        FilterSpec("shuffle", True),
    )


def test_every_kind() -> None:
    assert filters(
        *("--no-tag", "a, b", "--tag", "c", "--sample-rate", "12.5", "--sample", "0.25"),
        *("--path", r"\.png$", "--file", "fs.size > `1`"),
    ) == [
        ("no-tag", ("a", "b")),
        ("tag", ("c",)),
        ("sample-rate", 12.5),
        ("sample", 0.25),
        ("path", r"\.png$"),
        ("file", "fs.size > `1`"),
    ]


def test_values_that_look_like_options() -> None:
    assert filters("--query", "--limit", "--query=--query", "--path", "-v") == [
        ("query", "--limit"),
        ("query", "--query"),
        ("path", "-v"),
    ]


def test_after_two_dashes_all_are_sources() -> None:
    sources, found, _ = parse("--limit", "1", "--", "--query", "x")
    assert sources == ("--query", "x")
    assert found == (FilterSpec("limit", 1),)


OPTIONS: dict[str, list[tuple[str, Any]]] = {
    "query": [("a", "a"), ("b == `1`", "b == `1`"), ("--tag", "--tag")],
    "jquery": [("a", "a")],
    "file": [("fs.size", "fs.size")],
    "path": [("x+", "x+")],
    "tag": [("a", ("a",)), ("a,b", ("a", "b"))],
    "no-tag": [("a", ("a",))],
    "limit": [("0", 0), ("12", 12)],
    "sample": [("0", 0.0), ("1", 1.0), ("1e-3", 0.001)],
    "sample-rate": [("100", 100.0)],
    "shuffle": [("", True)],
}
occurrences = st.sampled_from(sorted(OPTIONS)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.sampled_from(OPTIONS[kind]), st.booleans())
)


@given(st.lists(occurrences | st.sampled_from(["ds:a", "dir/", "id:1", "-", "-q", "-v"])))
def test_any_order_is_kept(items: list[Any]) -> None:
    args: list[str] = []
    expected: list[tuple[str, Any]] = []
    sources: list[str] = []
    for item in items:
        if isinstance(item, str):
            args.append(item)
            sources += [item] if item not in ("-q", "-v") else []
            continue
        kind, (text, value), joined = item
        expected.append((kind, value))
        if kind == "shuffle":
            args.append("--shuffle")
        elif joined:
            args.append(f"--{kind}={text}")
        else:
            args += [f"--{kind}", text]
    found_sources, found, _ = parse(*args)
    assert [(spec.kind, spec.value) for spec in found] == expected
    assert list(found_sources) == sources


@pytest.mark.parametrize(
    "args",
    [
        ("--limit", "-1"),
        ("--limit", "1.5"),
        ("--limit", "many"),
        ("--sample", "2"),
        ("--sample", "-0.1"),
        ("--sample", "nan"),
        ("--sample", "half"),
        ("--sample-rate", "101"),
        ("--sample-rate", "inf"),
        ("--seed", "x"),
        ("--seed", "1.5"),
        ("--path", "("),
        ("--tag", ""),
        ("--tag", "a,,b"),
        ("--no-tag", ","),
        ("--query", ""),
        ("--jquery", "  "),
        ("--query",),
        ("--shuffle=1",),
        ("--unknown", "1"),
        ("—-query", "a"),
        ("—query=a",),
        ("−−limit", "1"),
    ],
)
def test_usage_errors(args: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError) as caught:
        parse(*args)
    assert caught.value.format_message()


def test_the_option_at_fault_is_named() -> None:
    with pytest.raises(click.BadParameter, match="not a number from 0 to 1") as caught:
        parse("--limit", "1", "--sample", "2")
    assert "'--sample'" in caught.value.format_message()


def test_a_long_dash_within_a_value_is_fine() -> None:
    assert filters("--query", "a == '—'", "--query", "— —") == [
        ("query", "a == '—'"),
        ("query", "— —"),
    ]


def test_help_shows_each_option_once(capsys: pytest.CaptureFixture[str]) -> None:
    probe.main(["--help"], standalone_mode=False)
    text = capsys.readouterr().out
    for kind in OPTIONS:
        assert len([line for line in text.splitlines() if line.startswith(f"  --{kind} ")]) == 1
