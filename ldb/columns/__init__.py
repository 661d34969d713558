"""Columns: many JSON values held column-wise, and the files they are kept in beside packs.

`model` holds values in memory, `shred` makes them from MessagePack payloads, `write` and
`read` are the file. Columns are derived from blobs and can always be made again; whatever
they cannot hold exactly they mark, so that a reader goes back to the blob. Format:
docs/formats/columns.md. Nothing is imported here: numpy loads with the modules.
"""
