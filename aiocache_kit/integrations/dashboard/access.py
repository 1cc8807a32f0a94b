"""Who may read the dashboard, and who may change something through it.

Rule 1: without a token of its own nothing can be changed: there are no actions, and no routes for them.
Rule 2: tokens travel in a header, which no form and no page of another origin can set: `HEADER`, or ``Authorization``
where nothing between needs that for itself. A change is refused besides where the browser says that another origin
asks for it.
Rule 3: tokens are kept and compared as digests, in a time that does not depend on what was sent.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from aiocache_kit.errors import InvalidArgumentError

SHORTEST: Final = 16
"""Characters that a token has at least: nobody guesses so many."""
HEADER: Final = "x-aiocache-kit-token"
_SCHEME: Final = "bearer "
_TOKEN: Final = re.compile(rf"[!-~]{{{SHORTEST},}}")


class Access:
    """The rights that two tokens give. Who may act may read as well."""

    __slots__ = ("_action", "_read")

    def __init__(self, read_token: str | None, action_token: str | None) -> None:
        """Ask for `read_token` before anything is read, None for not at all; `action_token` None allows no actions.

        Raises `InvalidArgumentError` for a token that is no `str` of at least `SHORTEST` ASCII characters without
        spaces, which is what a header carries, or for two that are the same.
        """
        self._read = _digest_of("read_token", read_token)
        self._action = _digest_of("action_token", action_token)
        if self._read is not None and self._read == self._action:
            raise InvalidArgumentError("action_token must differ from read_token: whoever may read could act otherwise")

    @property
    def protects_reading(self) -> bool:
        """Whether a token is asked for before figures are shown."""
        return self._read is not None

    @property
    def has_actions(self) -> bool:
        """Whether anybody may change something."""
        return self._action is not None

    def may_read(self, headers: Mapping[str, str]) -> bool:
        """Whether whoever sent these headers may see figures."""
        return self._read is None or self._holds(headers, self._read) or self.may_act(headers)

    def may_act(self, headers: Mapping[str, str]) -> bool:
        """Whether whoever sent these headers may change something."""
        return self._action is not None and self._holds(headers, self._action)

    def _holds(self, headers: Mapping[str, str], wanted: bytes) -> bool:
        given = headers.get("authorization", "")
        bearer = given[len(_SCHEME) :] if given[: len(_SCHEME)].lower() == _SCHEME else ""
        return hmac.compare_digest(_digest(headers.get(HEADER, bearer)), wanted)


def is_of_another_origin(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a page of another origin asks. What is no browser says nothing, and is none."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site != "same-origin"
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower() or origin == "null"
    except ValueError:  # brackets that hold no address
        return True


def _digest_of(name: str, token: object) -> bytes | None:
    if token is None:
        return None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise InvalidArgumentError(
            f"{name} must be a str of at least {SHORTEST} ASCII characters without spaces, or None"
        )
    return _digest(token)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
