"""The documentation as a site: it builds without a warning, nothing in it leads nowhere, and it fetches nothing."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import aiocache_kit

pytestmark = pytest.mark.timeout(300)  # ten seconds, where nobody else works

FETCHED = {("img", "src"), ("link", "href"), ("script", "src"), ("iframe", "src"), ("source", "src")}
NAMES_ONLY = {"canonical", "next", "prev"}  # relations of a <link> that a browser does not fetch
LIST = re.compile(r" *(?:[-*]|\d+\.) ")
FENCE = re.compile(r" *```")


@dataclass
class Page(HTMLParser):
    """What a page of HTML offers to links, where its own links lead, and what a browser fetches for it."""

    anchors: set[str] = field(default_factory=set[str])
    links: list[str] = field(default_factory=list[str])
    fetched: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if given.get("rel") not in NAMES_ONLY:
            self.fetched.extend(value for name, value in given.items() if (tag, name) in FETCHED)


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built anew."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},  # the theme announces what becomes of mkdocs
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"mkdocs build --strict\n{done.stdout}{done.stderr}", pytrace=False)
    return folder


@pytest.fixture(scope="module")
def html(site: Path) -> dict[Path, Page]:
    """Every page of the site, read."""
    pages: dict[Path, Page] = {}
    for path in site.rglob("*.html"):
        pages[path] = Page()
        pages[path].feed(path.read_text("utf-8"))
    return pages


def dead(site: Path, path: Path, pages: dict[Path, Page]) -> Iterator[str]:
    """Give the links of a page within the site that lead to no file, or to no anchor of one."""
    for link in pages[path].links:
        target = urlsplit(link)
        if target.scheme or target.netloc:
            continue
        there = (path.parent / unquote(target.path)).resolve() if target.path else path
        there = there / "index.html" if there.is_dir() else there
        missing = not there.is_file() or not there.is_relative_to(site)
        if missing or (target.fragment and there in pages and unquote(target.fragment) not in pages[there].anchors):
            yield f"{path.relative_to(site)}: {link}"


def test_no_link_of_the_site_is_dead(site: Path, html: dict[Path, Page]) -> None:
    """Each link within the site leads to a page or a file of it, and to an anchor that the page has."""
    absolute = {path for path in html if path.name == "404.html"}  # it is shown in any folder

    assert [link for path in html if path not in absolute for link in dead(site, path, html)] == []


def test_a_page_fetches_nothing_from_elsewhere(html: dict[Path, Page]) -> None:
    """Scripts, styles, fonts and pictures lie in the site: whoever reads it is told to nobody."""
    elsewhere = {address for page in html.values() for address in page.fetched if urlsplit(address).netloc}

    assert elsewhere == set()


def test_every_page_is_in_the_site(root: Path, html: dict[Path, Page], site: Path) -> None:
    """Each page of the docs is part of the site, and linked by the list of pages beside the home page."""
    home = {(site / link.partition("#")[0]).resolve() for link in html[site / "index.html"].links}
    wanted = {(site / path.relative_to(root / "docs")).with_suffix(".html") for path in root.glob("docs/**/*.md")}

    assert wanted - home == set()


def test_lists_and_tables_stand_apart(root: Path) -> None:
    """A list, a table or a block of code has an empty line before it: without one the site shows it as text."""
    joined: list[str] = []
    for path in [root / "README.md", *root.glob("docs/**/*.md")]:
        inside, before = False, ""
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            begins = LIST.match(line) or (line.startswith("|") and not before.startswith("|")) or FENCE.match(line)
            apart = not before.strip() or LIST.match(before) or before.startswith(("  ", "<!--"))
            if begins and not inside and not apart:
                joined.append(f"{path.relative_to(root)}:{number}: {line}")
            inside ^= FENCE.match(line) is not None
            before = line

    assert joined == []


def test_every_public_name_is_in_the_reference(html: dict[Path, Page]) -> None:
    """Each class and function that users import has its entry, made of its docstring; what is private has none."""
    anchors = {anchor for page in html.values() for anchor in page.anchors if anchor.startswith("aiocache_kit.")}
    wanted = {
        f"{module}.{name}"
        for module in ("aiocache_kit", "aiocache_kit.serializers", "aiocache_kit.testing")
        for name in import_module(module).__all__
        if callable(getattr(import_module(module), name))
    }

    assert len(wanted) >= len(aiocache_kit.__all__) - 3  # two constants and the version are no classes
    assert wanted - anchors == set()
    assert [anchor for anchor in anchors if "._" in anchor.replace(".__", ".")] == []
