"""The reference names what there is, and nothing that there is not."""

import re
from pathlib import Path

import click
import pytest

from aiocache_kit.cli.commands import commands
from aiocache_kit.cli.exits import Exit

PAGE = (Path(__file__).parents[3] / "docs/reference/command-line.md").read_text("utf-8")


def options(command: click.Command) -> set[str]:
    """Give the long names of a command's options."""
    found = (name for each in command.params if isinstance(each, click.Option) for name in each.opts)
    return {name for name in found if name.startswith("--")}


@pytest.mark.parametrize("name", commands.commands)
def test_every_command_is_told_of(name: str) -> None:
    """With each of its options, by the row of the command or in a table for all."""
    row = next(line for line in PAGE.splitlines() if re.match(rf"\| `{name}\b", line))
    elsewhere = "\n".join(line for line in PAGE.splitlines() if not re.match(r"\| `[a-z]+[ `]", line))
    shared = {option for option in options(commands.commands[name]) if re.search(rf"`{option}\b", elsewhere)}

    assert {option for option in options(commands.commands[name]) - shared if f"`{option}" not in row} == set()


def test_no_option_is_told_of_that_there_is_not() -> None:
    """What somebody reads he can type."""
    known = {"--help", "--version"}.union(*map(options, commands.commands.values()))

    assert set(re.findall(r"`(--[a-z-]+)", PAGE)) <= known


def test_every_exit_code_is_told_of() -> None:
    """Each in a row of its own."""
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)} == set(map(int, Exit))
