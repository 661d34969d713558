"""DVC, in a git repository around the shared folder of files, with a cache of its own.

`dvc add` is both its index and its dataset; a version is a git commit of `files.dvc`.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from bench.tool import Tool, Work, count_pairs
from bench.venvs import installed

_LEFT_BEHIND = (".dvc", ".git", ".gitignore", ".dvcignore", "files.dvc")


class Dvc(Tool):
    """DVC 3, copying between work folder and cache."""

    name = "dvc"
    cap = 10_000
    notes: ClassVar[Mapping[str, str]] = {
        "index": "dvc add: hashes, and copies into its cache",
        "index_again": "dvc add",
        "index_changed": "dvc add",
        "status": "dvc status",
        "query": "has none",
        "commit_query": "has none",
        "commit_all": "part of dvc add",
        "commit_100": "dvc add of the folder with 100 changed annotations, git commit",
        "diff": "dvc diff of two git commits",
        "copy_out": "dvc checkout in a clone, cache.type copy",
        "link_out": "dvc checkout in a clone, cache.type hardlink",
    }

    @cached_property
    def bin(self) -> Path:
        """Where DVC is installed."""
        return installed("dvc", "dvc")[0]

    def version(self) -> str:
        return installed("dvc", "dvc")[1]

    @property
    def root(self) -> Path:
        """The repository: the folder that holds `files/`."""
        return self.data.root

    def state(self) -> Path:
        return self.root / ".dvc"

    def environment(self) -> dict[str, str]:
        plain = super().environment()
        return {
            **plain,
            "PATH": f"{self.bin}:{plain.get('PATH', '')}",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.work / "site-cache"),
        }

    def _dvc(self, *words: object, cwd: Path | None = None) -> Work:
        step = self.step(self.bin / "dvc", *words, cwd=cwd or self.root, name=str(words[0]))
        return Work([step])

    def startup(self, turn: int) -> Work:
        return self._dvc("--help")

    def status(self, turn: int) -> Work:
        return self._dvc("status")

    def index(self, turn: int) -> Work:
        self.clear()
        self.run("git", "init", "--quiet", cwd=self.root)
        self.run("git", "config", "user.name", "Bench", cwd=self.root)
        self.run("git", "config", "user.email", "bench@example.org", cwd=self.root)
        self.run(self.bin / "dvc", "init", "--quiet", cwd=self.root)
        self.run(self.bin / "dvc", "config", "cache.type", "copy", cwd=self.root)
        return self.index_again(turn)

    def clear(self) -> None:
        """Remove all that DVC and its git repository leave beside the files."""
        shutil.rmtree(self.work / "site-cache", ignore_errors=True)
        for name in _LEFT_BEHIND:
            path = self.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def index_again(self, turn: int) -> Work:
        return Work(self._dvc("add", "--quiet", "files").steps, lambda _: self._tracked())

    index_changed = index_again

    def _tracked(self) -> int:
        found = re.search(r"nfiles: (\d+)", (self.root / "files.dvc").read_text())
        return int(found[1]) // 2 if found else 0

    def _save(self) -> Work:
        names = ("files.dvc", ".gitignore", ".dvcignore", ".dvc/config")
        steps = [
            self.step("git", "add", "--", *names, cwd=self.root, name="git add"),
            self.step("git", "commit", "--quiet", "-m", "x", cwd=self.root, name="git commit"),
        ]
        return Work(steps)

    def commit_100(self, turn: int) -> Work:
        if not turn:
            for step in self._save().steps:
                self.run(*step.argv, cwd=self.root)
        return Work([*self._dvc("add", "--quiet", "files").steps, *self._save().steps])

    def diff(self, turn: int) -> Work:
        return Work(self._dvc("diff", "--json", "HEAD~1", "HEAD").steps, _changes)

    def copy_out(self, turn: int) -> Work:
        return self._checkout("copy")

    def link_out(self, turn: int) -> Work:
        return self._checkout("hardlink")

    def _checkout(self, link: str) -> Work:
        out = self.target()
        self.run("git", "clone", "--quiet", self.root, out)
        cache = self.root / ".dvc" / "cache"
        self.run(self.bin / "dvc", "config", "--local", "cache.dir", cache, cwd=out)
        self.run(self.bin / "dvc", "config", "--local", "cache.type", link, cwd=out)
        return Work(self._dvc("checkout", "--quiet", cwd=out).steps, lambda _: count_pairs(out))


def _changes(text: str) -> int:
    """Changed files of `dvc diff --json`; the folder itself is listed as well."""
    report = json.loads(text)
    return sum(not entry["path"].endswith("/") for entry in report["modified"])
