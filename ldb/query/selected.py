"""The rows a selection holds: data objects, each with the annotation that is meant.

Rows of a map stay in the map until they are asked for: a query that only counts never
reads an id. A row that was taken is read alone, with the others of its leaf.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ldb.errors import Corrupt
from ldb.ids import OID_BYTES, Oid
from ldb.maps import Rows, Schema
from ldb.maps.leaves import Leaves
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore
from ldb.places.find import places_of_map
from ldb.places.model import Places
from ldb.places.search import places_of_oids

Ids = NDArray[np.bytes_]
Oids = NDArray[np.uint8]
Where = NDArray[np.bool_] | NDArray[np.intp]


class MapRows:
    """A map whose rows are data objects: a dataset, or the objects of the index."""

    def __init__(self, store: ObjectStore, schema: Schema, root: Oid, count: int) -> None:
        self.store = store
        self.schema = schema
        self.root = root
        self.count = count
        self._leaves: Leaves | None = None
        self._places: dict[str, Places] = {}

    def has(self, field: str) -> bool:
        """Whether its rows have this field."""
        return any(name == field for name, _ in self.schema.fields)

    def leaves(self) -> Leaves:
        """The list of leaves, read once."""
        if self._leaves is None:
            self._leaves = Leaves(self.store, self.schema, self.root)
            if self._leaves.size != self.count:
                raise Corrupt(self.root, f"a map of {self._leaves.size} rows, not {self.count}")
        return self._leaves

    def size(self) -> int:
        """Number of its rows; raises `Corrupt` where they are not as many as they should be.

        So nothing is made for as many rows as a commit claims.
        """
        return self.leaves().size

    def places(self, field: str) -> Places:
        """Where the blobs lie that a field names, for every row."""
        if field not in self._places:
            self._places[field] = places_of_map(self.store, self.leaves(), field)
        return self._places[field]

    def rows(self, numbers: NDArray[np.intp] | None) -> Rows:
        """Rows by number; all of them for None."""
        return self.leaves().rows(numbers)


class Selected:
    """n rows, in the order of the result. Arrays are read when they are first asked for."""

    def __init__(self, ids: Ids, annotations: Oids, transforms: Oids) -> None:
        self._size = len(ids)
        self._columns: tuple[Ids, Oids, Oids] | None = (ids, annotations, transforms)
        self._map: MapRows | None = None
        self._numbers: NDArray[np.intp] | None = None

    @staticmethod
    def of_map(source: MapRows, numbers: NDArray[np.intp] | None = None) -> Selected:
        """Rows of a map by number; all of them for None."""
        rows = Selected.__new__(Selected)
        rows._size = source.size() if numbers is None else len(numbers)
        rows._columns = None
        rows._map = source
        rows._numbers = numbers
        return rows

    def __len__(self) -> int:
        return self._size

    @property
    def ids(self) -> Ids:
        """Data object ids, shape (n,) of `S<width>`."""
        return self._read()[0]

    @property
    def annotations(self) -> Oids:
        """Annotation oids, shape (n, 32); zeros where there is none."""
        return self._read()[1]

    @property
    def transforms(self) -> Oids:
        """Transform set oids, shape (n, 32); zeros for the default."""
        return self._read()[2]

    @property
    def ascending(self) -> bool:
        """Whether the ids are known to ascend, because they come as a map has them."""
        if self._map is None:
            return False
        numbers = self._numbers
        return numbers is None or bool((numbers[1:] > numbers[:-1]).all())

    def _read(self) -> tuple[Ids, Oids, Oids]:
        if self._columns is None:
            assert self._map is not None
            rows = self._map.rows(self._numbers)
            by_name = {name: at for at, (name, _) in enumerate(self._map.schema.fields)}
            annotations = rows.fields[by_name["annotation"]]
            at = by_name.get("transforms")
            transforms = np.zeros_like(annotations) if at is None else rows.fields[at]
            self._columns = rows.keys, annotations, transforms
        return self._columns

    def places(self, store: ObjectStore) -> Places:
        """Where the annotations lie."""
        if self._map is None:
            return places_of_oids(store, self.annotations, BlobType.ANNOTATION)
        return self._of_map(self._map.places("annotation"))

    def record_places(self) -> Places | None:
        """Where the object records lie; None where the rows are not those of the index."""
        if self._map is None or not self._map.has("record"):
            return None
        return self._of_map(self._map.places("record"))

    def _of_map(self, places: Places) -> Places:
        return places if self._numbers is None else places.take(self._numbers)

    def take(self, where: Where) -> Selected:
        """The rows at these positions, or where this mask is True."""
        if self._map is None:
            ids, annotations, transforms = self._read()
            return Selected(ids[where], annotations[where], transforms[where])
        if self._numbers is not None:
            numbers = self._numbers[where]
        else:
            numbers = np.flatnonzero(where) if where.dtype == np.bool_ else where.astype(np.intp)
        taken = Selected.of_map(self._map, numbers)
        if self._columns is not None:
            ids, annotations, transforms = self._columns
            taken._columns = (ids[where], annotations[where], transforms[where])
        return taken

    @staticmethod
    def of(rows: Rows) -> Selected:
        """Rows of a dataset map."""
        return Selected(rows.keys, rows.fields[0], rows.fields[1])

    @staticmethod
    def empty(width: int) -> Selected:
        """No rows; `width` is that of an id in bytes."""
        none = np.zeros((0, OID_BYTES), np.uint8)
        return Selected(np.zeros(0, f"S{width}"), none, none)

    @staticmethod
    def concat(parts: Sequence[Selected], width: int) -> Selected:
        """All rows of all parts, one part after the other."""
        if not parts:
            return Selected.empty(width)
        if len(parts) == 1:
            return parts[0]
        columns = [each._read() for each in parts]
        return Selected(
            np.concatenate([ids for ids, _, _ in columns]),
            np.concatenate([annotations for _, annotations, _ in columns]),
            np.concatenate([transforms for _, _, transforms in columns]),
        )
