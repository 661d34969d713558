"""Writing data objects and annotations into a folder, verified, never half there.

`instantiate` does a run; `instantiated_files` says what earlier runs made in a folder, and
`id_in_name` which object a file of the default naming belongs to. Where things lie:
options.py what is asked for and reported, naming.py and layout.py the names, plan.py the
columns of what is to be written, items.py one object after the other, target.py the folder,
source.py and linking.py one data object, write.py one batch, manifest.py and listing.py the
list of files made, workers.py the processes, run.py all of it.
Decisions: docs/design/006-instantiate.md. Nothing is imported here: who only wants to know a
file by its name need not load what writes files.
"""
