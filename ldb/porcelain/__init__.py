"""One module a command: functions that do its work and return values. Nothing is printed.

`place.py` says where a command works, `sources.py` turns what a user names into rows.
"""
