import pytest

from aiocache_kit.management.failures import Failures


def test_an_error_is_remembered_for_its_time() -> None:
    """An error is given back until its time is over, and the source left alone until both are."""
    failures = Failures()
    error = LookupError("k")
    failures.note("k", error, 100.0, negative_ttl=5.0, throttle=10.0)

    assert failures.remembered("k", 104.9) is error
    assert failures.remembered("k", 105.0) is None
    assert failures.is_quiet("k", 109.9)
    assert not failures.is_quiet("k", 110.0)
    assert failures.remembered("other", 100.0) is None
    assert not failures.is_quiet("other", 100.0)


def test_what_is_raised_again_is_not_asked_for() -> None:
    """A source whose error is remembered is left alone, however short the throttle is."""
    failures = Failures()
    failures.note("k", LookupError(), 100.0, negative_ttl=5.0)

    assert failures.is_quiet("k", 104.9)


def test_without_times_nothing_is_noted() -> None:
    """An error that is neither to be raised again nor to keep anybody quiet takes no room."""
    failures = Failures()
    failures.note("k", LookupError(), 100.0)

    assert len(failures) == 0


def test_an_error_that_is_not_raised_again_is_not_kept() -> None:
    """Only the time is kept where only the time matters."""
    failures = Failures()
    failures.note("k", LookupError(), 100.0, throttle=5.0)

    assert failures.by_key["k"].error is None


def test_changes_make_forgotten() -> None:
    """A key, a prefix, a tag: whatever changes is forgotten, and nothing else."""
    failures = Failures()
    for key, tags in {"a:1": ("t",), "a:2": (), "b:1": ("t", "u"), "b:2": ("u",), "c": ()}.items():
        failures.note(key, LookupError(), 0.0, throttle=5.0, tags=tags)
    failures.forget("c")
    failures.forget("c")
    failures.forget_all("a:")
    failures.forget_tags(("t", "x"))

    assert set(failures.by_key) == {"b:2"}
    failures.forget_all()
    assert len(failures) == 0


def test_room_is_bounded() -> None:
    """Rule 1: the oldest goes where there is no room; one that fails again is the newest."""
    failures = Failures(most=2)
    for key in ("a", "b", "a", "c"):
        failures.note(key, LookupError(), 0.0, throttle=5.0)

    assert list(failures.by_key) == ["a", "c"]


def test_tidying() -> None:
    """What is over goes, and no frames are kept alive by what stays."""
    failures = Failures()
    with pytest.raises(LookupError) as raised:
        dict[str, int]()["k"]
    kept = raised.value
    failures.note("kept", kept, 0.0, negative_ttl=5.0)
    failures.note("quiet", kept, 0.0, throttle=5.0)
    failures.note("over", kept, 0.0, negative_ttl=1.0, throttle=1.0)
    assert kept.__traceback__ is not None
    failures.tidy(2.0)

    assert set(failures.by_key) == {"kept", "quiet"}
    assert kept.__traceback__ is None
