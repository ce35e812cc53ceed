"""Erosivity of a real gauge in Fujian from its breakpoints by storms, and from its days by a model fitted to storms: both through a run."""

import csv
import datetime
import math
from itertools import pairwise

import pytest
import yaml

import rusle_engine as rusle
from tests.acceptance import independent

GAP_MIN, GAP_MM = 360.0, 1.27


def intervals(path):
    """(begin, end, mm) between the breakpoints of a storm, in minutes from the first of January 2013."""
    origin = datetime.datetime(2013, 1, 1)
    rows = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            minute = (datetime.datetime.fromisoformat(row["time_local"]) - origin).total_seconds() / 60
            rows.append((minute, float(row["intensity_mm_h"])))
    rows.sort()
    return [(a, b, i * (b - a) / 60) for (a, i), (b, _) in pairwise(rows) if i > 0]


def rain_within(steps, begin, end):
    return sum(mm * (min(b, end) - max(a, begin)) / (b - a) for a, b, mm in steps if a < end and b > begin)


def most_within(steps, minutes):
    """C(t) is made of straight pieces: its steepest stretch begins or ends at one of their ends."""
    ends = sorted({t for a, b, _ in steps for t in (a, b)})
    return max(rain_within(steps, at, at + minutes) for t in ends for at in (t, t - minutes))


def storms_of(steps):
    """Steps cut where less than 1.27 mm fall within six hours: at the longest pause that the first such span touches."""
    storms, held = [], [steps[0]]
    for step in steps[1:]:
        cut = _cut(held, step)
        if cut is not None:
            storms.append(held[:cut])
            held = held[cut:]
        held.append(step)
    return [*storms, held]


def _cut(held, following):
    first, together = held[0][0], [*held, following]
    begins = sorted({t for a, b, _ in together for t in (a, b, a - GAP_MIN, b - GAP_MIN) if first <= t <= following[0] - GAP_MIN + 1e-9})
    for begin in begins:
        if rain_within(together, begin, begin + GAP_MIN) < GAP_MM - 1e-9:
            near = [j for j in range(1, len(together)) if together[j][0] > begin and together[j - 1][1] < begin + GAP_MIN]
            if near:
                return max(near, key=lambda j: (together[j][0] - together[j - 1][1], j))
    return None


def ei30(storm):
    depth = sum(mm for _, _, mm in storm)
    if depth < 12.7 - 1e-6 and most_within(storm, 15.0) < 6.35 - 1e-6:
        return 0.0
    energy = sum(0.29 * (1 - 0.72 * math.exp(-0.082 * 60 * mm / (b - a))) * mm for a, b, mm in storm)
    return energy * 2 * most_within(storm, 30.0)


def configured(work, data, r):
    values = {
        "schema_version": 1,
        "project": {"name": "Erosivity of a gauge"},
        "dem": {"raster": str(data / "dem30m.tif"), "units": "m"},
        "R": r,
        **dict.fromkeys(("K", "LS", "C", "P"), 1),
        "K": 0.04,
        "intensity": {"tolerance_t_km2": 500},
        "output": {"folder": str(work / "run"), "report": False},
    }
    (work / "run.yml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return work / "run.yml"


@pytest.fixture(scope="module")
def data(acceptance_data):
    return acceptance_data / "youwuzhen"


def test_r_from_breakpoints_is_that_of_storms_cut_slowly(data, tmp_path):
    path = data / "rain_breakpoint_81502750_2013_2015.csv"
    expected = sum(map(ei30, storms_of(intervals(path)))) / 3
    rain = {"file": str(path), "date_column": "time_local", "rain_column": "intensity_mm_h", "units": "mm/h"}
    result = rusle.run(configured(tmp_path, data, {"method": "ei30", "record": "intensity", "absent_is_dry": True, "rain": rain}))
    r = result.manifest["factors"]["R"]
    assert r["constant"] == pytest.approx(expected, rel=1e-6)
    assert sum(r["wr"]) == pytest.approx(1.0)
    assert (result.path / "tables" / "storms.csv").is_file()


def test_both_ways_to_r_are_of_one_order_and_have_one_season(data, tmp_path):
    """No source gives the true R of this gauge. The daily model was fitted to storms of other gauges: a quarter apart is what it is known for."""
    path = data / "rain_breakpoint_81502750_2013_2015.csv"
    rain = {"file": str(path), "date_column": "time_local", "rain_column": "intensity_mm_h", "units": "mm/h"}
    (tmp_path / "storms").mkdir()
    (tmp_path / "days").mkdir()
    block = {"method": "ei30", "record": "intensity", "absent_is_dry": True, "rain": rain}
    of_storms = rusle.run(configured(tmp_path / "storms", data, block)).manifest["factors"]["R"]
    days = data / "rain_daily_81502750_2010_2017.csv"
    block = {"method": "xie2016", "rain": {"file": str(days), "rain_column": "rain_mm"}}
    of_days = rusle.run(configured(tmp_path / "days", data, block)).manifest["factors"]["R"]
    assert of_days["constant"] == pytest.approx(independent.erosivity_xie2016(days), rel=1e-12)
    assert 0.6 < of_days["constant"] / of_storms["constant"] < 1.6
    assert sum(of_storms["wr"][6:18]) > 0.7  # April to September
    assert sum(of_days["wr"][6:18]) > 0.7
