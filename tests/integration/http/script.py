"""A scripted exchange: what is asked, what the application would say, and what must come of it.

Each step is one request. If the application is asked, it gives the step's own status, headers and body; every step has
a body of its own, so that it is seen where a response comes from.
"""

from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Final, TypeAlias

from aiocache_kit.integrations.http import ResponseCacheOptions

NOW: Final = 1_700_000_000.0
Said: TypeAlias = Any
"""Headers by name; a text in place of them is that of `Cache-Control`, and None says nothing."""
Free: TypeAlias = Any
"""Fields of a step, or options of the cache, by name."""
FRESH: Final = "fresh"
"""The application was asked, and its response came through."""
CACHED: Final = "cached"
"""The application was not asked: an earlier response came."""
VALIDATED: Final = "validated"
"""The application was asked whether an earlier response still holds, and that one came."""
NONE: Final = "none"
"""The application was not asked, and the cache answered that it has nothing."""
BEHIND: Final = "behind"
"""An earlier response came, and the application was asked behind its reader's back."""
ANYTHING: Final = "*"
"""Some value of a header."""
INSTEAD: Final = "instead"
"""The application was asked, and an earlier response came in place of what it said."""


def date(after: float = 0.0) -> str:
    """Give the date so many seconds after the beginning, as headers have it."""
    return formatdate(NOW + after, usegmt=True)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request, and what must come of it."""

    method: str = "GET"
    path: str = "/page"
    asks: tuple[tuple[str, str], ...] = ()
    says: tuple[tuple[str, str], ...] = ()
    answers: int = 200
    """The status that the application gives."""
    body: bytes | None = None
    """The body that it gives; None: one that no other step has."""
    wait: float = 0.0
    """Seconds that pass before."""
    outcome: str = FRESH
    of: int = 0
    """The step whose body comes, where it is not this one's."""
    status: int = 200
    """The status that the client gets."""
    shows: tuple[tuple[str, str], ...] = ()
    """Headers that the client gets."""
    hides: tuple[str, ...] = ()
    """Names of headers that the client does not get."""
    sees: tuple[tuple[str, str | None], ...] = ()
    """Headers that the application gets; None: does not get."""


@dataclass(frozen=True)
class Case:
    """Steps in order, under the section of the standard that says what comes of them."""

    section: str
    title: str
    steps: tuple[Step, ...]
    options: ResponseCacheOptions = field(default_factory=ResponseCacheOptions)

    def __str__(self) -> str:
        return f"{self.section} {self.title}"


def step(
    says: Said = None,
    asks: Said = None,
    **rest: Free,
) -> Step:
    """Make a step; a text in place of headers is that of `Cache-Control`. With `of`, it is answered from the cache."""
    if "of" in rest:
        rest.setdefault("outcome", CACHED)
    if "answers" in rest and rest.get("outcome", FRESH) == FRESH:
        rest.setdefault("status", rest["answers"])
    return Step(asks=_pairs(asks), says=_pairs(says), **rest)


def case(section: str, title: str, *steps: Step, **options: Free) -> Case:
    """Make a case; `options` are those of the cache."""
    return Case(section, title, steps, ResponseCacheOptions(**options))


def _pairs(headers: str | dict[str, str] | None) -> tuple[tuple[str, str], ...]:
    if headers is None:
        return ()
    return (("cache-control", headers),) if isinstance(headers, str) else tuple(headers.items())
