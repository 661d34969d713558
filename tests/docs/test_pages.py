"""README and docs are true: links lead somewhere, commands and functions named there exist."""

from __future__ import annotations

import ast
import configparser
import re
import shlex
from pathlib import Path

import click
import pytest

from ldb.cli.main import cli
from ldb.cli.table import ROWS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING"))])
WORDS = [str(page.relative_to(ROOT)) for page in PAGES]

LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    """Relative links of a page, outside code."""
    text = CODE.sub("", page.read_text("utf-8"))
    found = [match.split("#")[0] for match in LINK.findall(text)]
    return [each for each in found if each and "://" not in each and not each.startswith("mailto:")]


def anchors(page: Path) -> list[tuple[str, str]]:
    """Links of a page that lead to a heading: file, heading."""
    text = CODE.sub("", page.read_text("utf-8"))
    return [
        (file, heading)
        for file, mark, heading in (each.partition("#") for each in LINK.findall(text))
        if mark and "://" not in file
    ]


def headings(page: Path) -> set[str]:
    """Headings as links spell them."""
    found = re.findall(r"^#+ (.*)$", CODE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in found}


@pytest.mark.parametrize("page", PAGES, ids=WORDS)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        assert (page.parent / link).exists(), f"{page.relative_to(ROOT)} links to {link}"
    for file, heading in anchors(page):
        target = page.parent / file if file else page
        assert heading in headings(target), f"{page.relative_to(ROOT)}: no #{heading} in {target}"


def test_every_page_can_be_found() -> None:
    """The index of the docs names all pages but those of commands, which have their own."""
    listed = {(DOCS / link).resolve() for link in links(DOCS / "README.md")}
    pages = {page for page in DOCS.rglob("*.md") if page.parent.name != "commands"}
    missing = pages - listed - {DOCS / "README.md"}
    names = [str(page.relative_to(ROOT)) for page in sorted(missing)]
    assert not names, f"docs/README.md does not list {names}"
    assert (DOCS / "README.md").resolve() in {
        (ROOT / link).resolve() for link in links(ROOT / "README.md")
    }


def shown_commands(page: Path) -> list[str]:
    """Lines of code that call ldb, as one would type them; after `&&` and the like left out."""
    found = []
    for line in page.read_text("utf-8").splitlines():
        match = re.match(r"(?:    |\s*\S*\$ )\s*(ldb .*)", line)
        if match and "COMMAND" not in match[1] and "…" not in match[1]:
            found.append(match[1])
    return found


def problem_with(line: str) -> str:
    """What is wrong with a command line, by the names of its commands and options."""
    try:
        words = shlex.split(line, comments=True)[1:]
    except ValueError as error:
        return str(error)
    words = words[: next((at for at, word in enumerate(words) if word in "|&&;>"), len(words))]
    while words and words[0] in ("-C", "--instance"):
        words = words[2:]
    if not words or words[0].startswith("-"):
        return ""
    if words[0] not in ROWS:
        return f"no command {words[0]}"
    ctx = cli.make_context("ldb", ["--help"], resilient_parsing=True)
    command = cli.get_command(ctx, words[0])
    if isinstance(command, click.Group) and len(words) > 1:
        if command.get_command(ctx, words[1]) is None:
            return f"no command {words[0]} {words[1]}"
        command = command.get_command(ctx, words[1])
    assert command is not None
    known = {option for param in command.get_params(ctx) for option in param.opts}
    return next(
        (
            f"no option {word}"
            for word in words
            if re.fullmatch(r"--?[a-z][a-z-]*", word) and word not in known
        ),
        "",
    )


@pytest.mark.parametrize("page", PAGES, ids=WORDS)
def test_commands_exist(page: Path) -> None:
    for line in shown_commands(page):
        assert not problem_with(line), f"{page.relative_to(ROOT)}: `{line}`: {problem_with(line)}"


def test_commands_of_the_readme_are_seen() -> None:
    """So that the test above cannot pass for want of commands."""
    assert len(shown_commands(ROOT / "README.md")) >= 10
    assert problem_with("ldb indx data") == "no command indx"
    assert problem_with("ldb ds remove x") == "no command ds remove"
    assert problem_with('ldb list --qery "a"') == "no option --qery"
    assert problem_with("ldb -C x list -s --json | head -3") == ""


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):.*##", makefile, re.MULTILINE))
    for page in PAGES:
        for target in re.findall(
            r"(?:^    |`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE
        ):
            assert target in targets, f"{page.relative_to(ROOT)}: make {target}"
    readme = (ROOT / "README.md").read_text("utf-8")
    first = re.findall(r"^    make (\w+)", readme, re.MULTILINE)
    assert first[:2] == ["demo", "test"]


def definitions(file: Path) -> set[str]:
    """Functions and classes of a module, and `Class.method`."""
    found = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            found.update(f"{node.name}.{each.name}" for each in inner)
    return found


def test_architecture_names_what_is_there() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w/]+\.py)` \| `([\w.]+)` \|", text, re.MULTILINE)
    assert len(rows) > 30
    for file, name in rows:
        assert name in definitions(ROOT / "ldb" / file), f"no {name} in ldb/{file}"
    for file in re.findall(r"`([\w/]+\.py)`", text):
        assert (ROOT / "ldb" / file).is_file(), file


def test_functions_of_the_indexing_page_are_there() -> None:
    text = (DOCS / "design" / "005-indexing.md").read_text("utf-8")
    pairs = re.findall(r"`([\w/]+\.py)`,\s`(?!\w+\.py`)([\w.]+)`", text)
    assert len(pairs) >= 4
    for file, name in pairs:
        path = ROOT / file if file.startswith("ldb/") else ROOT / "ldb" / "indexing" / file
        assert name in definitions(path), f"no {name} in {file}"


def test_architecture_draws_the_layers_that_lint_checks() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", "utf-8")
    layers = config["importlinter:contract:layers"]["layers"].split("\n")
    text = (DOCS / "architecture.md").read_text("utf-8")
    picture = "\n".join(line[:46] for line in text.split("```")[1].splitlines())
    wanted = [re.findall(r"\w+", layer) for layer in layers if layer]
    for names in wanted:
        for name in names:
            there = (ROOT / "ldb" / name).exists() or (ROOT / "ldb" / f"{name}.py").exists()
            assert there, name
            assert name in picture, name
    places = [picture.index(names[0]) for names in wanted]
    assert places == sorted(places)


def test_glossary_has_each_word_once() -> None:
    text = (DOCS / "glossary.md").read_text("utf-8")
    words = re.findall(r"^\| \[?([^|\]]+?)(?:\]\([^)]*\))? \|", text, re.MULTILINE)
    words = [word for word in words if word != "word"]
    assert len(words) > 40
    assert words == sorted(set(words), key=str.lower)


def test_tests_and_files_of_the_security_page_are_there() -> None:
    """Each promise there names what keeps it and what tests it."""
    text = (DOCS / "security.md").read_text("utf-8")
    for row in re.findall(r"^\| (.*?) \| (.*?) \| (.*`test.*?) \|$", text, re.MULTILINE):
        folder = ROOT / "tests"
        for name in re.findall(r"`((?:tests/)?[\w/]+\.py|tests/[\w/]+/)`", row[2]):
            path = ROOT / name if name.startswith("tests/") else folder / name
            folder = path.parent
            assert path.exists(), name
    for file in re.findall(r"`(\w+(?:/\w+)?\.py)`", text):
        if not file.startswith("test"):
            assert (ROOT / "ldb" / file).is_file(), file
