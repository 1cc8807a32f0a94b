"""HTTP's rules, each as a script that is played to a real application behind the cache, on a clock turned by hand."""

from collections import Counter

import pytest

from aiocache_kit import Config, new_provider
from aiocache_kit.integrations.http import ResponseCache
from aiocache_kit.testing import FakeClock
from tests.integration.http import of_forms, of_freshness, of_keys, of_storing, of_validation
from tests.integration.http.doors import Answer, Ask, Door, Pairs, by_aiohttp, by_asgi
from tests.integration.http.script import ANYTHING, BEHIND, CACHED, FRESH, INSTEAD, NONE, VALIDATED, Case, Step

CASES = (*of_storing.CASES, *of_keys.CASES, *of_freshness.CASES, *of_validation.CASES, *of_forms.CASES)
NOT_OVER_A_CONNECTION = {
    "4.4 FOO answered by 200",  # its server knows no such method
    "2 a host that is none",  # aiohttp's client does not send it
    "2 hosts",  # its server knows them by their ports
    "3.1 fields that Connection names",  # the field belongs to aiohttp's own connections
    "2 a second line of X-Forwarded-Host",  # nor does it send two lines of one name
    "2 a second line of X-Forwarded-Proto",
    "2 two lines of Host",
    "4.1 a field in two lines and in one",
    "4.3.4 headers of a 304 are merged",  # a length in a 304 is not for its server to send
}


class Player:
    """Plays a case: is the application, and checks what comes to the client."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.step = Step()
        self.number = 0
        self.calls = 0
        self.seen: Pairs = ()

    def say(self, headers: Pairs) -> Answer:
        self.calls += 1
        self.seen = headers
        return Answer(self.step.answers, self.step.says, body_of(self.step, self.number))

    async def play(self, case: Case, ask: Ask) -> None:
        for number, step in enumerate(case.steps):
            self.number, self.step = number, step
            self.clock.leap(step.wait)  # a sweep a second, over years, would take as long as it sounds
            before = self.calls
            answer = await ask(step.method, step.path, step.asks)
            await self.clock.settle()
            told = f"step {number}: {answer}"
            assert self.calls - before == (step.outcome in {FRESH, VALIDATED, INSTEAD, BEHIND}), told
            assert answer.status == step.status, told
            if step.outcome != NONE:
                of = number if step.outcome == FRESH else step.of
                bodiless = step.method == "HEAD" or answer.status in {204, 304}
                assert answer.body == (b"" if bodiless else body_of(case.steps[of], of)), told
            self.check_headers(step, answer)

    def check_headers(self, step: Step, answer: Answer) -> None:
        for name, value in step.shows:
            said = answer.said(name)
            assert (said is not None) if value == ANYTHING else (said == value), f"{name}: {answer}"
        assert [name for name in step.hides if answer.said(name) is not None] == []
        at_application = Answer(0, self.seen, b"")
        assert [(name, at_application.said(name)) for name, _ in step.sees] == list(step.sees)


def body_of(step: Step, number: int) -> bytes:
    if step.answers == 304:
        return b""
    return f"body {number}".encode() if step.body is None else step.body


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_rule_of_http_by_asgi(case: Case) -> None:
    """What the section says of this comes of it."""
    await play(case, by_asgi)


@pytest.mark.parametrize("case", [case for case in CASES if str(case) not in NOT_OVER_A_CONNECTION], ids=str)
async def test_rule_of_http_by_aiohttp(case: Case) -> None:
    """The same comes of it over a connection to aiohttp's server."""
    await play(case, by_aiohttp)


async def play(case: Case, door: Door) -> None:
    clock = FakeClock()
    player = Player(clock)
    async with new_provider(Config(default_ttl=None), clock=clock) as provider:
        cache = ResponseCache(provider, case.options, clock=clock)
        async with door(cache, player.say) as ask:
            await player.play(case, ask)


def test_there_are_cases_for_each_section() -> None:
    """Sections 3 to 5 of RFC 9111 are covered, by 120 cases at least."""
    sections = Counter(case.section.split(".")[0] for case in CASES)

    assert {"3", "4", "5"} <= sections.keys()
    assert sum(sections[each] for each in ("3", "4", "5")) >= 120
    assert CACHED  # an outcome of most of them
