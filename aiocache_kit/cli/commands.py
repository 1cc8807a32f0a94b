"""What may be typed: commands, their options, and the help. By click.

Rule 1: the only file that imports click.
Rule 2: a command gathers what was typed, and leaves the rest to others; what comes of it is an exit code.
Rule 3: whatever removes items by more than one key asks first, and does nothing where nobody can be asked. Of tags it
does not ask: programs invalidate them all the time.
"""

import asyncio
import os
import sys
import traceback
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypedDict, TypeVar, Unpack

from aiocache_kit import __version__
from aiocache_kit.cli import items, sources
from aiocache_kit.cli.bench import Plan, bench, new_name
from aiocache_kit.cli.doctor import checkup
from aiocache_kit.cli.doctor.findings import Severity, worst
from aiocache_kit.cli.exits import Exit, exit_of
from aiocache_kit.cli.failures import explain
from aiocache_kit.cli.knock import why
from aiocache_kit.cli.program import Program, watch_program
from aiocache_kit.cli.screen import Screen
from aiocache_kit.cli.sources import Cache, Named
from aiocache_kit.cli.texts import plural, safe
from aiocache_kit.cli.top import watch
from aiocache_kit.cli.views import of_findings
from aiocache_kit.clock import SystemClock
from aiocache_kit.errors import CacheError, InvalidArgumentError, MissingDependencyError

try:
    import click
except ImportError as missing:
    raise MissingDependencyError("click", "cli") from missing

F = TypeVar("F", bound=Callable[..., Any])

_CLOCK: Final = SystemClock()
_SETTINGS: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_CODES: Final = """\b
Exit codes: 0 done; 1 no such key, a finding, or answered by no; 2 wrong command line,
configuration or installation; 3 unreachable; 4 refused; 5 not possible with this cache;
6 another failure; 130 Ctrl-C; 141 nobody reads the output any more.

\b
A cache is named by one of:
  --url redis://localhost:6379?key_prefix=app:
  --config settings.toml             its table [aiocache_kit]; or a JSON file
  --app service.caches:users         a Provider or Config of a program, or a function that gives one
  --layer memory:// --layer redis://localhost
  --node one=redis://10.0.0.1 --node two=redis://10.0.0.2
or by the environment: AIOCACHE_KIT_PROVIDER=redis AIOCACHE_KIT_REDIS_ADDR=... (see Config.from_env).
"""


# --- running --------------------------------------------------------------------------------------------------------


def run(arguments: Sequence[str] | None = None, screen: Screen | None = None) -> int:
    """Do what `arguments` say, None: those of this process; `screen` None: the streams of this process."""
    shown = Screen() if screen is None else screen
    try:
        code: object = commands.main(
            None if arguments is None else list(arguments), prog_name="aiocache-kit", standalone_mode=False, obj=shown
        )
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return _left_alone()
    except Exception as error:  # noqa: BLE001  - told apart there
        return _told(shown, error)
    return code if isinstance(code, int) else Exit.DONE


def _told(screen: Screen, error: Exception) -> Exit:
    """Tell what is wrong; a mistake of ours is shown whole, so that it can be reported."""
    if isinstance(error, CacheError):
        screen.fail(explain(error))
        return exit_of(error)
    if isinstance(error, click.ClickException):
        error.show()
        if isinstance(error, click.NoSuchOption) and error.ctx is not None and error.ctx.parent is None:
            click.echo("The options of a command stand after it, as in aiocache-kit keys --url ...", err=True)
        return Exit.USAGE
    traceback.print_exception(error)
    return Exit.FAILED


def _left_alone() -> Exit:
    """Let nothing more be written, not even by Python at its end: nobody reads it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return Exit.PIPE


def _perform(screen: Screen, cache: Cache | None, work: Callable[[], Coroutine[Any, Any, Exit]]) -> Exit:
    """Do something on an event loop; what is wrong with a server is looked at before it is told."""

    async def whole() -> Exit:
        try:
            return await work()
        except CacheError as error:
            failure = explain(error)
            for place in () if cache is None else cache.truths:
                found = await why(error, place.config)
                if found != failure:
                    failure = found
                    break
            screen.fail(failure)
            return exit_of(error)

    try:
        return asyncio.run(whole())
    except BrokenPipeError:  # click has an answer of its own to it
        return _left_alone()


def _may(screen: Screen, question: str, *, yes: bool) -> bool:
    if yes:
        return True
    if not screen.is_watched:
        raise InvalidArgumentError("this asks before it removes anything, and nobody can be asked here: give --yes")
    return click.confirm(safe(question), err=True)


# --- options --------------------------------------------------------------------------------------------------------


class Given(TypedDict):
    """The options by which a cache is named, as `Named` has them."""

    url: str | None
    config: str | None
    table: str
    app: str | None
    layers: tuple[str, ...]
    backplane: sources.Backplane
    nodes: tuple[str, ...]
    replicas: int
    env_prefix: str
    namespaces: tuple[str, ...]


_OPTIONS: Final[Sequence[Callable[[Any], Any]]] = (
    click.option("--url", envvar="AIOCACHE_URL", show_envvar=True, help="The cache as a URL."),
    click.option("--config", metavar="FILE", help="A TOML or JSON file that describes the cache."),
    click.option("--table", default="aiocache_kit", metavar="NAME", help="The table in that file."),
    click.option("--app", metavar="MODULE:NAME", help="A Provider, Config or URL of a program, or what gives one."),
    click.option("--layer", "layers", multiple=True, metavar="URL", help="A layer, the nearest first; repeated."),
    click.option(
        "--backplane",
        type=click.Choice(["auto", "pubsub", "streams", "none"]),
        default="auto",
        help="How processes with these layers tell one another of changes.",
    ),
    click.option("--node", "nodes", multiple=True, metavar="NAME=URL", help="A node of a distributed cache; repeated."),
    click.option("--replicas", default=1, metavar="N", help="Nodes that have a copy of each item."),
    click.option("--env-prefix", default="AIOCACHE_KIT_", metavar="TEXT", help="What its variables begin with."),
    click.option(
        "-n", "--namespace", "namespaces", multiple=True, metavar="NAME", help="A namespace; repeated, inner."
    ),
)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Give JSON.")
_YES: Final = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


def _of_cache(command: F) -> F:
    """Let a command have the options by which a cache is named."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _found(given: Given) -> Cache:
    return sources.find(Named(**given))


# --- commands -------------------------------------------------------------------------------------------------------


class _InOrder(click.Group):
    """Lists commands in the order in which they stand here."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give their names."""
        del ctx
        return list(self.commands)


@click.group(cls=_InOrder, context_settings=_SETTINGS, epilog=_CODES)
@click.version_option(__version__, prog_name="aiocache-kit")
def commands() -> None:
    """Look at a cache, and at the servers that it lies on, from outside of your program."""


@commands.command(short_help="check configuration and servers, and advise")
@click.option("--all", "show_all", is_flag=True, help="Show what is as it should be, too.")
@click.option(
    "--fail-on",
    type=click.Choice(["note", "warning", "problem", "never"]),
    default="warning",
    help="What ends with exit code 1, or worse.",
)
@_JSON
@_of_cache
@click.pass_obj
def doctor(screen: Screen, *, show_all: bool, fail_on: str, as_json: bool, **given: Unpack[Given]) -> Exit:
    """Check a configuration against the live servers or the directory, and say what to do.

    A value is stored, read and removed in a namespace of doctor's own, and the commands that the cache needs are tried
    under its prefix. Nothing of yours is changed.
    """
    cache = _found(given)

    async def work() -> Exit:
        with screen.progress("looking") as told:
            examined = await checkup.examine(cache, _CLOCK, told)
        return _shown(screen, examined, show_all=show_all, fail_on=fail_on, as_json=as_json)

    return _perform(screen, cache, work)


def _shown(screen: Screen, examined: checkup.Examined, *, show_all: bool, fail_on: str, as_json: bool) -> Exit:
    if as_json:
        found = [finding.as_dict() for finding in examined.findings]
        screen.write_json({"worst": worst(examined.findings).word, "findings": found})
    else:
        screen.show(*of_findings(examined.findings, show_all=show_all))
    limit = None if fail_on == "never" else Severity[fail_on.upper()]
    if limit is None or worst(examined.findings) < limit:
        return Exit.DONE
    return examined.away or Exit.MISS


@commands.command(short_help="what the servers, or the directory, tell")
@click.option("--count", is_flag=True, help="Count the names under the prefix, by a scan that reads no values.")
@_JSON
@_of_cache
@click.pass_obj
def stats(screen: Screen, *, count: bool, as_json: bool, **given: Unpack[Given]) -> Exit:
    """Show what the Redis servers of a cache tell of themselves, or how much lies in its directory.

    Servers count for all programs that use them. What a program counts for itself (`Provider.stats`) it alone knows.
    """
    cache = _found(given)
    return _perform(screen, cache, partial(items.show_stats, screen, cache, _CLOCK, count=count, as_json=as_json))


@commands.command(short_help="list keys")
@click.argument("prefix", default="")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Stop after so many.")
@click.option("--count", is_flag=True, help="Give their number alone.")
@_JSON
@_of_cache
@click.pass_obj
def keys(  # the options
    screen: Screen, *, prefix: str, limit: int | None, count: bool, as_json: bool, **given: Unpack[Given]
) -> Exit:
    r"""List the live keys that begin with PREFIX, one a line, as they are found.

    Those of the namespace that --namespace names; without it, those in no namespace. Backslashes are doubled, and what
    no terminal should see is escaped, as in Python. With --json, each line is {"key": ...}.
    """
    cache = _found(given)
    provider = cache.to_look_at()
    return _perform(
        screen,
        cache,
        partial(items.list_keys, screen, provider, prefix, limit=limit, only_count=count, as_json=as_json),
    )


@commands.command(short_help="show a value")
@click.argument("key")
@click.option("--raw", is_flag=True, help="Give text or bytes as they are, control characters and all.")
@_JSON
@_of_cache
@click.pass_obj
def get(screen: Screen, *, key: str, raw: bool, as_json: bool, **given: Unpack[Given]) -> Exit:
    """Show the value under KEY as JSON; with --json, its ttl, dates, tags and version as well.

    Exit code 1 where there is none.
    """
    cache = _found(given)
    provider = cache.to_look_at(strict=True)
    return _perform(screen, cache, partial(items.show_value, screen, provider, key, raw=raw, as_json=as_json))


@commands.command(short_help="remove items by their keys")
@click.argument("keys", nargs=-1, required=True)
@_YES
@_JSON
@_of_cache
@click.pass_obj
def delete(screen: Screen, *, keys: tuple[str, ...], yes: bool, as_json: bool, **given: Unpack[Given]) -> Exit:
    """Remove the items under KEYS. Asks where there are several. Exit code 1 where none was there."""
    cache = _found(given)
    if len(keys) > 1 and not _may(screen, f"Remove {plural(len(keys), 'item')} from {cache.words}?", yes=yes):
        return Exit.MISS
    provider = cache.to_look_at()
    return _perform(screen, cache, partial(items.delete_keys, screen, provider, keys, as_json=as_json))


@commands.command(short_help="make items misses, by tag or prefix")
@click.option("-t", "--tag", "tags", multiple=True, metavar="TAG", help="A tag; repeated.")
@click.option("--prefix", metavar="TEXT", help="What the keys begin with. Asks first.")
@_YES
@_JSON
@_of_cache
@click.pass_obj
def invalidate(
    screen: Screen, *, tags: tuple[str, ...], prefix: str | None, yes: bool, as_json: bool, **given: Unpack[Given]
) -> Exit:
    """Make every item with one of the tags a miss from now on, or every item whose key begins with a prefix.

    A tag takes one step, whatever it kills; a prefix is looked for among all keys.
    """
    if not tags and prefix is None:
        raise InvalidArgumentError("what is to be invalidated? Give --tag or --prefix")
    cache = _found(given)
    question = f"Remove all items whose keys begin with {prefix!r} from {cache.words}?"
    if prefix is not None and not _may(screen, question, yes=yes):
        return Exit.MISS
    provider = cache.to_look_at()
    return _perform(screen, cache, partial(items.invalidate, screen, provider, tags, prefix, as_json=as_json))


@commands.command(short_help="remove everything")
@_YES
@_JSON
@_of_cache
@click.pass_obj
def clear(screen: Screen, *, yes: bool, as_json: bool, **given: Unpack[Given]) -> Exit:
    """Remove all items of the cache, or of one of its namespaces, and nothing else that lies on its servers. Asks."""
    cache = _found(given)
    if not _may(screen, f"Remove everything from {cache.words}?", yes=yes):
        return Exit.MISS
    provider = cache.to_look_at()
    return _perform(screen, cache, partial(items.clear, screen, provider, as_json=as_json))


@commands.command("bench", short_help="measure calls with this configuration, quickly")
@click.option("--seconds", type=click.FloatRange(0.01, 60), default=0.5, show_default=True, help="Time of each row.")
@click.option("--size", type=click.IntRange(0, 10**7), default=100, show_default=True, help="Characters of a value.")
@click.option("--tasks", type=click.IntRange(1, 1000), default=64, show_default=True, help="Tasks of some rows.")
@_JSON
@_of_cache
@click.pass_obj
def measure(screen: Screen, *, seconds: float, size: int, tasks: int, as_json: bool, **given: Unpack[Given]) -> Exit:
    """Measure what calls cost from here, in some seconds, in a namespace of its own that is removed at the end.

    It loads the servers while it runs: think twice before you run it on those that serve customers.
    """
    cache = _found(given)
    provider, made = cache.to_measure(new_name())
    plan = Plan(seconds=seconds, size=size, tasks=tasks)
    return _perform(screen, cache, partial(bench, screen, provider, plan, made=made, as_json=as_json))


@commands.command(short_help="watch the servers live")
@click.option(
    "--interval", type=click.FloatRange(0.1, 3600), default=2.0, show_default=True, help="Seconds between two looks."
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Stop after so many looks.")
@click.option("--dashboard", metavar="URL", help="A running program's dashboard, to be asked in place of servers.")
@click.option("--token-file", metavar="FILE", help="What holds its read_token; or set AIOCACHE_DASHBOARD_TOKEN.")
@_JSON
@_of_cache
@click.pass_obj
def top(
    screen: Screen,
    *,
    interval: float,
    count: int | None,
    dashboard: str | None,
    token_file: str | None,
    as_json: bool,
    **given: Unpack[Given],
) -> Exit:
    """Watch what the Redis servers of a cache do: operations, hit rate, evictions, memory, until Ctrl-C.

    With --dashboard, what a running program does with its caches, wherever these lie: reads, loads, layers, and the
    groups of keys that are hot or slow. With --json, one object a line for each look.
    """
    if dashboard is not None:
        program = Program(dashboard, sources.token(token_file, os.environ))
        work = partial(watch_program, screen, program, _CLOCK, interval=interval, count=count, as_json=as_json)
        return _perform(screen, None, work)
    cache = _found(given)
    return _perform(
        screen, cache, partial(watch, screen, cache, _CLOCK, interval=interval, count=count, as_json=as_json)
    )
