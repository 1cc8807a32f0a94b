"""RFC 9111, sections 4.2, 5.1 to 5.4 and RFC 5861: how long a response is fresh, and what is given after that."""

from typing import Final

from tests.integration.http.script import BEHIND, INSTEAD, NONE, Case, Free, Said, case, date, step

LIFE: Final = 60


def lives(section: str, title: str, says: Said, seconds: float, **options: Free) -> Case:
    """Ask one second before a response is stale, and when it is."""
    steps = (step(says), step(of=0, wait=seconds - 1), step(says, wait=1))
    return case(section, title, *steps, **options)


def stale(section: str, title: str, says: Said) -> Case:
    """Ask twice for what is stale from the beginning, and say that by a validator it might be kept."""
    return case(section, title, *(step(says) for _ in range(2)))


def asked_at(age: float, asks: Said, title: str, *, given: bool, says: str = "max-age=60", section: str) -> Case:
    """Ask with directives when a response has a certain age."""
    return case(
        section, title, step(says), step(of=0, asks=asks, wait=age) if given else step(says, asks=asks, wait=age)
    )


def failing(title: str, says: str, *, after: float, given: bool, answers: int = 503, asks: Said = None) -> Case:
    """Let the application fail when a response has been stale for some time."""
    more = {"outcome": INSTEAD, "of": 0} if given else {}
    return case("5861.4", title, step(says), step(answers=answers, wait=LIFE + after, asks=asks, **more))


CASES: Final = (
    lives("4.2.1", "max-age", "max-age=60", 60),
    lives("4.2.1", "s-maxage", "s-maxage=60", 60),
    lives("4.2.1", "s-maxage is longer than max-age", "max-age=5, s-maxage=60", 60),
    lives("4.2.1", "s-maxage is shorter than max-age", "s-maxage=5, max-age=60", 5),
    lives("4.2.1", "Expires", {"expires": date(60), "date": date()}, 60),
    lives("4.2.1", "Expires and a Date that is wrong", {"expires": date(60), "date": "yesterday"}, 60),
    lives("4.2.1", "max-age is stronger than Expires", {"expires": date(5), "cache-control": "max-age=60"}, 60),
    lives("4.2.1", "max-age in capitals", "MAX-AGE=60", 60),
    lives("4.2.1", "max-age in quotes", 'max-age="60"', 60),
    lives("4.2.1", "max-age with zeros in front", "max-age=0060", 60),
    lives("4.2.1", "the first max-age counts", "max-age=30, max-age=60", 30),
    lives("4.2.1", "max-age in two lines", {"cache-control": "public", "Cache-Control": "max-age=60"}, 60),
    case("4.2.1", "a max-age of more than 31 bits", step("max-age=99999999999"), step(of=0, wait=86_400)),
    lives("4.2.1", "a directive whose value looks like one", 'x="max-age=5", max-age=60', 60),
    *(
        stale("4.2.1", f"a max-age of {said}", f"max-age={said}")
        for said in ("0", "-1", "1.5", "ten", "", "'60'", "60s", " 60", "6 0", "\u00b2")
    ),
    stale("4.2.1", "a space before the equals sign", "max-age =60"),
    stale("4.2.1", "an s-maxage that is none is stronger than max-age", "s-maxage=x, max-age=60"),
    *(
        stale("5.3", f"an Expires of {said}", {"expires": said, "date": date()})
        for said in ("0", "-1", "", date(0), date(-60), "Thu, 99 Foo 2099 00:00:00 GMT")
    ),
    stale("5.3", "two of Expires", {"expires": date(60), "Expires": date(90), "date": date()}),
    lives("5.3", "Expires as RFC 850 has it", {"expires": "Tuesday, 14-Nov-23 22:14:20 GMT", "date": date()}, 60),
    lives("5.3", "Expires as asctime has it", {"expires": "Tue Nov 14 22:14:20 2023", "date": date()}, 60),
    stale("5.3", "Expires in another zone", {"expires": date(60).replace("GMT", "+0100"), "date": date()}),
    lives("4.2.2", "a default for what says nothing", {}, 60, default_ttl=60),
    lives("4.2.2", "a tenth of the time since Last-Modified", {"last-modified": date(-600)}, 60, heuristic_ratio=0.1),
    lives(
        "4.2.2", "no more than a day by Last-Modified", {"last-modified": date(-(10**8))}, 86_400, heuristic_ratio=0.1
    ),
    case(
        "4.2.2", "Last-Modified alone, if not told to guess", *(step({"last-modified": date(-600)}) for _ in range(2))
    ),
    case(
        "4.2.2",
        "Last-Modified in the future",
        *(step({"last-modified": date(600)}) for _ in range(2)),
        heuristic_ratio=0.1,
    ),
    case(
        "4.2.2",
        "what says how long it is fresh is not guessed at",
        step("max-age=5"),
        step("max-age=5", wait=5),
        default_ttl=60,
    ),
    case(
        "4.2.3",
        "Age of the application",
        step({"cache-control": "max-age=60", "age": "20"}),
        step(of=0, wait=39, shows=(("age", "59"),)),
        step(wait=1),
    ),
    case(
        "4.2.3",
        "Age of more than the lifetime",
        *(step({"cache-control": "max-age=60", "age": "60"}) for _ in range(2)),
    ),
    case("4.2.3", "Age that is none", step({"cache-control": "max-age=60", "age": "x"}), step(of=0, wait=59)),
    case(
        "4.2.3",
        "the first Age counts",
        step({"cache-control": "max-age=60", "age": "20, 50"}),
        step(of=0, wait=39),
        step(wait=1),
    ),
    case(
        "4.2.3",
        "a Date in the past is age",
        step({"cache-control": "max-age=60", "date": date(-20)}),
        step(of=0, wait=39, shows=(("age", "59"),)),
        step(wait=1),
    ),
    case(
        "4.2.3",
        "a Date in the future is no age",
        step({"cache-control": "max-age=60", "date": date(20)}),
        step(of=0, wait=59, shows=(("age", "59"),)),
    ),
    case(
        "5.1",
        "Age counts whole seconds",
        step("max-age=60", hides=("age",)),
        *(step(of=0, wait=1.5, shows=(("age", str(each)),)) for each in (1, 3, 4)),
    ),
    stale("5.2.2.4", "no-cache without a validator", "no-cache, max-age=60"),
    stale("5.2.2.4", "no-cache with an argument that is none", 'no-cache="\u00e4 b", max-age=60'),
    asked_at(0, "no-cache", "no-cache", given=False, section="5.2.1.4"),
    asked_at(0, {"pragma": "no-cache"}, "Pragma: no-cache", given=False, section="5.4"),
    asked_at(
        0,
        {"pragma": "no-cache", "cache-control": "max-age=60"},
        "Pragma beside Cache-Control",
        given=True,
        section="5.4",
    ),
    asked_at(0, {"pragma": "foo"}, "another Pragma", given=True, section="5.4"),
    asked_at(0, "max-age=0", "max-age=0", given=False, section="5.2.1.1"),
    asked_at(10, "max-age=10", "max-age of the age", given=True, section="5.2.1.1"),
    asked_at(11, "max-age=10", "max-age below the age", given=False, section="5.2.1.1"),
    asked_at(10, "max-age=x", "max-age that is none", given=False, section="5.2.1.1"),
    asked_at(49, "min-fresh=10", "min-fresh that is left", given=True, section="5.2.1.3"),
    asked_at(50, "min-fresh=10", "min-fresh that is not left", given=False, section="5.2.1.3"),
    asked_at(0, "no-transform", "no-transform", given=True, section="5.2.1.6"),
    asked_at(0, "foo=bar", "a directive that nobody knows", given=True, section="5.2.1"),
    *(
        case("5.2.1.2", title, step({"cache-control": says, "etag": '"a"'}), step(asks=asks, wait=LIFE + 10, **more))
        for title, says, asks, more in (
            ("max-stale", "max-age=60", "max-stale", {"of": 0}),
            ("max-stale of the time", "max-age=60", "max-stale=10", {"of": 0}),
            ("max-stale below the time", "max-age=60", "max-stale=9", {}),
            ("max-stale with min-fresh", "max-age=60", "max-stale, min-fresh=1", {}),
            ("max-stale against must-revalidate", "max-age=60, must-revalidate", "max-stale", {}),
            ("max-stale against proxy-revalidate", "max-age=60, proxy-revalidate", "max-stale", {}),
            ("max-stale against s-maxage", "s-maxage=60", "max-stale", {}),
        )
    ),
    case("5.2.1.7", "only-if-cached with nothing stored", step(outcome=NONE, asks="only-if-cached", status=504)),
    case("5.2.1.7", "only-if-cached with something stored", step("max-age=60"), step(of=0, asks="only-if-cached")),
    case(
        "5.2.1.7",
        "only-if-cached with something stale",
        step("max-age=60"),
        step(outcome=NONE, asks="only-if-cached", status=504, wait=60),
    ),
    case(
        "5.2.1",
        "directives of requests do not count",
        step("max-age=60"),
        step(of=0, asks="no-cache"),
        step(of=0, asks={"pragma": "no-cache"}),
        client_control=False,
    ),
    case("4.2.4", "a stale response is not given", step("max-age=60"), step("max-age=60", wait=60)),
    case("4.2.4", "a stale response is not given for a failure", step("max-age=60"), step(answers=500, wait=60)),
    *(
        failing(f"{status} within the time", "max-age=60, stale-if-error=30", after=29, given=True, answers=status)
        for status in (500, 502, 503, 504)
    ),
    *(
        failing(f"{status} is no failure", "max-age=60, stale-if-error=30", after=1, given=False, answers=status)
        for status in (400, 404, 429, 501)
    ),
    failing("after the time", "max-age=60, stale-if-error=30", after=30, given=False),
    failing("against must-revalidate", "max-age=60, stale-if-error=30, must-revalidate", after=1, given=False),
    failing("against s-maxage", "s-maxage=60, stale-if-error=30", after=1, given=False),
    failing("a time that is none", "max-age=60, stale-if-error=x", after=1, given=False),
    case(
        "5861.4",
        "the request allows it",
        step({"cache-control": "max-age=60", "etag": '"a"'}),
        step(outcome=INSTEAD, of=0, answers=500, asks="stale-if-error=30", wait=70),
    ),
    case(
        "5861.4",
        "the options allow it",
        step("max-age=60"),
        step(outcome=INSTEAD, of=0, answers=500, wait=89),
        step(answers=500, wait=1),
        stale_if_error=30,
    ),
    case(
        "5861.4",
        "no-cache in the request while the application fails",
        step("max-age=60, stale-if-error=30"),
        step(outcome=INSTEAD, of=0, answers=500, asks="no-cache"),
    ),
    *(
        case(
            "5861.3",
            title,
            step(says),
            step(outcome=BEHIND, of=0, wait=LIFE + 1, says="max-age=60"),
            step(of=1, wait=1),
            **options,
        )
        for title, says, options in (
            ("a stale response is given, and the next one is new", "max-age=60, stale-while-revalidate=30", {}),
            ("the options allow it", "max-age=60", {"stale_while_revalidate": 30}),
        )
    ),
    *(
        case("5861.3", title, step(says), step(wait=wait))
        for title, says, wait in (
            ("after the time", "max-age=60, stale-while-revalidate=30", 90),
            ("against must-revalidate", "max-age=60, stale-while-revalidate=30, must-revalidate", 61),
            ("against s-maxage", "s-maxage=60, stale-while-revalidate=30", 61),
            ("a time that is none", "max-age=60, stale-while-revalidate=x", 61),
        )
    ),
)
