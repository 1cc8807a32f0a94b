"""Every Python block of README and docs runs, and every link between the pages leads somewhere.

A block starts from nothing, in an empty folder. Two comments in the page, each on the line before a block, change that
(docs/contributing.md describes them): ``<!-- continues -->`` goes on where the block before it ended, on the same event
loop; ``<!-- prints -->`` before a block of text says that this is, word for word, what the Python block above printed.
A block may ``await`` at its top level. It must leave no task behind. A page with ``<!-- needs Redis -->`` gets a
server of its own, in the place of the one on the usual port that it names.
"""

import ast
import asyncio
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from aiocache_kit import Provider
from tests.servers.fixtures import StartServer

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(
    r"^(?:<!-- (?P<mark>\w+) -->\n+)?(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)|^\[[^\]]+\]: (?P<reference>\S+)", re.MULTILINE)

NEEDS_REDIS = "<!-- needs Redis -->"
REDIS = "localhost:6379"

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


def programs(page: Path) -> Iterator[list[Block]]:
    """Give the blocks of a page that belong together: a Python block that continues nothing begins a program."""
    together: list[Block] = []
    for block in blocks(page):
        if block.kind == "python" and block.mark != "continues":
            yield together
            together = []
        together.append(block)
    yield together


@contextmanager
def program(page: Path, redis: str) -> Generator[Callable[[Block], None], None, None]:
    """Give a function that runs one block after the other in one module and on one event loop.

    `redis` is the address of the server that stands for the one that blocks name. Python knows the module by name, as
    whoever resolves annotations or unpickles expects. A traceback points at the lines of the page. At the end no task
    may be left.
    """
    module = ModuleType("documented_" + re.sub(r"\W", "_", page.stem))
    with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)

        def run(block: Block) -> None:
            tree = ast.increment_lineno(ast.parse(block.text.replace(REDIS, redis)), block.line)
            code: CodeType = compile(tree, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            waiting: object = eval(code, vars(module))  # noqa: S307  - the text is this repository's own
            if inspect.iscoroutine(waiting):
                runner.run(waiting)

        yield run
        assert asyncio.all_tasks(runner.get_loop()) == set()


@pages
def test_blocks_run(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    start_server: StartServer,
) -> None:
    """What the page shows is a program that works, and prints what the page says."""
    redis = f"127.0.0.1:{start_server().port}" if NEEDS_REDIS in page.read_text("utf-8") else REDIS
    monkeypatch.chdir(tmp_path)
    for together in programs(page):
        with program(page, redis) as run:
            for block in together:
                if block.kind == "python":
                    capsys.readouterr()
                    run(block)
                elif block.mark == "prints":
                    assert capsys.readouterr().out == block.text


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


def test_every_call_of_a_provider_is_in_the_table() -> None:
    """The page of all calls leaves out nothing that a provider offers."""
    table = (ROOT / "docs" / "reference" / "provider.md").read_text("utf-8")
    named = set(re.findall(r"`(\w+)(?=[(`])", table))

    assert {name for name in dir(Provider) if not name.startswith("_")} - named == set()


def test_terms_are_explained_in_order() -> None:
    """The glossary explains each term once, in the order of the alphabet."""
    terms: list[str] = re.findall(r"^\*\*(.+?)\*\*", (ROOT / "docs" / "glossary.md").read_text("utf-8"), re.MULTILINE)

    assert terms == sorted(set(terms), key=lambda term: re.sub("[^a-z ]", "", term.lower()))
