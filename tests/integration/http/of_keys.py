"""RFC 9111, sections 2, 4.1 and 4.4: keys, `Vary` and invalidation; RFC 9110 on methods."""

from typing import Final

from tests.integration.http.script import Case, Free, case, step


def apart(title: str, first: str, second: str, **options: Free) -> Case:
    """Ask for two addresses that are not the same."""
    return case(
        "2",
        title,
        step("max-age=60", path=first),
        step("max-age=60", path=second),
        step(path=first, of=0),
        step(path=second, of=1),
        **options,
    )


def alike(title: str, first: str, second: str, **options: Free) -> Case:
    """Ask for two addresses that are the same."""
    return case("2", title, step("max-age=60", path=first), step(path=second, of=0), **options)


def by(vary: str, first: dict[str, str], second: dict[str, str], title: str, *, same: bool) -> Case:
    """Ask twice for what varies by `vary`."""
    says = {"cache-control": "max-age=60", "vary": vary}
    return case("4.1", title, step(says, first), step(asks=second, of=0) if same else step(says, second))


def changed_by(method: str, answers: int = 200, *, kept: bool = False) -> Case:
    """Store a response, use a method on its address, and ask again."""
    title = f"{method} answered by {answers}"
    return case(
        "4.4",
        title,
        step("max-age=60"),
        step(method=method, answers=answers),
        step(of=0) if kept else step("max-age=60"),
    )


def pointed_at(name: str, target: str, title: str, *, kept: bool) -> Case:
    """Store a response under /other, change /page, and let that response point somewhere."""
    last = step(path="/other", of=0) if kept else step("max-age=60", path="/other")
    return case("4.4", title, step("max-age=60", path="/other"), step({name: target}, method="POST", answers=201), last)


CASES: Final = (
    apart("queries", "/page?a=1", "/page?a=2"),
    apart("a query and none", "/page", "/page?a"),
    apart("an empty value and none", "/page?a=", "/page?a"),
    apart("the order of parameters", "/page?a=1&b=2", "/page?b=2&a=1"),
    apart("a parameter that comes twice", "/page?a=1&a=2", "/page?a=2&a=1"),
    apart("a parameter that comes once more", "/page?a=1", "/page?a=1&a=1"),
    apart("semicolons and ampersands", "/page?a=1;b=2", "/page?a=1&b=2"),
    apart("a semicolon in the path", "/page", "/page;x.css"),
    apart("an encoded slash", "/a/b", "/a%2Fb"),
    apart("an encoded question mark", "/a%3Fb", "/a?b"),
    apart("an encoded percent sign", "/a%2541", "/aA"),
    apart("a slash at the end", "/a", "/a/"),
    apart("two slashes", "/a/b", "/a//b"),
    apart("capitals", "/a", "/A"),
    apart("parameters in another order, one of them twice, sorted", "/p?a=1&a=2", "/p?a=2&a=1", sort_query=True),
    alike("an encoded letter", "/page", "/p%61ge"),
    alike("an escape in small letters", "/a%2fb", "/a%2Fb"),
    alike("the order of parameters, where it means nothing", "/p?b=2&a=1&a=0", "/p?a=1&a=0&b=2", sort_query=True),
    alike("a parameter that means nothing", "/p?a=1", "/p?utm_source=x&a=1", ignore_query=("utm_source",)),
    case(
        "2",
        "a host that is not known",
        *(step("max-age=60", {"host": "elsewhere.example"}) for _ in range(2)),
        allowed_hosts=("service.example",),
    ),
    case(
        "2",
        "hosts",
        step("max-age=60", {"host": "a.example"}),
        step("max-age=60", {"host": "b.example"}),
        step(asks={"host": "A.EXAMPLE:80"}, of=0),
    ),
    case("2", "a host that is none", *(step("max-age=60", {"host": "a b/c"}) for _ in range(2))),
    case(
        *("2", "X-Forwarded-Host that is not trusted poisons nobody"),
        step("max-age=60", {"x-forwarded-host": "evil.example"}),
        step("max-age=60"),
        step(asks={"x-forwarded-host": "evil.example"}, of=0),
    ),
    case(
        *("2", "X-Forwarded-Proto that is not trusted poisons nobody"),
        step("max-age=60", {"x-forwarded-proto": "https"}),
        step("max-age=60"),
    ),
    case(
        *("2", "X-Forwarded-Host that is trusted"),
        step("max-age=60", {"x-forwarded-host": "a.example", "host": "inner"}),
        step("max-age=60", {"x-forwarded-host": "b.example", "host": "inner"}),
        step(asks={"x-forwarded-host": "a.example", "host": "other"}, of=0),
        trust_forwarded=True,
    ),
    *(
        case("2", f"a method hidden in {name}", *(step("max-age=60", {name: "DELETE"}) for _ in range(2)))
        for name in ("x-http-method-override", "x-http-method", "x-method-override")
    ),
    case(
        *("4.4", "a method hidden in a header changes, too"),
        step("max-age=60"),
        step(asks={"x-http-method-override": "DELETE"}),
        step("max-age=60"),
    ),
    by("X-A", {"x-a": "1"}, {"x-a": "1"}, "the same value", same=True),
    by("X-A", {"x-a": "1"}, {"x-a": "2"}, "another value", same=False),
    by("X-A", {"x-a": "1"}, {}, "no value", same=False),
    by("X-A", {}, {"x-a": "1"}, "a value where there was none", same=False),
    by("X-A", {}, {"x-a": ""}, "an empty value where there was none", same=False),
    by("X-A", {}, {}, "no value twice", same=True),
    by("X-A", {"x-a": "1"}, {"x-a": "1", "x-b": "2"}, "a field that does not count", same=True),
    by("X-A", {"x-a": "1,2"}, {"x-a": "1,  2"}, "white space in a list", same=True),
    by("X-A", {"x-a": "1, 2"}, {"x-a": "2, 1"}, "another order of a list", same=False),
    by("X-A, X-B", {"x-a": "1", "x-b": "2"}, {"x-a": "1", "x-b": "2"}, "two fields", same=True),
    by("X-A, X-B", {"x-a": "1", "x-b": "2"}, {"x-a": "1", "x-b": "3"}, "two fields, one of them another", same=False),
    by("X-A, X-B", {"x-a": "1", "x-b": "2"}, {"x-a": "2", "x-b": "1"}, "two fields, exchanged", same=False),
    by("x-A", {"X-a": "1"}, {"x-A": "1"}, "names in capitals", same=True),
    by(", X-A,", {"x-a": "1"}, {"x-a": "1"}, "empty members of the list", same=True),
    by("*", {}, {}, "anything", same=False),
    by("*, X-A", {}, {}, "anything, and a field", same=False),
    by("X-A, *", {"x-a": "1"}, {"x-a": "1"}, "a field, and anything", same=False),
    by(", ".join(f"X-{number}" for number in range(20)), {}, {}, "too many fields", same=False),
    case(
        *("4.1", "each language has its response"),
        *(
            step({"cache-control": "max-age=60", "vary": "Accept-Language"}, {"accept-language": each})
            for each in ("de", "en")
        ),
        *(step(asks={"accept-language": each}, of=of) for of, each in enumerate(("de", "en"))),
    ),
    case(
        *("4.1", "no more variants than the options have, the oldest goes"),
        *(step({"cache-control": "max-age=60", "vary": "X-A"}, {"x-a": str(each)}) for each in range(3)),
        step({"cache-control": "max-age=60", "vary": "X-A"}, {"x-a": "0"}),
        step(asks={"x-a": "2"}, of=2),
        max_variants=2,
    ),
    case(
        *("4.1", "a later response varies by more"),
        step({"cache-control": "max-age=60", "vary": "X-A"}, {"x-a": "1", "x-b": "1"}),
        step({"cache-control": "max-age=60", "vary": "X-A, X-B"}, {"x-a": "2", "x-b": "1"}),
        step({"cache-control": "max-age=60", "vary": "X-A, X-B"}, {"x-a": "2", "x-b": "2"}),
        step(asks={"x-a": "2", "x-b": "1"}, of=1),
        step(asks={"x-a": "2", "x-b": "2"}, of=2),
    ),
    case(
        *("4.1", "a later response varies by nothing"),
        step({"cache-control": "max-age=60", "vary": "X-A"}, {"x-a": "1"}),
        step("max-age=60", {"x-a": "2"}),
        step(asks={"x-a": "1"}, of=0),
        step(asks={"x-a": "2"}, of=1),
    ),
    *(changed_by(method) for method in ("POST", "PUT", "DELETE", "PATCH", "FOO")),
    *(changed_by(method, kept=True) for method in ("OPTIONS", "TRACE")),
    *(changed_by("POST", status) for status in (201, 204, 301, 303)),
    *(changed_by("POST", status, kept=True) for status in (400, 403, 404, 409, 500, 503)),
    case(
        "4.4",
        "only the address with that query",
        step("max-age=60", path="/p?a=1"),
        step(method="POST", path="/p"),
        step(path="/p?a=1", of=0),
    ),
    case(
        *("4.4", "all variants"),
        step({"cache-control": "max-age=60", "vary": "X-A"}, {"x-a": "1"}),
        step(method="PUT"),
        step({"cache-control": "max-age=60", "vary": "X-A"}, {"x-a": "1"}),
    ),
    pointed_at("location", "/other", "Location", kept=False),
    pointed_at("location", "other", "a relative Location", kept=False),
    pointed_at("content-location", "/other", "Content-Location", kept=False),
    pointed_at("location", "http://elsewhere.example/other", "a Location on another host", kept=True),
    pointed_at("location", "http://[", "a Location that is none", kept=True),
)
