"""git, with its repository outside the work tree, which is the shared folder of files.

`git add -A` is its index, `git commit` its dataset; it knows no queries.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from bench.tool import Absent, Tool, Work, count_pairs

_CONFIG = {
    "user.name": "Bench",
    "user.email": "bench@example.org",
    "gc.auto": "0",
    "commit.gpgsign": "false",
}


class Git(Tool):
    """git as it is installed, with its defaults, but no garbage collection in between."""

    name = "git"
    notes: ClassVar[Mapping[str, str]] = {
        "index": "git add -A",
        "index_again": "git add -A",
        "index_changed": "git add -A",
        "status": "git status --porcelain, which stats every file",
        "query": "has none",
        "commit_query": "has none",
        "commit_all": "git commit",
        "commit_100": "git add of 100 changed annotations by name, git commit",
        "diff": "git diff --name-only",
        "copy_out": "git checkout-index -a --prefix",
        "link_out": "has copies only",
    }

    def version(self) -> str:
        try:
            done = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True)
        except OSError as error:
            raise Absent(str(error)) from error
        return done.stdout.split()[-1]

    @property
    def repository(self) -> Path:
        """The repository, and all that git stores."""
        return self.work / "repository"

    def state(self) -> Path:
        return self.repository

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "GIT_DIR": str(self.repository),
            "GIT_WORK_TREE": str(self.data.files),
        }

    def _git(self, *words: object) -> Work:
        return Work([self.step("git", *words, cwd=self.data.files, name=str(words[0]))])

    def startup(self, turn: int) -> Work:
        return self._git("--version")

    def status(self, turn: int) -> Work:
        return self._git("status", "--porcelain")

    def index(self, turn: int) -> Work:
        self.fresh("repository")
        self.run("git", "init", "--quiet")
        for key, value in _CONFIG.items():
            self.run("git", "config", key, value)
        return self.index_again(turn)

    def index_again(self, turn: int) -> Work:
        return Work(self._git("add", "-A").steps, lambda _: self._tracked())

    index_changed = index_again

    def _tracked(self) -> int:
        return self.run("git", "ls-files", "*.png", cwd=self.data.files).count("\n")

    def commit_all(self, turn: int) -> Work:
        if turn:  # The same tree again, without history.
            self.run("git", "update-ref", "-d", "HEAD")
        return Work(self._git("commit", "--quiet", "-m", "all").steps, lambda _: self._tracked())

    def commit_100(self, turn: int) -> Work:
        paths = [self.data.path(n, ".json") for n in self.data.changed_positions()]
        add = self._git("add", "--", *paths).steps
        return Work([*add, *self._git("commit", "--quiet", "-m", "change").steps])

    def diff(self, turn: int) -> Work:
        steps = self._git("diff", "--name-only", "HEAD~1", "HEAD").steps
        return Work(steps, lambda text: text.count("\n"))

    def copy_out(self, turn: int) -> Work:
        out = self.target()
        steps = self._git("checkout-index", "--all", f"--prefix={out}/").steps
        return Work(steps, lambda _: count_pairs(out))
