"""Reading a blob is quick to start: numpy is loaded by bulk methods only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ldb.backends.local import LocalBackend
from ldb.objects.store import ObjectStore
from tests.objects.samples import blobs

PROGRAM = """
import sys
from ldb.backends.local import LocalBackend
from ldb.ids import Oid
from ldb.objects.codec import decode
from ldb.objects.store import BatchWriter, ObjectStore

store = ObjectStore(LocalBackend(sys.argv[1]))
for name in sys.argv[2:]:
    oid = store.expand(name)
    decode(store.get(oid).payload)
    assert store.has(oid) and store.get_many([oid])
store.put(store.get(oid))
assert store.packs()
unwanted = {"numpy", "msgpack", "asyncio", "pyarrow"} & set(sys.modules)
assert not unwanted, unwanted
"""


def test_single_reads_do_not_import_numpy(tmp_path: Path) -> None:
    store = ObjectStore(LocalBackend(tmp_path))
    some = blobs(50)
    with store.writer() as writer:
        for blob in some[1:]:
            writer.add(blob.type, blob.payload)
    store.put(some[0])
    names = [blob.oid.hex()[:12] for blob in some]
    subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path), *names], check=True)
