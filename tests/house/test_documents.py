"""Every Python block of README and docs runs, and every link between the pages leads somewhere.

A block starts from nothing, in an empty folder. Two comments in the page, each on the line before a block, change that
(docs/contributing.md describes them): ``<!-- continues -->`` goes on where the block before it ended, on the same event
loop; ``<!-- prints -->`` before a block of text says that this is, word for word, what the Python block above printed.
A block may ``await`` at its top level. It must leave no task behind.
"""

import ast
import asyncio
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(
    r"^(?:<!-- (?P<mark>\w+) -->\n+)?(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)|^\[[^\]]+\]: (?P<reference>\S+)", re.MULTILINE)

pages = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: what it holds, in which language, after which mark, and on which line it begins."""

    mark: str
    kind: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """Give the fenced blocks of a page in order."""
    markdown = page.read_text("utf-8")
    for found in FENCE.finditer(markdown):
        text = textwrap.dedent(found["text"])
        yield Block(found["mark"] or "", found["kind"], text, markdown.count("\n", 0, found.start("text")))


class Program:
    """The module that a block starts and that those which continue it go on with."""

    def __init__(self, page: Path) -> None:
        """Make an empty module; it is known to Python by name, as whoever resolves annotations or unpickles expects."""
        self.page = page
        self.module = ModuleType("documented_" + re.sub(r"\W", "_", page.stem))
        sys.modules[self.module.__name__] = self.module
        self.runner = asyncio.Runner()

    def run(self, block: Block) -> None:
        """Run a block; a traceback points at its lines in the page."""
        tree = ast.increment_lineno(ast.parse(block.text), block.line)
        code: CodeType = compile(tree, str(self.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        waiting: object = eval(code, vars(self.module))  # noqa: S307  - the text is this repository's own
        if inspect.iscoroutine(waiting):
            self.runner.run(waiting)

    def close(self) -> None:
        """End the program; it must not have left a task behind."""
        left = asyncio.all_tasks(self.runner.get_loop())
        self.runner.close()
        del sys.modules[self.module.__name__]
        assert not left, f"{self.page.name} leaves tasks running: {left}"


@pages
def test_blocks_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the page shows is a program that works, and prints what the page says."""
    monkeypatch.chdir(tmp_path)
    program = Program(page)
    for block in blocks(page):
        if block.mark == "prints":
            assert capsys.readouterr().out == block.text
        elif block.kind == "python":
            if block.mark != "continues":
                program.close()
                program = Program(page)
            capsys.readouterr()
            program.run(block)
    program.close()


@pages
def test_marks_are_known(page: Path) -> None:
    """A mark that is misspelt does not silently mean nothing, and no Python hides under another name."""
    for block in blocks(page):
        assert block.mark in {"", "continues", "prints"}
        assert block.kind not in {"", "py", "python3", "Python"}


def anchors(page: Path) -> set[str]:
    """Give the anchors of a page: its headings in lower case, with hyphens for spaces and without punctuation."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file, a folder or a heading of this repository names one that exists."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text("utf-8")))
    broken: list[str] = []
    for found in LINK.finditer(prose):
        target: str = found["target"] or found["reference"]
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if re.match(r"https?://|mailto:", target):
            continue
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)

    assert broken == []


def test_every_page_can_be_reached() -> None:
    """Whoever starts at the README and follows links comes to every page of the docs."""
    reached: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        targets = (found["target"] or found["reference"] for found in LINK.finditer(page.read_text("utf-8")))
        ahead.extend((page.parent / target.partition("#")[0]).resolve() for target in targets if "://" not in target)

    assert set(PAGES) - reached == set()
