"""Commands and options by their names: what users of LDB know is there, in `--help` too."""

from __future__ import annotations

import click
import pytest

from docs import generate
from ldb.cli.main import cli
from ldb.cli.table import PLUMBING, TABLE, Row
from ldb.formats import registry

FILTERS = (
    "--query --jquery --file --vquery --path --tag --no-tag --limit --sample --sample-rate "
    "--shuffle --seed --sort --pipe --near"
)
WRITING = "-m -p -t -f --format --output-format --annotations-only --preserve-paths --apply --link"

OPTIONS = {
    "init": "-f --object-hash",
    "add-storage": "-a -f -o --trust-etag",
    "storage list": "--json",
    "storage del": "",
    "index": "-m -p --add-tags --annotation-update --ephemeral-remote -a --engine --strict",
    "unindex": FILTERS,
    "stage": "-f -t",
    "add": f"--label-version --physical --logical {FILTERS}",
    "del": FILTERS,
    "sync": f"--label-version {FILTERS}",
    "pull": FILTERS,
    "tag": f"-a -r -s {FILTERS}",
    "transform": f"-a -r -s {FILTERS}",
    "commit": "-m --auto-pull --restore",
    "status": "--json",
    "diff": "-s -v",
    "log": "--object",
    "why": "",
    "list": f"-s {FILTERS}",
    "eval": f"-j --indent --show --jshow --file-show {FILTERS}",
    "query": "--query",
    "stats": f"--by {FILTERS}",
    "instantiate": f"{WRITING} {FILTERS}",
    "get": f"{WRITING} {FILTERS}",
    "merge": "",
    "split": "--by --stratify",
    "dedup": "",
    "refresh": "",
    "ds list": "-a",
    "ds del": "",
    "ds rename": "",
    "ds export": "",
    "ds import": "",
    "verify": FILTERS,
    "fsck": "",
    "gc": "--dry-run",
    "repack": "",
    "config get": "",
    "trust": "",
    "completion": "-s",
    "hash-object": "-t -w --stdin",
    "cat-file": "-t -s -p -e --batch --batch-check",
    "update-ref": "-d",
    "show-ref": "",
    "for-each-ref": "",
    "rev-parse": "",
    "ls-map": "--prefix",
    "mk-map": "",
    "diff-map": "",
    "merge-map": "",
    "commit-map": "",
    "pack-objects": "",
    "unpack-objects": "",
    "verify-pack": "",
    "show-pack": "",
    "count-objects": "",
    "rev-list": "",
}

FORMATS = (
    "strict-pairs strict bare-pairs bare tensorflow-inferred infer annotation-only annot "
    "label-studio coco imagenet openimages yolo voc cvat webdataset hf-imagefolder parquet "
    "croissant"
)


def contexts() -> dict[str, click.Context]:
    """Every command and subcommand by its words."""
    found = {}
    for row in TABLE:
        for ctx in generate.contexts(row.name):
            found[ctx.command_path.removeprefix("ldb ")] = ctx
    return found


CONTEXTS = contexts()


@pytest.mark.parametrize("command", OPTIONS)
def test_options(command: str) -> None:
    ctx = CONTEXTS[command]
    known = {
        name
        for param in ctx.command.get_params(ctx)
        for name in [*param.opts, *param.secondary_opts]
    }
    missing = set(OPTIONS[command].split()) - known
    assert not missing
    shown = ctx.get_help()
    assert not [name for name in OPTIONS[command].split() if name not in shown]


@pytest.mark.parametrize("command", CONTEXTS)
def test_quiet_and_verbose(command: str) -> None:
    if isinstance(CONTEXTS[command].command, click.Group) or command == "completion":
        return  # what holds commands, and what prints nothing but a script
    names = {
        name
        for param in CONTEXTS[command].command.get_params(CONTEXTS[command])
        for name in param.opts
    }
    assert {"-q", "-v"} <= names


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
def test_help_has_an_example(row: Row) -> None:
    name = row.name
    text = "\n".join(ctx.get_help() for ctx in generate.contexts(name))
    examples = text.partition("Example")[2]
    assert f"ldb {name}" in examples


@pytest.mark.parametrize("reading", [True, False])
@pytest.mark.parametrize("name", FORMATS.split())
def test_formats(name: str, reading: bool) -> None:
    assert registry.chosen(name, (), reading=reading).name


def test_what_comes_later_is_not_in_any_help() -> None:
    ctx = cli.make_context("ldb", ["--help"], resilient_parsing=True)
    assert "ui" not in cli.list_commands(ctx)
    assert not [name for name, each in CONTEXTS.items() if "ldb ui" in each.get_help()]


def test_sections_hold_all() -> None:
    plumbing = {row.name for row in TABLE if row.section == PLUMBING}
    assert {"hash-object", "cat-file", "update-ref", "rev-list"} <= plumbing
    words = {name.split()[0] for name in OPTIONS}
    assert words - {row.name for row in TABLE} == set()
