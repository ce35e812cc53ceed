"""The storms of a real five-minute record (Arna, Greece, 1954 to 1956) against the rules said slowly, in whole tenths of a millimetre."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rusle_engine.factors.storms import erosive_storms, storm_table

SIX_HOURS = 72
DOCS = Path(__file__).parents[2] / "docs" / "concepts"


@pytest.fixture(scope="module")
def rain(acceptance_data):
    table = pd.read_csv(acceptance_data / "rain" / "arna_greece_5min_1954_1956.csv.gz", parse_dates=["time"])
    return table.set_index("time")["rain_mm"]


def plain_storms(rain, tenths_between, least=127, by_15_minutes=True, rate=0.082):
    """(start, end, depth, energy, I30) of each erosive storm; a time is the end of its step. Depths in tenths of a millimetre."""
    start = rain.index[0] - pd.Timedelta(minutes=5)
    number = ((rain.index - start) / pd.Timedelta(minutes=5)).astype(int) - 1
    wet = {int(i): round(10 * mm) for i, mm in zip(number, rain) if mm > 0}
    order = sorted(wet)
    storms, k = [order[:1]], 1
    while k < len(order):
        first = storms[-1][0]
        spans = range(max(first, order[k - 1] + 2 - SIX_HOURS), order[k] + 2 - SIX_HOURS)
        spans = [at for at in spans if sum(wet.get(i, 0) for i in range(at, at + SIX_HOURS)) < tenths_between]
        begun = order.index(first)
        if spans:
            inside = [j for j in range(begun, k) if order[j] < spans[0]]
            k = max(range(max(inside, default=begun) + 1, k + 1), key=lambda j: (order[j] - order[j - 1], j))
            storms[-1] = order[begun:k]
            storms.append([order[k]])
        else:
            storms[-1] = order[begun : k + 1]
        k += 1
    rows = []
    for steps in storms:
        depth = sum(wet[i] for i in steps)

        def most(width, steps=steps):
            return max(sum(wet[i] for i in steps if at <= i < at + width) for at in range(steps[0] - width + 1, steps[-1] + 1))

        if depth >= least or (by_15_minutes and 100 * most(3) >= 6350):
            energy = sum(0.29 * (1 - 0.72 * math.exp(-rate * 1.2 * wet[i])) * wet[i] / 10 for i in steps)
            begin, end = start + pd.Timedelta(minutes=5 * steps[0]), start + pd.Timedelta(minutes=5 * steps[-1] + 5)
            rows.append((begin, end, depth / 10, energy, most(6) / 5))
    return len(storms), pd.DataFrame(rows, columns=["start", "end", "depth_mm", "energy_mj_ha", "i30_mm_h"])


@pytest.mark.parametrize(("gap_depth_mm", "tenths", "count"), [(1.27, 12.7, 34), (0.0, 1, 35)])
def test_every_storm_of_the_record(rain, gap_depth_mm, tenths, count):
    found, expected = plain_storms(rain, tenths)
    storms = erosive_storms(rain, gap_depth_mm=gap_depth_mm, stamp="end")
    assert (len(storms), storms.attrs["storms_found"]) == (count, found)
    expected["ei30"] = expected["energy_mj_ha"] * expected["i30_mm_h"]
    assert storms["start"].tolist() == expected["start"].tolist()
    assert storms["end"].tolist() == expected["end"].tolist()
    pd.testing.assert_frame_equal(storms.drop(columns=["start", "end"]), expected.drop(columns=["start", "end"]), rtol=1e-9)


def test_no_rain_is_lost_between_storms_and_every_gap_is_counted(rain):
    storms = erosive_storms(rain, min_depth_mm=0, stamp="end")
    assert storms["depth_mm"].sum() == pytest.approx(rain.sum(), rel=1e-12)
    recorded_days = rain.notna().sum() * 5 / 1440
    assert storm_table(storms, "year")["days_missing"].sum() == pytest.approx(365 + 365 + 366 - recorded_days, rel=1e-12)
    assert np.isclose(storms.attrs["days_missing"], 365 + 365 + 366 - recorded_days)


@pytest.mark.parametrize(
    ("ours", "slowly", "row"),
    [
        ({}, (12.7,), "ours"),
        ({"gap_depth_mm": 0.0}, (1,), "dry gap (`gap_depth_mm=0`)"),
        ({"min_15min_mm": None}, (12.7, 127, False), "without the 15-minute rule"),
        ({"min_depth_mm": 0.0}, (12.7, 0), "every storm (`min_depth_mm=0`), as RUSLE2 sums"),
        ({"gap_depth_mm": 1.0, "min_depth_mm": 10.0, "min_15min_mm": None}, (10, 100, False), "gap of 1 mm, 10 mm"),
        ({"energy": "brown_foster1987"}, (12.7, 127, True, 0.05), "`brown_foster1987` (RUSLE"),
    ],
)
def test_the_rules_side_by_side_are_those_of_the_documentation(rain, ours, slowly, row):
    found, expected = plain_storms(rain, *slowly)
    ei30 = (expected["energy_mj_ha"] * expected["i30_mm_h"]).sum()
    storms = erosive_storms(rain, stamp="end", **ours)
    assert (storms.attrs["storms_found"], len(storms)) == (found, len(expected))
    assert storms["ei30"].sum() == pytest.approx(ei30, rel=1e-9)
    line = next(line for line in (DOCS / "storms.md").read_text(encoding="utf-8").splitlines() if line.startswith(f"| {row}"))
    sums = expected[["depth_mm", "energy_mj_ha"]].sum()
    assert line.split(" | ")[1:6] == [str(found), str(len(expected)), f"{sums['depth_mm']:.1f}", f"{sums['energy_mj_ha']:.1f}", f"{ei30:.1f}"]


def test_the_storms_one_by_one_are_those_of_the_documentation(rain):
    _, expected = plain_storms(rain, 12.7)
    expected["ei30"] = expected["energy_mj_ha"] * expected["i30_mm_h"]
    rows = [line.split(" | ") for line in (DOCS / "storms_of_arna.md").read_text(encoding="utf-8").splitlines() if line.startswith("| 19")]
    assert [row[0].strip("| ") for row in rows] == [f"{start:%Y-%m-%d %H:%M}" for start in expected["start"]]
    shown = np.array([[float(cell) for cell in row[2:6]] for row in rows])
    np.testing.assert_allclose(shown, expected[["depth_mm", "energy_mj_ha", "i30_mm_h", "ei30"]], atol=0.0501)
    np.testing.assert_allclose(shown[:, 1], expected["energy_mj_ha"], atol=0.00501)
