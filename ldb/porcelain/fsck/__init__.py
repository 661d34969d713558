"""`ldb fsck`: is everything there, and is it what was written?

`files.py` proves every file by itself; `shelves.py` knows which blobs there are, and which
are used; `history.py` and `walk.py` follow refs to commits, maps, records and annotations;
`derived.py` and `places.py` compare what was made from packs with the packs; `run.py` ties
them together. Nothing is written, except by `repair.py`. What counts as damage:
docs/commands/fsck.md.
"""

from ldb.porcelain.fsck.report import Checked, Problem, Report
from ldb.porcelain.fsck.run import fsck

__all__ = ["Checked", "Problem", "Report", "fsck"]
