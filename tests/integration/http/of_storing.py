"""RFC 9111, section 3: what may be stored."""

from typing import Final

from tests.integration.http.script import Case, Free, Said, case, date, step

KEPT = step("max-age=60", of=0)


def twice(section: str, title: str, says: Said, *, kept: bool, asks: Said = None, **rest: Free) -> Case:
    """Ask the same twice: the second request is answered from the cache if the first response was `kept`."""
    first = step(says, asks, **rest)
    again = {**rest, "of": 0} if kept else rest
    if kept:
        again["status"] = rest.get("answers", 200)
    return case(section, title, first, step(says, asks, **again))


def by_status(status: int, *, kept: bool, explicit: bool = True) -> Case:
    """Ask twice for a response of a status."""
    title = f"a {status} {'that says how long it is fresh' if explicit else 'that says nothing'}"
    says = "max-age=60" if explicit else None
    first = step(says, answers=status, body=b"" if status in {204, 304} else None)
    second = step(says, answers=status, of=0, status=status) if kept else first
    return case("3", title, first, second, default_ttl=60)


CASES: Final = (
    *(by_status(status, kept=True) for status in (200, 203, 204, 300, 301, 302, 303, 307, 308)),
    *(by_status(status, kept=False) for status in (201, 202, 400, 401, 403, 404, 405, 410, 414, 451, 500, 501, 502)),
    *(by_status(status, kept=False) for status in (503, 504, 599)),
    *(by_status(status, kept=True, explicit=False) for status in (200, 203, 204, 300, 301, 308)),
    *(by_status(status, kept=False, explicit=False) for status in (302, 303, 307, 404)),
    case(
        "3",
        "a 404 where the options have it",
        *(step("max-age=9", answers=404, **more) for more in ({}, {"of": 0, "status": 404})),
        statuses={200, 404},
    ),
    *(
        case("3", f"the response to a {method}", step("max-age=60", method=method), step("max-age=60"))
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS")
    ),
    twice("3", "max-age", "max-age=60", kept=True),
    twice("3", "s-maxage", "s-maxage=60", kept=True),
    twice("3", "Expires", {"expires": date(60), "date": date()}, kept=True),
    twice("3", "Expires without Date", {"expires": date(60)}, kept=True),
    twice("3", "nothing that permits to store", {}, kept=False),
    twice("3", "a validator and nothing that permits to store", {"etag": '"a"'}, kept=False),
    twice("3", "public without freshness", "public", kept=False),
    twice("3", "private", "private, max-age=60", kept=False),
    twice("3", "private in capitals", "PRIVATE, max-age=60", kept=False),
    twice("3", "private with an empty list of fields", 'private="", max-age=60', kept=False),
    twice("3", "private with a list that is never closed", 'private="a, max-age=60', kept=False),
    twice("3", "no-store", "no-store, max-age=60", kept=False),
    twice("3", "no-store behind a quote that is never closed", 'max-age=60, x="a, no-store', kept=False),
    twice("3", "no-store with an argument", "no-store=1, max-age=60", kept=False),
    twice("3", "no-store and a name in quotes is no directive", 'max-age=60, x="no-store"', kept=True),
    twice(
        "3", "no-store in a line of its own", {"cache-control": "max-age=60", "Cache-Control": "no-store"}, kept=False
    ),
    twice("3", "no-store in the request", "max-age=60", asks="no-store", kept=False),
    twice("3", "a directive that nobody knows", "max-age=60, foobar=3, x-y", kept=True),
    twice("3", "no space between directives", "public,max-age=60,must-revalidate", kept=True),
    twice("3", "empty members of the list", ", ,max-age=60,,", kept=True),
    twice("3", "Content-Range in a 200", {"cache-control": "max-age=60", "content-range": "bytes 0-1/2"}, kept=False),
    case(
        "3.1",
        "hop-by-hop fields",
        step({"cache-control": "max-age=60", "keep-alive": "timeout=5"}),
        step(of=0, hides=("keep-alive",)),
    ),
    case(
        *("3.1", "fields that Connection names"),
        step({"cache-control": "max-age=60", "connection": "x-a, x-b", "x-a": "1", "x-c": "3"}),
        step(of=0, shows=(("x-c", "3"),), hides=("x-a",)),
    ),
    case(
        *("3.1", "fields that private names"),
        step({"cache-control": 'max-age=60, private="X-A"', "x-a": "1", "x-c": "3"}, shows=(("x-a", "1"),)),
        step(of=0, shows=(("x-c", "3"),), hides=("x-a",)),
    ),
    case(
        *("3.1", "fields that no-cache names"),
        step({"cache-control": 'max-age=60, no-cache="X-A"', "x-a": "1", "x-c": "3"}),
        step(of=0, shows=(("x-c", "3"),), hides=("x-a",)),
    ),
    *(
        case(
            "3.1",
            f"the field {name}",
            step({"cache-control": "max-age=60", name: said}),
            step(of=0, shows=((name, said),)),
        )
        for name, said in (
            ("x-test", "one, two"),
            ("content-type", "text/plain; charset=latin-1"),
            ("content-language", "de"),
            ("content-disposition", "inline"),
            ("access-control-allow-origin", "*"),
            ("link", "<a>; rel=next"),
            ("etag", '"abc"'),
            ("last-modified", date(-100)),
            ("date", date(0)),
            ("expires", date(60)),
            ("x-empty", ""),
        )
    ),
    twice(
        "3.3",
        "a body of the length that was told",
        {"cache-control": "max-age=60", "content-length": "4"},
        kept=True,
        body=b"abcd",
    ),
    case("3.3", "a body that is too large", *(step("max-age=60", body=b"x" * 300) for _ in range(2)), max_body=256),
    case(
        "3.3",
        "headers that are too large",
        *(step({"cache-control": "max-age=60", "x-large": "x" * 300}) for _ in range(2)),
        max_body=256,
    ),
    twice("3.3", "a part of a response", "max-age=60", asks={"range": "bytes=0-1"}, kept=False, answers=206),
    twice("3.5", "Authorization", "max-age=60", asks={"authorization": "Basic eA=="}, kept=False),
    *(
        twice(
            "3.5", f"Authorization and {said}", f"max-age=60, {said}", asks={"authorization": "Basic eA=="}, kept=True
        )
        for said in ("public", "s-maxage=60", "must-revalidate")
    ),
    twice(
        "3.5",
        "Authorization and proxy-revalidate",
        "max-age=60, proxy-revalidate",
        asks={"authorization": "x"},
        kept=False,
    ),
    twice(
        *("3.5", "Authorization and Vary by it"),
        {"cache-control": "max-age=60", "vary": "Authorization"},
        asks={"authorization": "x"},
        kept=False,
    ),
    case(
        "3.5",
        "what nobody's credentials got is not for who has some",
        step("max-age=60"),
        step("max-age=60", {"authorization": "x"}),
    ),
    *(
        case(section, f"what {name} got is not for nobody", step("max-age=60", {name: "x"}), step("max-age=60"))
        for section, name in (("3.5", "authorization"), ("7.3", "cookie"))
    ),
    case(
        "3.5",
        "what is for all is for who has credentials",
        step("public, max-age=60"),
        step(asks={"authorization": "x"}, of=0),
    ),
    case(
        "3.5",
        "what credentials got and is for all is for all",
        step("public, max-age=60", {"authorization": "x"}),
        step(of=0),
    ),
    twice("7.3", "Set-Cookie", {"cache-control": "public, max-age=60", "set-cookie": "a=b"}, kept=False),
    twice("7.3", "Cookie", "max-age=60", asks={"cookie": "a=b"}, kept=False),
    twice("7.3", "Cookie and public", "public, max-age=60", asks={"cookie": "a=b"}, kept=True),
    twice("7.3", "Cookie and must-revalidate", "max-age=60, must-revalidate", asks={"cookie": "a=b"}, kept=False),
    twice(
        "7.3",
        "Cookie and Vary by it",
        {"cache-control": "max-age=60", "vary": "Cookie"},
        asks={"cookie": "a=b"},
        kept=True,
    ),
    case(
        *("7.3", "another Cookie and Vary by it"),
        step({"cache-control": "max-age=60", "vary": "Cookie"}, {"cookie": "a=b"}),
        step({"cache-control": "max-age=60", "vary": "Cookie"}, {"cookie": "a=c"}),
        step(asks={"cookie": "a=b"}, of=0),
        step(asks={"cookie": "a=c"}, of=1),
    ),
    case(
        "7.3",
        "a Cookie that means nothing, by the options",
        step("max-age=60", {"cookie": "a=b"}),
        step(asks={"cookie": "c=d"}, of=0),
        personal_headers=("authorization",),
    ),
    case(
        "7.3",
        "a key of an API, by the options",
        *(step("max-age=60", {"x-api-key": "1"}) for _ in range(2)),
        personal_headers=("authorization", "cookie", "X-Api-Key"),
    ),
    twice(
        "5.2.2.3",
        "must-understand and no-store with a status that is understood",
        "must-understand, no-store, max-age=60",
        kept=True,
    ),
    case(
        "5.2.2.3",
        "must-understand with a status that is not",
        *(step("must-understand, max-age=60", answers=299) for _ in range(2)),
        statuses={200, 299},
    ),
)
