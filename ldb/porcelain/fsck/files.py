"""Every file of a store by itself: is it one of ours, and is it whole?

Packs and loose blobs become parts of the shelves. Of a damaged pack everything that can
still be read is kept, so that only what is really lost is missed afterwards.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from ldb.backends.base import Backend, Entry
from ldb.backends.local import LocalBackend
from ldb.errors import BadName, Corrupt, LdbError, NotFound
from ldb.foreign.files import FOLDER as CODE
from ldb.ids import Oid
from ldb.objects.bulk import digest_all
from ldb.objects.condemned import decode_list, is_garbage_key, list_number
from ldb.objects.loose import MAX_FILE, oid_of_key, parse_loose
from ldb.objects.oidtable import Oids, as_oids, build, columns
from ldb.objects.packcheck import verify
from ldb.objects.packformat import derived_from, pack_name
from ldb.objects.packread import PackReader
from ldb.porcelain.fsck.report import Findings
from ldb.porcelain.fsck.shelves import DAMAGED, Codes, Part
from ldb.progress import Progress
from ldb.refs.name import MAX_NUMBER, RefKind, RefName, unquote

YOUNG = 3600
"""Temporary files written to in so many seconds may belong to a command at work."""

_NUMBER = re.compile(r"[0-9]{10}")


@dataclass(frozen=True, slots=True)
class RefFile:
    """A ref file by its key."""

    name: RefName
    number: int
    key: str


def ref_file(key: str) -> RefFile | None:
    """What a key under `refs/` stands for; None where it is not a ref file's."""
    parts = key.split("/")
    if len(parts) != 4 or parts[0] != "refs" or not _NUMBER.fullmatch(parts[3]):
        return None
    try:
        name = RefName(RefKind(parts[1]), unquote(parts[2]))
    except (ValueError, BadName):
        return None
    number = MAX_NUMBER - int(parts[3])
    return RefFile(name, number, key) if number > 0 else None


def ref_files(backend: Backend, findings: Findings) -> list[RefFile]:
    """All ref files, the oldest version of each ref first."""
    found = []
    for entry in backend.list("refs/"):
        file = ref_file(entry.key)
        if file is None:
            stray(findings, entry.key)
        else:
            found.append(file)
            _count(findings, entry)
    return sorted(found, key=lambda file: (file.name, file.number))


def blob_files(
    backend: Backend, prefix: str, others: Sequence[str], findings: Findings, progress: Progress
) -> Iterator[Part]:
    """Check every pack and loose blob; what they hold.

    `prefix` goes before keys in names; keys in `others`, refs and code are passed over. Files made
    from packs are counted and no more: `derived.py` looks into them.
    """
    entries = [each for each in backend.list() if not each.key.startswith(("refs/", CODE))]
    packs = [each for each in entries if pack_name(each.key)]
    loose = [(oid, each) for each in entries if (oid := oid_of_key(each.key))]
    known = {*others, *(each.key for each in packs), *(each.key for _, each in loose)}
    for each in entries:
        if derived_from(each.key):
            _count(findings, each)
        elif is_garbage_key(each.key):
            _condemned(backend, each, prefix, findings)
        elif each.key not in known:
            stray(findings, prefix + each.key)
    progress.start("checking files", sum(each.size for each in packs))
    for each in packs:
        _count(findings, each)
        yield _pack(backend, each, prefix, findings)
        progress.advance(each.size)
    yield loose_part(backend, loose, prefix, findings)
    _temporaries(backend, findings)


def _condemned(backend: Backend, entry: Entry, prefix: str, findings: Findings) -> None:
    """Check a condemned list: nobody commits while one cannot be read."""
    _count(findings, entry)
    number = list_number(entry.key)
    if number is not None:
        try:
            decode_list(number, bytes(backend.read(entry.key)))
        except NotFound:  # finished meanwhile
            pass
        except LdbError as error:
            findings.problem(prefix + entry.key, str(error))


def stray(findings: Findings, key: str) -> None:
    """Note a file that no command of LDB made."""
    findings.note(f"{key} is not a file of LDB's", "files that are not LDB's")


def _count(findings: Findings, entry: Entry) -> None:
    findings.checked.files += 1
    findings.checked.bytes += entry.size


# -- packs -----------------------------------------------------------------------------


def _pack(backend: Backend, entry: Entry, prefix: str, findings: Findings) -> Part:
    pack = PackReader(backend, entry.key, entry.size)
    name = prefix + entry.key
    try:
        problems = verify(pack)
        part = _damaged(pack, name) if problems else sound_part(pack, name)
    except NotFound:  # somebody has just removed it: nothing refers to it
        return _part(name, [], [])
    except LdbError as error:
        problems, part = [], _part(name, [], [])
        findings.problem(name, str(error))
    for problem in problems:
        where = problem.where if str(problem.oid) == entry.key else f"blob {problem.oid}"
        findings.problem(name, where)
    findings.checked.blobs += len(part.codes)
    return part


def sound_part(pack: PackReader, name: str) -> Part:
    """What is in a pack whose tables are sound."""
    blocks = list(pack.blocks())
    firsts = np.array([block.first for block in blocks], np.int64)
    kinds = np.array([block.type.code for block in blocks], np.uint8)
    if not blocks:
        return _part(name, [], [])
    numbers = np.searchsorted(firsts, pack.columns.ordinals, side="right") - 1
    return Part(name, False, pack.columns, kinds[numbers])


def _damaged(pack: PackReader, name: str) -> Part:
    """What is in a damaged pack; sound are the blobs that a reader can find and read."""
    oids, codes = _read_all(pack)
    read = {row.tobytes() for row in oids}
    found = set(_findable(pack))
    sound = np.array([row.tobytes() in found for row in oids], np.bool_)
    lost = [oid for oid in found if oid not in read]
    marked = np.where(sound, codes, DAMAGED).tolist() + [DAMAGED] * len(lost)
    return _part(name, [oids.tobytes(), *lost], marked)


def _read_all(pack: PackReader) -> tuple[Oids, Codes]:
    """Oids and types of all blobs in blocks that can be read, by hashing them."""
    oids: list[bytes] = []
    codes: list[int] = []
    with suppress(Corrupt):
        for number in range(pack.trailer.blocks):
            with suppress(Corrupt):
                block = pack.block(number)
                payloads = pack.payloads(block).all()
                oids.append(digest_all(block.type, payloads))
                codes += [block.type.code] * len(payloads)
    return as_oids(b"".join(oids)), np.array(codes, np.uint8)


def _findable(pack: PackReader) -> Iterator[bytes]:
    """Oids in the slices of the table that are sound."""
    for first_byte in range(256):
        with suppress(Corrupt):
            pack.check_slice(first_byte)
            rows = pack.slice(first_byte)
            yield from map(rows.oid, range(len(rows.keys)))


def _part(name: str, oids: Sequence[bytes], codes: Sequence[int], loose: bool = False) -> Part:
    """A part of oids that lie end to end in `oids`, with their codes in that order."""
    column = as_oids(b"".join(oids))
    table = columns(build(column)[0], len(column))
    kinds: Codes = np.array(codes, np.uint8)[table.ordinals]
    return Part(name, loose, table, kinds)


# -- the others ------------------------------------------------------------------------


def loose_part(
    backend: Backend, files: Sequence[tuple[Oid, Entry]], prefix: str, findings: Findings
) -> Part:
    """Read and check loose blobs; a damaged one becomes a problem."""
    oids: list[bytes] = []
    codes: list[int] = []
    for oid, entry in files:
        _count(findings, entry)
        code = DAMAGED
        try:
            code = parse_loose(backend.read(entry.key, 0, MAX_FILE + 1), oid).type.code
        except NotFound:
            continue
        except Corrupt as error:
            findings.problem(prefix + entry.key, error.where)
        except LdbError as error:
            findings.problem(prefix + entry.key, str(error))
        oids.append(oid)
        codes.append(code)
    findings.checked.blobs += len(oids)
    return _part(prefix, oids, codes, loose=True)


def _temporaries(backend: Backend, findings: Findings) -> None:
    if not isinstance(backend, LocalBackend):
        return
    for path in backend.stale_temporaries(time.time() - YOUNG):
        findings.note(f"{path} was left by a command that was killed", "files left in tmp/")
