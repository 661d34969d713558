"""`ldb completion`: the tab completion script of a shell. docs/commands/completion.md."""

from __future__ import annotations

import click

from ldb.cli import shells
from ldb.cli.parsing import Command

_SHELL = click.Choice(shells.SHELLS)


@click.command(cls=Command)
@click.argument("named", metavar="[bash|zsh|fish]", required=False, type=_SHELL)
@click.option("-s", "--shell", type=_SHELL, help="Which shell.")
@click.pass_context
def command(ctx: click.Context, named: str | None, shell: str | None) -> None:
    """Print the script that makes a shell complete ldb's commands and names.

    The shell is named by -s, or by a word alone.

    \b
    Examples:
      eval "$(ldb completion -s bash)"                  # in ~/.bashrc
      eval "$(ldb completion -s zsh)"                   # in ~/.zshrc
      ldb completion -s fish > ~/.config/fish/completions/ldb.fish
    """
    if (named is None) == (shell is None):
        raise click.UsageError(f"say which shell, once: -s {'|'.join(shells.SHELLS)}")
    chosen = named or shell
    assert chosen is not None
    click.echo(shells.script(chosen, ctx.find_root().command, "_LDB_COMPLETE"), nl=False)
