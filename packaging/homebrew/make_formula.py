"""Write the Homebrew formula of a release: `make_formula.py SDIST URL HOMEPAGE > ldb.rb`.

Dependencies are those that the sdist says it needs, and theirs, in the newest releases that have
an sdist, each with the SHA-256 that the package index tells. Needs `packaging`, and asks the index.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
import tarfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

INDEX = "https://pypi.org/pypi"
FROM_HOMEBREW = ("numpy",)
"""Long to build, and there already."""
PYTHON = "3.13"
ENVIRONMENT = {
    "python_version": PYTHON,
    "python_full_version": f"{PYTHON}.0",
    "sys_platform": "darwin",
    "platform_system": "Darwin",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "extra": "",
}


@dataclass(frozen=True)
class Resource:
    """A dependency's sdist."""

    name: str
    url: str
    sha256: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sdist", type=Path)
    parser.add_argument("url", help="where the sdist will be found")
    parser.add_argument("homepage")
    parser.add_argument("--index", default=INDEX, help=f"package index ({INDEX})")
    given = parser.parse_args()
    digest = hashlib.sha256(given.sdist.read_bytes()).hexdigest()
    resources = find_resources(requirements_of(given.sdist.read_bytes()), given.index)
    sys.stdout.write(formula(given.url, given.homepage, digest, resources))
    return 0


def requirements_of(sdist: bytes) -> list[Requirement]:
    """What a package needs at run time, without extras."""
    with tarfile.open(fileobj=io.BytesIO(sdist)) as tar:
        name = next(each for each in tar.getnames() if each.count("/") == 1 and "PKG-INFO" in each)
        file = tar.extractfile(name)
        assert file is not None
        about = message_from_string(file.read().decode())
    return list(_wanted(about.get_all("Requires-Dist") or []))


def find_resources(requirements: list[Requirement], index: str) -> list[Resource]:
    """Those packages and all that they need, by name."""
    found: dict[str, Resource] = {}
    waiting = list(requirements)
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in found or name in FROM_HOMEBREW:
            continue
        page = f"{index}/{name}/json"
        about = _ask(page)
        versions = sorted(wanted.specifier.filter(about["releases"]), key=Version, reverse=True)
        version = next(each for each in versions if _sdist(about["releases"][each]))
        file = _sdist(about["releases"][version])
        assert file is not None
        found[name] = Resource(name, urljoin(page, file["url"]), file["digests"]["sha256"])
        waiting += requirements_of(_fetch(found[name]))
    return [found[name] for name in sorted(found)]


def formula(url: str, homepage: str, sha256: str, resources: list[Resource]) -> str:
    """The text of the formula."""
    blocks = "\n".join(
        f'  resource "{each.name}" do\n    url "{each.url}"\n    sha256 "{each.sha256}"\n  end\n'
        for each in resources
    )
    return TEXT.format(url=url, homepage=homepage, sha256=sha256, python=PYTHON, resources=blocks)


TEXT = """\
class Ldb < Formula
  include Language::Python::Virtualenv

  desc "Git for labelled data: index, query and version datasets where they lie"
  homepage "{homepage}"
  url "{url}"
  sha256 "{sha256}"
  license "Apache-2.0"

  depends_on "rust" => :build # orjson
  depends_on "numpy"
  depends_on "python@{python}"
  depends_on "zstd"

{resources}
  def install
    virtualenv_install_with_resources
    generate_completions_from_executable(bin/"ldb", "completion", "-s",
                                         shells:                 [:bash, :zsh, :fish],
                                         shell_parameter_format: :none)
  end

  test do
    (testpath/"data").mkpath
    (testpath/"data/tom.jpg").write "an image"
    (testpath/"data/tom.json").write '{{"label": "cat"}}'
    ENV["LDB_DIR"] = testpath/"instance"
    system bin/"ldb", "init", testpath/"instance"
    system bin/"ldb", "add-storage", testpath/"data"
    system bin/"ldb", "index", testpath/"data"
    query = "\\"label == 'cat'\\""
    assert_match "1 data object", shell_output("#{{bin}}/ldb list -s ds:root --query #{{query}}")
  end
end
"""


def _fetch(resource: Resource) -> bytes:
    with urllib.request.urlopen(resource.url, timeout=60) as answer:
        data: bytes = answer.read()
    if hashlib.sha256(data).hexdigest() != resource.sha256:
        raise SystemExit(f"{resource.url} is not what the index says it is")
    return data


def _ask(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def _sdist(files: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((each for each in files if each["packagetype"] == "sdist"), None)


def _wanted(lines: list[str]) -> Iterator[Requirement]:
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(ENVIRONMENT):
            yield requirement


if __name__ == "__main__":
    sys.exit(main())
