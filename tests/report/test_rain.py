"""The report's part on rain: figures of the record and of the run's tables, and nothing of tables that the run did not write."""

import copy
import re

import pytest

from rusle_engine.report.page import render

TABLES = {
    "rain_stations": (
        "station,x,y,R,years_used,years_left_out,days_missing,predicted,error,left_out_because\n"
        "54511,1,2,1234.7,30,1,3,1300.25,65.75,\n'=1+1,3,4,,,,,,,<b>no record</b>\n"
    ),
    "rain_quality": "station,date,stored,finding,action,used\na,2001-07-01,-5,negative,dropped,\na,2001-07-02,-4,negative,dropped,\n",
    "storms": "start,end,depth_mm,energy_mj_ha,i30_mm_h,ei30\n"
    + "".join(f"2001-07-{day:02d}T13:00,2001-07-{day:02d}T15:00,20,4,{day},{10 * day}\n" for day in range(1, 13)),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory, make_run):
    folder = tmp_path_factory.mktemp("run")
    return folder, make_run(folder)


@pytest.fixture
def with_rain(run):
    folder, manifest = run
    changed = copy.deepcopy(dict(manifest))
    changed["factors"]["R"]["interpolation"] = {
        "method": "kriging", "variogram": "spherical", "variogram_length_m": 81235.2, "stations": 34, "left_out_rmse": 210.4567,
    }  # fmt: skip
    for name, text in TABLES.items():
        (folder / "tables" / f"{name}.csv").write_text(text, encoding="utf-8-sig")
        changed["outputs"] = [*changed["outputs"], {"path": f"tables/{name}.csv", "sha256": "0" * 64, "bytes": 1, "kind": "table"}]
    yield folder, changed
    for name in TABLES:
        (folder / "tables" / f"{name}.csv").unlink()


def part(page):
    return re.search(r'<h3 id="rain">.*?</section>', page, flags=re.DOTALL)[0]


def test_interpolation_stations_findings_and_storms(with_rain):
    shown = part(render(*with_rain))
    for text in ("ordinary kriging", "spherical", "81,235", ">34<", "210.5", "54511", "1,235", "1,300", "65.75"):
        assert text in shown
    assert "=1+1" in shown
    assert "'=1+1" not in shown.replace("&#39;", "'")
    assert "&lt;b&gt;no record&lt;/b&gt;" in shown
    assert re.search(r"negative</td><td>dropped</td><td class=\"num\">2<", shown)
    storms = re.findall(r"<td>2001-07-(\d\d) 13:00</td>", shown)
    assert storms == [f"{day:02d}" for day in range(12, 2, -1)]  # the ten greatest of twelve, greatest first
    assert "10 / 12" in shown


def test_a_run_without_rain_has_no_such_part(run):
    assert 'id="rain"' not in render(*run)


def test_a_table_without_rows_and_one_that_is_not_of_the_run(with_rain):
    folder, manifest = with_rain
    (folder / "tables" / "rain_quality.csv").write_text("station,date,stored,finding,action,used\n", encoding="utf-8-sig")
    manifest["outputs"] = [entry for entry in manifest["outputs"] if entry["path"] != "tables/storms.csv"]
    shown = part(render(folder, manifest))
    assert "What was found" not in shown
    assert "13:00" not in shown


def test_the_share_of_good_dates_stands_with_its_series(run):
    folder, manifest = run
    changed = copy.deepcopy(dict(manifest))
    changed["inputs"][1] |= {"role": "C.ndvi", "good_share": {"min": 0.25, "mean": 0.81234, "max": 1.0}}
    assert "25.0 – 81.2 – 100.0 %" in render(folder, changed)
