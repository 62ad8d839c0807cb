"""Every page in a real browser: light, dark, as wide as a phone; axe-core looks for what is wrong."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from service_pictures import LOOKS
from web_site import Make, committed, serve

from mmlock.app.serving import handlers
from mmlock.web.app import make_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium")
PAGES = (
    "/solve",
    "/solve?gpus=rtx5090&requirements=mmdet&glibc=2.31",
    "/solve?gpus=nonsense",
    "/matrix?gpu=a100",
    "/matrix?gpu=rtx5090&cuda=cu128",
    "/matrix?gpu=mi300x",
    "/why?gpu=rtx5090&q=2.4.1,2.1.0",
    "/why?gpu=a100&q=2.1.0,2.1.0",
    "/locks",
    "/locks/openmmlab/rtx5090",
    "/locks/openmmlab/t20",
    "/locks/openmmlab/rtx5090/why/mmcv",
    "/locks/openmmlab/rtx5090/why/numpy",
    "/doctor",
    "/gpus",
    "/gpus/a100",
    "/jobs",
    "/nowhere",
)
LOCK = committed("openmmlab/rtx5090")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as tools:
        found = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def site(make_site: Make, small_catalogue: Path) -> Iterator[str]:
    """The service as it is, but that each solve gives the committed lock: an index is another machine's."""
    own = {**handlers(), "solve": lambda _arguments, _progress: LOCK}
    stop, url = serve(make_app(make_site(own, catalogue=small_catalogue).service))
    yield url
    stop()


def faults(page: Page) -> list[str]:
    """What axe-core finds, against WCAG 2.2 A and AA and its own good practices."""
    from axe_playwright_python.sync_playwright import Axe

    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"][:3]]


def wider_than_the_screen(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def test_every_page_is_accessible_and_fits_the_screen_in_every_look(browser: Browser, site: str) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    elsewhere: list[str] = []
    page.on("request", lambda request: elsewhere.append(request.url) if site not in request.url else None)
    wrong: dict[str, list[str]] = {}
    for path in PAGES:
        page.goto(site + path)
        page.locator("h1").wait_for()
        page.locator(".busy").wait_for(state="detached", timeout=60_000)
        for details in page.locator("details").all():
            details.evaluate("one => { one.open = true }")
        for name, look in LOOKS.items():
            page.set_viewport_size(look["viewport"])
            page.emulate_media(color_scheme=look["color_scheme"])
            found = faults(page)
            if wider_than_the_screen(page):
                found.append("wider than the screen")
            if found:
                wrong[f"{path} {name}"] = found
    page.close()
    assert not wrong
    assert elsewhere == []
    assert [text for text in said if "404" not in text and "400" not in text] == []


def test_a_form_leads_to_a_lock_and_to_its_reasons_by_keyboard_alone(browser: Browser, site: str) -> None:
    page = browser.new_page()
    page.goto(f"{site}/solve")
    page.keyboard.type("rtx5090")
    page.locator("#device").get_by_text("GeForce RTX 5090 (sm_120)").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/lock/[0-9a-f]{64}$"))
    page.get_by_role("link", name="mmcv", exact=True).first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Why mmcv").wait_for()
    assert faults(page) == []
    page.close()


def test_the_form_works_without_javascript(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/solve")
    page.get_by_label("GPU", exact=True).fill("a100")
    page.get_by_role("button", name="Solve", exact=True).click()
    page.wait_for_url(re.compile(r"/(lock|job)/[0-9a-f]{64}$"))
    page.goto(f"{site}/matrix?gpu=a100")
    for _ in range(50):  # the page asks again by itself until the answer is there
        if page.locator("table.matrix").count():
            break
        page.goto(f"{site}/matrix?gpu=a100")
    page.locator("table.matrix td a").first.click()
    page.wait_for_url(re.compile(r"/(why|job)"))
    context.close()
