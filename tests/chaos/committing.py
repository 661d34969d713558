"""Commit to a dataset again and again, until stdin is closed.

    python -m tests.chaos.committing INSTANCE

Prints a line after each commit. Every version has a row more than the one before.
"""

from __future__ import annotations

import select
import sys

from ldb.backends.opening import open_backend
from ldb.dataset import Draft, commit_dataset, dataset_schema
from ldb.history import DATASET_MAP, MapRoot, Operation, head
from ldb.instance import open_instance
from ldb.maps import Changes, edit, empty
from ldb.objects.codec import encode
from ldb.objects.model import BlobType
from ldb.refs.name import dataset_ref


def main(instance_url: str) -> None:
    ref = dataset_ref("cats")
    number = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        instance = open_instance(open_backend(instance_url))
        base = head(instance, ref)
        schema = dataset_schema(instance)
        with instance.objects.writer() as writer:
            note = writer.add(BlobType.ANNOTATION, encode({"n": number}))
            old = base.commit.maps[DATASET_MAP].root if base else empty(writer, schema).oid
            row = {number.to_bytes(16, "big"): (bytes(note), bytes(32))}
            root = edit(writer, writer, schema, old, [Changes.of(schema, row)])
        old_root = base.commit.maps[DATASET_MAP] if base else MapRoot(old, 0)
        new_root = MapRoot(root.oid, root.count)
        draft = Draft(instance.objects, old_root, new_root, base, (Operation(("add",)),))
        commit_dataset(instance, ref, draft, "", "Ann")
        number += 1
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
