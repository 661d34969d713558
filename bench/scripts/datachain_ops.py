"""DataChain operations: `datachain_ops.py OPERATION ARGUMENT…`; prints a count last.

The database is `.datachain` in the working folder. Annotations become typed columns when
they are indexed, which is DataChain's own advice for asking many questions of them. DataChain
reads the types of functions at run time, so they must not be postponed to strings.
"""

import json
import sys
from pathlib import Path
from typing import Any

import datachain as dc  # type: ignore[import-not-found, unused-ignore]
from datachain import C
from datachain.func import length  # type: ignore[import-not-found, unused-ignore]
from pydantic import BaseModel  # type: ignore[import-not-found, unused-ignore]

Chain = Any
VERSIONS = Path("versions-of-all")
"""Where each change notes the version that it made, because `diff` needs the two newest."""


class Box(BaseModel):  # type: ignore[misc, unused-ignore]
    """One box of an annotation."""

    label: str
    score: float


class Annotation(BaseModel):  # type: ignore[misc, unused-ignore]
    """What the queries name of an annotation."""

    position: int
    label: str
    confidence: float
    boxes: list[Box]


def parse(file: dc.File) -> Annotation:
    """The annotation in a JSON file."""
    value = json.loads(file.read_bytes())
    return Annotation(
        position=value["position"],
        label=value["class"],
        confidence=value["confidence"],
        boxes=value["boxes"],
    )


def index(files: str) -> Chain:
    """List, parse what is new or changed, save."""
    listed = dc.read_storage(f"file://{files}", update=True, delta=True, delta_on="file.path")
    return listed.filter(C("file.path").glob("*.json")).map(a=parse).save("index")


def has_sure_cat(boxes: list[Box]) -> bool:
    """The nested query: no column expression of DataChain filters inside a list."""
    return any(box.label == "cat" and box.score > 0.9 for box in boxes)


def ask(name: str) -> Chain:
    """The chain of one of the four queries."""
    rows = dc.read_dataset("index")
    if name == "string":
        return rows.filter(C("a.label") == "cat")
    if name == "number":
        return rows.filter(C("a.confidence") > 0.9)
    if name == "length":
        return rows.filter(length("a.boxes") == 3)
    return rows.map(has_sure_cat, params=["a.boxes"], output={"hit": bool}).filter(C("hit"))


def change(listed: str) -> Chain:
    """A new version of the dataset of all, without some rows and with some others."""
    wanted = json.loads(Path(listed).read_text())
    kept = dc.read_dataset("all").filter(C("a.position").not_in(wanted["del"]))
    if not wanted["add"]:
        return kept.save("all")
    added = dc.read_dataset("index").filter(C("a.position").in_(wanted["add"]))
    return kept.union(added).save("all")


def differences() -> Chain:
    """What the two newest versions of the dataset of all differ in."""
    before, newest = VERSIONS.read_text().split()[-2:]
    older = dc.read_dataset("all", version=before)
    return dc.read_dataset("all", version=newest).diff(older, on="a.position")


def copy(files: str, out: str) -> Chain:
    """Write all files out."""
    chain = dc.read_storage(f"file://{files}")
    chain.to_storage(out, placement="fullpath", num_threads=2)
    return chain


def main() -> None:
    """Run one operation."""
    operation, *words = sys.argv[1:]
    if operation == "nothing":
        return
    if operation == "index":
        chain = index(*words)
    elif operation == "save-cats":
        chain = ask("string").save("cats")
    elif operation == "save-all":
        chain = dc.read_dataset("index").save("all")
    elif operation == "change":
        chain = change(*words)
        with VERSIONS.open("a") as known:
            known.write(f"{chain.version}\n")
    elif operation == "diff":
        chain = differences()
    elif operation == "copy":
        chain = copy(*words)
    else:
        chain = ask(operation)
    print(f"\n{chain.count()}")


if __name__ == "__main__":
    main()
