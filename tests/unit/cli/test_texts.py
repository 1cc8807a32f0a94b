"""How keys and numbers are written for people."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.cli.texts import (
    age_text,
    count_text,
    plural,
    safe,
    safe_lines,
    share_text,
    size_text,
    sparkline,
    time_text,
)

any_text = st.text(st.characters())


@given(any_text)
def test_a_key_reaches_no_terminal_as_a_control_character(key: str) -> None:
    """What is shown is printable, and can be read back as Python reads a literal."""
    shown = safe(key)

    assert shown.isprintable() or not shown
    assert ast.literal_eval("'" + shown.replace("'", "\\'") + "'") == key


def test_an_escape_sequence_is_defused() -> None:
    """Colours, line ends and marks that turn the direction of writing are escaped, backslashes doubled."""
    assert safe("user:ä\x1b[31m\n\u202e\\n") == "user:ä\\x1b[31m\\n\\u202e\\\\n"


def test_lines_stay_lines() -> None:
    """In a text of several lines the line ends stay, and nothing else that is no print."""
    assert safe_lines('{\n  "a": "\x9b31m"\n}') == '{\n  "a": "\\x9b31m"\n}'


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (size_text(0), "0 B"),
        (size_text(1023), "1023 B"),
        (size_text(1536), "1.5 KiB"),
        (size_text(5 * 2**30), "5.0 GiB"),
        (count_text(0), "0"),
        (count_text(9999), "9999"),
        (count_text(12_345), "12.3k"),
        (count_text(4_560_000), "4.56M"),
        (count_text(7.89e9), "7.89G"),
        (count_text(2.5), "2.5"),
        (time_text(850e-9), "850 ns"),
        (time_text(41.2e-6), "41.2 us"),
        (time_text(0.0012), "1.2 ms"),
        (time_text(3.4), "3.4 s"),
        (age_text(59), "59s"),
        (age_text(3599), "59m 59s"),
        (age_text(3 * 86400 + 4 * 3600), "3d 4h"),
        (age_text(7260), "2h 1m"),
        (age_text(22 * 86400), "22d"),
        (age_text(0), "0s"),
        (share_text(0.957), "95.7 %"),
        (share_text(None), "-"),
        (plural(1, "key"), "1 key"),
        (plural(2, "key"), "2 keys"),
    ],
)
def test_numbers_are_short_and_have_units(written: str, expected: str) -> None:
    """Each is written with as many digits as say something."""
    assert written == expected


def test_a_sparkline_is_full_at_its_largest_value() -> None:
    """Bars grow with values; nothing at all is drawn as the least bar."""
    assert sparkline([0, 4, 8]) == "▁▅█"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([-100, 1]) == "▁█"
    assert sparkline([]) == ""
