"""The object store: immutable blobs named by their hash, in packs and loose files.

Read `model.py` (what a blob is), then `store.py` (how it is found), `pack.py` and
`packread.py` (the file of many blobs). Rules: docs/formats/objects.md and pack.md.
"""
