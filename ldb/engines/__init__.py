"""Where work runs side by side: processes of this machine, or a Dask cluster.

`base.py` has the rules. Design: docs/design/015-scale-out.md.
"""
