"""The page as text: it says what the run says, lets no name act, needs nothing beside itself, and stays small."""

import copy
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from rusle_engine.core.errors import InputError, OutputError
from rusle_engine.report import contents
from rusle_engine.report.page import MAX_BYTES, render, script_json, write_report


class Elements(HTMLParser):
    """All elements with their attributes, and the text of every cell of the zone table."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.rows, self._cell = [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self._cell = []
            self.rows[-1].append(self._cell)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._cell = None

    def handle_data(self, data):
        if self._cell is not None:
            self._cell.append(data)

    def texts(self, column):
        return ["".join(row[column]) for row in self.rows if len(row) > column]


@pytest.fixture(scope="module")
def run(tmp_path_factory, make_run):
    folder = tmp_path_factory.mktemp("run 中文")
    return folder, make_run(folder)


@pytest.fixture(scope="module")
def page(run):
    return write_report(*run).read_text("utf-8")


def test_the_same_run_gives_the_same_page_but_for_its_times(run, page):
    folder, manifest = run
    assert render(folder, manifest) == page
    later = render(folder, manifest | {"finished": "2025-03-01T00:00:00+00:00", "seconds": 7.0})
    assert later.replace("2025-03-01 00:00:00", "2025-01-08 02:11:47").replace("7.0 s", "41.8 s") == page


def test_names_from_data_are_text_and_nothing_else(page):
    parsed = Elements(page)
    names = parsed.texts(0)
    for name in ("<script>document.title='owned'</script>", "=1+1", "</script><img src=x onerror=alert(1)>", "Ravine & Co \"east\" '西'"):
        assert name in names
    assert [tag for tag, _ in parsed.elements].count("script") == 3
    assert all(attributes["src"].startswith("data:image/png;base64,") for tag, attributes in parsed.elements if tag == "img")


def test_every_script_has_the_policy_s_nonce_and_nothing_is_fetched(page):
    parsed = Elements(page)
    policy = next(a["content"] for tag, a in parsed.elements if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules == {
        "default-src": "'none'",
        "script-src": rules["script-src"],
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    nonce = re.fullmatch(r"'nonce-([A-Za-z0-9+/]{24})'", rules["script-src"]).group(1)
    assert {a.get("nonce") for tag, a in parsed.elements if tag == "script"} == {nonce}
    for tag, attributes in parsed.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert "src" not in attributes or tag == "img"
        if "href" in attributes:
            assert re.match(r"#|data:,|rasters/|tables/", attributes["href"]), attributes["href"]


def test_json_in_a_script_cannot_end_it():
    hostile = {"name": "</script><!--<script>\u2028\u2029&", "数": [1.5, None]}
    text = script_json(hostile)
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == hostile


def test_headline_and_target_by_hand(run):
    manifest = copy.deepcopy(run[1])
    # 100 km², 10 of them unassessed, 45 slight: 45/90 = 50 %; at least 45 %, at most 55 %
    areas = dict(zip(("slight", "light", "moderate", "strong", "very_strong", "severe"), (45.0, 20.0, 10.0, 8.0, 5.0, 2.0)))
    manifest["headline"] |= {f"{stem}_km2": area for stem, area in areas.items()} | {
        "area_km2": 100.0,
        "assessed_km2": 90.0,
        "unassessed_km2": 10.0,
        "loss_km2": 45.0,
        "conservation_rate_pct": 50.0,
        "conservation_rate_min_pct": 45.0,
        "conservation_rate_max_pct": 55.0,
        "mean_modulus_t_km2_yr": 1234.5,
        "total_loss_t_yr": 111105.0,
    }
    manifest["target"] = {"conservation_rate_pct": 52.0, "year": 2035, "source": "plan"}
    head, goal = contents.headline(manifest), contents.target(manifest)
    assert (head["rate"], head["low"], head["high"], head["flagged"]) == ("50.00", "45.00", "55.00", True)
    assert (head["loss"], head["loss_pct"], head["modulus"], head["total"]) == ("45.00", "50.00", "1,234", "111,105")
    assert (goal["verdict"], goal["points"], goal["km2"], goal["undecided"]) == ("below_target", "2.00", "1.80", True)
    rows = contents.class_rows(manifest)
    assert [row["hm2"] for row in rows] == ["4,500.0", "2,000.0", "1,000.0", "800.0", "500.0", "200.0"]
    assert [row["mu"] for row in rows] == ["67,500", "30,000", "15,000", "12,000", "7,500", "3,000"]
    assert [row["limits"] for row in rows] == ["< 1,000", "1,000 – 2,500", "2,500 – 5,000", "5,000 – 8,000", "8,000 – 15,000", "≥ 15,000"]


def test_a_tolerance_that_varies_is_called_t(run):
    manifest = run[1] | {"intensity": {"tolerance_t_km2": {"raster": ["t.tif"]}}}
    assert [row["limits"] for row in contents.class_rows(manifest)][:2] == ["< T", "T – 2,500"]


def test_the_table_adds_up_as_it_is_shown(page):
    rows = [["".join(cell) for cell in row] for row in Elements(page).rows if len(row) == 17]
    body = [row for row in rows if row[1].isdigit()]
    assert len(body) == 7
    for row in body:
        area, *classes, loss, unassessed = (round(100 * float(row[i].replace(",", ""))) for i in (2, *range(7, 15)))
        assert sum(classes) + unassessed == area
        assert sum(classes[1:]) == loss


def test_a_zone_without_data_and_a_run_without_extras_still_make_a_page(tmp_path, make_run):
    manifest = make_run(tmp_path, height=40, width=50)
    table = tmp_path / "tables" / "zones.csv"
    empty = "X,nothing here,5.0,0.0,5.0,0,0,0,0,0,0,0,,0.0,100.0,,0.0\n"
    table.write_text(table.read_text("utf-8-sig") + empty, "utf-8-sig")
    head = {key: None if "pct" in key or "modulus" in key else value for key, value in manifest["headline"].items()}
    bare = {key: manifest[key] for key in ("package", "project", "classes", "grid", "config")} | {
        "headline": head,
        "warnings": [],
        "inputs": [],
        "factors": {},
    }
    page = render(tmp_path, bare | {"target": None, "topography": None})
    row = next(row for row in Elements(page).rows if row and "".join(row[0]) == "nothing here")
    assert ["".join(cell) for cell in row][2:6] == ["5.00", "–", "0.00", "100.00"]
    assert not re.search(r">\s*(nan|None)\s*<", page)


def test_a_large_incompressible_region_stays_under_the_limit(tmp_path, make_run):
    # 2 × 2 cells make 445,550: as many as the share of six quantities takes, (8.5 MB − 4/3 MB) · 3/4 / 2 bytes / 6 = 447,916
    manifest = make_run(tmp_path, height=1330, width=1340, noise=True)
    size = write_report(tmp_path, manifest).stat().st_size
    assert 7_000_000 < size < MAX_BYTES
    assert "每个像元代表 2 × 2 个栅格单元" in (tmp_path / "report.html").read_text("utf-8")


def test_a_page_too_large_is_refused_and_the_old_one_stays(run):
    folder, manifest = run
    before = (folder / "report.html").read_bytes()
    huge = manifest | {"config": {"zones": "x" * MAX_BYTES}}
    with pytest.raises(OutputError, match="expected at most 15,000,000"):
        write_report(folder, huge)
    assert (folder / "report.html").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["rasters", "report.html", "tables"]


def test_a_missing_part_is_named(tmp_path, make_run):
    manifest = make_run(tmp_path, height=20, width=20)
    (tmp_path / "tables" / "zones.csv").unlink()
    with pytest.raises(InputError, match=r"zones\.csv"):
        render(tmp_path, manifest)
    (tmp_path / "rasters" / "A.tif").write_bytes(b"not a raster")
    with pytest.raises(InputError, match=r"A\.tif cannot be read"):
        render(tmp_path, manifest)


def test_many_zones_are_cut_to_the_largest(tmp_path, make_run):
    manifest = make_run(tmp_path, height=20, width=20, zones=contents.MAX_ZONES + 40)
    page = render(tmp_path, manifest)
    assert f"{contents.MAX_ZONES} largest of {contents.MAX_ZONES + 40}" in page
    shown = [row for row in Elements(page).rows if len(row) == 17 and "".join(row[1]).isdigit()]
    assert len(shown) == contents.MAX_ZONES
    areas = np.sort(pd.read_csv(tmp_path / "tables" / "zones.csv", encoding="utf-8-sig")["area_km2"])
    assert min(float("".join(row[2])) for row in shown) == round(areas[40], 2)


def test_land_below_the_dem_s_edge(run):
    folder, manifest = run
    text = render(folder, manifest)
    section = text[text.index('<h3 id="edge">') : text.index("</table>", text.index('<h3 id="edge">'))]
    assert re.findall(r"<tr>.*?</tr>", section, re.DOTALL)[1:] == [
        f'<tr><th class="role">{name}</th><td class="num">{area}</td><td class="num">0.25</td><td class="num">{share}</td></tr>'
        for name, area, share in ((manifest["headline"]["zone_name"], "10.00", "2.50"), ("East &lt;edge&gt;", "4.00", "6.25"))
    ]
    assert "8,370 m" in section
    assert 'id="edge"' not in render(folder, dict(manifest) | {"edge": None})


def test_each_map_names_its_method_and_ls_its_practice(run):
    folder, manifest = run
    changed = copy.deepcopy(dict(manifest))
    changed["factors"]["LS"] |= {"practice": "csle <b>", "routing": "d8"}
    shown = re.search(r'data-legend="LS".*?<div class="sources scheme">(.*?)</div>', render(folder, changed), flags=re.DOTALL)
    assert shown is not None
    assert shown[1] == "desmet_govers1996 · csle &lt;b&gt; · d8"
