"""The page on storages of one's own shows the one that is tested here, and it is as short as the page says."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "how-to" / "write-a-storage.md"


def lines_of_code(tree: ast.AST) -> int:
    """Count the lines that hold code, without docstrings, imports and empty lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:]
    text = ast.unparse(tree)
    return sum(bool(line.strip()) and not line.startswith(("import", "from")) for line in text.splitlines())


def test_page_shows_what_is_tested() -> None:
    """The first program of the page is the test file beside this one, word for word."""
    shown = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[0]

    assert shown == (HERE / "test_own_storage.py").read_text("utf-8")


def test_storage_of_ones_own_is_short() -> None:
    """A storage takes less than thirty lines, and the classes that test it take less than ten."""
    tree = ast.parse((HERE / "test_own_storage.py").read_text("utf-8"))
    classes = {node.name: lines_of_code(node) for node in tree.body if isinstance(node, ast.ClassDef)}

    assert classes.pop("DictStorage") < 30
    assert sum(classes.values()) < 10
