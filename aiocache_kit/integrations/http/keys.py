"""The key of a stored response: path and query as they are routed by, then scheme and host.

The path comes first, so that what lies below a path, on any host and with any query, has keys that begin alike:
``/users?page=2 https://example.org``. No part holds a space, so no two addresses have one key.

Rule 1: two requests have one key only if an application cannot tell them apart by path, query, scheme, host or a
forwarded address. What is equivalent (`%61` and `a`) may have one; what only looks alike (`%2F` and `/`) has two.
Rule 2: whatever a proxy says of the address makes the key finer and is believed only where the options say so.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

FORWARDED: Final = (
    *(b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-scheme", b"x-forwarded-port", b"x-forwarded-prefix"),
    *(b"x-forwarded-server", b"x-forwarded-ssl", b"x-host", b"x-http-host-override", b"x-original-host"),
    *(b"x-original-url", b"x-rewrite-url", b"x-url-scheme", b"front-end-https", b"forwarded"),
)
"""Fields that some frameworks build addresses from: they are part of the key, or one user could poison another's."""
_ADDRESS: Final = re.compile(rb"(?:^|[;,])\s*((?:host|proto)\s*=[^;,]*)", re.IGNORECASE)
"""What of `Forwarded` (RFC 7239) is about the address; the rest is about clients, each of which has another."""
REWRITTEN: Final = "|"
"""What stands before the path that came over the wire, where something has made another one of it."""
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLAIN: Final = re.compile(r"[A-Za-z0-9/:@!$&'()*+,;=._~-]+")
_SAFE: Final = "/:@!$&'()*+,;=-._~"
_SAFE_IN_QUERY: Final = "".join(map(chr, range(0x21, 0x7F)))
"""All that clients send as it is, or have written as codes already."""
_HOST: Final = re.compile(r"(?P<name>[a-z0-9._~%-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5})?)?")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


def path_of(path: str, raw_path: str | None, root_path: str = "") -> str:
    """Give the part of the key that stands for the path.

    `path` is what the application routes by, decoded, and `raw_path` what came over the wire, without the query, None
    where the server does not say. Where something between the two has changed the path, both count.
    """
    if root_path and not path.startswith(root_path):
        path = root_path + path
    if raw_path == path and _PLAIN.fullmatch(path):
        return path
    routed = quote(path, safe=_SAFE)
    if raw_path is None:
        return routed
    raw = quote(_ESCAPE.sub(_plain, raw_path), safe=_SAFE + "%")
    return raw if unquote(raw_path) == path else f"{routed}{REWRITTEN}{raw}"


def _plain(escape: re.Match[str]) -> str:
    """Give an escaped sign as it is where it means the same (RFC 3986, 6.2.2), and in capitals where it may not."""
    sign = chr(int(escape[1], 16))
    return sign if sign in _UNRESERVED else escape[0].upper()


def query_of(query: str, *, ordered: bool, ignored: frozenset[str]) -> str:
    """Give the part of the key that stands for the query: as it is, unless told otherwise.

    `ordered`: parameters are sorted by name; those of one name, however it is written, stay in their order. `ignored`
    are names of parameters that the application does not look at.
    """
    if ordered or ignored:
        parts = [(part.partition("=")[0], part) for part in query.split("&")]
        kept = [(name, part) for name, part in parts if name not in ignored]
        if ordered:
            kept.sort(key=lambda pair: _meant(pair[0]))
        query = "&".join(part for _, part in kept)
    return query if " " not in query else query.replace(" ", "%20")


def _meant(name: str) -> str:
    """Give what all ways to write the name of a parameter have in common: as bytes, and with `+` as a space."""
    return unquote(name, "latin-1").replace("+", " ")


def host_of(host: str, scheme: str) -> str | None:
    """Give a host in the form that keys have: lower case, without the port that goes without saying; None if wrong."""
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return None
    port = found["port"]
    return found["name"] if not port or _DEFAULT_PORTS.get(scheme) == port else f"{found['name']}:{port}"


def key_of(path: str, query: str, scheme: str, host: str, found: Mapping[bytes, bytes]) -> str:
    """Put the parts together; `found` are headers of the request, those in `FORWARDED` among them.

    What came over the wire, where that is another path than the routed one, comes last: so what is stored for the
    routed one still begins with it.
    """
    routed, _, raw = path.partition(REWRITTEN)
    key = f"{routed}?{query} {scheme}://{host}"
    if not found.keys().isdisjoint(FORWARDED):
        key += _told_by_proxies(found)
    return f"{key} {REWRITTEN}{raw}" if raw else key


def _told_by_proxies(found: Mapping[bytes, bytes]) -> str:
    said = {name: found[name] for name in FORWARDED if name in found}
    address = b";".join(_ADDRESS.findall(said.pop(b"forwarded", b"")))
    if address:
        said[b"forwarded"] = address
    return "".join(f" {name.decode()}={quote(text, safe='')}" for name, text in said.items())


def key_of_url(url: str, *, base: str = "", ordered: bool, ignored: frozenset[str]) -> str | None:
    """Give the key of an address that is asked for directly, None where it is none.

    It must be absolute, or relative to `base`, which is. What is not ASCII means the codes that clients make of it.
    """
    try:
        parts = urlsplit(urljoin(base, url))
        path = path_of(unquote(parts.path) or "/", parts.path or "/")
        query = query_of(quote(parts.query, safe=_SAFE_IN_QUERY), ordered=ordered, ignored=ignored)
    except ValueError:
        return None
    host = host_of(parts.netloc, parts.scheme)
    if host is None or parts.scheme not in _DEFAULT_PORTS:
        return None
    return key_of(path, query, parts.scheme, host, {})


def below(path: str) -> Iterable[str]:
    """Give what the keys of a path, and of all that lies below it, begin with; `ValueError` where no key does."""
    start = path_of(path, None)
    if not start.startswith("/"):
        raise ValueError(path)
    yield f"{start}?"
    yield start if start.endswith("/") else f"{start}/"
