"""`--sort` and `--pipe` by encoders: one that a package brings, and LDB's own where installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ldb.porcelain import nearest
from tests.cli.porcelain.conftest import Pets

PACKAGE = '''
import os

class Colours:
    """Mean colour of a PPM image; words are names of colours."""

    name, version, modality = "Colours", "1", "image"
    words = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}

    def __init__(self, settings):
        self.log = settings.get("log")
        self.left = int(settings.get("stop", "99"))

    def encode(self, data):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        with open(self.log, "a") as log:
            log.write(f"{len(data)}\\\\n")
        return [self.one(each) for each in data]

    def one(self, data):
        magic, width, height, most, pixels = data.split(maxsplit=4)
        assert magic == b"P6"
        return [sum(pixels[at::3]) + 1 for at in range(3)]

    def encode_texts(self, texts):
        return [self.words[each] for each in texts]
'''.replace("\\\\n", "\\n")

COLOURS = {
    "red": (250, 10, 0), "orange": (200, 100, 0), "green": (0, 250, 10), "blue": (0, 20, 250),
    "grey": (99, 99, 99),
}  # fmt: skip


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with an encoder, as pip lays it out."""
    folder = tmp_path / "site"
    info = folder / "colours-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "colours.py").write_text(PACKAGE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: colours\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ldb.encoders]\nColours = colours:Colours\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "colours", raising=False)
    return folder


@pytest.fixture
def images(own_pets: Pets, installed: Path, tmp_path: Path) -> Pets:
    """Five images of one colour each, tagged by nothing, among the pets, which are none."""
    for name, colour in COLOURS.items():
        (own_pets.data / f"{name}.ppm").write_bytes(b"P6 2 2 255\n" + bytes(colour) * 4)
    own_pets.ok("index", str(own_pets.data))
    own_pets.ok("config", "set", "colours.log", str(tmp_path / "log"))
    return own_pets


def encoded(images: Pets, tmp_path: Path) -> int:
    """How many data objects, and queries, were encoded since this was asked last."""
    log = tmp_path / "log"
    found = sum(map(int, log.read_text().split())) if log.exists() else 0
    log.unlink(missing_ok=True)
    return found


PPM = ("ds:root", "--file", "type == 'ppm'")


def test_sorted_by_words_and_by_files(images: Pets, tmp_path: Path) -> None:
    assert images.order(*PPM, "--sort", "colours red")[:3] == ["red", "orange", "grey"]
    assert images.order(*PPM, "--sort", "COLOURS-Text green")[0] == "green"
    assert images.order(*PPM, "--pipe", "colours-text", "blue", "--limit", "1") == ["blue"]
    query = str(images.data / "orange.ppm")
    assert images.order(*PPM, "--sort", f"colours-image '{query}'")[:2] == ["orange", "red"]
    [name] = images.json("list", "ds:root", "--path", "green.ppm")
    near = images.order(*PPM, "--sort", f"colours-image id:{name['id'].removeprefix('id:')}")
    assert near[0] == "green"
    images.ok("config", "set", "core.encoder", "colours")
    assert images.order(*PPM, "--near", query, "--limit", "2") == ["orange", "red"]
    assert images.order(*PPM, "--near", f"id:{name['id'].removeprefix('id:')}")[0] == "green"


def test_nothing_is_computed_twice(images: Pets, tmp_path: Path) -> None:
    images.order(*PPM, "--sort", "colours red")
    assert encoded(images, tmp_path) == 5
    images.order(*PPM, "--sort", "colours blue")
    images.order(*PPM, "--limit", "2", "--sort", "colours blue")
    assert encoded(images, tmp_path) == 0
    (images.data / "new.ppm").write_bytes(b"P6 1 1 255\n\1\2\3")
    images.ok("index", str(images.data))
    images.order(*PPM, "--sort", "colours blue")
    assert encoded(images, tmp_path) == 1


def test_what_cannot_be_encoded_comes_last_and_is_read_once(images: Pets, tmp_path: Path) -> None:
    done = images.ok("list", "ds:root", "--sort", "colours red")
    assert [line.split()[-1].rpartition("/")[2] for line in done.out.splitlines()][:2] == [
        "red.ppm", "orange.ppm",
    ]  # fmt: skip
    assert len(done.out.splitlines()) == 11
    assert "warning: Colours puts last id:" in done.err
    assert "and 5 more" in done.err
    assert encoded(images, tmp_path) > 5
    again = images.ok("list", "ds:root", "--sort", "colours red")
    assert again.out == done.out
    assert "it cannot be encoded" in again.err
    assert encoded(images, tmp_path) == 0


def test_a_run_that_was_stopped_keeps_what_it_has(
    images: Pets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "BATCH", 1)
    images.ok("config", "set", "colours.stop", "3")
    assert images("list", *PPM, "--sort", "colours red").code == 130
    images.ok("config", "unset", "colours.stop")
    assert encoded(images, tmp_path) == 3
    assert images.order(*PPM, "--sort", "colours red")[0] == "red"
    assert encoded(images, tmp_path) == 2


def test_an_encoder_that_fails_at_everything_is_an_error(images: Pets) -> None:
    err = images.fails(1, "list", "ds:root", "--file", "type == 'jpg'", "--sort", "colours red")
    assert "encoder Colours: could encode nothing: id:" in err
    err = images.fails(1, "list", *PPM, "--sort", "colours pink")
    assert "encoder Colours: 'pink': KeyError" in err


def test_data_that_changed_is_not_encoded(images: Pets) -> None:
    (images.data / "red.ppm").write_bytes(b"P6 2 2 255\n" + bytes(12))
    done = images.ok("list", *PPM, "--sort", "colours red")
    assert done.out.splitlines()[-1].endswith("red.ppm")
    assert "red.ppm has changed since it was indexed" in done.err


def test_wrong_questions(images: Pets) -> None:
    assert "near to what?" in images.fails(2, "list", "--sort", "colours")
    assert "it encodes images" in images.fails(2, "list", *PPM, "--sort", "colours-audio x")
    assert "file not found: gone" in images.fails(3, "list", *PPM, "--sort", "colours-image gone")
    err = images.fails(3, "list", *PPM, "--sort", "colours-file id:00000000")
    assert "data object not found" in err
    err = images.fails(3, "list", *PPM, "--sort", "colour red")
    assert "clip, colours, efficientnet" in err


def test_a_package_that_cannot_be_loaded(images: Pets, installed: Path) -> None:
    (installed / "colours.py").write_text("import no_such_module\n")
    err = images.fails(2, "list", *PPM, "--sort", "colours red")
    assert "encoder colours: colours:Colours cannot be loaded: ModuleNotFoundError" in err


def test_a_draft_made_by_nearness_remembers_what_was_chosen(images: Pets) -> None:
    images.ok("stage", "ds:reds")
    images.ok("add", *PPM, "--sort", "colours red", "--limit", "2")
    images.ok("commit")
    assert images.names("ds:reds") == {"red", "orange"}
    assert "--sort 'colours red'" in images.ok("log", "ds:reds", "-v").out.replace('"', "")
