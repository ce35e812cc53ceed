"""tables/zones.xlsx: the table in two languages, areas also in hm² and mu, and no name that calculates."""

import openpyxl
import pandas as pd
import pytest

from rusle_engine.report.workbook import write_workbooks


@pytest.fixture(scope="module")
def book(tmp_path_factory, make_run):
    folder = tmp_path_factory.mktemp("run")
    manifest = make_run(folder, height=30, width=40)
    zones = pd.read_csv(folder / "tables" / "zones.csv", encoding="utf-8-sig", dtype={"zone_id": str})
    zones["zone_name"] = zones["zone_name"].str.removeprefix("'")
    path = write_workbooks(folder, zones, manifest)
    assert path == folder / "tables" / "zones.xlsx"
    return zones, openpyxl.load_workbook(path)


@pytest.mark.parametrize(("sheet", "area", "mu"), [("分区统计", "面积", "亩"), ("Zones", "Area", "mu")])
def test_areas_in_three_units(book, sheet, area, mu):
    zones, workbook = book
    rows = list(workbook[sheet].iter_rows(values_only=True))
    names, body = rows[2], rows[3:]
    column = {name: [row[i] for row in body] for i, name in enumerate(names)}
    assert len(names) == len(set(names)) == 2 + 10 + 5 + 20
    assert column[f"{area} km²"] == pytest.approx(zones["area_km2"].tolist())
    assert column[f"{area} hm²"] == pytest.approx((zones["area_km2"] * 100).tolist())
    assert column[f"{area} {mu}"] == pytest.approx((zones["area_km2"] * 1500).tolist())  # 1 mu = 1/15 hm²


def test_titles_call_an_illustrative_run_so(book):
    _, workbook = book
    assert workbook["分区统计"]["A1"].value == "示例县 · 2024 · 土壤侵蚀与水土保持率评估报告 · 示例数据"
    assert workbook["Zones"]["A1"].value.endswith("illustrative data")


def test_a_name_like_a_formula_stays_text(book):
    _, workbook = book
    cell = next(row[1] for row in workbook["Zones"].iter_rows() if row[1].value == "=1+1")
    assert cell.data_type == "s"
