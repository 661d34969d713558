"""Oxen operations on the repository in the working folder: `oxen_ops.py OPERATION [PATH…]`."""

from __future__ import annotations

import sys

import oxen  # type: ignore[import-not-found, unused-ignore]


def main() -> None:
    """Run one operation."""
    operation, *paths = sys.argv[1:]
    repository = oxen.Repo(".")
    if operation == "init":
        oxen.user.config_user("Bench", "bench@example.org")
        repository.init()
    elif operation == "add":
        for path in paths:
            repository.add(path)
    elif operation == "commit":
        print(repository.commit("bench"))
    elif operation == "status":
        print(repository.status())


if __name__ == "__main__":
    main()
