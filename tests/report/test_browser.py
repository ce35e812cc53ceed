"""The page as a person uses it, in Chromium without a network: it draws, zooms, tells values, sorts, filters, speaks both languages, prints."""

import io
import os
import re
import shutil

import numpy as np
import pytest
import rasterio
from PIL import Image

from rusle_engine.report.page import write_report

# Flags that keep the browser from looking for its maker's hosts.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def missing(what):
    if os.environ.get("RUSLE_REQUIRE_BROWSER") == "1":
        pytest.fail(f"RUSLE_REQUIRE_BROWSER=1 and there is no {what}")
    pytest.skip(f"there is no {what}")


@pytest.fixture(scope="module")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright")
    program = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
    if program is None:
        missing("Chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory, make_run):
    folder = tmp_path_factory.mktemp("运行 2024")
    return write_report(folder, make_run(folder))


@pytest.fixture
def visit(browser):
    """Open a page and, at the end, hold it to silence: no error, no console warning, no breach of its policy, no request but itself."""
    contexts, heard = [], []

    def opened(path, viewport=WIDE, query="", **options):
        context = browser.new_context(viewport=viewport, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: heard.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: heard.append(request.url) if not request.url.startswith(("data:", path.as_uri())) else None)
        page.goto(path.as_uri() + query)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-map=ready]")
            show_maps(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert heard == []


def colours_of(screenshot):
    return {colour: count for count, colour in Image.open(io.BytesIO(screenshot)).convert("RGB").getcolors(1 << 24)}


def show_maps(page):
    page.locator("#maps").evaluate("element => element.scrollIntoView({behavior: 'instant'})")


def until(page, expression):
    """Ask again until it holds (the page's policy forbids Playwright's own way of waiting, which needs eval)."""
    for _ in range(100):
        if page.evaluate(expression):
            return
        settled(page)
    pytest.fail(f"{expression} never held")


def settled(page):
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 120))))")


def place(page):
    """What the page says of the point under the cursor: x, y."""
    text = page.locator(".here .place").inner_text().replace(",", "")
    return tuple(float(part) for part in re.findall(r"-?\d+(?:\.\d+)?", text)[:2])


def point_at(page, across, down):
    show_maps(page)
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
    settled(page)
    return place(page)


def test_the_map_is_drawn_in_the_classes_colours(visit, report):
    page = visit(report)
    settled(page)
    colours = colours_of(page.locator("#map").screenshot())
    for legend in page.locator("[data-legend=intensity] .swatch").all():
        red, green, blue = map(int, re.findall(r"\d+", legend.evaluate("element => getComputedStyle(element).backgroundColor")))
        assert colours.get((red, green, blue), 0) > 500
    before = page.locator("#map").screenshot()
    page.click("[data-layer=LS]")
    settled(page)
    assert page.locator("#map").screenshot() != before
    assert page.locator("[data-legend=LS]").is_visible()
    assert not page.locator("[data-legend=intensity]").is_visible()


def test_values_under_the_cursor_are_the_rasters(visit, report):
    page = visit(report, query="?lang=en")
    seen = 0
    for across, down in ((0.3, 0.3), (0.5, 0.52), (0.71, 0.8)):
        x, y = point_at(page, across, down)
        for key in ("A", "R", "K", "LS", "C", "P"):
            with rasterio.open(report.parent / "rasters" / f"{key}.tif") as source:
                row, column = source.index(x, y)
                stored = source.read(1)
            shown = float(page.locator(f"[data-here={key}] td").inner_text().replace(",", ""))
            # three figures of a value coded in 4095 steps; the cursor's place is told to the metre, so the next cell may be meant at an edge
            near = stored[row - 1 : row + 2, column - 1 : column + 2]
            assert (np.abs(near - shown) <= 0.006 * np.abs(near) + 2.5e-4 * np.nanmax(stored)).any(), key
            seen += 1
        assert page.locator(".tip").is_visible()
    assert seen == 18
    page.click("[data-layer=R]")
    point_at(page, 0.4, 0.4)
    assert re.fullmatch(r"R 1,\d{3} MJ mm ha⁻¹ h⁻¹ yr⁻¹", page.locator(".tip").inner_text())


def test_ctrl_and_the_wheel_zoom_and_the_wheel_alone_scrolls(visit, report):
    page = visit(report)

    def span():
        return point_at(page, 0.7, 0.5)[0] - point_at(page, 0.3, 0.5)[0]

    whole, top = span(), page.evaluate("window.scrollY")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    settled(page)
    zoomed = span()
    assert zoomed < 0.7 * whole
    page.mouse.wheel(0, 120)
    assert page.locator(".hint.on").count() == 1
    until(page, f"window.scrollY > {top}")
    assert span() == pytest.approx(zoomed, rel=0.02)


def test_a_metre_is_as_long_eastwards_as_northwards(visit, tmp_path, make_run):
    page = visit(write_report(tmp_path, make_run(tmp_path, height=200, width=260, crs="EPSG:4490")), query="?lang=en")
    (x0, y0), (x1, y1) = point_at(page, 0.35, 0.7), point_at(page, 0.65, 0.3)
    box = page.locator("#map").bounding_box()
    degrees_per_pixel = (x1 - x0) / (0.3 * box["width"]), (y1 - y0) / (0.4 * box["height"])
    # the map lies around 38.8° N
    assert degrees_per_pixel[0] * np.cos(np.radians(38.8)) == pytest.approx(degrees_per_pixel[1], rel=0.01)


def test_both_languages(visit, report):
    page = visit(report)
    heading = page.locator("#zones h2")
    assert heading.inner_text() == "分区统计"
    assert page.title() == "示例县 2024 · 土壤侵蚀与水土保持率评估报告"
    page.click("#language-en")
    assert heading.inner_text() == "Zones"
    assert page.title() == "Sample county 2024 · Soil erosion and soil-conservation rate"
    assert page.locator("#filter").get_attribute("placeholder") == "Filter by id or name"
    assert page.locator("html").get_attribute("lang") == "en"
    point_at(page, 0.3, 0.3)
    assert page.locator("[data-here=intensity] td").inner_text() in {"Slight", "Light", "Moderate", "Strong", "Very strong", "Severe"}
    page.click("#language-zh")
    assert heading.inner_text() == "分区统计"
    assert page.locator("[data-here=intensity] td").inner_text() in {"微度", "轻度", "中度", "强烈", "极强烈", "剧烈"}


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_nothing_sticks_out_of_the_screen(visit, report, viewport, language):
    page = visit(report, viewport=viewport, query=f"?lang={language}", is_mobile=viewport is NARROW, has_touch=viewport is NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    assert page.locator("#map").bounding_box()["width"] > 0.5 * min(viewport["width"], 1000)


def column(page, heading):
    index = page.locator("#zone-table thead th").evaluate_all(f"cells => cells.findIndex(cell => cell.innerText.includes('{heading}'))")
    return index, page.locator("#zone-table tbody tr:not([hidden])").evaluate_all(f"rows => rows.map(row => row.cells[{index}].innerText)")


def test_the_table_sorts_and_filters_and_changes_its_unit(visit, report):
    page = visit(report, query="?lang=en")
    index, rates = column(page, "Rate %")
    heading = page.locator("#zone-table thead th").nth(index)
    heading.click()
    assert column(page, "Rate %")[1] == sorted(rates, key=float, reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"
    heading.press("Enter")
    assert column(page, "Rate %")[1] == sorted(rates, key=float)
    page.locator("#zone-table thead th").nth(1).click()
    assert column(page, "Id")[1] == [str(140900 + i) for i in range(7)]

    _, square_kilometres = column(page, "Area")
    raw = page.locator("#zone-table tbody td:nth-child(3)").evaluate_all("cells => cells.map(cell => Number(cell.dataset.v))")
    page.select_option("#unit", "1500")
    _, mu = column(page, "Area mu")
    assert mu == [f"{value * 1500:,.0f}" for value in raw]
    page.select_option("#unit", "1")
    assert column(page, "Area km²")[1] == square_kilometres

    page.fill("#filter", "河曲")
    assert column(page, "Name")[1] == ["河曲县"]
    assert page.locator("#count").inner_text() == "1"
    page.fill("#filter", "<SCRIPT>")
    assert column(page, "Name")[1] == ["<script>document.title='owned'</script>"]


def test_the_policy_stops_a_script_that_was_slipped_in(browser, report):
    page = browser.new_page()
    page.goto(report.as_uri())
    page.evaluate(
        """() => { window.breaches = []; document.addEventListener("securitypolicyviolation", e => window.breaches.push(e.violatedDirective));
        const script = document.createElement("script"); script.textContent = "window.owned = true"; document.body.append(script);
        const image = document.createElement("img"); image.src = "https://example.invalid/x.png"; document.body.append(image); }"""
    )
    until(page, "window.breaches.length === 2")
    assert page.evaluate("window.owned") is None
    page.close()


def test_print_has_still_maps_and_no_controls(visit, report):
    page = visit(report)
    page.emulate_media(media="print")
    assert page.locator(".stills img").first.is_visible()
    assert not page.locator(".viewer").is_visible()
    assert not page.locator("#filter").is_visible()
    printed = page.pdf(format="A4", print_background=True, prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page[^s]", printed)) < 10


def test_without_scripts_it_is_still_a_report(visit, report):
    page = visit(report, java_script_enabled=False)
    assert page.locator(".stills img").first.is_visible()
    assert not page.locator(".viewer").is_visible()
    assert page.locator("#zone-table tbody tr").count() == 7
    assert page.locator("noscript").inner_text().startswith("浏览器未运行脚本")
