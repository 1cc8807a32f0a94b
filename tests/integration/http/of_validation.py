"""RFC 9111, sections 3.2, 4.3 and 5; RFC 9110, 13 and 15.4.5: validators, 304, HEAD and `Cache-Status`."""

from typing import Final

from tests.integration.http.script import ANYTHING, VALIDATED, Case, case, date, step

TAGGED: Final = {"cache-control": "max-age=60", "etag": '"a"', "last-modified": date(-100)}


def condition(title: str, asks: dict[str, str], *, unchanged: bool, says: dict[str, str] | None = None) -> Case:
    """Ask for a stored response with a condition."""
    status = 304 if unchanged else 200
    return case("4.3.2", title, step(says or TAGGED), step(asks=asks, of=0, status=status))


def confirmed(
    title: str, says: dict[str, str], sees: dict[str, str | None], told: dict[str, str] | None = None
) -> Case:
    """Let the application confirm a stale response."""
    last = step(told or {}, wait=60, answers=304, outcome=VALIDATED, of=0, status=200, sees=tuple(sees.items()))
    return case("4.3.1", title, step(says), last, step(of=0, wait=59))


CASES: Final = (
    *(
        condition(f"If-None-Match with {title}", {"if-none-match": said}, unchanged=unchanged)
        for title, said, unchanged in (
            ("the tag", '"a"', True),
            ("the tag, weak", 'W/"a"', True),
            ("the tag among others", '"x", "a"', True),
            ("the tag among others, without a space", '"x","a"', True),
            ("a star", "*", True),
            ("another tag", '"b"', False),
            ("the tag without quotes", "a", False),
            ("the tag in capitals", '"A"', False),
            ("a tag that holds a comma", '"x,a"', False),
        )
    ),
    condition(
        "a weak tag of the application", {"if-none-match": '"a"'}, unchanged=True, says={**TAGGED, "etag": 'W/"a"'}
    ),
    condition(
        "If-None-Match is stronger than the date",
        {"if-none-match": '"b"', "if-modified-since": date(0)},
        unchanged=False,
    ),
    condition("If-Modified-Since at the date", {"if-modified-since": date(-100)}, unchanged=True),
    condition("If-Modified-Since after the date", {"if-modified-since": date(-50)}, unchanged=True),
    condition("If-Modified-Since before the date", {"if-modified-since": date(-101)}, unchanged=False),
    condition("If-Modified-Since that is no date", {"if-modified-since": "yesterday"}, unchanged=False),
    condition(
        "If-Modified-Since and no Last-Modified, but Date",
        {"if-modified-since": date(0)},
        unchanged=True,
        says={"cache-control": "max-age=60", "date": date(0)},
    ),
    case(
        "4.3.2",
        "what is no 200 meets no condition",
        step(TAGGED, answers=301),
        step(asks={"if-none-match": '"a"'}, of=0, status=301),
    ),
    *(
        case("4.3.2", f"{name} is for the application", step(TAGGED), step(TAGGED, {name: said}), step(of=0))
        for name, said in (
            ("if-match", '"a"'),
            ("if-unmodified-since", date(0)),
            ("range", "bytes=0-1"),
            ("if-range", '"a"'),
        )
    ),
    case(
        *("4.3.2", "conditions are kept from an application that is asked for all"),
        step(
            TAGGED,
            {"if-none-match": '"x"', "if-modified-since": date(0)},
            sees=(("if-none-match", None), ("if-modified-since", None)),
        ),
        step(of=0),
    ),
    case(
        "4.3.2",
        "a client that has it already, of a new response",
        step(TAGGED, {"if-none-match": '"a"'}, status=304),
        step(of=0),
    ),
    case(
        *("4.3.2", "a client that has it already, of a response that is not stored"),
        step({"etag": '"a"', "cache-control": "private"}, {"if-none-match": '"a"'}, status=304),
    ),
    case(
        *("15.4.5", "what a 304 tells"),
        step(
            {
                **TAGGED,
                "content-type": "text/plain",
                "content-language": "de",
                "vary": "X-A",
                "expires": date(60),
                "content-location": "/a",
                "x-a": "1",
            }
        ),
        step(
            asks={"if-none-match": '"a"'},
            of=0,
            status=304,
            shows=(
                ("etag", '"a"'),
                ("cache-control", "max-age=60"),
                ("vary", "X-A"),
                ("expires", date(60)),
                ("content-location", "/a"),
                ("age", "0"),
            ),
            hides=("content-type", "content-language", "content-length", "last-modified"),
        ),
    ),
    case(
        "15.4.5",
        "a 304 without a tag tells the date",
        step({"cache-control": "max-age=60", "last-modified": date(-9)}),
        step(asks={"if-modified-since": date(0)}, of=0, status=304, shows=(("last-modified", date(-9)),)),
        etag=False,
    ),
    confirmed(
        "by a tag", {"cache-control": "max-age=60", "etag": '"a"'}, {"if-none-match": '"a"', "if-modified-since": None}
    ),
    confirmed("by a weak tag", {"cache-control": "max-age=60", "etag": 'W/"a"'}, {"if-none-match": 'W/"a"'}),
    confirmed(
        "by a date",
        {"cache-control": "max-age=60", "last-modified": date(-9)},
        {"if-modified-since": date(-9), "if-none-match": None},
    ),
    confirmed("by both", TAGGED, {"if-none-match": '"a"', "if-modified-since": date(-100)}),
    confirmed("by a 304 with the tag", TAGGED, {}, {"etag": '"a"'}),
    confirmed("by a 304 with a Date", {**TAGGED, "date": date(0)}, {}, {"date": date(60)}),
    confirmed(
        "by a 304 with a new lifetime", {**TAGGED, "cache-control": "max-age=30"}, {}, {"cache-control": "max-age=60"}
    ),
    case(
        "4.3.1",
        "a tag of ours is not asked about",
        step("max-age=60"),
        step(wait=60, sees=(("if-none-match", None), ("if-modified-since", None))),
    ),
    case(
        "4.3.1",
        "a stale response with a validator is kept no longer than the options have it",
        step(TAGGED),
        step(TAGGED, wait=66, sees=(("if-none-match", None),)),
        keep_stale=5,
    ),
    case(
        *("4.3.1", "no-cache asks each time"),
        step({"cache-control": "no-cache", "etag": '"a"'}),
        *(step(answers=304, outcome=VALIDATED, of=0, status=200, sees=(("if-none-match", '"a"'),)) for _ in range(2)),
    ),
    case(
        "4.3.1",
        "no-cache in the request asks",
        step(TAGGED),
        step(asks="no-cache", answers=304, outcome=VALIDATED, of=0, status=200, sees=(("if-none-match", '"a"'),)),
    ),
    case(
        "4.3.3",
        "a new response takes the place of the stale one",
        step(TAGGED),
        step({**TAGGED, "etag": '"b"'}, wait=60),
        step(of=1),
    ),
    case(
        "4.3.3",
        "a new response that is not to be stored",
        step(TAGGED),
        step("no-store", wait=60),
        step(TAGGED, sees=(("if-none-match", None),)),
    ),
    case(
        "4.3.3",
        "a failure leaves the stale one",
        step(TAGGED),
        step(answers=503, wait=60),
        step(answers=304, outcome=VALIDATED, of=0, status=200),
    ),
    case(
        *("4.3.3", "the condition of the client after one of ours"),
        step(TAGGED),
        step(asks={"if-none-match": '"a"'}, wait=60, answers=304, outcome=VALIDATED, of=0, status=304),
        step(
            asks={"if-none-match": '"x"'},
            wait=60,
            answers=304,
            outcome=VALIDATED,
            of=0,
            status=200,
            sees=(("if-none-match", '"a"'),),
        ),
    ),
    case(
        *("4.3.4", "headers of a 304 are merged"),
        step({**TAGGED, "x-a": "1", "x-b": "1", "content-type": "text/plain"}),
        step(
            {"x-a": "2", "x-c": "3", "content-length": "0", "content-encoding": "br"},
            wait=60,
            answers=304,
            outcome=VALIDATED,
            of=0,
            status=200,
            shows=(("x-a", "2"), ("x-b", "1"), ("x-c", "3")),
        ),
        step(
            of=0,
            shows=(("x-a", "2"), ("x-b", "1"), ("x-c", "3"), ("content-type", "text/plain")),
            hides=("content-encoding",),
        ),
    ),
    case(
        "4.3.4",
        "a 304 that says no-store ends it",
        step(TAGGED),
        step("no-store", wait=60, answers=304, outcome=VALIDATED, of=0, status=200),
        step(TAGGED, sees=(("if-none-match", None),)),
    ),
    case(
        *("4.3.4", "a 304 that sets a cookie does so for its client"),
        step(TAGGED),
        step(
            {"set-cookie": "a=b"},
            wait=60,
            answers=304,
            outcome=VALIDATED,
            of=0,
            status=200,
            shows=(("set-cookie", "a=b"),),
        ),
        step(TAGGED, hides=("set-cookie",), sees=(("if-none-match", None),)),
    ),
    case(
        "4.3.4",
        "variants are asked about one by one",
        *(step({**TAGGED, "etag": f'"{each}"', "vary": "X-A"}, {"x-a": str(each)}) for each in range(2)),
        step(
            asks={"x-a": "1"},
            wait=60,
            answers=304,
            outcome=VALIDATED,
            of=1,
            status=200,
            sees=(("if-none-match", '"1"'),),
        ),
    ),
    case(
        "4.3.5",
        "HEAD from a stored GET",
        step(TAGGED),
        step(method="HEAD", of=0, shows=(("etag", '"a"'), ("content-length", "6"))),
    ),
    case("4.3.5", "GET after HEAD", step(TAGGED, method="HEAD"), step(TAGGED), step(of=1)),
    case(
        "4.3.5",
        "HEAD with a condition",
        step(TAGGED),
        step(method="HEAD", asks={"if-none-match": '"a"'}, of=0, status=304),
    ),
    case(
        "4.3.5",
        "a HEAD that tells of another response",
        step(TAGGED),
        step({**TAGGED, "etag": '"b"'}, method="HEAD", wait=60),
        step(sees=(("if-none-match", None),)),
    ),
    case(
        "4.3.5",
        "a HEAD that tells of the same response",
        step(TAGGED),
        step(TAGGED, method="HEAD", wait=60),
        step(answers=304, outcome=VALIDATED, of=0, status=200),
    ),
    case(
        "8.8.3",
        "what has no tag is given one",
        step("max-age=60", shows=(("etag", ANYTHING),)),
        step(of=0, shows=(("etag", ANYTHING),)),
    ),
    case(
        "8.8.3", "what has a tag keeps it", step(TAGGED, shows=(("etag", '"a"'),)), step(of=0, shows=(("etag", '"a"'),))
    ),
    case(
        "8.8.3",
        "no tag where the options have none",
        step("max-age=60", hides=("etag",)),
        step(of=0, hides=("etag",)),
        etag=False,
    ),
    case(
        *("9211", "what was done is told"),
        step(TAGGED, shows=(("cache-status", "aiocache_kit; fwd=uri-miss; stored"), ("x-cache", "MISS"))),
        step(of=0, wait=1, shows=(("cache-status", "aiocache_kit; hit; ttl=59"), ("x-cache", "HIT"))),
        step(TAGGED, "no-cache", shows=(("cache-status", "aiocache_kit; fwd=request; stored"),)),
        step("private", wait=60, shows=(("cache-status", "aiocache_kit; fwd=stale; detail=private"),)),
        step(method="POST", shows=(("cache-status", "aiocache_kit; fwd=method"),)),
        step(asks={"range": "bytes=0-0"}, shows=(("cache-status", "aiocache_kit; fwd=bypass; detail=range"),)),
        x_cache=True,
    ),
    case(
        *("9211", "a confirmation is told"),
        step(TAGGED),
        step(
            wait=60,
            answers=304,
            outcome=VALIDATED,
            of=0,
            status=200,
            shows=(("cache-status", "aiocache_kit; fwd=stale; fwd-status=304; stored"),),
        ),
    ),
    case(
        "9211",
        "what the application says of other caches stays",
        step({"cache-control": "max-age=60", "cache-status": "other; hit"}),
        step(of=0, shows=(("cache-status", "other; hit, aiocache_kit; hit; ttl=60"),)),
    ),
    case(
        "9211",
        "another name",
        step("max-age=60", shows=(("cache-status", "edge; fwd=uri-miss; stored"),)),
        cache_status="edge",
    ),
    case(
        "9211",
        "nothing is told",
        step("max-age=60", hides=("cache-status", "x-cache")),
        step(of=0, hides=("cache-status",)),
        cache_status=None,
    ),
    case(
        "cache-tag",
        "tags do not reach clients",
        step({"cache-control": "max-age=60", "cache-tag": "a, b"}, hides=("cache-tag",)),
        step(of=0, hides=("cache-tag",)),
    ),
    case(
        "cache-tag",
        "tags reach clients where the options have it",
        step({"cache-control": "max-age=60", "cache-tag": "a, b"}, shows=(("cache-tag", "a, b"),)),
        expose_tags=True,
    ),
)
