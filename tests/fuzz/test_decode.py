"""The fuzzer, in the small: the program beside this file does the same with as many inputs as it is told."""

from tests.fuzz.decode import run


def test_nothing_but_our_errors_comes_out() -> None:
    """Of 20,000 changed payloads each is read or refused, none takes long or much room, and all reasons occur."""
    figures = run(20_000)

    assert figures.read + figures.refused.total() == 20_000
    assert figures.read > 1000
    assert len(figures.refused) > 20
    assert figures.slowest < 2.0
    assert figures.grown < 64 * 1024
