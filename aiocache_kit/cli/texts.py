"""How numbers, times and keys are written for people. Pure.

Rule: what comes out of a cache may have been put there by anybody. Nothing of it reaches a terminal as a control
character, and what was escaped can be told from what stood there as it is.
"""

from collections.abc import Sequence
from typing import Final

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP: Final = 1024
_EXACT: Final = 10_000
"""A count from which on it is shortened."""
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_BARS: Final = "▁▂▃▄▅▆▇█"
_NOTHING: Final = "-"


def safe(text: str) -> str:
    """Give `text` with backslashes doubled and everything that is not printable escaped, as in Python."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(_escaped(each) for each in text)


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def safe_lines(text: str) -> str:
    """Do the same with a text of several lines, which stay lines."""
    return "\n".join(
        "".join(each if each.isprintable() else _escaped(each) for each in line) for line in text.split("\n")
    )


def size_text(size: float) -> str:
    """Write a number of bytes, such as ``1.5 MiB``."""
    for unit in _UNITS[:-1]:
        if abs(size) < _STEP:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= _STEP
    return f"{size:.1f} {_UNITS[-1]}"


def count_text(count: float) -> str:
    """Write a number of things: exactly while it is small, otherwise as ``12.3k``, ``4.56M`` or ``7.89G``."""
    if abs(count) < _EXACT:
        return f"{count:.0f}" if count == int(count) or abs(count) >= _STEP else f"{count:.1f}"
    for limit, unit in ((1e6, "k"), (1e9, "M"), (float("inf"), "G")):
        if abs(count) < limit:
            return f"{count / limit * 1e3 if limit != float('inf') else count / 1e9:.3g}{unit}"
    return str(count)


def time_text(seconds: float) -> str:
    """Write a short duration, such as ``850 us``, ``1.2 ms`` or ``3.4 s``."""
    if seconds < 1e-6:  # noqa: PLR2004  - a millionth
        return f"{seconds * 1e9:.0f} ns"
    if seconds < 1e-3:  # noqa: PLR2004  - a thousandth
        return f"{seconds * 1e6:.3g} us"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s"


def age_text(seconds: float) -> str:
    """Write a long duration in its two largest units, such as ``3d 4h``."""
    left = int(seconds)
    parts: list[str] = []
    for length, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m"), (1, "s")):
        count, left = divmod(left, length)
        if parts or count or unit == "s":
            parts.append(f"{count}{unit}" if count or not parts else "")
        if len(parts) == 2:  # noqa: PLR2004  - as said
            break
    return " ".join(filter(None, parts))


def share_text(share: float | None) -> str:
    """Write a share of 0 to 1 in percent; None: there is nothing to have a share of."""
    return _NOTHING if share is None else f"{share * 100:.1f} %"


def plural(count: int, thing: str, things: str = "") -> str:
    """Write a count with the name of what was counted."""
    return f"{count} {thing if count == 1 else things or thing + 's'}"


def sparkline(values: Sequence[float]) -> str:
    """Draw values as bars of one line, the largest one full."""
    most = max(values, default=0.0)
    if most <= 0:
        return _BARS[0] * len(values)
    return "".join(_BARS[max(0, min(int(value / most * len(_BARS)), len(_BARS) - 1))] for value in values)
