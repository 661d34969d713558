"""Code that is not LDB's own: where it lies, who may have written it, how it is run.

    files.py      `custom_code/` of an instance: read, hashed, laid out to be run
    ownership.py  whether only this user can write to a folder
    trust.py      what this user trusts, kept in the user's own settings
    functions.py  functions for queries, out of Python files that are trusted
    programs.py   programs: found, started, fed, stopped with all that they started
    calling.py    one program asked about many data objects

Rules and reasons: docs/design/020-trust.md. Threats: docs/security.md.
"""
