"""All fuzz targets."""

from __future__ import annotations

from tests.fuzz.boxes import TARGETS as BOXES
from tests.fuzz.files import TARGETS as FILES
from tests.fuzz.labels import TARGETS as LABELS
from tests.fuzz.records import TARGETS as RECORDS
from tests.fuzz.target import Target
from tests.fuzz.values import TARGETS as VALUES

TARGETS: tuple[Target, ...] = (*VALUES, *FILES, *RECORDS, *LABELS, *BOXES)
