"""Invalidation by tag: one mark a tag, whatever number of items it kills.

A mark is the instant at which a tag was invalidated; an item that was written at or before the mark of one of its tags
is dead (lazy invalidation by timestamps). So invalidating is O(1), and reading an item asks once for each of its tags.

Rule 1: instants are those of whoever stamps the items: they must come from one source, and the stamp of a write that
follows an invalidation must be later than its mark.
Rule 2: a mark stays as long as there may be an item that it kills; whoever knows that there is none says `forget`.
Rule 3: what a load under way will be tagged with may not be known yet: its flight notes the invalidations itself.
"""

from collections.abc import Iterable


class TagMarks:
    """The tags that were invalidated, and when."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        """Start without marks."""
        self._marks: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._marks)

    def __bool__(self) -> bool:
        return bool(self._marks)

    def mark(self, tags: Iterable[str], instant: float) -> None:
        """Kill every item that has one of `tags` and was written up to `instant`; a mark never moves back."""
        marks = self._marks
        for tag in tags:
            marks[tag] = max(instant, marks.get(tag, instant))

    def killed(self, tags: Iterable[str], written: float) -> bool:
        """Whether an item with `tags`, written at the instant `written`, is no longer true."""
        marks = self._marks
        if not marks:
            return False
        return any(tag in marks and written <= marks[tag] for tag in tags)

    def forget(self, instant: float) -> None:
        """Drop the marks up to `instant`: no item written until then is left that one of them kills."""
        for tag in [tag for tag, mark in self._marks.items() if mark <= instant]:
            del self._marks[tag]
