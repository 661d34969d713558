"""What `ldb --help` loads, and that it is quick."""

from __future__ import annotations

import subprocess
import sys
import time

HEAVY = ("numpy", "pyarrow", "orjson", "fsspec", "msgpack", "msgspec", "zstandard", "jmespath")

LIST_MODULES = """
import sys
from ldb.cli.main import main
code = main(sys.argv[1:])
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(code)
"""


def modules_after(environment: dict[str, str], *args: str) -> set[str]:
    command = [sys.executable, "-c", LIST_MODULES, *args]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_loads_nothing_heavy_and_no_command(environment: dict[str, str]) -> None:
    modules = modules_after(environment, "--help")
    assert modules.isdisjoint(HEAVY)
    packages = ("ldb.cli.porcelain", "ldb.cli.plumbing", "ldb.porcelain", "ldb.objects")
    assert [name for name in modules if name.startswith(packages)] == []


def test_small_commands_load_nothing_heavy(environment: dict[str, str]) -> None:
    assert modules_after(environment, "config", "list").isdisjoint(HEAVY)


def test_help_is_quick(environment: dict[str, str]) -> None:
    """Its limit is 0.12 s where bare Python takes 0.015 s; as a ratio, and the best of some."""

    def best(*command: str) -> float:
        times = []
        for _ in range(7):
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], env=environment, check=True, stdout=-3)
            times.append(time.perf_counter() - start)
        return min(times)

    assert best("-m", "ldb.cli.main", "--help") < 8 * best("-c", "pass")
