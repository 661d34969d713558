"""`ldb gc`: take away what no version needs, beside live writers.

`mark.py` finds what all versions need; `copies.py` which files are not needed because others
hold the same; `view.py` puts both together: what is garbage right now. `lists.py` keeps
condemned lists, `sweep.py` deletes, `run.py` ties them together. Why it is safe:
docs/design/011-garbage.md.
"""

from ldb.porcelain.gc.report import GcReport, Waiting
from ldb.porcelain.gc.run import GRACE, gc

__all__ = ["GRACE", "GcReport", "Waiting", "gc"]
