"""Runs `ldb` commands and tells, a line of JSON each, what Python was asked to run or to load.

Started by test_no_code.py in a process of its own: an audit hook cannot be taken away again.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ldb.cli.main import main

WATCHED = frozenset(
    [
        "exec",
        "compile",
        "import",
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.spawn",
        "os.posix_spawn",
        "pickle.find_class",
        "marshal.loads",
        "ctypes.dlopen",
    ]
)


def watch(event: str, args: tuple[Any, ...]) -> None:
    if event in WATCHED:
        what = args[0] if event != "exec" else getattr(args[0], "co_filename", "?")
        if event == "compile":
            what = args[1]
        if event == "import":
            what = [args[0], args[1] or ""]
        sys.stderr.write(json.dumps(["audit", event, _plain(what)]) + "\n")


def _plain(value: object) -> Any:
    if isinstance(value, (str, list)):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else repr(value)


if __name__ == "__main__":
    sys.addaudithook(watch)
    for command in json.loads(sys.argv[1]):
        main(command)
