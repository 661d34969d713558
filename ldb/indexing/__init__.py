"""Indexing: scan → read and hash → pack → merge into the index.

`scan.py` lists folders and compares them with what the index last saw; `read.py` runs in
worker processes and writes packs; `merge.py` puts the rows into the maps; `run.py` ties
them together and publishes one commit. Design: docs/design/005-indexing.md.
"""
