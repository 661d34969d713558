"""Where an instance lives: a key-value store of immutable files.

`base.py` is the protocol and says what every verb promises; `memory.py` and
`local.py` implement it; `tests/contracts/` holds the suite each must pass.
"""
