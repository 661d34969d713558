"""`ldb completion`: the tab completion script of a shell. docs/commands/completion.md."""

from __future__ import annotations

import click

from ldb.cli import shells
from ldb.cli.parsing import Command


@click.command(cls=Command)
@click.option("-s", "--shell", type=click.Choice(shells.SHELLS), required=True, help="Which shell.")
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that makes a shell complete ldb's commands and names.

    \b
    Examples:
      eval "$(ldb completion -s bash)"                  # in ~/.bashrc
      eval "$(ldb completion -s zsh)"                   # in ~/.zshrc
      ldb completion -s fish > ~/.config/fish/completions/ldb.fish
    """
    click.echo(shells.script(shell, ctx.find_root().command, "_LDB_COMPLETE"), nl=False)
