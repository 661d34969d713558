"""Random sequences of commands, against a model of plain dictionaries.

Two workspaces on one instance: add, del, tag, pull, transform, commit, stage, instantiate, and
annotations that change where they lie. After each command the drafts, and now and then the
versions, tags and files, are what the model says. `--hypothesis-seed` repeats a run.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ldb.cli.main import main

NAMES = ("ant", "bee", "cow", "dog")
IDS = {name: hashlib.md5(name.encode()).hexdigest() for name in NAMES}
DATASETS = ("x", "y")
TAGS = ("red", "big")
TRANSFORMS = ("self", "up", "down")
SELF = frozenset({"self"})

Row = tuple[int | None, frozenset[str]]
"""Annotation and transforms."""
Rows = dict[str, Row]

objects = st.sets(st.sampled_from(NAMES), min_size=1, max_size=3)
datasets = st.sampled_from(DATASETS)
places = st.sampled_from((0, 1))


@dataclass
class Draft:
    """The draft of a workspace."""

    name: str
    base: int = 0
    """Version it was staged from; 0: a new dataset."""
    before: Rows = field(default_factory=dict)
    rows: Rows = field(default_factory=dict)


@dataclass
class Model:
    """All that the instance and the workspaces should hold."""

    notes: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in NAMES})
    current: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(NAMES))
    tags: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in NAMES})
    versions: dict[str, list[Rows]] = field(default_factory=lambda: {name: [] for name in DATASETS})
    drafts: dict[int, Draft] = field(default_factory=dict)


def merged(base: Rows, ours: Rows, theirs: Rows) -> Rows | None:
    """A three-way merge; None where one object was changed to two things."""
    result = {}
    for name in NAMES:
        was, here, there = base.get(name), ours.get(name), theirs.get(name)
        if here != there and was not in (here, there):
            return None
        row = there if here == was else here
        if row is not None:
            result[name] = row
    return result


class Commands(RuleBasedStateMachine):
    """The rules: each runs a command and changes the model in the same way."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ldb-sequence-"))
        self.model = Model()
        self.runs = 0
        data = self.folder / "data"
        data.mkdir()
        for name in NAMES:
            (data / f"{name}.jpg").write_text(name)
        self.ldb("init", "-q", str(self.folder / "instance"))
        self.ldb("add-storage", "-q", str(data))
        self.ldb("index", "-q", str(data))

    def teardown(self) -> None:
        os.chdir("/")
        shutil.rmtree(self.folder)

    def ldb(self, *args: str, code: int = 0) -> str:
        """Run a command that ends with this exit code; its output."""
        os.chdir(self.folder)  # `-C` of the one before has gone elsewhere
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            got = main(["--instance", str(self.folder / "instance"), *args])
        texts = []
        for stream in (out, err):
            stream.flush()
            texts.append(stream.buffer.getvalue().decode())
        assert got == code, (args, got, texts)
        return texts[0]

    def at(self, place: int, *args: str, code: int = 0) -> str:
        return self.ldb("-C", str(self.folder / f"work{place}"), *args, code=code)

    def draft(self, place: int) -> Draft:
        """The draft of a workspace, which is made where there is none yet."""
        if place not in self.model.drafts:
            self.ldb("stage", "ds:x", str(self.folder / f"work{place}"))
            newest = self.model.versions["x"]
            rows = newest[-1] if newest else {}
            self.model.drafts[place] = Draft("x", len(newest), dict(rows), dict(rows))
        return self.model.drafts[place]

    # -- the index -----------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES), value=st.integers(0, 2))
    def annotate(self, name: str, value: int) -> None:
        file = self.folder / "data" / f"{name}.json"
        file.write_text(json.dumps({"n": value}))
        # Two texts of one length within a tick of the clock: what a stat cannot tell apart.
        os.utime(file, ns=(1_700_000_000_000_000_000 + self.runs,) * 2)
        self.runs += 1
        self.ldb("index", "-q", str(self.folder / "data"))
        if value not in self.model.notes[name]:
            self.model.notes[name].append(value)
            self.model.current[name] = value

    @rule(how=st.sampled_from("ars"), tags=st.sets(st.sampled_from(TAGS), min_size=1), on=objects)
    def tag(self, how: str, tags: set[str], on: set[str]) -> None:
        self.ldb("tag", f"-{how}", ",".join(tags), *_ids(on))
        for name in on:
            had = self.model.tags[name]
            self.model.tags[name] = {"a": had | tags, "r": had - tags, "s": set(tags)}[how]

    # -- drafts --------------------------------------------------------------------------

    @rule(place=places, name=datasets, number=st.sampled_from((0, 0, 1, 2)), force=st.booleans())
    def stage(self, place: int, name: str, number: int, force: bool) -> None:
        versions, draft = self.model.versions[name], self.model.drafts.get(place)
        spec = f"ds:{name}.v{number}" if number else f"ds:{name}"
        code = 0
        if number > len(versions):
            code = 3
        elif draft and draft.rows != draft.before and not force:
            code = 4
        options = ["-f"] if force else []
        self.ldb("stage", *options, spec, str(self.folder / f"work{place}"), code=code)
        if not code:
            number = number or len(versions)
            rows = versions[number - 1] if number else {}
            self.model.drafts[place] = Draft(name, number, dict(rows), dict(rows))

    @rule(place=places, on=objects)
    def add(self, place: int, on: set[str]) -> None:
        draft = self.draft(place)
        self.at(place, "add", *_ids(on))
        for name in on:
            _, transforms = draft.rows.get(name, (None, SELF))
            draft.rows[name] = (self.model.current[name], transforms)

    @rule(place=places, source=datasets, number=st.integers(1, 3))
    def add_version(self, place: int, source: str, number: int) -> None:
        draft, versions = self.draft(place), self.model.versions[source]
        there = number <= len(versions)
        self.at(place, "add", f"ds:{source}.v{number}", code=0 if there else 3)
        if not there:
            return
        for name, (note, transforms) in versions[number - 1].items():
            _, kept = draft.rows.get(name, (None, SELF))
            draft.rows[name] = (note, kept if transforms == SELF else transforms)

    @rule(place=places, on=objects)
    def delete(self, place: int, on: set[str]) -> None:
        draft = self.draft(place)
        self.at(place, "del", *_ids(on))
        for name in on:
            draft.rows.pop(name, None)

    @rule(place=places, number=st.sampled_from((None, 1, 2)))
    def pull(self, place: int, number: int | None) -> None:
        draft = self.draft(place)
        self.at(place, "pull", *([f"v{number}"] if number else []))
        for name, (note, transforms) in draft.rows.items():
            notes = self.model.notes[name]
            if number is None and self.model.current[name] is not None:
                note = self.model.current[name]
            if number is not None and number <= len(notes):
                note = notes[number - 1]
            draft.rows[name] = (note, transforms)

    @rule(
        place=places,
        how=st.sampled_from("ars"),
        names=st.sets(st.sampled_from(TRANSFORMS), min_size=1),
        on=objects,
    )
    def transform(self, place: int, how: str, names: set[str], on: set[str]) -> None:
        draft = self.draft(place)
        made = {}
        for name in on & draft.rows.keys():
            note, had = draft.rows[name]
            new = {"a": had | names, "r": had - names, "s": frozenset(names)}[how]
            made[name] = (note, frozenset(new))
        empty = any(not transforms for _, transforms in made.values())
        self.at(place, "transform", f"-{how}", ",".join(names), *_ids(on), code=2 if empty else 0)
        if not empty:
            draft.rows |= made

    @rule(place=places, auto_pull=st.booleans())
    def commit(self, place: int, auto_pull: bool) -> None:
        draft = self.draft(place)
        versions = self.model.versions[draft.name]
        if auto_pull:
            for name, (_, transforms) in draft.rows.items():
                if self.model.current[name] is not None:
                    draft.rows[name] = (self.model.current[name], transforms)
        options = ["--auto-pull", "true"] if auto_pull else []
        if draft.rows == draft.before:
            self.at(place, "commit", *options)
            return
        theirs = versions[-1] if versions else {}
        result = merged(draft.before, draft.rows, theirs)
        self.at(place, "commit", *options, code=4 if result is None else 0)
        if result is None:
            return
        if not versions or result != theirs:
            versions.append(result)
        self.model.drafts[place] = Draft(draft.name, len(versions), dict(result), dict(result))

    # -- what is to be seen --------------------------------------------------------------

    @rule(place=places)
    def instantiate(self, place: int) -> None:
        draft = self.draft(place)
        self.runs += 1
        target = self.folder / f"out{self.runs}"
        self.at(place, "instantiate", "-q", "-t", str(target))
        expected = {}
        for name, (note, transforms) in draft.rows.items():
            if "self" in transforms:
                expected[f"{name}.jpg"] = name
                if note is not None:
                    expected[f"{name}.json"] = f'{{\n  "n": {note}\n}}\n'
            for each in transforms - SELF:
                expected[f"{name}.{each}.out"] = f"{each}\n"
        assert _files(target) == expected

    @rule(name=datasets)
    def look_at_versions(self, name: str) -> None:
        for number, rows in enumerate(self.model.versions[name], 1):
            assert self.listed("list", f"ds:{name}.v{number}") == _notes(rows)

    @rule()
    def look_at_tags(self) -> None:
        for each in _json(self.ldb("list", "ds:root", "--json")):
            assert set(each["tags"]) == self.model.tags[_name(each)]

    @rule()
    def check(self) -> None:
        self.ldb("fsck")

    @invariant()
    def drafts_are_as_they_should(self) -> None:
        for place, draft in self.model.drafts.items():
            folder = str(self.folder / f"work{place}")
            assert self.listed("-C", folder, "list") == _notes(draft.rows)
            counts = dict.fromkeys(TRANSFORMS, 0)
            for _, transforms in draft.rows.values():
                counts |= {name: counts[name] + 1 for name in transforms}
            told = _json(self.ldb("-C", folder, "transform", "--json"))
            assert {each["name"]: each["objects"] for each in told} == {
                name: count for name, count in counts.items() if count
            }

    def listed(self, *args: str) -> dict[str, int | None]:
        """Object → annotation, as `eval` tells."""
        command = ["eval" if word == "list" else word for word in args]
        found = _json(self.ldb(*command, "--jshow", "n", "--json"))
        return {_name(each): each["values"][0] for each in found}


def _json(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def _name(about: dict[str, Any]) -> str:
    return next(name for name, found in IDS.items() if found == about["id"])


def _ids(names: set[str]) -> Sequence[str]:
    return [f"id:{IDS[name]}" for name in sorted(names)]


def _notes(rows: Rows) -> dict[str, int | None]:
    return {name: note for name, (note, _) in rows.items()}


def _files(folder: Path) -> dict[str, str]:
    """What lies in a folder, by names without ids."""
    found = {}
    for path in folder.rglob("*") if folder.exists() else ():
        if path.is_file() and not path.name.startswith("."):
            found[re.sub("-[0-9a-f]{32}", "", path.name)] = path.read_text()
    return found


@pytest.fixture(autouse=True)
def stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go back to the folder that the test began in."""
    monkeypatch.chdir(os.getcwd())


def run(examples: int) -> None:
    for name in TRANSFORMS[1:]:
        argv = json.dumps(["/bin/sh", "-c", f"echo {name} > out"])
        assert main(["config", "set", "-q", f"transform.{name}.run", argv]) == 0
    few = settings(
        max_examples=examples,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Commands, settings=few)


def test_sequences_agree_with_the_model() -> None:
    run(3)


@pytest.mark.slow
def test_five_hundred_sequences_agree_with_the_model() -> None:
    run(500)
