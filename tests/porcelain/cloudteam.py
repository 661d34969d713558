"""An instance and a bucket to index with it, for the tests of commands over object stores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ldb.catalog import Record, decode_record, key_path
from ldb.ids import NO_OID, Oid
from ldb.instance import Instance
from ldb.objects.codec import decode
from ldb.objects.model import BlobType
from ldb.porcelain.cloudstorage import add_cloud
from ldb.porcelain.index import Indexed, index
from ldb.porcelain.place import Place
from tests.clouds.buckets import Bucket

ONE_TRY = {"retries": "0", "patience": "20"}


def text_options(bucket: Bucket, **more: str) -> dict[str, str]:
    """The options of a bucket as settings files have them."""
    given = {**bucket.options, **more}
    return {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in given.items()}


@dataclass
class Team:
    """An instance and the user's settings, and what its index says."""

    instance: Instance
    cwd: Path
    bucket: Bucket
    options: dict[str, dict[str, str]]

    @property
    def place(self) -> Place:
        return Place(self.instance, str(self.cwd), "Ann", False, self.options)

    def register(self, path: str = "", **given: Any) -> None:
        """Register the bucket, or a prefix of it, as a storage location."""

        def remember(key: str, value: str) -> None:
            section, _, name = key.removeprefix("storage.").rpartition(".")
            self.options.setdefault(section, {})[name] = value

        options = text_options(self.bucket)
        given = {"options": options, **given}
        add_cloud(self.place, self.bucket.url + path, remember, **given)

    def through(self, bucket: Bucket, **more: str) -> None:
        """Have everything go to the same bucket by another way from now on."""
        self.options[bucket.url] = text_options(bucket, **more)

    def index(self, *paths: str, **options: Any) -> Indexed:
        urls = [self.bucket.url + path if "://" not in path else path for path in paths or [""]]
        return index(self.place, urls, **options)

    @property
    def paths(self) -> dict[str, str]:
        """Every path that the index knows, and `data` or `annotation`."""
        kinds = {1: "data", 2: "annotation"}
        return {
            key_path(key).decode().removeprefix(self.bucket.url): kinds[kind]
            for rows in self.place.catalog.paths_under()
            for key, kind in zip(rows.keys.tolist(), rows.fields[4].ravel().tolist())
        }

    def objects(self) -> dict[str, tuple[Record, Any]]:
        """Record and current annotation of each data object, by hex id."""
        store, found = self.instance.objects, {}
        for rows in self.place.catalog.rows():
            for at in range(len(rows)):
                record = store.get(Oid(rows.fields[0][at].tobytes()), BlobType.RECORD)
                note = rows.fields[1][at].tobytes()
                value = None
                if note != NO_OID:
                    value = decode(store.get(Oid(note), BlobType.ANNOTATION).payload)
                name = rows.keys[at : at + 1].tobytes().hex()
                found[name] = decode_record(record.payload), value
        return found


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def team_of(bucket: Bucket, instance: Instance, folder: Path) -> Team:
    return Team(instance, folder, bucket, {bucket.url: text_options(bucket)})


def pairs(names: Iterable[str], label: str = "cat") -> dict[str, bytes]:
    """A data object and an annotation for each name."""
    found = {}
    for name in names:
        found[f"{name}.jpg"] = f"image {name}".encode()
        found[f"{name}.json"] = json.dumps({"label": label, "name": name}).encode()
    return found
