"""What Redis does in one step: each script touches the keys of one slot only, and is given the time.

A script is called by its digest. A server that does not know it (new, restarted, flushed) is sent the text; nothing is
loaded ahead, so that a user without the command SCRIPT can do it all.

Rule 1: of what is stored, a script reads the clear head of the envelope and nothing else (`serializers.envelope`).
Rule 2: the head says that an item has tags, not whether one of them was invalidated. Where that matters, a script gives
the item's version back, its caller looks, and calls again with the version that he found alive or dead.
"""

from collections.abc import Sequence
from hashlib import sha1
from typing import Any, Final, TypeAlias

from hiredis import ReplyError

from aiocache_kit.errors import PartialFailureError, StorageError
from aiocache_kit.storage.redis.link import Channel, Command
from aiocache_kit.storage.redis.replies import checked, code_of
from aiocache_kit.storage.redis.unreached import name_text

LEASE: Final = 0xAD
"""The byte that a lease begins with, in the place of the item that is being loaded."""
_HEAD: Final = """
local head = redis.call('GETRANGE', KEYS[1], 0, 43)
local first = string.byte(head, 1)
local live, tagged, version = false, false, ''
if first == 0xAC and #head == 44 then
  local flags = string.byte(head, 4)
  version = string.sub(head, 5, 12)
  tagged = math.floor(flags / 8) % 2 == 1
  live = math.floor(flags / 2) % 2 == 0 or struct.unpack('>d', string.sub(head, 29, 36)) > tonumber(NOW)
elseif (#head <= 18 or (#head == 19 and first == 45)) and (head == '0' or string.find(head, '^%-?[1-9]%d*$')) then
  live = true
  version = head
end
"""


Argument: TypeAlias = bytes | str | int | float


class Script:
    """A script, with the digest that Redis knows it by."""

    __slots__ = ("digest", "text")

    def __init__(self, text: str) -> None:
        """Take the text in Lua."""
        self.text: Final = text.strip().encode()
        self.digest: Final = sha1(self.text, usedforsecurity=False).hexdigest().encode()

    async def run(self, channel: Channel, keys: Sequence[bytes], *arguments: bytes | str | float) -> Any:  # noqa: ANN401  - what the script gives
        """Run it and give what it gives; raise the error that it ends with."""
        try:
            return await channel.call(("EVALSHA", self.digest, len(keys), *keys, *arguments), key=keys[0])
        except StorageError as error:
            if not _is_unknown(error.__cause__):
                raise
        return await channel.call(("EVAL", self.text, len(keys), *keys, *arguments), key=keys[0])

    async def run_many(self, channel: Channel, calls: Sequence[tuple[bytes, Sequence[Argument]]]) -> list[Any]:
        """Run it once for each key, with its arguments, side by side; give what each gave, or raise the first error.

        Raises `PartialFailureError`, by names, where it was run for some and others could not be reached.
        """
        keys = [key for key, _ in calls]
        try:
            replies = await channel.call_many([self._call(key, given) for key, given in calls], keys=keys)
        except PartialFailureError as partial:
            reached = [call for call in calls if name_text(call[0]) not in partial.failed]
            texts = [name_text(key) for key, _ in reached]
            found = await self._known(channel, reached, [partial.found[text] for text in texts])
            raise PartialFailureError(dict(zip(texts, found, strict=True)), partial.failed) from partial.__cause__
        return await self._known(channel, calls, replies)

    async def _known(
        self, channel: Channel, calls: Sequence[tuple[bytes, Sequence[Argument]]], replies: list[Any]
    ) -> list[Any]:
        """Give the replies, after sending the text to those who did not know the script."""
        for position, reply in enumerate(replies):
            if _is_unknown(reply):
                key, given = calls[position]
                replies[position] = await self.run(channel, (key,), *given)
        return [checked(reply) for reply in replies]

    def _call(self, key: bytes, arguments: Sequence[Argument]) -> Command:
        return ("EVALSHA", self.digest, 1, key, *arguments)


def _is_unknown(error: object) -> bool:
    return isinstance(error, ReplyError | Exception) and code_of(error) == "NOSCRIPT"


STORE: Final = Script(
    _HEAD.replace("NOW", "ARGV[5]")
    + """
local kind, wanted = ARGV[3], ARGV[4]
if kind == 'L' then
  if head ~= wanted then return 0 end
elseif kind == 'S' then
  if version ~= wanted then return 0 end
else
  if live and tagged and version ~= ARGV[6] then return version end
  if live and version == ARGV[6] and ARGV[7] == '0' then live = false end
  if kind == 'A' and live then return 0 end
  if kind == 'P' and not live then return 0 end
  if kind == 'V' and not (live and version == wanted) then return 0 end
end
if ARGV[2] == '' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
"""
)
"""Store ARGV[1] for ARGV[2] milliseconds ('': for ever) if the condition ARGV[3] (Absent, Present, Version, Lease, Same
version though stale) holds for ARGV[4], at the time ARGV[5].

ARGV[6] is a version whose tags were looked at, and ARGV[7] whether it is alive. Gives 1 or 0, or the version whose tags
are to be looked at."""

REMOVE: Final = Script(
    _HEAD.replace("NOW", "ARGV[3]")
    + """
local kind = ARGV[1]
if kind ~= '' then
  if head == '' then return 0 end
  if live and tagged and version ~= ARGV[4] then return version end
  if live and version == ARGV[4] and ARGV[5] == '0' then live = false end
  if kind == 'P' and not live then return 0 end
  if kind == 'V' and not (live and version == ARGV[2]) then return 0 end
  if kind == 'A' and live then return 0 end
  if kind == 'L' and head ~= ARGV[2] then return 0 end
  if kind == 'S' and version ~= ARGV[2] then return 0 end
end
local whole = nil
if kind == '' and live and tagged then whole = redis.call('GET', KEYS[1]) end
redis.call('UNLINK', KEYS[1])
if whole then return whole end
return live and 1 or 0
"""
)
"""Remove if the condition ARGV[1] ('': always) holds for ARGV[2], at the time ARGV[3].

ARGV[4] and ARGV[5] are as the last two of STORE. Gives whether a live item went; the payload of one with tags
that went; or the version whose tags are to be looked at."""

INCREMENT: Final = Script(
    _HEAD.replace("NOW", "ARGV[4]")
    + """
if live and first ~= 0xAC then
  redis.call('INCRBY', KEYS[1], ARGV[1])
  local sum = redis.call('GET', KEYS[1])
  if #sum <= 18 or (#sum == 19 and string.byte(sum, 1) == 45) then return sum end
  redis.call('DECRBY', KEYS[1], ARGV[1])
  return false
end
if live or ARGV[3] == '' then return false end
if ARGV[2] == '' then
  redis.call('SET', KEYS[1], ARGV[3])
else
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
end
return ARGV[3]
"""
)
"""Add ARGV[1] to a bare integer, or begin with ARGV[3] for ARGV[2] milliseconds, at the time ARGV[4]; give the sum.

Gives nothing where what is live is no bare integer, or the sum is none that fits."""

TAKE: Final = Script(
    _HEAD.replace("NOW", "ARGV[3]")
    + """
if first == 0xAD and #head == 17 and redis.call('PTTL', KEYS[1]) > 0 then
  if string.sub(head, 2, 9) ~= string.sub(ARGV[1], 2, 9) then return 0 end
  if (tonumber(string.sub(head, 10)) or 0) > tonumber(string.sub(ARGV[1], 10)) then return 1 end
end
if live and version ~= ARGV[4] then
  if ARGV[5] == '1' then return version end
  return {redis.call('GET', KEYS[1])}
end
if first == 0xAC and version ~= ARGV[4] then return version end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
)
"""Put the lease ARGV[1] under a key that is missing, for ARGV[2] milliseconds, at the time ARGV[3].

ARGV[4] is a version that was found dead, and ARGV[5] is 1 where the key is to be loaded whether live or not. A lease of
the same owner gives way to one with a larger number, and stays before one with a smaller number, which is told that it
may load all the same. What looks like a lease and never ends is none. Gives 1; 0 where somebody else has the key; the
payload that is live, in a list; or the version of an item that is stale, or to be loaded anew, which stays."""

TAKE_BESIDE: Final = Script(
    """
local there = redis.call('GET', KEYS[1])
if there and redis.call('PTTL', KEYS[1]) > 0 then
  if string.sub(there, 2, 9) ~= string.sub(ARGV[1], 2, 9) then return 0 end
  if (tonumber(string.sub(there, 10)) or 0) > tonumber(string.sub(ARGV[1], 10)) then return 1 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
)
"""Put the lease ARGV[1] beside an item that stays, for ARGV[2] milliseconds, unless somebody else's is there.

Those of one owner give way to one another as in TAKE."""

END_LEASE: Final = Script(
    """
local head = redis.call('GETRANGE', KEYS[1], 0, 17)
if #head == 17 and string.byte(head, 1) == 0xAD then return redis.call('DEL', KEYS[1]) end
return 0
"""
)
"""End the lease that lies under a key, whoever holds it."""

EXTEND: Final = Script(
    """
if redis.call('GETRANGE', KEYS[1], 0, 63) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
)
"""Let what is exactly ARGV[1] live for ARGV[2] milliseconds."""

DROP: Final = Script(
    """
if redis.call('GETRANGE', KEYS[1], 0, 63) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
)
"""Remove what is exactly ARGV[1]."""

NOTE_TAG: Final = Script(
    """
local generation = redis.call('GET', KEYS[1])
if not generation or #generation ~= 24 or not string.find(generation, '^%x+$') then
  generation = ARGV[1]
  if ARGV[2] == '' then
    redis.call('SET', KEYS[1], generation)
  else
    redis.call('SET', KEYS[1], generation, 'PX', ARGV[2])
  end
  return generation
end
local left = redis.call('PTTL', KEYS[1])
if left >= 0 then
  if ARGV[2] == '' then
    redis.call('PERSIST', KEYS[1])
  elseif left < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
end
return generation
"""
)
"""Give the generation of a tag, ARGV[1] if it has none; keep it for ARGV[2] milliseconds ('': for ever).

Where it has ARGV[3] left already, nothing is changed: a change is told to all who keep the generation. What is there
and is no generation was put there by somebody else, and counts as none."""

NEXT_GENERATION: Final = Script(
    """
local left = redis.call('PTTL', KEYS[1])
if left == -1 then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', math.max(left, tonumber(ARGV[2])))
end
return 1
"""
)
"""Give a tag the generation ARGV[1], for as long as before and at least ARGV[2] milliseconds."""

LOCK: Final = Script(
    """
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return false end
local time = redis.call('TIME')
local fencing = tonumber(time[1]) * 1000000 + tonumber(time[2])
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if last >= fencing then fencing = last + 1 end
local text = string.format('%.0f', fencing)
redis.call('SET', KEYS[2], text, 'PX', ARGV[3])
return text
"""
)
"""Take the lock KEYS[1] in the name of ARGV[1] for ARGV[2] milliseconds, and give its fencing number.

It is kept as KEYS[2] for ARGV[3] milliseconds: the server's microseconds, or one more than the last, so that it grows
even if that was lost."""


TAKE_TOKENS: Final = Script(
    """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local room, token, refill = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local asked, patience = tonumber(ARGV[4]) * token, tonumber(ARGV[5])
local function up(units)
  local rest = math.fmod(units, refill)
  return (units - rest) / refill + (rest > 0 and 1 or 0)
end
local missing, at = 0, now
local kept = redis.call('GET', KEYS[1])
if kept then
  local first, second = string.match(kept, '^(%d+) (%d+)$')
  if first then missing, at = tonumber(first), tonumber(second) end
end
at = math.min(at, now + up(room))
if now > at then
  missing = math.max(missing - (now - at) * refill, 0)
  at = now
end
local over, wait, given = missing + asked - room, 0, 0
if over > 0 then wait = at - now + up(over) end
if wait <= patience then
  given = 1
  missing = missing + asked
end
local reset = 0
if missing > 0 then
  reset = at - now + up(missing)
  local life = string.format('%.0f', math.ceil(reset / 1000))
  redis.call('SET', KEYS[1], string.format('%.0f %.0f', missing, at), 'PX', life)
end
return {given, math.floor((room - missing) / token), wait, reset}
"""
)
"""Take ARGV[4] tokens out of a bucket, if they are there within ARGV[5] microseconds, by the server's clock.

It is what `management.rate_limit.take` does, with the room, the token and the refill of a rate as ARGV[1] to ARGV[3].
Gives whether they were taken, how many are left, and the microseconds until there are enough and until it is full."""
