"""Compare the two evaluators on any number of random cases, in two processes.

    nice -n 19 python -m tests.query.columnar.million CASES [FIRST_SEED]

Every case has a seed of its own and can be drawn again. Prints disagreements with their
seeds, then totals; the exit code is 1 if there was any. Results: docs/design/003-queries.md.
"""

from __future__ import annotations

import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from random import Random

from tests.query.columnar import cases

BATCH = 1000
SHOWN = 20


def check(first: int) -> tuple[int, int, int, list[str]]:
    """Cases, documents, those left to rows, disagreements; of one batch of seeds."""
    wrong = []
    documents = again = 0
    for seed in range(first, first + BATCH):
        text, values, missing = cases.draw(Random(seed))
        try:
            found, left = cases.disagreement(text, values, missing)
        except Exception:  # noqa: BLE001  whatever it is, it is a finding
            found, left = traceback.format_exc(), 0
        documents += len(values)
        again += left
        if found:
            wrong.append(f"seed {seed}, {missing}: {text}\n    {values!r}\n    {found}")
    return BATCH, documents, again, wrong


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    count = int(sys.argv[1])
    start = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    begun = time.time()
    done = documents = again = wrong = 0
    with ProcessPoolExecutor(2) as pool:
        for cases_, some, left, found in pool.map(check, range(start, start + count, BATCH)):
            done, documents, again = done + cases_, documents + some, again + left
            for each in found[: max(0, SHOWN - wrong)]:
                _say(each)
            wrong += len(found)
            if done % 50_000 == 0:
                _say(f"{done:,} cases, {wrong} disagree, {time.time() - begun:.0f} s")
    _say(f"{done:,} cases, {documents:,} documents, {again:,} left to rows, {wrong} disagree")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
