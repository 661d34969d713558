"""Made the frozen instance in `tests/golden/instance`; run again only for a new format number.

    python tests/golden/make_instance.py FOLDER

Every release must open what an earlier one wrote, so the frozen instance stays as it is,
and a new format gets a frozen instance beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PHOTOS = Path("/data/photos")
"""Where the data objects were when they were indexed; nobody needs them any more."""


def write(name: str, data: bytes, annotation: object = None) -> None:
    """A data file, and its annotation if one is given."""
    path = PHOTOS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if annotation is not None:
        path.with_suffix(".json").write_text(json.dumps(annotation))


def main(folder: str) -> None:
    """Index, make two datasets with several versions, delete one."""
    instance = Path(folder).absolute()
    home = instance.parent / "golden-home"

    def ldb(*words: str, cwd: Path = instance.parent) -> None:
        environ = {**os.environ, "HOME": str(home), "LDB_DIR": str(instance)}
        subprocess.run(["ldb", *words], check=True, cwd=cwd, env=environ)

    home.mkdir(parents=True, exist_ok=True)
    ldb("config", "set", "core.author", "Ann <ann@example.org>")
    ldb("init", str(instance))
    write("cat.jpg", b"cat", {"class": "cat", "score": 0.5, "boxes": [{"label": "ear"}]})
    write("dog.jpg", b"dog", {"class": "dog", "score": 1, "n": -(2**63), "big": 2**64 - 1})
    write("more/Köter.png", b"mutt", {"class": "dog", "name": "Köter 🐕", "none": None})
    write("more/copy-of-cat.jpg", b"cat")
    write("bird.wav", b"bird")
    ldb("add-storage", str(PHOTOS))
    ldb("index", "--add-tags", "first,run", str(PHOTOS))
    workspace = instance.parent / "golden-work"
    workspace.mkdir()
    ldb("stage", "ds:pets", cwd=workspace)
    ldb("add", "ds:root", "--query", "class == 'cat' || class == 'dog'", cwd=workspace)
    ldb("commit", "-m", "cats and dogs", cwd=workspace)
    write("cat.jpg", b"cat", {"class": "cat", "score": 0.75, "boxes": []})
    write("fish.jpg", b"fish", ["any", "JSON", True])
    ldb("index", str(PHOTOS))
    ldb("add", str(PHOTOS / "cat.jpg"), str(PHOTOS / "fish.jpg"), cwd=workspace)
    ldb("del", "--path", "Köter", cwd=workspace)
    ldb("commit", "-m", "the cat's new score, a fish", cwd=workspace)
    ldb("stage", "ds:Größe+1", cwd=workspace)
    ldb("add", "ds:pets.v1", "--limit", "1", cwd=workspace)
    ldb("commit", cwd=workspace)
    ldb("ds", "rename", "ds:Größe+1", "ds:small", cwd=workspace)


if __name__ == "__main__":
    main(sys.argv[1])
