"""`make demo`: from a folder of images to two versions of a dataset and a folder for training.

Writes real images and annotations (digits.py), then runs LDB's commands one by one and shows
what they print (session.py). All of it stays in one folder, to play with.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shlex
import shutil
import sys
import time
from pathlib import Path

from demo import digits
from demo.session import CommandFailed, Session, say

ROOT = Path(__file__).resolve().parents[1]
MARK = ".made-by-ldb-demo"
FOURS_AND_NINES = "\"label == '4' || label == '9'\""
SUSPECTS = f"--query \"label == '4'\" --query 'loops[?pixels > `{digits.LOOP}`]'"


def main() -> int:
    """Run the demo; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    given = _arguments()
    folder: Path = given.folder.absolute()
    start = time.perf_counter()
    try:
        make_room(folder)
        _show(folder, digits.load(given.images))
        _how_to_go_on(folder, time.perf_counter() - start)
        sys.stdout.flush()
    except BrokenPipeError:  # `make demo | head`: nobody is reading any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (CommandFailed, digits.NoImages, NotOurs) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description="LDB on real images.")
    parser.add_argument("--images", type=int, default=5000, help="how many (default: 5000, all)")
    parser.add_argument("--folder", type=Path, default=ROOT / "demo-folder", help="where")
    return parser.parse_args()


class NotOurs(Exception):
    """The folder holds something that the demo did not make."""


def make_room(folder: Path) -> None:
    """An empty folder with the demo's mark in it; only what bears the mark is ever removed."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).is_file():
            raise NotOurs(f"{folder} was not made by the demo: move it away first")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("`make demo` removes this folder and makes it anew.\n")


def _show(folder: Path, images: list[digits.Digit]) -> None:
    made = digits.write(folder / "digits", images)
    home = folder / "home"
    home.mkdir()
    say(
        f"{made.images:,} handwritten digits (MNIST) are in {folder}:\n"
        f"images with an annotation beside each, {made.copies} of them twice under other names, "
        f"{len(made.wrong)} nines labelled 4 by mistake."
    )
    session = Session(folder, home)
    _index(session, folder)
    _look(session)
    _first_version(session)
    _mistakes(session, images, made)
    _second_version(session)
    _history(session, made)
    _write_out(session, folder)


def _index(session: Session, folder: Path) -> None:
    note = folder / "digits" / "00" / "0000.json"
    session.chapter("Index the images where they lie")
    session.shell("cat digits/00/0000.json", lambda: note.read_text("ascii"))
    session.ldb("init instance")
    session.ldb("config set core.author 'Ann <ann@example.org>'")
    session.ldb("add-storage digits")
    session.ldb("index digits", timed=True)
    session.remark("Unchanged files are not read again:")
    session.ldb("index digits", timed=True)


def _look(session: Session) -> None:
    session.chapter("Look, and ask")
    session.ldb("list --limit 3")
    session.remark("The same image under two names is one data object with two paths:")
    session.ldb(
        "eval --file 'length(alternate_paths) > `1`' --limit 1 --file-show 'alternate_paths[].path'"
    )
    session.remark("Queries are JMESPath, over nested annotations too: digits drawn in pieces …")
    session.ldb("list -s --query 'length(strokes[?pixels > `5`]) > `1`'")
    session.remark("… and how the tops of some fives stand apart:")
    session.ldb(
        "eval -j --indent none --query \"label == '5'\" --query 'length(strokes) > `1`' --limit 3 "
        "--show '{ink: ink, pieces: strokes[].[width, height]}'"
    )
    session.remark("A misspelt key is told:")
    session.ldb("list -s --query \"lable == '4'\"")


def _first_version(session: Session) -> None:
    session.chapter("Make a dataset: draft it, save it as version 1")
    session.cd("fours-and-nines")
    session.ldb("stage ds:fours-and-nines")
    session.ldb(f"add --query {FOURS_AND_NINES}")
    session.ldb('commit -m "All fours and nines"')


def _mistakes(session: Session, images: list[digits.Digit], made: digits.Made) -> None:
    session.chapter("Find wrong labels by asking, correct them, index again")
    session.remark("Few people close the top of a four. Whose fours have a good loop?")
    session.ldb(f"list -s {SUSPECTS}")
    rows = [json.loads(row) for row in session.ask(f"list --json {SUSPECTS}").splitlines()]
    notes = [Path(row["path"]).with_suffix(".json") for row in rows]
    wrong = [note for note in notes if str(note) in made.wrong]
    first = wrong[0]
    session.ldb(f"list id:{next(row['id'] for row, note in zip(rows, notes) if note == first)}")
    say(digits.drawn(images[int(first.stem)].pixels))
    session.remark(
        f"A nine. Looking at all {len(notes)}, {len(wrong)} are nines and {len(notes) - len(wrong)}"
        " are fours with a closed top (the demo knows it from MNIST's own labels, you would look). "
        f"It now writes 9 instead of 4 into these {len(wrong)} annotation files, as you would in an"
        " editor. LDB reads the changed files, and no others:"
    )
    for note in wrong:
        _correct(note, made.wrong[str(note)])
    session.ldb("index ../digits --message 'Labels corrected'")


def _correct(note: Path, label: str) -> None:
    value = json.loads(note.read_text("ascii"))
    value["label"] = label
    note.write_text(json.dumps(value) + "\n", "ascii")


def _second_version(session: Session) -> None:
    session.chapter("Version 2: corrected labels, no scribbles, some sevens")
    session.ldb(f"add --query {FOURS_AND_NINES}")
    session.ldb("del --query 'length(strokes) > `2`'")
    session.ldb("add ds:root --query \"label == '7'\" --sample 0.02 --seed 1")
    session.ldb("status")
    session.ldb('commit -m "Corrected labels, no scribbles, a few sevens to confuse"')


def _history(session: Session, made: digits.Made) -> None:
    session.chapter("What happened, and why")
    session.ldb("log")
    name = next(iter(made.wrong)).removesuffix(".json") + ".png"
    row = json.loads(session.ask(f"list --json '{name}'"))
    session.remark("Why one of the corrected images is as it is in the dataset:")
    session.ldb(f"why id:{row['id'][:8]}")
    session.remark("The index has versions too:")
    session.ldb("diff -s ds:root.v1 ds:root")
    session.remark("Is everything in the instance sound?")
    session.ldb("fsck")


def _write_out(session: Session, folder: Path) -> None:
    session.chapter("Compare the two versions, and write the newest out for training")
    session.ldb("diff -s ds:fours-and-nines.v1 ds:fours-and-nines.v2")
    session.ldb("diff -v ds:fours-and-nines.v1 ds:fours-and-nines.v2", lines=12)
    session.ldb("instantiate -m strict -t ../train ds:fours-and-nines.v2")
    names = sorted(each.name for each in (folder / "train").glob("[!.]*"))
    session.shell("ls ../train | head -4", lambda: "\n".join(names[:4]))


def _how_to_go_on(folder: Path, took: float) -> None:
    script = folder / "use.sh"
    programs = Path(sys.executable).parent
    script.write_text(
        f"# source this: `ldb` in this shell is then the demo's, with the demo's instance\n"
        f"export PATH={shlex.quote(str(programs))}:$PATH\n"
        f"export LDB_DIR={shlex.quote(str(folder / 'instance'))}\n",
        encoding="utf-8",
    )
    say(
        f"\nThat took {took:.0f} s. It is all in {folder}, yours to play with:\n\n"
        f"    source {shlex.quote(str(script))}\n"
        f"    cd {shlex.quote(str(folder / 'fours-and-nines'))}\n"
        "    ldb list --query 'ink > `0.2`'      # the boldest fours and nines\n"
        "    ldb get --query \"label == '0'\" -t ../zeros\n"
        "    ldb --help\n\n"
        "Running the demo again makes the folder anew. Nothing was written anywhere else."
    )


if __name__ == "__main__":
    sys.exit(main())
