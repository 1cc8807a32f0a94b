"""The linters, the type checkers and the contracts on imports, as tests: one command shows all that is wrong."""

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.timeout(400)


def test_ruff_finds_nothing(tool: Callable[..., str]) -> None:
    """Every rule of ruff holds, but for those that pyproject.toml excepts with a reason."""
    tool("-m", "ruff", "check", "--quiet")


def test_code_is_in_its_form(tool: Callable[..., str]) -> None:
    """The formatter would change no file."""
    tool("-m", "ruff", "format", "--check", "--quiet")


def test_mypy_agrees(tool: Callable[..., str]) -> None:
    """The types of package, tests, benchmarks and examples hold in mypy's strict mode."""
    tool("-m", "mypy")


def test_pyright_agrees(tool: Callable[..., str]) -> None:
    """The types of package, tests and examples hold in pyright's strict mode, those of the benchmarks nearly so."""
    tool("-m", "pyright")


def test_modules_import_only_what_they_may(tool: Callable[..., str]) -> None:
    """The contracts on imports are kept: layers, pure modules, one door an optional dependency."""
    tool("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-logo", "--no-cache")
