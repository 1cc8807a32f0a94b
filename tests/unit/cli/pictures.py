"""The pictures of the command line in the docs: what it shows of servers as they might be.

The same facts give the same pictures, so a test can tell whether those that are kept show what is shown now.
"""

import html
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from aiocache_kit import Config, RedisConfig
from aiocache_kit.cli.doctor.findings import Finding, good
from aiocache_kit.cli.doctor.of_config import of_config
from aiocache_kit.cli.doctor.of_server import of_server, of_servers
from aiocache_kit.cli.program import History as ProgramHistory
from aiocache_kit.cli.program import frame as frame_of_program
from aiocache_kit.cli.readings import Names, Reading
from aiocache_kit.cli.screen import Screen
from aiocache_kit.cli.tables import Line, Part, Span, Style
from aiocache_kit.cli.top import History, between, frame
from aiocache_kit.cli.views import of_findings, of_names
from aiocache_kit.cli.views import of_servers as table_of_servers
from tests.unit.cli.facts import reading

FOLDER: Final = Path(__file__).parents[3] / "docs/images"
_WIDTH: Final = 100
_FONTS: Final = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_TEXT: Final = re.compile(r"<text[^>]*>(.*?)</text>")
_NODES: Final = ("10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379")


def _doctor() -> Sequence[Part]:
    part = RedisConfig(addr="10.0.0.1", username="shop", password="-", key_prefix="shop:", lease_ttl=2)  # noqa: S106  - none
    config = Config(provider="redis", default_ttl="1h", redis_config=part)
    server = reading(
        {"maxmemory_policy": "noeviction", "used_memory": "498216860", "uptime_in_seconds": "7352"}, skew=41
    )
    found: list[Finding] = [replace(each, subject="configuration") for each in of_config(config)]
    found += of_server(server, config)
    found += of_servers([server])
    found.append(
        replace(
            good("server.rights", "the user may run every command that is needed under the prefix"), subject="rights"
        )
    )
    found.append(replace(good("trip.value", "a value was stored, read and removed in 1.83 ms"), subject="round trip"))
    return of_findings(found, show_all=True)


def _servers(step: int) -> list[Reading]:
    """Give three nodes as they are after some steps of two seconds: busy ones, and one that has to make room."""
    wave = [0, 3, 7, 6, 9, 12, 11, 14, 13, 9, 8, 10, 13, 15, 12, 9, 7, 6, 8, 11, 12, 13]
    nodes: list[Reading] = []
    for number, name in enumerate(_NODES):
        done = sum((wave[4 * number :] + wave)[:step])
        hits, misses = 1700 * done * (3 - number), (210 + 60 * number) * done
        nodes.append(
            reading(
                {
                    "total_commands_processed": str(2 * (hits + misses)),
                    "keyspace_hits": str(81_462_310 - 9_000_000 * number + hits),
                    "keyspace_misses": str(4_517_702 + 2_000_000 * number + misses),
                    "evicted_keys": str(10_233 + (37 * done if number == 2 else 0)),
                    "expired_keys": str(733_210 + 92 * done),
                    "used_memory": str(412_316_860 + 60_000_000 * number),
                    "db0": f"keys={301_244 + 3 * done},expires=1",
                },
                name=name,
                ping=0.00021 + 0.00004 * number,
            )
        )
    return nodes


def _stats() -> Sequence[Part]:
    names = Names()
    names.items.update({"": 211_034, "users": 60_121, "pages": 30_089})
    names.own.update({"tags": 412, "leases": 3})
    return [table_of_servers(_servers(0)), Line(), of_names(names)]


def _top() -> Sequence[Part]:
    history = History()
    rates = [between(now, now, 2.0) for now in _servers(0)]
    for step in range(1, 22):
        rates = [between(before, now, 2.0) for before, now in zip(_servers(step - 1), _servers(step), strict=True)]
        history.note(rates)
    return frame(rates, {}, history, what="redis at the cluster of 10.0.0.1:6379", interval=2.0)


def _group(name: str, reads: int, hit_rate: float, loads: int, load_time: float) -> dict[str, object]:
    """Give a group of keys as a dashboard tells of it."""
    return {"group": name, "reads": reads, "hit_rate": hit_rate, "loads": loads, "average_load_time": load_time}


def _layer(name: str, hits: int, misses: int, **others: int) -> dict[str, object]:
    """Give a layer as a dashboard tells of it."""
    return {"name": name, "depth": 0, "hit_rate": hits / (hits + misses), "hits": hits, "misses": misses, **others}


_WAVE: Final = (3, 5, 4, 7, 8, 6, 9, 11, 10, 12, 9, 10)
_USERS: Final = {
    "hits": 41_204,
    "misses": 1_310,
    "hit_rate": 0.969,
    "loads": 655,
    "load_time": 0.0213,
    "get_time": 4e-6,
}
_PAGES: Final = {
    "hits": 3_950,
    "misses": 2_212,
    "hit_rate": 0.641,
    "loads": 2_190,
    "load_time": 0.0874,
    "evictions": 118,
}
_TOLD: Final[dict[str, Any]] = {
    "providers": [
        {
            "name": "users",
            "points": [*({"hits": 4_000 * each} for each in _WAVE), _USERS],
            "totals": {"items": 48_112},
            "layers": [
                _layer("memory", 8_203_114, 703_221, items=5_000, evictions=61_300, health=1),
                _layer("redis", 450_060, 253_161, errors=2, health=1),
            ],
            "groups": {
                "hot": [_group("user:*", 210_330, 0.981, 3_990, 0.0182)],
                "slow": [_group("invoice:*", 310, 0.402, 185, 0.412)],
            },
        },
        {
            "name": "pages",
            "points": [*({"hits": 500 * each} for each in reversed(_WAVE)), _PAGES],
            "totals": {"items": 10_000, "size": 52_428_800},
            "groups": {"hot": [_group("page:*", 30_120, 0.64, 10_870, 0.0874)]},
        },
    ]
}


def _program() -> Sequence[Part]:
    history = ProgramHistory()
    history.note(_TOLD)
    return frame_of_program(_TOLD, history, interval=2.0)


PICTURES: Final[dict[str, tuple[str, Callable[[], Sequence[Part]]]]] = {
    "cli-doctor": ("aiocache-kit doctor --all --config settings.toml", _doctor),
    "cli-stats": ("aiocache-kit stats --count --config settings.toml", _stats),
    "cli-top": ("aiocache-kit top --config settings.toml", _top),
    "cli-program": ("aiocache-kit top --dashboard http://localhost:8000/internal/cache", _program),
}
"""What is drawn: the command that is typed, and what it shows."""


def drawn(name: str) -> str:
    """Draw a picture, as SVG that fetches nothing."""
    command, parts = PICTURES[name]
    console = Console(
        file=io.StringIO(), record=True, width=_WIDTH, force_terminal=True, color_system="truecolor", highlight=False,
        markup=False, emoji=False, legacy_windows=False, _environ={},
    )  # fmt: skip
    screen = Screen(console, console)
    screen.show(Line([Span("$ ", Style.FAINT), Span(command, Style.STRONG)]), Line(), *parts())
    svg = _FONTS.sub("", console.export_svg(title=command.partition(" --")[0], unique_id=name))
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def words(svg: str) -> list[str]:
    """Give the texts of a picture, without how they are drawn."""
    return [html.unescape(text).replace("\xa0", " ") for text in _TEXT.findall(svg)]
