"""What a module of the standard library is made of: the slow work that the demo's service does for its clients.

It is real work: the source is read, tokenized and parsed, and its tree is walked several times. A module of a thousand
lines takes some tens of milliseconds, all of them in the processor; nothing here waits or sleeps.

Rule: plain `def`, the same answer for the same source, and nothing that is not in the standard library.
"""

import ast
import io
import sysconfig
import threading
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LIBRARY: Final = Path(sysconfig.get_path("stdlib"))
_NO_CODE: Final = frozenset(
    {
        *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
        *(tokenize.ENCODING, tokenize.ENDMARKER),
    }
)
_BRANCHES: Final = (
    *(ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.Assert, ast.match_case),
    ast.comprehension,
)

_one_parser: Final = threading.Lock()
"""Python 3.11 counts the depth of the tree that it builds once for all threads, and fails when two build at a time."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class FunctionReport:
    """One function: where it begins, its length in lines, and its cyclomatic complexity."""

    name: str
    line: int
    lines: int
    complexity: int


@dataclass(frozen=True, slots=True)
class ModuleReport:
    """One module."""

    module: str
    lines: int
    lines_of_code: int
    lines_of_comment: int
    classes: int
    functions: int
    documented: float
    """The share of classes and functions that have a docstring, 0 to 1."""
    mean_complexity: float
    longest: FunctionReport | None
    most_complex: FunctionReport | None
    imports: list[str]
    """The modules that it imports, sorted."""


def modules(least: int = 500, most: int = 1500) -> dict[str, Path]:
    """Find the modules of the standard library, packages left out, that have from `least` to `most` lines; by name."""
    paths = sorted(LIBRARY.glob("*.py"))
    return {path.stem: path for path in paths if least <= path.read_bytes().count(b"\n") <= most}


def analyse(module: str, path: Path) -> ModuleReport:
    """Read, tokenize and parse the source at `path`, and report what is in it."""
    source = path.read_bytes()
    with _one_parser:
        tree = ast.parse(source)
    code, comment = _lines(source)
    found = [node for node in ast.walk(tree) if isinstance(node, Function)]
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    documented = sum(ast.get_docstring(node) is not None for node in [*found, *classes])
    functions = [_report(node) for node in found]
    return ModuleReport(
        module=module,
        lines=source.count(b"\n"),
        lines_of_code=code,
        lines_of_comment=comment,
        classes=len(classes),
        functions=len(functions),
        documented=round(documented / max(1, len(found) + len(classes)), 3),
        mean_complexity=round(sum(each.complexity for each in functions) / max(1, len(functions)), 2),
        longest=max(functions, key=lambda each: each.lines, default=None),
        most_complex=max(functions, key=lambda each: each.complexity, default=None),
        imports=sorted(set(_imports(tree))),
    )


def _report(function: Function) -> FunctionReport:
    return FunctionReport(
        name=function.name,
        line=function.lineno,
        lines=(function.end_lineno or function.lineno) - function.lineno + 1,
        complexity=_complexity(function),
    )


def _complexity(function: Function) -> int:
    """Count the independent paths: one, and one more at each branch (McCabe, "A Complexity Measure", 1976)."""
    paths = 1
    for node in _own_nodes(function):
        if isinstance(node, _BRANCHES):
            paths += 1
        elif isinstance(node, ast.BoolOp):
            paths += len(node.values) - 1
    return paths


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """Walk the body of a function, leaving out the functions inside of it, which are reported by themselves."""
    ahead: list[ast.AST] = list(function.body)
    while ahead:
        node = ahead.pop()
        yield node
        if not isinstance(node, Function):
            ahead.extend(ast.iter_child_nodes(node))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def _lines(source: bytes) -> tuple[int, int]:
    """Count the lines that hold code, docstrings among it, and the lines that hold a comment."""
    code: set[int] = set()
    comment: set[int] = set()
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.COMMENT:
            comment.add(token.start[0])
        elif token.type not in _NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code), len(comment)
