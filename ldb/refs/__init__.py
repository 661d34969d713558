"""Names for the newest commits: one small immutable file a version.

`name.py` holds the rules for names, `store.py` reads and advances refs. The format is
docs/formats/refs.md.
"""
