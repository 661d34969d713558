"""What writers do so that `ldb gc` deletes nothing that a new version needs.

`watch.py` measures time that sleep cannot hide; `reach.py` finds the blobs that a map needs;
`guard.py` advances a ref and looks at condemned lists before and after; `securing.py` and
`rescue.py` see to it that nothing needed is condemned. Why: docs/design/011-garbage.md.
"""
