"""Where the console script `ldb` begins.

Ctrl-C while Python is still importing ends the process by the signal's own default, without a
traceback: nothing has begun yet. From `main` on it is an exception, which commands tidy up after.
"""

from __future__ import annotations

import signal


def main() -> int:
    """Import what a command needs, and run it; the exit code."""
    asked = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not under nohup
    if asked:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from ldb.cli.main import leave
    from ldb.cli.main import main as run

    if asked:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return leave(run())
