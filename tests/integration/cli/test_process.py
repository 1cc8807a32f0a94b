"""The command as a process of its own: in pipes, in a terminal, interrupted, and without what it needs."""

import os
import pty
import select
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from tests.integration.cli.conftest import fill, found

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "aiocache_kit"]
PATIENCE = 20.0
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
CTRL_C = "\x03"


def run(*arguments: str, program: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command, or a Python program in its place."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments] if program else [*COMMAND, *arguments],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Terminal:
    """The other end of a terminal that a command runs in."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self.shown = ""
        self._descriptor = descriptor

    def wait_for(self, text: str) -> None:
        """Read until `text` was shown."""
        while text not in self.shown:
            if not self._read():
                pytest.fail(f"never shown: {text!r}, but {self.shown!r}", pytrace=False)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._descriptor, text.encode())

    def interrupt(self) -> int:
        """Press Ctrl-C, again where it was lost (between a look for signals and a read that waits); give the code."""
        self.type(CTRL_C)
        while self._read(patience=1.0, lost=lambda: self.type(CTRL_C)):
            pass
        return self.process.wait(PATIENCE)

    def end(self) -> int:
        """Read what is left, and give the exit code."""
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def _read(self, *, patience: float = PATIENCE, lost: Callable[[], None] | None = None) -> bool:
        """Read what is there, or wait for it; False at the end. Calls `lost` where nothing comes in time."""
        ready, _, _ = select.select([self._descriptor], [], [], patience)
        if not ready:
            if lost is None:
                pytest.fail(f"nothing more was shown: {self.shown!r}", pytrace=False)
            lost()
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # how Linux tells that nobody is there any more
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


@contextmanager
def terminal(*arguments: str, environ: Mapping[str, str] | None = None) -> Generator[Terminal]:
    """Run the command in a terminal of 100 columns, which is its own, so that Ctrl-C in it reaches it."""
    own = {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40", **(environ or {})}
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", TAKE_TERMINAL, *COMMAND, *arguments],
        cwd=ROOT,
        env={**os.environ, **own},
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    try:
        yield Terminal(process, outer)
    finally:
        process.kill()
        process.wait()
        os.close(outer)


# --- pipes ----------------------------------------------------------------------------------------------------------


def test_whoever_stops_reading_ends_it_quietly(url: str) -> None:
    """As other programs at the head of a pipe: by the code of a broken pipe, and without a word."""
    fill(url, {f"key:{number}{'x' * 200}": number for number in range(2000)})
    with subprocess.Popen(
        [*COMMAND, "keys", "--url", url], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("key:")
        process.stdout.close()
        told = process.stderr.read()

    assert process.returncode == 141
    assert told == ""


def test_settings_come_from_the_environment(url: str) -> None:
    """A URL by a name of its own, and fields as a program reads them; a pipe has neither colours nor bars."""
    fill(url, {"user": 1})
    _, _, rest = url.partition("127.0.0.1:")
    port, _, prefix = rest.partition("/0?key_prefix=")

    assert run("keys", AIOCACHE_URL=url).stdout == "user\n"
    done = run(
        "keys",
        AIOCACHE_KIT_PROVIDER="redis",
        AIOCACHE_KIT_REDIS_ADDR=f"127.0.0.1:{port}",
        AIOCACHE_KIT_REDIS_KEY_PREFIX=prefix,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("user\n", "", 0)


def test_an_output_without_umlauts_gets_escapes(url: str) -> None:
    """What an encoding has no letters for ends nothing: keys, lines of tables, bars."""
    fill(url, {"schlüssel": 1})

    assert run("keys", "--url", url, PYTHONIOENCODING="ascii").stdout == "schl\\xfcssel\n"
    done = run("top", "--count", "1", "--interval", "0.1", "--url", url, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout.isascii()) == (0, True)


def test_a_script_leads_to_the_command() -> None:
    """What the package installs as aiocache-kit is what python -m runs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    module, _, name = project["scripts"]["aiocache-kit"].partition(":")
    main: Callable[[list[str]], int] = getattr(import_module(module), name)

    assert main(["keys"]) == 2
    shown = run("--version")
    assert shown.stdout == f"aiocache-kit, version {project['version']}\n"


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_what_is_missing_is_named(missing: str) -> None:
    """Without the extra, one sentence says what to install."""
    program = f"import sys; sys.modules[{missing!r}] = None; from aiocache_kit.cli import main; sys.exit(main())"
    told = run("keys", program=program)

    assert told.returncode == 2
    assert told.stderr == f"aiocache-kit: {missing} is not installed: run pip install 'aiocache-kit[cli]'\n"


def test_an_option_before_the_command_is_told_where_it_belongs() -> None:
    """Who names the cache first and the command then learns of the order; a misspelt option has click's own hint."""
    assert "'--url'.\nThe options of a command stand after it" in run("--url", "redis://", "keys").stderr
    assert "Did you mean '--url'?" in run("keys", "--urll", "redis://").stderr


def test_help_is_there_for_everything() -> None:
    """For the command and each of its parts, with the exit codes; and nothing typed is help, too."""
    whole = run("--help")
    commands = [line.split()[0] for line in whole.stdout.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()]

    assert commands == ["doctor", "stats", "keys", "get", "delete", "invalidate", "clear", "bench", "top"]
    assert "Exit codes:" in whole.stdout
    assert run().returncode == 2
    program = "import sys; from aiocache_kit.cli import main; sys.exit(max(main([c, '--help']) for c in sys.argv[1:]))"
    each = run(*commands, program=program)
    assert each.returncode == 0
    assert each.stdout.count("--url") >= len(commands)


# --- terminals ------------------------------------------------------------------------------------------------------


def test_top_moves_until_ctrl_c(url: str) -> None:
    """It draws in place, with colours, and gives the cursor back when it is interrupted."""
    with terminal("top", "--interval", "0.1", "--url", url) as seen:
        seen.wait_for("hits/s")
        seen.wait_for("\x1b[2K")
        code = seen.interrupt()

    assert code == 130
    assert "\x1b[?25h" in seen.shown[seen.shown.rindex("\x1b[?25l") :]
    assert "Traceback" not in seen.shown


def test_no_colours_where_they_are_not_wanted(url: str) -> None:
    """NO_COLOR is heeded in a terminal."""
    with terminal("stats", "--url", url, environ={"NO_COLOR": "1"}) as plain:
        assert plain.end() == 0

    assert "hit rate" in plain.shown
    assert not [code for code in ("\x1b[3", "\x1b[9") if code in plain.shown.replace("\x1b[39m", "")]


def test_a_question_is_asked_and_heeded(url: str) -> None:
    """No leaves everything, yes removes it, and Ctrl-C is neither."""
    fill(url, {"user": 1})
    for typed, expected, left in (("n\n", 1, 1), (CTRL_C, 130, 1), ("y\n", 0, None)):
        with terminal("clear", "--url", url) as seen:
            seen.wait_for("[y/N]")
            if typed == CTRL_C:
                assert seen.interrupt() == expected
            else:
                seen.type(typed)
                assert seen.end() == expected
        assert "Remove everything from redis at 127.0.0.1" in seen.shown
        assert found(url, "user") == left


def test_bench_that_is_interrupted_leaves_nothing(url: str) -> None:
    """What it has stored so far is removed when it is told to end."""
    with terminal("bench", "--seconds", "10", "--url", url) as seen:
        seen.wait_for("measuring")
        seen.process.send_signal(signal.SIGINT)
        assert seen.end() == 130

    assert run("stats", "--count", "--json", "--url", url).stdout.count('"items": 0') == 1
