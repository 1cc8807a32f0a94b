"""Runs tests with the oldest packages that pyproject.toml allows, in an environment of their own.

    python -m tests.oldest DIRECTORY [arguments of pytest]

Without arguments these are the tests that meet other packages: contracts, servers, formats, frameworks.

Rule 1: what users get is as old as can be; what only tests need is as new as can be.
Rule 2: what has passed is noted in tests/golden/oldest.json, and a test compares that with pyproject.toml: whoever
moves a bound runs this.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parents[1]
NOTED: Final = ROOT / "tests" / "golden" / "oldest.json"
NOT_OF_USERS: Final = {"docs", "demo", "dev", "bench", "all"}
NOT_FOR_THIS: Final = {"axe-playwright-python", "import-linter", "mypy", "playwright", "pyright", "ruff"}
"""Tools of the house, and the browser, which meet nothing that users install."""
PARTS: Final = (
    *("tests/contract", "tests/golden", "tests/integration/redis", "tests/integration/http", "tests/unit/serializers"),
    *("tests/unit/integrations", "tests/unit/decorators", "tests/integration/test_web_over_redis.py"),
)


def extras() -> dict[str, list[str]]:
    """Give the requirements of each extra, those that are always needed under an empty name."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {"": project["dependencies"], **project["optional-dependencies"]}


def bounds() -> dict[str, str]:
    """Give the oldest version allowed of each package that users may get."""
    found: dict[str, str] = {}
    for extra, requirements in extras().items():
        for requirement in map(Requirement, requirements if extra not in NOT_OF_USERS else ()):
            for bound in requirement.specifier:
                if bound.operator == ">=":
                    found[requirement.name] = bound.version
    return dict(sorted(found.items()))


def wanted() -> list[str]:
    """Give what tests need beside that."""
    listed = (each for extra in ("demo", "dev") for each in extras()[extra])
    return [each for each in listed if Requirement(each).name not in {"aiocache_kit", *NOT_FOR_THIS}]


def fill(directory: Path) -> Path:
    """Make an environment; give its Python."""
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    python = directory / "bin" / "python"
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.writelines(f"{name}=={version}\n" for name, version in bounds().items())
        constraints.flush()
        options = ["--quiet", "--constraint", constraints.name, "--editable", f"{ROOT}[all]"]
        subprocess.run([python, "-m", "pip", "install", *options, *wanted()], check=True)
    return python


def main(directory: Path, arguments: list[str]) -> int:
    """Run the tests; note the bounds where all of them have passed."""
    python = fill(directory)
    done = subprocess.run([python, "-m", "pytest", *(arguments or PARTS)], cwd=ROOT, check=False)
    if done.returncode == 0 and not arguments:
        NOTED.write_text(json.dumps(bounds(), indent=1) + "\n", "utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
