"""The command line: the only place that knows click, the environment and the terminal.

`main.py` runs a command found in `table.py`; a command parses its options (`options.py`),
calls one library function and prints what it returns (`output.py`).
"""
