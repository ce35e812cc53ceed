"""The illustrative rain record of the sample regions: thirty years of days whose monthly means are stated round numbers."""

import numpy as np
import pandas as pd

from rusle_engine.runs.sample_terrain import Tile, uniform

MONTHLY_NORMALS_MM = (3, 5, 10, 22, 35, 55, 115, 120, 60, 28, 10, 3)
"""Illustrative monthly normals [mm], January to December, 466 mm a year: the rhythm of a loess-plateau city, no station's numbers."""
WET_DAYS = (2, 3, 4, 5, 7, 10, 13, 12, 9, 6, 3, 2)
"""Days with rain in the mean month."""
PERSISTENCE = 0.25
"""How much likelier rain is after a wet day than after a dry one (the lag-1 correlation of the two-state chain)."""
GAMMA_SHAPE = 0.55
"""Shape of the amounts of wet days: many small, few large."""
FIRST_YEAR, LAST_YEAR = 1991, 2020


def _wet(months: Tile, lengths: Tile, seed: int) -> Tile:
    """A first-order chain: with a share w of wet days, P(wet | wet) = w + r(1 - w) and P(wet | dry) = w(1 - r)."""
    chance = uniform(seed, 400, months.size)
    share = np.asarray(WET_DAYS)[months - 1] / lengths
    wet = np.zeros(months.size, bool)
    yesterday = False
    for day in range(months.size):
        yesterday = bool(chance[day] < share[day] * (1 - PERSISTENCE) + (PERSISTENCE if yesterday else 0.0))
        wet[day] = yesterday
    return wet


def rain_record(seed: int) -> pd.Series:
    """Daily rain [mm], 1991 to 2020, in tenths of a millimetre: a wet-or-dry chain with gamma amounts.

    The amounts of each calendar month are scaled so that its mean over the thirty years is ``MONTHLY_NORMALS_MM`` exactly (to the
    tenth of a millimetre of the total: what rounding leaves over goes to the days that were cut most).
    """
    from scipy.special import gammaincinv

    days = pd.date_range(f"{FIRST_YEAR}-01-01", f"{LAST_YEAR}-12-31", freq="D")
    months = days.month.to_numpy()
    wet = _wet(months, days.days_in_month.to_numpy(), seed)
    amounts = np.where(wet, gammaincinv(GAMMA_SHAPE, uniform(seed, 401, days.size)) + 0.02, 0.0)
    tenths = np.zeros(days.size, np.int64)
    years = LAST_YEAR - FIRST_YEAR + 1
    for month, normal in enumerate(MONTHLY_NORMALS_MM, start=1):
        here = np.flatnonzero((months == month) & wet)
        exact = amounts[here] * (10 * normal * years / amounts[here].sum())
        whole = np.floor(exact).astype(np.int64)
        left = 10 * normal * years - int(whole.sum())
        whole[np.argsort(whole - exact, kind="stable")[:left]] += 1
        tenths[here] = whole
    return pd.Series(tenths / 10, index=days.rename("date"), name="rain_mm")
