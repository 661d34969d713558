"""Tab completion: the shells' scripts, and words that only a running LDB knows.

click makes the scripts for zsh and fish. Its bash script loses words with a colon, which
`ds:cats` is: readline takes the colon for a word's end. Ours passes the line as typed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from ldb.errors import LdbError

SHELLS = ("bash", "zsh", "fish")

Names = Callable[[click.Context], Iterable[str]]
"""Finds the names that may stand in a place; runs while the user waits at the prompt."""

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]

_VERSION = re.compile(r"\.(v\d*)?$")

_BASH = """\
%(complete_func)s() {
    local line=${COMP_LINE:0:COMP_POINT} word typed="" completion type value
    word=${line##*[[:space:]]}
    # readline ends words at these signs and replaces only what comes after the last one
    if [[ $COMP_WORDBREAKS == *:* && $word == *:* ]]; then
        typed=${word%%"${word##*:}"}
    fi
    while IFS= read -r completion; do
        type=${completion%%%%,*}
        value=${completion#*,}
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("${value#"$typed"}") ;;
        esac
    # a loop over $(…) would take what is in brackets for names of files
    done <<< "$(env LDB_COMPLETE_LINE="$line" %(complete_var)s=bash_complete "$1")"
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    """Completion for bash 4.4 and newer."""

    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["LDB_COMPLETE_LINE"]
        words = split_arg_string(line)[1:]
        if not words or line[-1:].isspace():
            return words, ""
        return words[:-1], words[-1]

    @staticmethod
    def _check_version() -> None:
        """The script works where it is read; the bash found from here may be another."""


add_completion_class(Bash)


def dataset_names(names: Names) -> Complete:
    """For `shell_complete=` of a parameter that takes `ds:<name>`."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            found = [f"ds:{name}" for name in names(ctx)]
        except (LdbError, OSError, click.UsageError):
            return []  # a prompt is no place for error messages
        base = incomplete.rpartition(".")[0] if _VERSION.search(incomplete) else incomplete
        if base in found or base == "ds:root":
            from ldb.cli.completing import versions  # imports what queries need

            found += versions(ctx, base[3:])
        return [CompletionItem(name) for name in found if name.startswith(incomplete)]

    return complete


def source_names(names: Names) -> Complete:
    """For a parameter that takes any source: dataset names, and files and folders."""
    datasets = dataset_names(names)

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        found = datasets(ctx, param, incomplete)
        if len(incomplete) > len("ds:") and "ds:root".startswith(incomplete):
            found.append(CompletionItem("ds:root"))
        return (
            found
            if incomplete.startswith("ds:")
            else [*found, CompletionItem(incomplete, type="file")]
        )

    return complete


def script(shell: str, cli: click.Command, variable: str) -> str:
    """What the shell has to read to complete `ldb`."""
    kind = get_completion_class(shell)
    assert kind is not None
    return kind(cli, {}, "ldb", variable).source()
