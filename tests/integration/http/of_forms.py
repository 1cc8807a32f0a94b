"""Fields in odd forms: RFC 9110, 5.3 and 5.6; RFC 9111, 4.1, 4.2.3, 4.4, 5.3 and 5.4; RFC 9213.

The groups are those of the public suites of HTTP caches that the other files here do not have: how each field is taken
apart, what each field of a 304 changes, and fields that are for others. Where the standard leaves it open, what is
expected is what lets the cache do less.
"""

from typing import Final

from tests.integration.http.script import VALIDATED, Case, Said, case, date, step

FRESH_AND_TAGGED: Final = {"cache-control": "max-age=60", "etag": '"a"'}


def aged(title: str, age: Said, seconds: float) -> Case:
    """Store what says to be of an age with a lifetime of a minute, and ask until it has passed."""
    says = {"cache-control": "max-age=60", **age}
    return case("4.2.3", title, step(says), step(of=0, wait=60 - seconds - 1), step(says, wait=1))


def lives(section: str, title: str, says: Said, seconds: float = 60) -> Case:
    """Ask one second before a response is stale, and when it is."""
    return case(section, title, step(says), step(of=0, wait=seconds - 1), step(says, wait=1))


def never(section: str, title: str, says: Said, asks: Said = None) -> Case:
    """Ask twice for what is not to be given twice."""
    return case(section, title, *(step(says, asks) for _ in range(2)))


def expires(title: str, said: str) -> Case:
    """Ask twice for what expires at a date that is none."""
    return never("5.3", f"an Expires {title}", {"expires": said, "date": date()})


def updated(name: str, *, is_new: bool = True, old: str = "old", new: str = "new") -> Case:
    """Let a 304 tell another value of a field, and look what is given from then on."""
    last = new if is_new else old
    return case(
        *("3.2", f"a 304 {'changes' if is_new else 'leaves'} {name}"),
        step({**FRESH_AND_TAGGED, name: old}),
        step({name: new}, wait=60, answers=304, outcome=VALIDATED, of=0, status=200, shows=((name, last),)),
        step(of=0, wait=1, shows=((name, last),)),
    )


def moved(method: str, name: str) -> Case:
    """Store a response elsewhere, and let the answer to a method point there."""
    return case(
        *("4.4", f"{name} in the answer to a {method}"),
        step("max-age=60", path="/other"),
        step({name: "/other"}, method=method),
        step("max-age=60", path="/other"),
    )


def poisoned(title: str, first: dict[str, str], second: dict[str, str]) -> Case:
    """Ask for the same page, with a line more and without it."""
    return case("2", title, step("max-age=60", first), step("max-age=60", second))


CASES: Final = (
    # --- Age
    aged("Age of zero", {"age": "0"}, 0),
    aged("Age with zeros in front", {"age": "0020"}, 20),
    aged("Age in two lines, of which the first counts", {"age": "20", "Age": "50"}, 20),
    aged("Age below zero is none", {"age": "-20"}, 0),
    aged("Age that is no whole number is none", {"age": "20.5"}, 0),
    aged("Age with a parameter is none", {"age": "20;a=b"}, 0),
    aged("Age in quotes is none", {"age": '"20"'}, 0),
    aged("Age that is empty is none", {"age": ""}, 0),
    aged("a Date in the past beside a smaller Age", {"age": "5", "date": date(-20)}, 20),
    aged("a Date in the past beside a larger Age", {"age": "20", "date": date(-5)}, 20),
    never("4.2.3", "Age of more than 31 bits", {"cache-control": "max-age=60", "age": "99999999999"}),
    case(
        *("4.2.3", "Age adds up over two caches"),
        step({"cache-control": "max-age=60", "age": "30"}),
        step(of=0, wait=10, shows=(("age", "40"),)),
    ),
    # --- Cache-Control
    lives("5.2", "directives with tabs between", "public,\tmax-age=60"),
    lives("5.2", "an argument in quotes with an escape", 'max-age="6\\0"'),
    lives("5.2", "a name that begins like a directive", "max-age-x=5, xmax-age=5, max-age=60"),
    lives("5.2", "a directive in single quotes is none", "'no-store', max-age=60"),
    lives("5.2", "Cache-Control is empty beside Expires", {"cache-control": "", "expires": date(60), "date": date()}),
    lives("5.2", "immutable changes nothing for a shared cache", "max-age=60, immutable"),
    never(
        "5.2",
        "no-store among others in one line of several",
        {"cache-control": "max-age=60", "Cache-control": "a, no-store"},
    ),
    never("5.2", "no-store with a semicolon behind max-age", "max-age=60; no-store"),
    never("5.2", "max-age with a unit", "max-age=60s"),
    never("5.2", "max-age with a plus", "max-age=+60"),
    # --- Expires
    expires("of one digit", "Wed, 1 Nov 2034 22:14:20 GMT"),
    expires("with a year of two digits", "Wed, 15 Nov 34 22:14:20 GMT"),
    expires("without a weekday", "15 Nov 2034 22:14:20 GMT"),
    expires("without a comma", "Wed 15 Nov 2034 22:14:20 GMT"),
    expires("without a zone", "Wed, 15 Nov 2034 22:14:20"),
    expires("in UTC", "Wed, 15 Nov 2034 22:14:20 UTC"),
    expires("in Australia", "Wed, 15 Nov 2034 22:14:20 AEST"),
    expires("with two spaces", "Wed, 15  Nov 2034 22:14:20 GMT"),
    expires("with hyphens", "Wed, 15-Nov-2034 22:14:20 GMT"),
    expires("with points in the time", "Wed, 15 Nov 2034 22.14.20 GMT"),
    expires("with an hour of one digit", "Wed, 15 Nov 2034 2:14:20 GMT"),
    expires("with an hour there is none of", "Wed, 15 Nov 2034 24:14:20 GMT"),
    expires("in quotes", '"Wed, 15 Nov 2034 22:14:20 GMT"'),
    expires("in seconds since the epoch", "2047155260"),
    expires("as ISO has it", "2034-11-15T22:14:20Z"),
    lives("5.3", "Expires in capitals", {"expires": date(60).upper(), "date": date()}),
    lives("5.3", "Expires in small letters", {"expires": date(60).lower(), "date": date()}),
    lives("5.3", "a weekday that is wrong", {"expires": f"Sun{date(60)[3:]}", "date": date()}),
    lives("5.3", "Expires is no shorter for a Date in the future", {"expires": date(120), "date": date(60)}),
    # --- Pragma, Warning and fields for others
    lives("5.4", "Pragma: no-cache in a response says nothing", {"cache-control": "max-age=60", "pragma": "no-cache"}),
    never(
        "5.4",
        "Pragma: no-cache beside Expires in a request",
        {"expires": date(60), "date": date()},
        {"pragma": "NO-CACHE"},
    ),
    lives(
        "9213",
        "a field for CDNs keeps nothing longer",
        {"cache-control": "max-age=60", "cdn-cache-control": "max-age=600"},
    ),
    lives(
        "9213",
        "a field for surrogates keeps nothing longer",
        {"cache-control": "max-age=60", "surrogate-control": "max-age=600"},
    ),
    never("9213", "a field for CDNs alone permits nothing", {"cdn-cache-control": "max-age=60"}),
    never(
        "9213",
        "a field for CDNs does not take back no-store",
        {"cache-control": "no-store", "cdn-cache-control": "max-age=60"},
    ),
    # --- Vary
    case(
        *("4.1", "Vary in two lines"),
        *(
            step({"cache-control": "max-age=60", "vary": "X-A", "Vary": "X-B"}, {"x-a": "1", "x-b": each})
            for each in "12"
        ),
        *(step(asks={"x-a": "1", "x-b": each}, of=of) for of, each in enumerate("12")),
    ),
    never("4.1", "a star in a second line", {"cache-control": "max-age=60", "vary": "X-A", "Vary": "*"}),
    lives("4.1", "an empty Vary", {"cache-control": "max-age=60", "vary": ""}),
    case(
        *("4.1", "a field in two lines and in one"),
        step({"cache-control": "max-age=60", "vary": "X-A"}, {"x-a": "1", "X-A": "2"}),
        step(asks={"x-a": "1, 2"}, of=0),
    ),
    case(
        *("4.1", "commas in quotes"),
        step({"cache-control": "max-age=60", "vary": "X-A"}, {"x-a": '"a, b"'}),
        step({"cache-control": "max-age=60", "vary": "X-A"}, {"x-a": '"a,b"'}),
    ),
    # --- what a 304 changes
    *(updated(name) for name in ("x-test", "content-language", "content-location", "link", "cache-tag-of-others")),
    updated("expires", old=date(10), new=date(600)),
    updated("content-type", old="text/plain", new="text/plain; charset=utf-8"),
    updated("content-security-policy", old="default-src 'none'", new="default-src 'self'"),
    *(updated(name, is_new=False) for name in ("content-encoding", "content-md5")),
    updated("x-frame-options", old="deny", new="sameorigin"),
    # --- methods
    *(moved(method, name) for method in ("PUT", "DELETE", "PATCH") for name in ("location", "content-location")),
    case(
        *("9.3.2", "HEAD does not change anything"),
        step("max-age=60"),
        step({"location": "/page", "cache-control": "max-age=60"}, method="HEAD", path="/new"),
        step(of=0),
    ),
    case("9.3.8", "the response to a TRACE", *(step("max-age=60", method="TRACE") for _ in range(2))),
    # --- poisoning
    poisoned(
        "a second line of X-Forwarded-Host",
        {"x-forwarded-host": "evil.example", "X-Forwarded-Host": "a.example"},
        {"x-forwarded-host": "a.example"},
    ),
    poisoned(
        "a second line of X-Forwarded-Proto",
        {"x-forwarded-proto": "http", "X-Forwarded-Proto": "https"},
        {"x-forwarded-proto": "https"},
    ),
    *(
        poisoned(f"the field {name}", {name: "evil.example"}, {})
        for name in (
            *("x-forwarded-scheme", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-server", "x-forwarded-ssl"),
            *("x-host", "x-http-host-override", "x-original-host", "x-original-url", "x-rewrite-url", "x-url-scheme"),
            "front-end-https",
        )
    ),
    poisoned("the host of Forwarded", {"forwarded": "for=192.0.2.1;host=evil.example"}, {}),
    poisoned("the protocol of Forwarded", {"forwarded": "for=192.0.2.1; Proto=http"}, {"forwarded": "for=192.0.2.1"}),
    poisoned(
        "a second element of Forwarded",
        {"forwarded": "host=a.example, host=evil.example"},
        {"forwarded": "host=a.example"},
    ),
    case(
        *("2", "clients of Forwarded share"),
        step("max-age=60", {"forwarded": "for=192.0.2.1;proto=https"}),
        step(asks={"forwarded": "for=192.0.2.2;proto=https"}, of=0),
    ),
    case(
        *("2", "two lines of Host"),
        *(step("max-age=60", {"host": "evil.example", "Host": "service.example"}) for _ in range(2)),
        step("max-age=60", {"host": "service.example"}),
    ),
)
