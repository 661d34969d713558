"""Every command: its name, the heading it is listed under, one line of help, its module.

`ldb --help` is printed from this table alone and so imports no command. A new command is
one row here and one file, `ldb/cli/<porcelain or plumbing>/<name>.py`, exposing `command`.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import NamedTuple

SETUP = "Set up"
INDEX = "Index data where it lies"
DATASETS = "Make datasets"
LOOK = "Look and ask"
OUT = "Write datasets out"
CARE = "Take care of an instance"
PLUMBING = "Plumbing (stable output, for scripts)"

SECTIONS = (SETUP, INDEX, DATASETS, LOOK, OUT, CARE, PLUMBING)
"""Headings of `ldb --help`, in their order."""


class Row(NamedTuple):
    """One command."""

    name: str
    section: str
    short: str

    @property
    def module(self) -> str:
        """Where the command is: dashes become underscores, and `del` is in `del_.py`."""
        package = "plumbing" if self.section == PLUMBING else "porcelain"
        stem = self.name.replace("-", "_")
        return f"ldb.cli.{package}.{stem}{'_' if iskeyword(stem) else ''}"


TABLE = (
    Row("init", SETUP, "Make an instance."),
    Row("add-storage", SETUP, "Register a place where data objects live."),
    Row("storage", SETUP, "Show and forget storage locations."),
    Row("import-legacy", SETUP, "Take in an instance of LDB 0.7 or older."),
    Row("config", SETUP, "Show and change your settings."),
    Row("trust", SETUP, "Look at code that is not LDB's, and let it run."),
    Row("completion", SETUP, "Print the tab completion script of a shell."),
    Row("index", INDEX, "Index data where it lies."),
    Row("unindex", INDEX, "Forget data objects that no dataset holds."),
    Row("stage", DATASETS, "Put a dataset into a workspace as its draft."),
    Row("add", DATASETS, "Add data objects to the draft."),
    Row("del", DATASETS, "Take data objects out of the draft."),
    Row("sync", DATASETS, "Make the draft equal to the workspace's files."),
    Row("pull", DATASETS, "Give the draft the newest annotations."),
    Row("transform", DATASETS, "Say what is made of data objects when they are written out."),
    Row("commit", DATASETS, "Save the draft as a new version."),
    Row("tag", DATASETS, "Change the tags of data objects."),
    Row("merge", DATASETS, "Bring two datasets together."),
    Row("split", DATASETS, "Cut a dataset into parts, for training and testing."),
    Row("dedup", DATASETS, "Keep one data object for each value of an expression."),
    Row("refresh", DATASETS, "Run the commands that made a dataset again."),
    Row("ds", DATASETS, "List, delete, rename, export and import datasets."),
    Row("status", LOOK, "Show the draft, or a dataset, at a glance."),
    Row("diff", LOOK, "Show what differs between two versions."),
    Row("log", LOOK, "Show the history of a dataset or an object."),
    Row("why", LOOK, "Show why an object is in a dataset."),
    Row("list", LOOK, "List data objects."),
    Row("eval", LOOK, "Print annotations, or what expressions say of them."),
    Row("stats", LOOK, "Describe data objects in numbers."),
    Row("query", LOOK, "Ask loose JSON files."),
    Row("fsck", CARE, "Check that everything is there and sound."),
    Row("cache", CARE, "Show and clean the cache of fetched data objects."),
    Row("verify", CARE, "Check that data objects are still there and the same."),
    Row("gc", CARE, "Delete what no version needs."),
    Row("repack", CARE, "Put small packs together into large ones."),
    Row("instantiate", OUT, "Write data objects and annotations into a folder."),
    Row("get", OUT, "Stage, add and instantiate in one."),
    Row("hash-object", PLUMBING, "Print the oid of a blob, and store it."),
    Row("cat-file", PLUMBING, "Print type, size or content of blobs."),
    Row("rev-parse", PLUMBING, "Print the oid that a name stands for."),
    Row("rev-list", PLUMBING, "List commits, and all the blobs they need."),
    Row("show-ref", PLUMBING, "List refs and the commits they point at."),
    Row("for-each-ref", PLUMBING, "List refs in a format of your own."),
    Row("update-ref", PLUMBING, "Move a ref, if it is where it should be."),
    Row("mk-map", PLUMBING, "Make a map from rows."),
    Row("ls-map", PLUMBING, "List the rows of a map."),
    Row("diff-map", PLUMBING, "List the rows that differ between two maps."),
    Row("merge-map", PLUMBING, "Merge maps three ways."),
    Row("commit-map", PLUMBING, "Make a commit of maps."),
    Row("pack-objects", PLUMBING, "Put chosen blobs into one pack."),
    Row("unpack-objects", PLUMBING, "Take in the blobs of a pack file."),
    Row("show-pack", PLUMBING, "List the blocks and blobs of a pack."),
    Row("verify-pack", PLUMBING, "Check packs, bit by bit."),
    Row("count-objects", PLUMBING, "Count blobs, packs and bytes."),
)

ROWS = {row.name: row for row in TABLE}
