"""The page of the dashboard in a real browser: what it shows, and that keyboards, phones and all eyes can use it."""

import asyncio
import re
from collections.abc import AsyncIterator
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, expect

from aiocache_kit import Config, Provider, Stats, new_layered, new_provider
from aiocache_kit.integrations.dashboard import Dashboard
from aiocache_kit.integrations.dashboard.aiohttp import dashboard_app
from tests.integration.dashboard.conftest import Visit, served
from tests.integration.dashboard.scripted import Scripted
from tests.servers.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON = 0.1
NEVER = 3600.0
TIMED = {"timed_gets", "get_time", "average_get_time"}  # each reading times a read
COUNTS = {
    *("hits", "misses", "stale_hits", "loads", "load_failures", "coalesced", "refreshes", "sets", "deletes"),
    *("items", "evictions", "expired", "errors", "shed_loads", "waiting_loads", "refused_calls"),
}


@pytest_asyncio.fixture(loop_scope="module")
async def cache() -> AsyncIterator[Provider]:
    """A provider with some traffic behind it."""
    async with new_provider(Config(provider="memory", max_entries=1000)) as made:
        for number in range(1500):
            await made.get_or_set(f"k{number % 1200}", lambda: "value", tags=["t"])
        await made.delete("k5")
        yield made


async def counter(page: Page, name: str) -> str:
    """Give a counter as it is shown."""
    return await page.locator(f"[data-counter={name}]").inner_text()


# --- figures --------------------------------------------------------------------------------------------------------


async def test_figures_are_those_of_stats(visit: Visit, cache: Provider) -> None:
    """Every counter that `stats` has is on the page, and is the same."""
    page = await visit(Dashboard(cache, interval=NEVER))
    stats = (await cache.stats()).as_dict()
    names = [str(await each.get_attribute("data-counter")) for each in await page.locator("[data-counter]").all()]

    assert set(names) == set(stats) - {"layers", "load_buckets", "share", "health", "missed", "counted"}
    assert {name: await counter(page, name) for name in COUNTS} == {name: f"{stats[name]:,}" for name in COUNTS}
    assert await counter(page, "hit_rate") == f"{stats['hit_rate']:.1%}"
    assert stats["evictions"]


async def test_figures_follow(visit: Visit, cache: Provider) -> None:
    """What happens while the page is open is on it soon, without anybody's doing."""
    page = await visit(Dashboard(cache, interval=SOON))
    for _ in range(7):
        await cache.get("k1199")
    hits = (await cache.stats()).hits

    await expect(page.locator("[data-counter=hits]")).to_have_text(f"{hits:,}")
    await expect(page.locator("#status")).to_contain_text("live")


async def test_charts_move(visit: Visit) -> None:
    """Every chart draws a line that goes on with each reading, and tells its newest figures."""
    page = await visit(Dashboard(Scripted(), interval=SOON))
    line = page.get_by_role("slider", name="Reads, by time").locator("path.line.good")
    await expect(page.locator(".chart path.line").nth(9)).to_be_attached()
    drawn = await line.get_attribute("d")

    await expect(line).not_to_have_attribute("d", str(drawn))
    for title in ("Hit rate", "Reads", "Loads", "Load time", "Read time", "Removals"):
        chart = page.get_by_role("slider", name=f"{title}, by time")
        assert await chart.locator("path.line").count() >= 1
        assert ":" in str(await chart.get_attribute("aria-valuetext"))


async def test_viewers_cost_one_reading(visit: Visit) -> None:
    """Two who look at once are shown the same reading, and the provider was asked once."""
    provider = Scripted()
    dashboard = Dashboard(provider, interval=NEVER)
    pages = [await visit(dashboard), await visit(dashboard)]

    assert provider.readings == 1
    assert [await counter(page, "hits") for page in pages] == [f"{provider.current.hits:,}"] * 2


async def test_providers_are_chosen(visit: Visit) -> None:
    """Several providers stand in a table; whoever chooses one sees its figures, with keyboard and mouse alike."""
    providers = {"products": Scripted(seed=1), "prices": Scripted(seed=2, reads=50.0)}
    page = await visit(Dashboard(providers, interval=NEVER))
    assert await counter(page, "hits") == f"{providers['products'].current.hits:,}"

    await page.get_by_role("button", name="prices").focus()
    await page.keyboard.press("Enter")

    assert await counter(page, "hits") == f"{providers['prices'].current.hits:,}"
    await expect(page.get_by_role("button", name="prices")).to_be_focused()
    await expect(page.get_by_role("button", name="prices")).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_role("button", name="products")).to_have_attribute("aria-pressed", "false")


async def test_new_figures_take_nothing_out_of_a_viewers_hand(visit: Visit) -> None:
    """A button that is pressed while new figures come, and let go after them, was pressed."""
    page = await visit(Dashboard({"products": Scripted(seed=1), "prices": Scripted(seed=2)}, interval=SOON))
    button = page.get_by_role("button", name="prices")
    await button.hover()
    await page.mouse.down()
    hits = await counter(page, "hits")
    await expect(page.locator("[data-counter=hits]")).not_to_have_text(hits)
    await page.mouse.up()

    await expect(button).to_have_attribute("aria-pressed", "true")


async def test_selected_text_stays_selected(visit: Visit) -> None:
    """Whoever copies a figure still has it selected when new ones have come."""
    page = await visit(Dashboard(Scripted(), interval=SOON))
    await page.evaluate("getSelection().selectAllChildren(document.querySelector('#counters dt'))")
    hits = await counter(page, "hits")
    await expect(page.locator("[data-counter=hits]")).not_to_have_text(hits)

    assert await page.evaluate("String(getSelection())") == "Hits"


async def test_layers_and_nodes_are_shown(visit: Visit) -> None:
    """Parts of a composite storage stand in order, with their state in words."""
    page = await visit(Dashboard(Scripted(layers=("memory", "redis", "spare")), interval=NEVER))
    rows = page.locator("#layers-table tbody tr")

    assert [await row.locator("th").inner_text() for row in await rows.all()] == ["memory", "redis", "spare"]
    assert [await row.locator("td").first.inner_text() for row in await rows.all()] == ["works", "works", "catches up"]


async def test_items_are_shown_where_they_are_counted(visit: Visit, redis_server: Server, fresh_prefix: str) -> None:
    """For a storage that cannot say how many items it has, there is a dash and not a zero."""
    async with new_provider(f"redis://127.0.0.1:{redis_server.port}?key_prefix={fresh_prefix}") as far:
        await far.set("a", 1)
        page = await visit(Dashboard(far, interval=NEVER))

        assert await counter(page, "items") == "\u2013"
        assert await counter(page, "sets") == "1"
        await expect(page.locator("#tiles")).to_contain_text("not counted by this storage")


async def test_layers_that_nobody_counts_have_a_dash(visit: Visit, redis_server: Server, fresh_prefix: str) -> None:
    """Memory in front of Redis: what memory holds is told, and of Redis that nobody knows."""
    far = f"redis://127.0.0.1:{redis_server.port}?key_prefix={fresh_prefix}"
    async with new_layered("memory://", far, backplane=None) as cache:
        await cache.set("a", 1)
        page = await visit(Dashboard(cache, interval=NEVER))
        titles = await page.locator("#layers-table thead th").all_inner_texts()
        held = page.locator(f"#layers-table tbody tr > :nth-child({titles.index('Items') + 1})")

        assert await held.all_inner_texts() == ["1", "\u2013"]
        assert await counter(page, "items") == "\u2013"


async def test_groups_of_keys_are_shown(visit: Visit) -> None:
    """Hot groups stand by their reads, slow ones by the time of their loads."""
    provider = Scripted(groups=(("user:{user_id}", 0.99, 0.01), ("search:*", 0.6, 0.5)))
    page = await visit(Dashboard(provider, interval=SOON, read_sample=1))

    await expect(page.locator("#hot-table tbody th")).to_have_text(["user:{user_id}", "search:*"])
    await expect(page.locator("#slow-table tbody th")).to_have_text(["search:*", "user:{user_id}"])


async def test_failing_provider_is_named(visit: Visit) -> None:
    """A provider that fails keeps its last figures and says that they are old; the others go on."""
    failing, fine = Scripted(), Scripted(seed=2)
    page = await visit(Dashboard({"failing": failing, "fine": fine}, interval=SOON))
    failing.failing = LookupError("host")

    await expect(page.get_by_role("alert")).to_have_text("failing does not answer: LookupError")
    assert await counter(page, "hits") == f"{failing.current.hits:,}"
    await expect(page.locator("#providers-table tbody tr").first.locator("td").first).to_have_text("fails")


async def test_nothing_of_the_server_is_markup(visit: Visit) -> None:
    """Names of providers, layers and groups, and what errors say, are text, whatever is in them."""
    nasty = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>&lt;b&gt;"
    provider = Scripted(layers=(nasty,), groups=((nasty, 0.5, 0.1),))
    failing = Scripted()
    failing.failing = type(nasty, (Exception,), {})()
    page = await visit(Dashboard({nasty: provider, nasty[1:]: failing}, interval=SOON, read_sample=1))

    for table in ("providers", "layers", "hot", "slow"):
        await expect(page.locator(f"#{table}-table tbody th").first).to_have_text(nasty)
    await page.get_by_role("button", name=nasty[1:]).last.click()
    await expect(page.get_by_role("alert")).to_contain_text(nasty)
    assert await page.locator("main img, main script").count() == 0
    assert await page.title() == "Cache"


# --- asking ---------------------------------------------------------------------------------------------------------


async def test_paused_page_asks_nothing(visit: Visit) -> None:
    """Whoever pauses stops the questions, and going on begins them again."""
    page = await visit.page()
    await page.clock.install()
    await page.goto(visit.mount(Dashboard(Scripted(), interval=SOON)))
    await page.locator("#tiles .tile").first.wait_for()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("#status")).to_contain_text("paused")
    asked = len(visit.asked)

    await page.clock.run_for(60_000)
    assert len(visit.asked) == asked

    async with page.expect_response("**/figures*"):
        await page.get_by_role("button", name="Pause").click()


async def test_server_that_is_gone_is_asked_again(visit: Visit) -> None:
    """Where no answer comes the page says so and keeps what it shows; it goes on by itself."""
    visit.expected.append("Failed to load resource")
    provider = Scripted()
    page = await visit(Dashboard(provider, interval=SOON))
    await page.route("**/figures*", lambda route: route.abort())
    await expect(page.locator("#status")).to_contain_text("does not answer")
    assert await page.locator("#tiles .tile").count() == 6

    await page.unroute("**/figures*")

    await expect(page.locator("#status")).to_contain_text("live")


async def test_other_process_begins_anew(visit: Visit) -> None:
    """Where another process answers, its figures are not drawn as if they were those of the first."""
    first, second = Scripted(), Scripted(reads=10.0)
    now = [Dashboard(first, interval=SOON)]

    class Changing:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  - as ASGI has them
            await now[0](scope, receive, send)

        async def close(self) -> None:
            await now[0].close()

    page = await visit.page()
    await page.goto(visit.mount(Changing()))
    await expect(page.locator(".chart path.line").nth(5)).to_be_attached()
    now[0] = Dashboard(second, interval=NEVER)

    await expect(page.locator("#process")).to_contain_text("Another process answers now")
    assert await counter(page, "hits") == f"{second.current.hits:,}"
    assert await page.locator(".chart path.line").count() == 0


async def test_it_is_served_alone_and_by_aiohttp(visit: Visit) -> None:
    """At the root of a server of its own and in an application of aiohttp the page is the same."""
    provider = Scripted()
    await provider.stats()
    provider.frozen = provider.current
    app = web.Application()
    app.add_subapp("/in/cache", dashboard_app(Dashboard(provider, interval=NEVER)))
    async with served(Dashboard(provider, interval=NEVER)) as origin, TestServer(app) as server:
        visit.own += [origin, str(server.make_url("/"))]
        for address in (f"{origin}/", str(server.make_url("/in/cache"))):
            page = await visit.page()
            await page.goto(address)
            await expect(page.locator("[data-counter=hits]")).to_have_text(f"{provider.current.hits:,}")
            await page.close()


# --- for all --------------------------------------------------------------------------------------------------------


async def test_charts_are_read_by_keyboard(visit: Visit) -> None:
    """Arrow keys go along a chart; all charts tell their figures at that moment, until it is left."""
    page = await visit(Dashboard(Scripted(), interval=SOON))
    await expect(page.locator(".chart path.line").nth(9)).to_be_attached()
    await page.get_by_role("button", name="Pause").click()
    chart = page.get_by_role("slider", name="Hit rate, by time")
    other = page.get_by_role("slider", name="Loads, by time")
    newest = str(await chart.get_attribute("aria-valuetext")), str(await other.get_attribute("aria-valuetext"))

    await chart.focus()
    await page.keyboard.press("Home")
    assert await chart.get_attribute("aria-valuenow") == "0"
    assert await page.locator("line.cursor").count() == 6
    await page.keyboard.press("ArrowRight")
    assert await chart.get_attribute("aria-valuenow") == "1"
    await page.keyboard.press("Escape")

    assert (await chart.get_attribute("aria-valuetext"), await other.get_attribute("aria-valuetext")) == newest
    assert await page.locator("line.cursor").count() == 0


async def test_screen_readers_are_told_of_changes_alone(visit: Visit) -> None:
    """What goes on by itself is not read aloud: the state is written again only when it is another one."""
    page = await visit(Dashboard(Scripted(), interval=SOON))
    await page.evaluate(
        "() => { window.told = 0; new MutationObserver(() => { window.told += 1; })"
        ".observe(document.querySelector('#state'), { childList: true, characterData: true, subtree: true }); }"
    )
    shown = await counter(page, "hits")
    await expect(page.locator("[data-counter=hits]")).not_to_have_text(shown)
    assert await page.evaluate("window.told") == 0

    await page.get_by_role("button", name="Pause").click()

    await expect(page.get_by_role("status").first).to_have_text("paused")
    assert await page.evaluate("window.told") == 1


async def test_moments_are_named(visit: Visit) -> None:
    """Below a chart stand moments of the day, those of whole minutes without seconds."""
    page = await visit(Dashboard(Scripted(), interval=SOON))
    await expect(page.locator(".chart path.line").nth(9)).to_be_attached()
    named = page.get_by_role("slider", name="Reads, by time").locator("text[text-anchor=middle]")

    texts = await named.all_text_contents()
    assert texts
    assert all(re.fullmatch(r"\d\d:\d\d(:[1-5]0)?", text) for text in texts)


async def test_pointing_tells_a_moment(visit: Visit) -> None:
    """Whoever points at a chart is told the figures of that moment in all charts."""
    page = await visit(Dashboard(Scripted(), interval=SOON))
    await expect(page.locator(".chart path.line").nth(9)).to_be_attached()

    await page.get_by_role("slider", name="Reads, by time").hover(position={"x": 200, "y": 40})

    await expect(page.locator("line.cursor")).to_have_count(6)


CONTRASTS = """() => {
  const channels = (colour) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colour) => channels(colour)
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "white";
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const [one, other] = [light(node.closest("svg") ? style.fill : style.color), light(ground(node))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    found.push([Math.round(ratio * 100) / 100, walker.currentNode.textContent.trim()]);
  }
  return found.sort((one, other) => one[0] - other[0]);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_has_contrast(visit: Visit, scheme: str) -> None:
    """Every text differs from its ground by 4.5 to 1 or more, in light and dark."""
    providers = {"one": Scripted(layers=("a", "b", "c"), groups=(("g", 0.5, 0.1),)), "two": Scripted()}
    page = await visit(Dashboard(providers, interval=SOON, action_token="x" * 16), color_scheme=scheme)
    await page.locator("#slow").wait_for()
    found = await page.evaluate(CONTRASTS)

    assert len(found) > 100
    assert [pair for pair in found if pair[0] < 4.5] == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
async def test_axe_finds_nothing(visit: Visit, scheme: str, width: int) -> None:
    """The rules of axe-core hold, on wide screens and narrow ones."""
    providers = {"one": Scripted(layers=("a", "b", "c"), groups=(("g", 0.5, 0.1),)), "two": Scripted()}
    dashboard = Dashboard(providers, interval=SOON, read_sample=1, action_token="x" * 16)
    page = await visit(dashboard, color_scheme=scheme, viewport={"width": width, "height": 900})
    await page.locator("#slow-table tbody tr").first.wait_for()
    await page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))

    found = await page.evaluate("axe.run()")

    assert [(broken["id"], [node["html"] for node in broken["nodes"]]) for broken in found["violations"]] == []
    assert len(found["passes"]) > 30


async def test_every_control_has_a_name(visit: Visit) -> None:
    """Whatever can be pressed or filled in says what it is, and can be reached by Tab."""
    page = await visit(Dashboard({"a": Scripted(), "b": Scripted()}, interval=NEVER, action_token="x" * 16))
    reached: list[str] = []
    await page.locator("body").click(position={"x": 1, "y": 1})
    for _ in range(22):
        await page.keyboard.press("Tab")
        said: str = await page.evaluate(
            "() => { const at = document.activeElement; return at.getAttribute('aria-label')"
            " || [...(at.labels || [])].map((label) => label.textContent).join() || at.textContent; }"
        )
        reached.append(said.strip())

    expected = ["Pause", "Colours", "a", "b", "Hit rate, by time", "Removals, by time", "Action token", "Tag"]
    assert all(any(word in said for said in reached) for word in [*expected, "Invalidate", "Key", "Delete", "Clear…"])
    assert "" not in reached


async def test_it_fits_a_phone(visit: Visit) -> None:
    """On a narrow screen nothing is wider than the screen but tables, which scroll by themselves."""
    providers = {"a-rather-long-name-of-a-provider-that-goes-on": Scripted(layers=("a", "b")), "b": Scripted()}
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page = await visit(Dashboard(providers, interval=SOON, action_token="x" * 16), **phone)

    assert await page.evaluate("document.scrollingElement.scrollWidth") <= 360
    heights = await page.evaluate(
        "[...document.querySelectorAll('.bar button, .row button, .row input')].map("
        "(each) => each.getBoundingClientRect().height).filter(Boolean)"
    )
    assert min(heights) >= 40


async def test_colours_are_chosen_and_kept(visit: Visit) -> None:
    """Light or dark is the system's, until somebody chooses, for whom it stays."""
    page = await visit(Dashboard(Scripted(), interval=NEVER), color_scheme="light")

    async def ground() -> str:
        return str(await page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = await ground()
    await page.get_by_label("Colours").select_option("dark")
    dark = await ground()
    await page.reload()

    assert dark != light
    assert await ground() == dark
    await expect(page.get_by_label("Colours")).to_have_value("dark")


async def test_layers_of_layers_are_set_in(visit: Visit) -> None:
    """A node of a ring below a memory is shown below its ring."""
    provider = Scripted()
    await provider.stats()
    ring = Stats(layers=MappingProxyType({"node": Stats(health=0.0)}))
    provider.frozen = Stats(layers=MappingProxyType({"near": Stats(), "ring": ring}))
    page = await visit(Dashboard(provider, interval=NEVER))
    rows = page.locator("#layers-table tbody tr")

    assert [await row.locator("th").inner_text() for row in await rows.all()] == ["near", "ring", "node"]
    assert await rows.last.locator("td").first.inner_text() == "is left alone"


async def test_no_task_is_left_by_it(visit: Visit) -> None:
    """Closed, a dashboard that listened to events leaves no task, whoever still watches."""
    before = asyncio.all_tasks()
    dashboard = Dashboard(Scripted(groups=(("g", 0.5, 0.1),)), interval=NEVER)
    await visit(dashboard)
    await dashboard.close()

    assert [task for task in asyncio.all_tasks() - before if "aiocache_kit" in task.get_name()] == []
