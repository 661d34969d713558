"""Writing data objects and annotations into a folder, verified, never half there.

`instantiate` does a run; `instantiated_files` says what earlier runs made in a folder, and
`id_in_name` which object a file of the default naming belongs to. Where things lie:
options.py what is asked for and reported, naming.py and layout.py the names, plan.py the
columns of what is to be written, items.py one object after the other, target.py the folder,
source.py and linking.py one data object, write.py one batch, manifest.py and listing.py the
list of files made, workers.py the processes, run.py all of it.
Decisions: docs/design/006-instantiate.md.
"""

from ldb.instantiate.manifest import instantiated_files
from ldb.instantiate.model import Entry
from ldb.instantiate.naming import id_in_name
from ldb.instantiate.options import InstantiateOptions, InstantiateReport, Problem
from ldb.instantiate.run import instantiate

__all__ = [
    "Entry",
    "InstantiateOptions",
    "InstantiateReport",
    "Problem",
    "id_in_name",
    "instantiate",
    "instantiated_files",
]
