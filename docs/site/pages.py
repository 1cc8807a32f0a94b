"""What the site adds to the pages: the order in which they are listed, and the reference made of docstrings.

Rule 1: whoever adds a page adds nothing here. The pages of a folder are listed in the order in which docs/index.md
links them under "Documentation", by the words of the links; those that it does not link follow, by their titles.
Rule 2: so with the reference. What is public is read from `__all__`, and goes to the page of its module.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_SECTIONS: Final[Mapping[str, str]] = {
    "tutorial": "Tutorial",
    "how-to": "How to",
    "explanation": "Explanation",
    "reference": "Reference",
    "": "About",
    "decisions": "Decisions",
}
"""The folders of pages in the order of the site, with the titles of their sections; others come last."""
_REFERENCE: Final[Mapping[str, str]] = {
    "provider": "Provider",
    "factory": "Making providers",
    "storage": "Making providers",
    "config": "Configuration",
    "decorators": "Decorators",
    "item": "Items, statistics, time",
    "stats": "Items, statistics, time",
    "clock": "Items, statistics, time",
    "sentinels": "Items, statistics, time",
    "batching": "Batches and limits",
    "management": "Batches and limits",
    "provider.rate_limiter": "Batches and limits",
    "errors": "Errors",
}
"""The pages of what `import aiocache_kit` offers, by the module or part that defines it; others get their own."""
_BESIDE: Final[Mapping[str, str]] = {
    "aiocache_kit.events": "Events",
    "aiocache_kit.testing": "Testing",
    "aiocache_kit.serializers": "Serializers",
    "aiocache_kit.storage.base": "Storages",
}
"""The pages of modules that are imported by their own names."""
_INTEGRATION: Final = re.compile(r"aiocache_kit\.integrations\.(\w+)")
_RULE: Final = re.compile(r"\n(?=Rule \d+: )")
_CODE: Final = re.compile(r"<(a|h\d|pre)\b.*?</\1>|<code>(\w+)</code>", re.DOTALL)
_LINK: Final = re.compile(r"\[([^\]]+)\]\(([\w/.-]+\.md)\)")
_WHOLE: Final = "    options: {inherited_members: true}\n"
_NAMED: Final = "    options: {inherited_members: true, show_root_full_path: true}\n"
_WITHOUT_NAME: Final = "    options: {show_root_heading: false, show_root_toc_entry: false}\n"
_BARE: Final = "    options: {show_root_heading: false, show_root_toc_entry: false, members: false}\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference, and say in which order all pages are listed."""
    pages = {file.src_uri: file.content_string for file in files.documentation_pages()}
    reference = dict([*_reference(), *_integrations(pages.values())])
    for title, text in reference.items():
        files.append(File.generated(config, _place(title), content=text))
    linked = dict(_linked(pages["index.md"]))
    config.nav = [
        {"Home": "index.md"},
        *_sections(list(pages), linked, [{title: _place(title)} for title in reference]),
    ]
    return files


def on_page_content(html: str, **_: object) -> str:
    """Link the first mention of each public name on a page to its entry, and give the rules of a module their lines."""
    left = dict.fromkeys(import_module("aiocache_kit").__all__)

    def link(found: re.Match[str]) -> str:
        if found[2] not in left or not found[2][0].isupper() or found[2].isupper():
            return found[0]
        del left[found[2]]
        return f'<autoref identifier="aiocache_kit.{found[2]}">{found[0]}</autoref>'

    return _RULE.sub("<br>", _CODE.sub(link, html))


def _sections(
    pages: list[str], linked: Mapping[str, str], reference: list[dict[str, str]]
) -> Iterator[dict[str, object]]:
    folders: dict[str, list[str]] = {folder: [] for folder in _SECTIONS}
    for page in sorted(pages, key=lambda page: list(linked).index(page) if page in linked else len(linked)):
        if page != "index.md":
            folders.setdefault(page.rpartition("/")[0], []).append(page)
    for folder, those in folders.items():
        listed: list[object] = [{linked[page]: page} if page in linked else page for page in those]
        if folder == "reference":
            listed.append({"From the code": reference})
        if listed:
            yield {_SECTIONS.get(folder, folder.capitalize()): listed}


def _linked(text: str) -> Iterator[tuple[str, str]]:
    """Give the pages that the home page lists, with the words of the links."""
    for found in _LINK.finditer(text.partition("\n## Documentation\n")[2]):
        yield found[2], found[1]


def _reference() -> Iterator[tuple[str, str]]:
    """Give the pages of the reference: their titles, and their text, which mkdocstrings reads."""
    package = import_module("aiocache_kit")
    pages: dict[str, list[str]] = {title: [] for title in _REFERENCE.values()}
    for name in package.__all__:
        module = getattr(getattr(package, name), "__module__", "")
        if name.startswith("_") or not module.startswith("aiocache_kit."):
            continue
        _, part, *rest = module.split(".")
        title = _REFERENCE.get(".".join([part, *rest]), _REFERENCE.get(part, part.capitalize()))
        pages.setdefault(title, []).append(f"aiocache_kit.{name}")
    for title, names in pages.items():
        names.sort(key=lambda name: name != f"aiocache_kit.{title}")  # what a page is named after comes first
        opening = f"::: aiocache_kit.errors\n{_BARE}" if title == "Errors" else "Imported from `aiocache_kit`.\n"
        yield title, _page(title, opening, names, _WHOLE)
    for name, title in _BESIDE.items():
        names = [f"{name}.{each}" for each in getattr(import_module(name), "__all__", ())]
        opening = f"Imported from `{name}`.\n\n::: {name}\n"
        yield title, _page(title, opening + (_BARE if names else _WITHOUT_NAME), names)


def _integrations(pages: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give the page of those integrations that some page tells to import, if there are any."""
    names = sorted({name for page in pages for name in _INTEGRATION.findall(page)})
    if names:
        opening = "Each is imported by its own name, and needs the extra that it names.\n"
        modules = [f"aiocache_kit.integrations.{name}" for name in names]
        yield "Integrations", _page("Integrations", opening, modules, _NAMED)


def _page(title: str, opening: str, names: Iterable[str], options: str = "") -> str:
    return "\n".join([f"# {title}\n", opening, *(f"::: {name}\n{options}" for name in names)])


def _place(title: str) -> str:
    """Give the path of a page of the reference, which cannot be that of a page somebody has written."""
    return f"reference/code/{re.sub('[^a-z]+', '-', title.lower())}.md"
