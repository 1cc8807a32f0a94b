"""What a terminal gets, and what a file or a pipe gets instead."""

import io

import pytest
from rich.console import Console

from aiocache_kit.cli.failures import Failure
from aiocache_kit.cli.screen import Screen
from aiocache_kit.cli.tables import Column, Line, Span, Style, Table

TABLE = Table(
    [Column("server"), Column("hits", is_number=True), Column("clients", is_number=True, spare=1)],
    [["10.0.0.1:6379", Span("12", Style.WARNING), "7"], ["10.0.0.2:6379", "3456", "8"]],
    caption="a caption",
)


def screen(*, width: int = 100, terminal: bool = False) -> tuple[Screen, io.StringIO, io.StringIO]:
    """Give a screen with what is written to it."""
    out, err = io.StringIO(), io.StringIO()
    consoles = [Console(file=each, width=width, force_terminal=terminal, highlight=False) for each in (out, err)]
    return Screen(*consoles), out, err


def test_a_table_lines_up_and_has_no_colours_in_a_file() -> None:
    """Numbers are flush right under their names, and no line ends in blanks."""
    shown, out, _ = screen()
    shown.show(TABLE)
    head, rule, *rows, caption = out.getvalue().splitlines()

    assert "\x1b" not in out.getvalue()
    assert head.index("hits") + 4 == rows[0].index("12") + 2 == rows[1].index("3456") + 4
    assert set(rule) == {"─"}
    assert caption == "a caption"
    assert all(line == line.rstrip() for line in out.getvalue().splitlines())


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless NO_COLOR asks for none."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown, out, _ = screen(terminal=True)
    shown.show(TABLE)
    assert "\x1b[33m12" in out.getvalue()

    monkeypatch.setenv("NO_COLOR", "1")
    shown, out, _ = screen(terminal=True)
    shown.show(TABLE)
    assert "\x1b[33m" not in out.getvalue()


def test_a_narrow_terminal_gets_fewer_columns() -> None:
    """What can be spared is left out, so that the rest stays whole."""
    shown, out, _ = screen(width=24)
    shown.show(TABLE)

    assert "clients" not in out.getvalue()
    assert "10.0.0.2:6379   3456" in out.getvalue()


def test_text_is_shown_as_it_is() -> None:
    """Brackets are no markup, and words between colons no pictures."""
    shown, out, _ = screen()
    shown.show(Line("[bold]key[/] :smile: [link=x]"))

    assert out.getvalue() == "[bold]key[/] :smile: [link=x]\n"


def test_json_is_ascii() -> None:
    """Nothing that a terminal would obey, or could not show, is left in it."""
    shown, out, _ = screen()
    shown.write_json({"key": "ä\x1b\x7f\u202e\ud800"}, indent=None)

    assert out.getvalue() == '{"key": "\\u00e4\\u001b\\u007f\\u202e\\ud800"}\n'


def test_what_is_wrong_goes_to_standard_error() -> None:
    """With what to do on a line of its own."""
    shown, out, err = screen()
    shown.fail(Failure("nothing answers", "start it"))

    assert out.getvalue() == ""
    assert err.getvalue() == "aiocache-kit: nothing answers\n  try: start it\n"


def test_nothing_moves_in_a_file() -> None:
    """A bar is for terminals, and what changes in place is written one below the other."""
    shown, out, err = screen()
    with shown.progress("looking", total=3) as told:
        told(1)
    with shown.in_place() as show:
        show([Line("one")])
        show([Line("two")])

    assert err.getvalue() == ""
    assert out.getvalue() == "one\ntwo\n"


def test_a_bar_moves_on_a_terminal_and_goes_again() -> None:
    """It is on standard error, and hides the cursor no longer than it is there."""
    shown, out, err = screen(terminal=True)
    with shown.progress("looking", total=3) as told:
        told(3)

    assert out.getvalue() == ""
    assert "looking" in err.getvalue()
    assert err.getvalue().rstrip().endswith(("\x1b[2K", "\x1b[?25h"))
