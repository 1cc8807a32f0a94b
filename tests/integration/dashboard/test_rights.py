"""Who may read and change through the page: tokens, and what pages of other origins try in vain."""

import json

import pytest
from playwright.async_api import Page, expect
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from aiocache_kit.integrations.dashboard import Dashboard
from tests.integration.dashboard.conftest import Visit
from tests.integration.dashboard.scripted import Scripted

pytestmark = pytest.mark.asyncio(loop_scope="module")

READ, ACT = "to-read-" * 2, "to-act-" * 3
NEVER = 3600.0


# --- reading --------------------------------------------------------------------------------------------------------


async def unlock(page: Page, token: str) -> None:
    """Fill in the token to read, and send it by Enter."""
    await page.get_by_label("Token", exact=True).fill(token)
    await page.keyboard.press("Enter")


async def test_protected_figures_need_the_token(visit: Visit) -> None:
    """The page asks for the token at once, takes no other one, and shows the figures to whoever has it."""
    visit.expected.append("the server responded with a status of 401")
    provider = Scripted()
    page = await visit.page()
    await page.goto(visit.mount(Dashboard(provider, read_token=READ, interval=NEVER)))
    await expect(page.get_by_label("Token", exact=True)).to_be_focused()
    await unlock(page, "x" * 16)
    await expect(page.locator("#unlock-said")).to_have_text("The token is not right.")
    assert provider.readings == 0

    await unlock(page, READ)

    hits = page.locator("[data-counter=hits]")
    await expect(hits).not_to_be_empty()
    await expect(hits).to_have_text(f"{provider.current.hits:,}")
    await expect(page.get_by_label("Token", exact=True)).to_be_hidden()


async def test_token_is_kept_nowhere(visit: Visit) -> None:
    """After the page is loaded again the token is asked for again: no storage and no cookie has it."""
    page = await visit.page()
    await page.goto(visit.mount(Dashboard(Scripted(), read_token=READ, interval=NEVER)))
    await unlock(page, READ)
    await page.locator("#tiles .tile").first.wait_for()
    kept = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    await page.reload()

    assert READ not in kept
    await expect(page.get_by_label("Token", exact=True)).to_be_visible()


# --- actions --------------------------------------------------------------------------------------------------------


async def test_without_token_no_actions_are_offered(visit: Visit) -> None:
    """By default the page has nothing that changes anything."""
    page = await visit(Dashboard(Scripted(), interval=NEVER))

    await expect(page.get_by_role("button", name="Clear…")).to_be_hidden()
    await expect(page.get_by_role("button", name="Invalidate")).to_be_hidden()


async def test_actions_are_done_with_the_token(visit: Visit) -> None:
    """A tag is invalidated and a key deleted on the provider that is shown, and the page says what was done."""
    providers = {"one": Scripted(), "other": Scripted(seed=2)}
    page = await visit(Dashboard(providers, interval=NEVER, action_token=ACT))
    await page.get_by_role("button", name="other").click()
    said = page.locator("#said")
    await page.get_by_label("Action token").fill(ACT)

    await page.get_by_label("Tag", exact=True).fill("user:7")
    await page.keyboard.press("Enter")
    await expect(said).to_have_text("The tag was invalidated.")
    await page.get_by_label("Key", exact=True).fill("no such key")
    await page.get_by_role("button", name="Delete").click()
    await expect(said).to_have_text("There was no such item.")

    assert providers["one"].changes == []
    assert providers["other"].changes == [("invalidate", "user:7"), ("delete", "no such key")]


async def test_clearing_asks_first(visit: Visit) -> None:
    """Everything is removed only after a second question, which Escape and its first button answer with no."""
    provider = Scripted()
    page = await visit(Dashboard({"products": provider}, interval=NEVER, action_token=ACT))
    await page.get_by_label("Action token").fill(ACT)
    dialog = page.get_by_role("dialog", name="Remove everything?")

    await page.get_by_role("button", name="Clear…").press("Enter")
    await expect(dialog).to_contain_text("All items of products")
    await expect(page.get_by_role("button", name="Keep them")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await page.get_by_role("button", name="Clear…").click()
    await page.get_by_role("button", name="Keep them").click()
    await expect(dialog).to_be_hidden()
    assert provider.changes == []

    await page.get_by_role("button", name="Clear…").click()
    await page.get_by_role("button", name="Remove everything").click()

    await expect(page.locator("#said")).to_have_text("Everything was removed.")
    assert provider.changes == [("clear",)]


async def test_wrong_token_changes_nothing(visit: Visit) -> None:
    """The page says that nothing was changed, and why."""
    visit.expected.append("the server responded with a status of 401")
    provider = Scripted()
    page = await visit(Dashboard(provider, interval=NEVER, action_token=ACT))
    await page.get_by_label("Action token").fill("x" * 20)
    await page.get_by_label("Key", exact=True).fill("k")
    await page.keyboard.press("Enter")

    await expect(page.locator("#said")).to_have_text("Nothing was changed: the token is missing or wrong.")
    assert provider.changes == []


# --- other origins --------------------------------------------------------------------------------------------------

ATTACKS = """async (address) => {
  const body = JSON.stringify({ provider: "cache", tag: "t", key: "k" });
  const authorization = "Bearer " + %s;
  const json = { "content-type": "application/json" };
  const outcomes = [];
  for (const action of ["clear", "delete", "invalidate"]) {
    for (const options of [
      { mode: "no-cors", headers: { "content-type": "text/plain" } },
      { mode: "cors", headers: { "content-type": "text/plain" } },
      { mode: "cors", headers: json },
      { mode: "cors", headers: { ...json, authorization } },
      { mode: "cors", credentials: "include", headers: { ...json, authorization } },
    ]) {
      const answer = await fetch(address + "actions/" + action, { method: "POST", body, ...options }).catch(() => null);
      outcomes.push(answer === null ? "stopped" : answer.type + " " + answer.status);
    }
  }
  for (const path of ["figures", "settings"]) {
    const answer = await fetch(address + path).catch(() => null);
    outcomes.push(answer === null ? "stopped" : await answer.text());
  }
  return outcomes;
}"""

FORM = """<!doctype html><title>evil</title>
<iframe name="shown" src="%(address)s"></iframe><iframe name="sent"></iframe>
<form method="post" target="sent" enctype="text/plain" action="%(address)sactions/clear">
<input name='{"provider": "cache", "x": "' value='"}'><button>send</button></form>"""


async def test_pages_of_other_origins_get_nowhere(visit: Visit) -> None:
    """Another origin that even knows the token can change nothing, read nothing, and show the page in no frame."""
    visit.expected += ["CORS policy", "Failed to load resource", "frame-ancestors", "Refused to", "Framing", "violates"]
    provider = Scripted()
    address = visit.mount(Dashboard(provider, interval=NEVER, action_token=ACT))

    async def evil(request: Request) -> HTMLResponse:
        del request
        return HTMLResponse(FORM % {"address": address})

    visit.stage.app.routes.append(Route("/evil", evil))
    elsewhere = visit.stage.origin.replace("127.0.0.1", "localhost")
    visit.own.append(elsewhere)
    page = await visit.page()
    await page.goto(f"{elsewhere}/evil")
    outcomes: list[str] = await page.evaluate(ATTACKS % json.dumps(ACT), address)
    async with page.expect_response("**/actions/clear") as sent:
        await page.get_by_role("button", name="send").click()

    assert (await sent.value).status == 403
    assert outcomes == [*("stopped",) * 17]
    assert provider.changes == []
    shown = page.frame(name="shown")
    assert shown is not None
    assert await shown.locator("#tiles").count() == 0
