"""Places: for each row of a map, where in the packs the blob lies that it names.

A query evaluates columns of packs and must know which row of which column file belongs to
which data object. Finding that by oid takes a search for each row; a place file beside a
pack keeps the answer for every leaf of a map in that pack, and a leaf never changes. Like
columns, place files are derived: whoever misses one can make it. Format:
docs/formats/places.md.
"""
