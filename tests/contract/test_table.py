"""The page that shows calls by storages says what a run of the contract as it is now would say."""

import re

from tests.contract.table import CALLS, COLUMNS, PAGE, checks, counts, page

ENOUGH = 200


def rows(text: str) -> dict[str, list[str]]:
    """Give the rows of all tables by what they begin with."""
    lines = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)
    return {first: rest for first, *rest in (line.split(" | ") for line in lines)}


def test_contract_has_very_many_checks_and_each_makes_a_call() -> None:
    """There are more than two hundred checks, no call of a storage is without one, and none of them calls nothing."""
    known = checks()

    assert len(known) >= ENOUGH
    assert [check for check, calls in known.items() if not calls] == []
    assert [call for call, number in counts(known).items() if number == 0] == []


def test_page_is_of_the_contract_as_it_is() -> None:
    """Each call stands there with as many checks as there are now, on every storage alike."""
    shown, numbers = rows(PAGE.read_text("utf-8")), counts(checks())

    assert {call: shown.get(f"`{call}`") for call in CALLS} == {
        call: [str(numbers[call])] * len(COLUMNS) for call in CALLS
    }, "python -m tests.contract.table writes it anew"


def test_nothing_on_the_page_has_failed() -> None:
    """Every storage that the page names has passed all checks."""
    known = str(len(checks()))
    ran = {name: result for name, result in rows(PAGE.read_text("utf-8")).items() if name.startswith("`test_")}

    assert set(COLUMNS.values()) <= {name.strip("`") for name in ran}
    assert {name: result for name, result in ran.items() if result != [known, "0"]} == {}


def test_page_shows_a_check_that_failed() -> None:
    """A storage that fails a check is not shown to have passed it."""
    first, where = min(checks()), COLUMNS["memory"]
    seen = {where: dict.fromkeys(checks(), True) | {first: False}}

    shown = rows("\n".join(page(seen, {where: ["stores"]})))

    assert shown[f"`{where}`"] == [str(len(checks()) - 1), "1"]
    assert shown["`stores`"][0] == "yes"
    assert shown["`shared`"][0] == "no"
