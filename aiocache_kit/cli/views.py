"""How what was found is laid out: tables of servers, lists of findings. Pure.

Rule: whatever is shown here without a unit is a count; what a server counts for all of its programs is said to be that.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from aiocache_kit.cli.doctor.findings import Finding, Severity
from aiocache_kit.cli.readings import Names, Reading
from aiocache_kit.cli.tables import Cell, Column, Line, Part, Span, Style, Table
from aiocache_kit.cli.texts import age_text, count_text, plural, safe, share_text, size_text, time_text

_MARKS: Final = {
    Severity.GOOD: Span("ok", Style.GOOD),
    Severity.NOTE: Span("note", Style.NOTE),
    Severity.WARNING: Span("warning", Style.WARNING),
    Severity.PROBLEM: Span("problem", Style.BAD),
}
_OF_ALL: Final = "Servers count for all programs that use them, since they were started."
_ENOUGH: Final = 0.5
_NEARLY_FULL: Final = 0.9
_SPARE: Final = {
    "ping": 1,
    "evicted": 2,
    "policy": 3,
    "Redis": 4,
    "keys": 5,
    "role": 6,
    "clients": 7,
    "up": 8,
    "expired": 9,
}
_SIDE_BY_SIDE: Final = 3
"""Servers that are shown in columns; more of them in rows."""


# --- doctor ---------------------------------------------------------------------------------------------------------


def of_findings(findings: Sequence[Finding], *, show_all: bool = True) -> list[Part]:
    """Lay out what a check-up found, the worst first, and count it; what is good with `show_all` alone."""
    rows: list[Sequence[Cell]] = []
    for finding in sorted(findings, key=lambda each: -each.severity):
        if finding.severity is Severity.GOOD and not show_all:
            continue
        rows.append([_MARKS[finding.severity], Span(safe(finding.subject), Style.FAINT), safe(finding.sentence)])
        if finding.advice:
            rows.append(["", "", Span(f"do: {safe(finding.advice)}", Style.FAINT)])
    table = Table([Column(""), Column(""), Column("", wraps=True)], rows)
    return [table, Line(), Line(_summed_up(findings))]


def _summed_up(findings: Sequence[Finding]) -> Cell:
    count = {severity: sum(each.severity is severity for each in findings) for severity in Severity}
    worst = max((each.severity for each in findings), default=Severity.GOOD)
    style = _MARKS[worst].style
    parts = [
        plural(count[severity], severity.word)
        for severity in (Severity.PROBLEM, Severity.WARNING, Severity.NOTE)
        if count[severity]
    ]
    return [
        Span(", ".join(parts) or "nothing to complain of", style),
        Span(f"; {plural(count[Severity.GOOD], 'check')} passed", Style.FAINT),
    ]


# --- stats ----------------------------------------------------------------------------------------------------------


def of_servers(readings: Sequence[Reading]) -> Table:
    """Lay out servers side by side."""
    rows: list[Sequence[Cell]] = [
        [
            safe(each.name),
            each.fields.get("role", "?"),
            safe(each.fields.get("redis_version", "?")),
            age_text(each.number("uptime_in_seconds")),
            time_text(each.ping),
            count_text(each.number("connected_clients")),
            count_text(each.keys),
            of_rate(each.hit_rate),
            count_text(each.number("evicted_keys")),
            count_text(each.number("expired_keys")),
            of_memory(each),
            each.fields.get("maxmemory_policy", "?"),
        ]
        for each in readings
    ]
    names = (
        "server",
        "role",
        "Redis",
        "up",
        "ping",
        "clients",
        "keys",
        "hit rate",
        "evicted",
        "expired",
        "memory",
        "policy",
    )
    numbers = {"up", "ping", "clients", "keys", "hit rate", "evicted", "expired", "memory"}
    if len(readings) > _SIDE_BY_SIDE:
        columns = [Column(name, is_number=name in numbers, spare=_SPARE.get(name, 0)) for name in names]
        return Table(columns, rows, caption=_OF_ALL)
    turned = [[name, *(row[number] for row in rows)] for number, name in enumerate(names)]
    head = [Column(safe(each.name), is_number=True) for each in readings]
    return Table([Column("server"), *head], turned[1:], caption=_OF_ALL)


def of_rate(rate: float | None) -> Cell:
    """Write a hit rate, in a colour where it is low."""
    return Span(share_text(rate), Style.WARNING if rate is not None and rate < _ENOUGH else Style.PLAIN)


def of_memory(reading: Reading) -> Cell:
    """Write what a server uses, and may use."""
    used, most = reading.number("used_memory"), reading.number("maxmemory")
    if not most:
        return size_text(used)
    style = Style.WARNING if used > most * _NEARLY_FULL else Style.PLAIN
    return Span(f"{size_text(used)} of {size_text(most)}", style)


def of_fullness(reading: Reading) -> Cell:
    """Write how much of its memory a server uses; how much, where it has no bound."""
    used, most = reading.number("used_memory"), reading.number("maxmemory")
    if not most:
        return size_text(used)
    style = Style.WARNING if used > most * _NEARLY_FULL else Style.PLAIN
    return Span(f"{used / most * 100:.0f} % of {size_text(most)}", style)


def of_names(names: Names) -> Table:
    """Lay out what was counted under a prefix."""
    rows: list[Sequence[Cell]] = [
        [f"items in {safe(name)}" if name else "items", str(count)] for name, count in sorted(names.items.items())
    ]
    rows += [
        [Span(f"{what}, kept by the library", Style.FAINT), str(count)] for what, count in sorted(names.own.items())
    ]
    return Table([Column("under the prefix"), Column("names", is_number=True)], rows or [["nothing", "0"]])


def of_counters(name: str, counters: Mapping[str, object]) -> Table:
    """Lay out counters and sizes by their names."""
    rows: list[Sequence[Cell]] = [[what, _counter(what, value)] for what, value in counters.items()]
    return Table([Column(name), Column("", is_number=True)], rows)


def _counter(what: str, value: object) -> str:
    if value is None:
        return "-"
    if not isinstance(value, int | float):
        return str(value)
    if what == "size":
        return size_text(value)
    return share_text(value) if what == "hit_rate" else count_text(value)


# --- bench ----------------------------------------------------------------------------------------------------------


def of_pairs(columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> Table:
    """Lay out rows of which the first column is a name and the others are numbers."""
    head = [Column(name, is_number=number > 0) for number, name in enumerate(columns)]
    return Table(head, [list(row) for row in rows], caption=caption)
