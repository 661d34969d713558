"""Words that only the instance knows, for tab completion; a prompt is no place for errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from ldb.cli.app import app_of
from ldb.cli.opening import open_instance_of
from ldb.errors import LdbError
from ldb.instance import Instance
from ldb.porcelain import completing
from ldb.query.completing import completions

Found = TypeVar("Found")


def keys(ctx: click.Context, kind: str, incomplete: str) -> list[CompletionItem]:
    """An expression with each key that may follow; `kind` says of what: annotation, file,
    versions."""
    finders = {
        "annotation": completing.annotation_keys,
        "versions": completing.version_keys,
        "file": lambda _: completing.file_keys(),
    }
    tree = _asked(ctx, finders[kind])
    return [CompletionItem(each) for each in completions(incomplete, tree)] if tree else []


def tags(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Tags after the last comma."""
    before, comma, part = incomplete.rpartition(",")
    given = before.split(",")
    return [
        CompletionItem(before + comma + tag)
        for tag in _asked(ctx, completing.tags_of) or ()
        if tag.startswith(part) and tag not in given
    ]


def versions(ctx: click.Context, name: str) -> list[str]:
    """`ds:name.vN`, the newest first."""
    return _asked(ctx, lambda instance: completing.versions_of(instance, name)) or []


def _asked(ctx: click.Context, find: Callable[[Instance], Found]) -> Found | None:
    try:
        return find(open_instance_of(app_of(ctx)))
    except (LdbError, OSError, click.UsageError):
        return None
