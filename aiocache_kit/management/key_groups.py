"""Groups of keys: from very many keys to a bounded number of names, and which of them are hot or slow.

Rule 1: a group's name is never a key. What nobody gave a name is grouped by the word that the key begins with, such as
``user:*``, and only if that is a word: letters up to the first separator. All others are ``*``.
Rule 2: a `KeyGrouping` gives at most `most` different names; whatever would be one more is `OTHER`.
Rule 3: `KeyGroups` counts exactly what it was told of a group since it keeps that group. It keeps the hottest and the
slowest ones, by the space-saving rule (Metwally and others, 2005): a new one takes the place of the least one, and is
taken to have been as hot as that, so that whatever is truly hot is among those that are kept.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from aiocache_kit.errors import InvalidArgumentError

if TYPE_CHECKING:
    from aiocache_kit.events import Event

MOST_GROUPS: Final = 100
OTHER: Final = "other"
"""The group of what has no other: no rule fits, the rule failed, or there are too many groups."""
UNNAMED: Final = "*"
"""The group of keys that do not begin with a word."""
_LONGEST_NAME: Final = 100
_WORD: Final = re.compile(r"([A-Za-z_][A-Za-z_.-]{0,31})([:/|#])")

GroupRule: TypeAlias = Callable[[str], str] | Iterable[tuple[str | re.Pattern[str], str]]
"""A plain function from key to name, or pairs of a pattern, which the whole key must match, and a name."""


class KeyGrouping:
    """Tells the group of a key."""

    __slots__ = ("_by_pattern", "_known", "_most", "_rule", "_templates")

    def __init__(self, rule: GroupRule | None = None, *, most: int = MOST_GROUPS) -> None:
        """Go by `rule`, or by templates and words where it is None; give `most` names at most.

        Raises `InvalidArgumentError` for what is no rule.
        """
        self._most = most
        self._known: set[str] = set()
        self._templates: list[tuple[int, re.Pattern[str], str]] = []
        self._by_pattern: list[tuple[re.Pattern[str], str]] = []
        self._rule: Callable[[str], str] | None = None
        if callable(rule):
            self._rule = rule
        elif rule is not None:
            self._by_pattern = _compiled(rule)
            self._rule = self._by_patterns

    def learn(self, pieces: Iterable[str | None], name: str) -> None:
        """Know keys that are made of these pieces, None standing for any text, as the group `name`.

        Of those that fit a key, the one with the most text of its own decides. Beyond as many as there may be groups,
        none is learnt.
        """
        parts = list(pieces)
        length = sum(len(piece) for piece in parts if piece is not None)
        if not length or len(self._templates) >= self._most or any(known == name for *_, known in self._templates):
            return
        self._templates.append((length, re.compile(_pattern(parts), re.DOTALL), name[:_LONGEST_NAME]))
        self._templates.sort(key=lambda template: -template[0])

    def of(self, key: str) -> str:
        """Give the group of a key; never raises."""
        if self._rule is None:
            return self._bounded(self._by_itself(key))
        try:
            name = cast("object", self._rule(key))
        except Exception:  # noqa: BLE001  - a rule of somebody else's, for what is only told
            return OTHER
        return self._bounded(name) if isinstance(name, str) and name else OTHER

    def _by_patterns(self, key: str) -> str:
        for pattern, name in self._by_pattern:
            if pattern.fullmatch(key):
                return name
        return OTHER

    def _by_itself(self, key: str) -> str:
        for _, pattern, name in self._templates:
            if pattern.fullmatch(key):
                return name
        word = _WORD.match(key)
        return f"{word[1]}{word[2]}*" if word else UNNAMED

    def _bounded(self, name: str) -> str:
        name = name[:_LONGEST_NAME]
        if name not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(name)
        return name


def _pattern(parts: list[str | None]) -> str:
    """Give the pattern of a template. It takes each text of its own where it first stands, and never looks back.

    The last one, at the end of the key, is left with as much room as it can have then. Were other places tried as well,
    the time for a long key would grow with the power of how many parts may be any text.
    """
    texts = [""]
    for part in parts:
        if part is None:
            texts.append("")
        else:
            texts[-1] += part
    first, *others = map(re.escape, texts)
    if not others:
        return first
    *inner, last = others
    return f"{first}{''.join([f'(?>.*?{text})' for text in inner if text])}.*{last}"


def _compiled(rule: object) -> list[tuple[re.Pattern[str], str]]:
    try:
        return [(re.compile(pattern), name) for pattern, name in cast("Iterable[tuple[str, str]]", rule)]
    except (TypeError, ValueError, re.error) as error:
        raise InvalidArgumentError(
            "a rule for groups of keys must be a function, or pairs of a regular expression and a name"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """What was told of one group. Reads of a sample count for as many as they stand for."""

    group: str
    hits: int = 0
    """Stale ones included."""
    stale_hits: int = 0
    misses: int = 0
    loads: int = 0
    load_failures: int = 0
    load_seconds: float = 0.0
    slowest_load: float = 0.0
    """Seconds."""
    refreshes: int = 0
    removals: int = 0

    @property
    def reads(self) -> int:
        """Hits and misses."""
        return self.hits + self.misses

    @property
    def hit_rate(self) -> float:
        """Hits out of all reads, 0 to 1; 0.0 before the first one."""
        return self.hits / self.reads if self.reads else 0.0

    @property
    def average_load_time(self) -> float:
        """Mean seconds of a load; 0.0 before the first one."""
        return self.load_seconds / self.loads if self.loads else 0.0


class _Counts:
    """The figures of one group, while they grow."""

    __slots__ = tuple(each.name for each in fields(GroupFigures) if each.name != "group")

    hits: int
    stale_hits: int
    misses: int
    loads: int
    load_failures: int
    load_seconds: float
    slowest_load: float
    refreshes: int
    removals: int

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0.0 if name in {"load_seconds", "slowest_load"} else 0)


class _Leaders:
    """The names with the most weight, by the space-saving rule."""

    __slots__ = ("most", "weights")

    def __init__(self, most: int) -> None:
        self.most = most
        self.weights: dict[str, float] = {}

    def add(self, name: str, weight: float) -> str | None:
        """Give `name` more weight, and give the name that had to go for it, if one had to."""
        weights = self.weights
        if name in weights:
            weights[name] += weight
            return None
        if len(weights) < self.most:
            weights[name] = weight
            return None
        gone = min(weights, key=weights.__getitem__)
        weights[name] = weights.pop(gone) + weight
        return gone


class KeyGroups:
    """Hot and slow groups of keys, out of the events of a provider. Its size is bounded, whatever it is told."""

    __slots__ = ("_counts", "_hot", "_slow")

    def __init__(self, most: int = MOST_GROUPS) -> None:
        """Keep the `most` hottest and the `most` slowest groups; `InvalidArgumentError` unless that is above 0."""
        if most < 1:
            raise InvalidArgumentError(f"most must be 1 or more, not {most}")
        self._hot = _Leaders(most)
        self._slow = _Leaders(most)
        self._counts: dict[str, _Counts] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def note(self, event: "Event") -> None:
        """Count an event; those that are about no key count for nothing."""
        from aiocache_kit import events  # noqa: PLC0415  - whoever has an event has loaded them

        match event:
            case events.Hit():
                counts = self._kept(event.group, self._hot, event.weight)
                counts.hits += event.weight
                counts.stale_hits += event.weight if isinstance(event, events.StaleHit) else 0
            case events.Miss():
                self._kept(event.group, self._hot, event.weight).misses += event.weight
            case events.Load():
                counts = self._kept(event.group, self._slow, event.seconds)
                counts.loads += 1
                counts.load_failures += not event.ok
                counts.load_seconds += event.seconds
                counts.slowest_load = max(counts.slowest_load, event.seconds)
            case events.Refresh() if event.group in self._counts:
                self._counts[event.group].refreshes += 1
            case events.Removal() if event.group in self._counts:
                self._counts[event.group].removals += 1
            case _:
                pass

    def _kept(self, group: str, leaders: _Leaders, weight: float) -> _Counts:
        gone = leaders.add(group, weight)
        if gone is not None and gone not in self._hot.weights and gone not in self._slow.weights:
            del self._counts[gone]
        counts = self._counts.get(group)
        if counts is None:
            counts = self._counts[group] = _Counts()
        return counts

    def top(
        self, count: int = 10, *, by: Literal["reads", "load_seconds", "average_load_time"] = "reads"
    ) -> list[GroupFigures]:
        """Give the `count` groups with the most reads, or whose loads took the most time in sum, or each, first."""
        return sorted(self.all(), key=lambda figures: -getattr(figures, by))[:count]

    def all(self) -> list[GroupFigures]:
        """Give the figures of all groups that are kept."""
        return [
            GroupFigures(group=group, **{name: getattr(counts, name) for name in _Counts.__slots__})
            for group, counts in list(self._counts.items())
        ]

    def clear(self) -> None:
        """Begin anew."""
        self._hot.weights.clear()
        self._slow.weights.clear()
        self._counts.clear()
