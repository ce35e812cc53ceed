"""The storms of a real five-minute record (Arna, Greece, 1954 to 1956) against the rules said slowly, in whole tenths of a millimetre."""

import math

import numpy as np
import pandas as pd
import pytest

from rusle_engine.factors.storms import erosive_storms, storm_table

SIX_HOURS = 72


@pytest.fixture(scope="module")
def rain(acceptance_data):
    table = pd.read_csv(acceptance_data / "rain" / "arna_greece_5min_1954_1956.csv.gz", parse_dates=["time"])
    return table.set_index("time")["rain_mm"]


def plain_storms(rain, tenths_between):
    """(start, end, depth, energy, I30) of each erosive storm; a time is the end of its step."""
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

        if depth >= 127 or 100 * most(3) >= 6350:
            energy = sum(0.29 * (1 - 0.72 * math.exp(-0.082 * 1.2 * wet[i])) * wet[i] / 10 for i in steps)
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
