"""What the pages promise of what lies around a command: secrets, other names, links, terminals.

The same for Ctrl-C, and for URLs where a path of this machine is wanted.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard

from ldb.cli import main as entry
from ldb.cli import output
from tests.cli.conftest import Ldb, Result
from tests.cli.porcelain.conftest import Pets, Template, write
from tests.clouds import servers
from tests.clouds.buckets import Bucket
from tests.clouds.faultproxy import FaultProxy
from tests.porcelain.cloudteam import text_options

ZSTD = re.escape(b"\x28\xb5\x2f\xfd")
"""Begins each frame."""

# -- buckets: secrets and other names --------------------------------------------------


@pytest.fixture
def bucket(hot_s3_bucket: Bucket, ldb: Ldb) -> Bucket:
    """With two images, and an instance here."""
    return filled(hot_s3_bucket, ldb)


def filled(bucket: Bucket, ldb: Ldb) -> Bucket:
    ldb("init", "inst")
    bucket.fill({"d/a.jpg": b"aa", "d/a.json": b'{"n": 1}', "d/b.jpg": b"b"})
    return bucket


def given(bucket: Bucket, **other: str) -> list[str]:
    """`-o NAME JSON` for each option of a bucket."""
    options = {**bucket.options, **other}
    return [word for name, text in options.items() for word in ("-o", name, json.dumps(text))]


def everything(folder: Path) -> bytes:
    """All files below a folder, packed ones unpacked too."""
    found = []
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        raw = path.read_bytes()
        found.append(raw)
        for at in [each.start() for each in re.finditer(ZSTD, raw)]:
            found.append(zstandard.ZstdDecompressor().decompressobj().decompress(raw[at:]))
    return b"\n".join(found)


def test_secrets_stay_with_the_user(bucket: Bucket, ldb: Ldb, home: Path) -> None:
    """Not in the instance, not in a message, not in a file that others can read."""
    place, config = f"{bucket.url}/d", home / ".ldb" / "config"
    config.chmod(0o644)
    said: list[Result] = []

    def run(*words: str, code: int = 0) -> None:
        said.append(ldb(*words))
        assert said[-1].code == code, said[-1]

    wrong = "wr0ng-s3cret"
    run("add-storage", "-o", "secret", wrong, place, code=2)  # no JSON: the quotes are missing
    run("add-storage", "-o", "secret", f'["{wrong}"]', place, code=2)
    run("add-storage", *given(bucket, secret=wrong, sas_token=wrong), place, code=2)
    run("add-storage", *given(bucket, secret=wrong), f"{bucket.url}-not-there", code=3)
    run("add-storage", f"s3://{servers.KEY}:{wrong}@{bucket.name}/d", code=2)
    assert wrong not in config.read_text()
    run("add-storage", *given(bucket, token=wrong), "-v", place)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    run("index", "-v", place)
    run("list", place)
    run("storage", "list")
    run("storage", "list", "--json")
    run("config", "list")
    run("log", "ds:root", "--json")
    run("instantiate", "ds:root", "-t", "out")
    run("storage", "del", place)
    text = config.read_text()
    assert (servers.SECRET in text, wrong in text) == (True, True)
    for each in (servers.SECRET, wrong):
        assert each not in "".join(done.out + done.err for done in said)
        assert each.encode() not in everything(Path("inst"))
    assert b"us-east-1" in everything(Path("inst")), "what is not secret is there"


def test_a_secret_setting_makes_the_file_private(ldb: Ldb, home: Path) -> None:
    ldb("init", "inst")
    config = home / ".ldb" / "config"
    config.chmod(0o644)
    ldb("config", "set", "core.author", "Ann")
    assert stat.S_IMODE(config.stat().st_mode) == 0o644
    done = ldb("config", "set", "storage.s3://b/d.secret", "h1dden")
    assert (done.code, done.err) == (0, "storage.s3://b/d.secret = ***\n")
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


def test_other_names_and_trusted_md5s(bucket: Bucket, ldb: Ldb) -> None:
    """`aws://` is `s3://` wherever it stands; a listed MD5 is an id."""
    place = f"aws://{bucket.name}/d"
    done = ldb("add-storage", *given(bucket), "--trust-etag", place)
    assert (done.code, done.err) == (
        0, f"storage location {bucket.url}/d, listed MD5s are trusted\n"
    )  # fmt: skip
    assert "2 found, 2 new" in ldb("index", place).err
    listed = ldb("list", place).out
    assert f"id:4124bc0a9335c27f086f24ba207a4912  v1  {bucket.url}/d/a.jpg" in listed
    assert ldb("list", f"{place}/*.jpg").out == ldb("list", f"{bucket.url}/d").out == listed
    assert ldb("get", f"{place}/a.jpg", "-t", "out").code == 0
    assert "wrote 1 data object" in ldb("instantiate", f"{place}/b.jpg", "-t", "b").err
    assert "2 ok" in ldb("verify", place).err
    assert ldb("storage", "del", place).code == 0
    assert bucket.name not in ldb("storage", "list").out


@pytest.mark.parametrize(
    "words",
    [
        "instantiate ds:root -t s3://bucket/out",
        "get ds:root -t gs://bucket/out",
        "stage ds:cats s3://bucket/work",
        "stage ds:cats -t az://bucket/work",
        "ds export ds:cats s3://bucket/cats.tar",
        "ds export ds:cats s3://bucket/cats/",
        "ds import s3://bucket/cats.tar",
        "ds import cats.tar --data s3://bucket/d",
        "query s3://bucket/a.json",
        "fsck --workspace s3://bucket/work",
        "import-legacy s3://bucket/old",
    ],
)
def test_a_bucket_where_a_folder_is_wanted(pets: Pets, words: str) -> None:
    """No folder called `s3:` is made."""
    said = pets.fails(2, *words.split())
    assert "not a path on this machine" in said
    assert os.listdir(pets.folder) == []


def test_a_file_url_is_a_path(pets: Pets) -> None:
    pets.ok("instantiate", pets.id("tom"), "-t", f"file://{pets.folder}/out")
    assert len(list((pets.folder / "out").glob("tom*"))) == 2


@pytest.mark.parametrize("name", ["cache_dir", "object_cache_dir", "vector_cache_dir"])
def test_a_cache_in_a_bucket(pets: Pets, name: str) -> None:
    pets.ok("config", "set", f"core.{name}", "s3://bucket/cache")
    command = {"cache_dir": "cache show", "object_cache_dir": "--instance s3://bucket/ldb list"}
    said = pets.fails(2, *command.get(name, "list --near cat.jpg").split())
    assert f"core.{name}" in said
    assert "no folder of this machine" in said


# -- the quick start -------------------------------------------------------------------


def test_the_private_instance(ldb: Ldb, home: Path) -> None:
    """With a read-add folder, all cloud locations allowed, auto-index on; nearer ones win."""
    write(Path("photos/tom.jpg"), "tom", {"class": "cat"})
    assert ldb("stage", "ds:cats", "ws").code == 0
    (listed,) = (json.loads(line) for line in ldb("storage", "list", "--json").out.splitlines())
    assert {each["url"]: each["read_add"] for each in listed} == {
        f"file://{home}/.ldb/read_add_storage": True,
        "s3://": False, "gs://": False, "az://": False, "http://": False, "https://": False,
    }  # fmt: skip
    assert ldb("config", "get", "core.auto_index").out == "true\n"
    assert "added 1 data object" in ldb("-C", "ws", "add", "../photos").err
    os.chdir("..")
    assert ldb("list", "ds:root").out.count("/imported/") == 1
    for place in ("one", "two"):
        assert ldb("init", place).code == 0
    assert ldb("--instance", "one", "list", "ds:root").code == 3
    assert ldb("list", "ds:root").out.count("/imported/") == 1, "what is made later is not used"


# -- links -----------------------------------------------------------------------------


def tom(pets: Pets, folder: Path) -> Path:
    return folder / f"tom-{pets.id('tom')[3:]}.jpg"


def test_links(own_pets: Pets, tmp_path: Path) -> None:
    source = own_pets.data / "cats/tom.jpg"
    made = {}
    for way in ("auto", "hardlink", "copy"):
        own_pets.ok("instantiate", own_pets.id("tom"), "--link", way, "-t", way)
        made[way] = tom(own_pets, own_pets.folder / way)
        assert made[way].samefile(source) == (way == "hardlink")
    for way in ("auto", "copy"):
        made[way].write_text("mine")
    assert source.read_text() == "cats/tom.jpg"
    done = own_pets("instantiate", own_pets.id("tom"), "--link", "reflink", "-t", "reflink")
    clone = tom(own_pets, own_pets.folder / "reflink")
    if done.code == 0:
        clone.write_text("mine")
        assert source.read_text() == "cats/tom.jpg"
    else:
        assert "--link copy" in done.err
        assert not clone.exists()


def test_hard_links_to_another_file_system(own_pets: Pets) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == own_pets.data.stat().st_dev:
        pytest.skip("no other file system here")
    target = other / f"ldb-test-{os.getpid()}"
    done = own_pets("instantiate", own_pets.id("tom"), "--link", "hardlink", "-t", str(target))
    try:
        assert done.code == 1
        assert "--link copy" in done.err
        assert not tom(own_pets, target).exists()
    finally:
        subprocess.run(["rm", "-r", str(target)], check=False)


# -- terminals -------------------------------------------------------------------------


class Terminal:
    """Runs commands whose stderr is a terminal; bars are drawn at once and at each step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(output, "BAR_AFTER", 0.0)
        monkeypatch.setattr(output, "BAR_EVERY", 0.0)
        self._patch = monkeypatch

    def __call__(self, *words: str) -> str:
        """What the terminal was sent."""
        ours, theirs = pty.openpty()
        with open(theirs, "w", encoding="utf-8") as stream, self._patch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            assert entry.main(list(words)) == 0
        said = b""
        with suppress(OSError):  # so a terminal tells that nobody has it open any more
            while some := os.read(ours, 1 << 16):
                said += some
        os.close(ours)
        return said.decode()


def test_bars_on_a_terminal_only(own_pets: Pets, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    os.chdir(own_pets.folder)
    data = str(own_pets.data)
    for words, label in (
        (("index", data), "indexing"),
        (("verify", "ds:root"), "verifying"),
        (("instantiate", "ds:root", "-t", "out"), "instantiating"),
    ):
        for path in own_pets.data.rglob("*.json"):
            path.write_text(path.read_text() + " ")
        said = terminal(*words)
        assert f"\r{label}" in said, said
        last = said.rpartition("\r\x1b[K")[2]
        assert label not in last, "the bar is gone at the end"
        assert last.strip()
        assert "\r" not in own_pets.ok(*words, *(["-f"] if "-t" in words else [])).err
    assert terminal("index", "-q", data) == ""


BARS = {
    ("add", "ds:root", "--query", "class == 'dog'"): ["--query", "writing the draft"],
    ("del", "--limit", "1"): ["comparing with the draft", "writing the draft"],
    ("commit", "-m", "x"): ["copying nodes of the draft"],
    ("merge", "ds:cats", "ds:dogs"): ["merging", "counting changes"],
    ("merge", "ds:dogs"): ["merging", "counting changes"],
    ("pull",): ["comparing with the draft", "looking up annotations"],
    ("transform", "--add", "blur"): ["writing the draft"],
    ("dedup", "--by", "class"): ["--by", "writing the draft"],
    ("tag", "ds:root", "--add", "x"): ["tagging"],
    ("split", "ds:dogs", "a=0.5", "b=0.5"): ["writing parts"],
    ("unindex", "ds:root", "--query", "class == 'bird'"): ["looking in versions", "forgetting"],
    ("diff", "ds:cats.v1", "ds:cats"): ["printing"],
    ("list", "ds:root"): ["printing"],
    ("eval", "ds:root"): ["printing"],
    ("stats", "ds:root"): ["annotations"],
    ("ds", "export", "ds:cats", "cats.tar"): ["copying"],
    ("repack",): ["copying blobs"],
    ("fsck",): ["checking files", "checking records"],
}
"""Commands whose work grows with the rows, and the bars that they show."""


def test_every_long_command_shows_a_bar(
    ldb: Ldb, template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = tmp_path / "instance"
    shutil.copytree(template.instance, instance)
    pets = Pets(ldb, template.data, tmp_path / "work")
    pets.ok("config", "set", "core.instance", str(instance))
    pets.ok("config", "set", "transform.blur.run", '["true"]')
    for name in ("dogs", "cats"):
        pets.ok("stage", "-f", f"ds:{name}")
        pets.ok("add", "--query", f"class == '{name[:-1]}'")
        pets.ok("commit")
    terminal = Terminal(monkeypatch)
    for words, labels in BARS.items():
        said = terminal(*words)
        for label in labels:
            assert f"\r{label}  " in said, (words, said)
        assert not re.search("|".join(map(re.escape, labels)), said.rpartition("\r\x1b[K")[2])


# -- Ctrl-C ----------------------------------------------------------------------------


def interrupted(environment: dict[str, str], at_work: Callable[[], object], *words: str) -> str:
    """Press Ctrl-C when a command is at work; what it said."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ldb.cli.main", *words],
        env={**environment, "HOME": os.environ["HOME"]}, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not at_work():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=15)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    return err.strip()


def hangs(proxy: FaultProxy) -> bool:
    """Whether some request has come that is never answered."""
    return any(each.action == "hang" for each in proxy.log)


@pytest.mark.cloud
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hot_s3", "gs", "az"])
def test_ctrl_c(
    kind: str, request: pytest.FixtureRequest, ldb: Ldb, environment: dict[str, str]
) -> None:
    """While a bucket is read: nothing half-visible, and the next run does what is left."""
    bucket = filled(request.getfixturevalue(f"{kind}_bucket"), ldb)
    with bucket.proxied() as there:
        assert there.proxy is not None
        place, proxy = f"{bucket.url}/d", there.proxy
        assert ldb("add-storage", *given(there), place).code == 0
        proxy.add("hang", method="GET", path="jpg")
        assert interrupted(environment, lambda: hangs(proxy), "index", place) == "interrupted"
        assert ldb("list", "ds:root").code == 3, "there is no version of the index"
        proxy.clear()
        assert "2 found, 2 new" in ldb("index", place).err
        proxy.log.clear()
        proxy.add("hang", method="GET", path=r"b(\.|%2E)jpg")
        words = ("instantiate", "ds:root", "-t", "out")
        assert interrupted(environment, lambda: hangs(proxy), *words) == "interrupted"
        there_now = {path.name: path.read_bytes() for path in Path("out").glob("[!.]*")}
        assert set(there_now.values()) <= {b"aa", b'{"n":1}'}
        proxy.clear()
        assert ldb(*words).code == 0
        assert len(list(Path("out").glob("[!.]*"))) == 3
        assert not Path("out/.ldb_instantiating").exists()
        assert ldb("fsck").code == 0


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/instance", "ds list"),
        pytest.param("GET", "list-type", "ds list", marks=pytest.mark.slow),
        pytest.param("PUT", "", "index {place}", marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_while_an_instance_is_asked(
    bucket: Bucket, ldb: Ldb, environment: dict[str, str], method: str, path: str, words: str
) -> None:
    """By commands that ask the bucket for next to nothing, and by one that writes to it."""
    with bucket.proxied() as there:
        assert there.proxy is not None
        proxy, instance = there.proxy, ("--instance", f"{bucket.url}/team/ldb")
        for name, text in text_options(there).items():
            ldb("config", "set", f"storage.{there.url}.{name}", text)
        assert ldb("init", instance[1]).code == 0
        assert ldb(*instance, "add-storage", f"{bucket.url}/d").code == 0
        shutil.rmtree(Path(os.environ["HOME"], ".cache"), ignore_errors=True)
        command = (*instance, *words.format(place=f"{bucket.url}/d").split())
        proxy.add("hang", method=method, path=path)
        assert interrupted(environment, lambda: hangs(proxy), *command) == "interrupted"
        proxy.clear()
        assert ldb(*instance, "list", "ds:root").code == 3
        assert ldb(*command).code == 0
        assert ldb(*instance, "fsck").code == 0
