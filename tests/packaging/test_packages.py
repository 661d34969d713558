"""The sdist and the wheel: built, installed where nothing else is, and used from there."""

from __future__ import annotations

import configparser
import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).parents[2]
MAKER = PROJECT / "packaging" / "homebrew" / "make_formula.py"


def run(*command: str | Path, cwd: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=cwd, env={**clean, "HOME": str(cwd)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A wheel, and an sdist that a wheel can be made of as well."""
    folder = tmp_path_factory.mktemp("dist")
    copy = folder / "project"
    files = run("git", "ls-files", "-z", cwd=PROJECT).split("\0")
    for name in filter(None, files):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((PROJECT / name).read_bytes())
    code = "import sys, setuptools.build_meta as b; print(b.build_sdist(sys.argv[1]))"
    run(sys.executable, "-m", "venv", folder / "tools", cwd=folder)
    python = folder / "tools" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "-U", "setuptools", cwd=folder)
    name = run(python, "-c", code, folder, cwd=copy).splitlines()[-1]
    run(python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, folder / name, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel, folder / name


@pytest.mark.slow
def test_a_wheel_runs_in_an_environment_of_its_own(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    run(tmp_path / "env" / "bin" / "python", "-m", "pip", "install", "-q", built[0], cwd=tmp_path)
    ldb = tmp_path / "env" / "bin" / "ldb"
    data = tmp_path / "data"
    data.mkdir()
    (data / "tom.jpg").write_bytes(b"an image")
    (data / "tom.json").write_text('{"label": "cat"}')
    assert "commit" in run(ldb, "--help", cwd=tmp_path)
    run(ldb, "init", tmp_path / "instance", cwd=tmp_path)
    run(ldb, "add-storage", data, cwd=tmp_path)
    run(ldb, "index", data, cwd=tmp_path)
    found = run(ldb, "list", "ds:root", "-s", "--query", "label == 'cat'", cwd=tmp_path)
    assert found.startswith("1 data object")
    pages = tmp_path / "env" / "share" / "doc" / "ldb"
    for part in ("commands", "guide"):
        there = {path.name for path in (pages / part).glob("*.md")}
        assert there == {path.name for path in (PROJECT / "docs" / part).glob("*.md")}


@pytest.mark.slow
def test_packages_hold_the_code_and_no_more(built: tuple[Path, Path]) -> None:
    code = {
        str(path.relative_to(PROJECT))
        for path in (PROJECT / "ldb").rglob("*")
        if path.suffix == ".py" or path.name == "py.typed"
    }
    with zipfile.ZipFile(built[0]) as wheel:
        names = {name for name in wheel.namelist() if "ldb-" not in name.split("/")[0]}
    assert names == code
    with tarfile.open(built[1]) as sdist:
        inside = {name.partition("/")[2] for name in sdist.getnames()}
    assert code <= inside
    assert {"README.md", "LICENSE", "CHANGELOG.md", "docs/commands/index.md"} <= inside


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_formula", MAKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_formula_knows_what_the_sdist_needs(built: tuple[Path, Path]) -> None:
    needed = {each.name for each in maker().requirements_of(built[1].read_bytes())}
    setup = configparser.ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    lines = setup["options"]["install_requires"].split()
    assert needed == {re.split("[<>=]", line)[0] for line in lines}


def test_a_formula_names_every_resource_by_its_hash() -> None:
    module = maker()
    resources = [module.Resource(name, f"https://x/{name}.tar.gz", name * 2) for name in "ab"]
    text = module.formula("https://x/ldb.tar.gz", "https://x", "0" * 64, resources)
    for each in resources:
        assert (
            f'resource "{each.name}" do\n    url "{each.url}"\n    sha256 "{each.sha256}"' in text
        )
    assert "{" not in re.sub(r"#\{\w+\}|\{\"label\": \"cat\"\}", "", text)
