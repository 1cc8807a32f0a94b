"""The pictures of the dashboard in the docs, of traffic that follows a script; ``--write-pictures`` writes them."""

from pathlib import Path
from typing import Any

import pytest

from aiocache_kit.integrations.dashboard import Dashboard
from aiocache_kit.integrations.dashboard.http import Request
from aiocache_kit.testing import FakeClock
from tests.integration.dashboard.conftest import Visit
from tests.integration.dashboard.scripted import Scripted

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMAGES = Path(__file__).parents[3] / "docs" / "images"
GROUPS = (
    ("product:{product_id}", 0.96, 0.018),
    ("prices:*", 0.91, 0.034),
    ("search:{query}", 0.62, 0.21),
    ("reviews:{product_id}", 0.95, 0.027),
    ("basket:*", 0.99, 0.006),
)


async def five_minutes() -> Dashboard:
    """Give a dashboard that has watched three caches of a shop for five minutes."""
    clock = FakeClock(time=1_700_000_400.0)
    providers = {
        "products": Scripted(seed=1, layers=("memory", "file"), groups=GROUPS),
        "sessions": Scripted(seed=2, reads=240, hit_rate=0.985, load_time=0.004, items=2_400),
        "prices": Scripted(seed=3, reads=60, hit_rate=0.81, load_time=0.12, items=800),
    }
    dashboard = Dashboard(providers, read_sample=20, clock=clock)
    for _ in range(151):
        await dashboard.answer(Request(method="GET", path="/figures"))
        await clock.advance(2.0)
    return dashboard


PICTURES: dict[str, tuple[dict[str, Any], bool]] = {
    "light": ({"color_scheme": "light", "viewport": {"width": 1280, "height": 800}}, True),
    "dark": ({"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}}, True),
    "top": ({"color_scheme": "light", "viewport": {"width": 1280, "height": 862}}, False),
    "phone": ({"color_scheme": "dark", "viewport": {"width": 390, "height": 844}}, False),
}


@pytest.mark.parametrize("name", PICTURES)
async def test_pictures_are_drawn(visit: Visit, pytestconfig: pytest.Config, name: str) -> None:
    """Each picture shows figures, charts, layers and groups of keys, in its colours."""
    options, whole = PICTURES[name]
    page = await visit(await five_minutes(), device_scale_factor=1.5, **options)
    await page.locator("#slow-table tbody tr").nth(len(GROUPS) - 1).wait_for()
    await page.evaluate(
        "document.querySelector('#process').textContent = 'Figures of process 4711, at most every 2 s.'"
    )
    drawn = await page.screenshot(full_page=whole)

    assert len(drawn) > 50_000
    assert (IMAGES / f"dashboard-{name}.png").is_file()
    if pytestconfig.getoption("--write-pictures"):
        (IMAGES / f"dashboard-{name}.png").write_bytes(drawn)
