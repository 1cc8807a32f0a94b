"""Limits of size, names of files, words that do not belong here and habits of tests, over the whole repository."""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MODULE_LINES = 400
TEST_LINES = 800  # a file of tests mirrors one module, and is a list: long is not the same as involved
FUNCTION_LINES = 50
DRAWERS = {"common", "handler", "handlers", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
TOP = {"LICENSE", "Makefile", "README.md", "aiocache_kit", "bench", "docs", "mkdocs.yml", "pyproject.toml", "tests"}
FORBIDDEN = re.compile(
    r"/(?:work|root|home|tmp)/"  # paths of one machine
    r"|\b(?:pypi|pythonhosted|npmjs|crates)\.(?:org|com|io)\b"  # hosts that an installer is told by its configuration
    r"|\bissue #?\d"  # what a tracker knows belongs in the commit or in a decision record
    r"|\bTODO\b|\bFIXME\b|\bXXX\b",
    re.IGNORECASE,
)
EXCEPTION = re.compile(r"# (?:noqa|type: ignore|pyright: ignore|pragma: no cover)\b")
REASON = re.compile(
    r"(?:noqa: [A-Z0-9, ]+\d|ignore\[[\w, -]+\]|no cover)  [-#] (?!noqa|type: ignore|pyright: ignore)\S"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@pytest.fixture(scope="module")
def modules(files: list[Path]) -> dict[Path, ast.Module]:
    """Every Python file of the repository, parsed."""
    return {path: ast.parse(path.read_text("utf-8")) for path in files if path.suffix == ".py"}


def functions(tree: ast.AST) -> Iterator[Function]:
    """Give every function of a module, methods and nested ones included."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines_of_code(function: Function) -> int:
    """Count the lines of a function without its docstring: explaining oneself is free."""
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def names_decision(root: Path, text: str) -> bool:
    """Tell whether a text names a decision record that exists."""
    return any((root / name).is_file() for name in re.findall(r"docs/decisions/\d{4}-[\w-]+\.md", text))


def test_modules_are_short_or_say_why(root: Path, modules: dict[Path, ast.Module]) -> None:
    """A file over 400 lines, or 800 of tests, names the decision record that says why it is better whole."""
    texts = {path: path.read_text("utf-8") for path in modules}
    long = [
        f"{path.relative_to(root)}: {len(text.splitlines())}"
        for path, text in texts.items()
        if len(text.splitlines()) > (TEST_LINES if path.is_relative_to(root / "tests") else MODULE_LINES)
        and not names_decision(root, text)
    ]

    assert long == []


def test_functions_are_short_or_say_why(root: Path, modules: dict[Path, ast.Module]) -> None:
    """A function over 50 lines of code names the decision record that says why it is better whole."""
    long = [
        f"{path.relative_to(root)}:{function.lineno} {function.name}: {lines_of_code(function)}"
        for path, tree in modules.items()
        for function in functions(tree)
        if lines_of_code(function) > FUNCTION_LINES
        and not names_decision(root, ast.get_source_segment(path.read_text("utf-8"), function) or "")
    ]

    assert long == []


def test_no_file_is_a_drawer(root: Path, files: list[Path]) -> None:
    """Every module is named after the one idea that it holds."""
    drawers = [path.relative_to(root) for path in files if path.suffix == ".py" and path.stem.strip("_") in DRAWERS]

    assert drawers == []


def test_top_level_holds_what_it_may(root: Path, files: list[Path]) -> None:
    """Nothing new appears beside the package without a reason: what is not hidden has its place in a folder."""
    top = {path.relative_to(root).parts[0] for path in files}

    assert {name for name in top if not name.startswith(".")} == TOP


def test_repository_speaks_of_the_project_alone(root: Path, files: list[Path]) -> None:
    """No file names a path of one machine, a package registry or a number in a tracker, or leaves work for later."""
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path in files
        if path != Path(__file__) and path.suffix != ".png"  # what pixels happen to spell says nothing
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if FORBIDDEN.search(line)
    ]

    assert found == []


def test_every_test_says_what_is_true(root: Path, modules: dict[Path, ast.Module]) -> None:
    """Each test function has a docstring, and it is a sentence."""
    silent = [
        f"{path.relative_to(root)}:{function.lineno} {function.name}"
        for path, tree in modules.items()
        for function in functions(tree)
        if function.name.startswith("test_") and not (ast.get_docstring(function) or "").rstrip().endswith(".")
    ]

    assert silent == []


def test_every_exception_has_its_reason(root: Path, files: list[Path]) -> None:
    """Whoever sets a rule aside says why in the same line; the samples of types say so once for all of them."""
    silent = [
        f"{path.relative_to(root)}:{token.start[0]} {token.string}"
        for path in files
        if path.suffix == ".py" and not path.is_relative_to(root / "tests" / "typing")
        for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
        if token.type == tokenize.COMMENT and EXCEPTION.search(token.string) and not REASON.search(token.string)
    ]

    assert silent == []


def test_no_test_is_skipped_or_sleeps(root: Path, modules: dict[Path, ast.Module]) -> None:
    """Tests are ordered by events and a clock turned by hand; none is left out."""
    calls = {"skip", "skipif", "importorskip", "xfail"}
    found = [
        f"{path.relative_to(root)}:{node.lineno} {ast.unparse(node)}"
        for path, tree in modules.items()
        if path.relative_to(root).parts[0] == "tests"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in calls)
        or (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in {"asyncio.sleep", "time.sleep", "anyio.sleep"}
            and ast.unparse(node.args[0]) != "0"
        )
    ]

    assert found == []


def test_every_target_is_explained(root: Path, tool: Callable[..., str]) -> None:
    """`make help` lists each target of the Makefile with what it does."""
    makefile = (root / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    phony = set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split())
    listed = tool("-c", "import subprocess; subprocess.run(['make', '--no-print-directory', 'help'], check=True)")

    assert targets == phony == {line.split()[1] for line in listed.splitlines()}
    assert all(len(line.split()) > 3 for line in listed.splitlines())
