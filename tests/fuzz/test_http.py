"""The cache of responses, tried with pairs of users; a hundred thousand of them by ``python -m tests.fuzz.http``."""

import pytest

from aiocache_kit.integrations.http import shelf, storing
from tests.fuzz.http import LeakError, run


async def test_nobody_sees_what_was_made_for_somebody_else() -> None:
    """In none of a thousand pairs of requests does a response come to the wrong user, and many are answered from it."""
    figures = await run(1_000)

    assert figures.outcomes["hit"] > 100
    assert figures.outcomes["collapsed"] > 10


async def test_the_fuzzer_finds_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that takes everybody for nobody in particular is found out."""

    def everybody(personal: object, *, flags: int, vary: tuple[str, ...]) -> bool:
        del personal, flags, vary
        return True

    for module in (shelf, storing):
        monkeypatch.setattr(module, "is_shared", everybody)

    with pytest.raises(LeakError):
        await run(1_000)
