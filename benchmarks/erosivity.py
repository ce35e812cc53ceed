"""Storms and R from rain: 100 station-years of five-minute depths cut into erosive storms, and the kernels of R on a grid, on one core.

    python benchmarks/erosivity.py [--station-years 100] [--cells 10000]

The rain is made from a seed: wet spells of two hours on one day in four. The copy is of the same bytes as the kernels read. Seconds are CPU
time, of R and of the copy those of the fastest of five runs. "streamed" is the same days as a lazy grid cut along time, a year at once.
"""

import argparse
import time
from collections.abc import Callable

import numba
import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.factors.r import r_factor
from rusle_engine.factors.storms import erosive_storms

YEARS_OF_A_STATION = 10


def five_minute_rain(years: int, seed: int) -> pd.Series:
    """Depths [mm] in tenths, about 700 mm a year."""
    random = np.random.default_rng(seed)
    times = pd.date_range("2001-01-01", f"{2000 + years}-12-31 23:55", freq="5min")
    rain = np.zeros(len(times))
    for first in 288 * np.flatnonzero(random.random(len(times) // 288) < 0.25) + 100:
        rain[first : first + 24] = np.round(random.gamma(0.4, 0.8, 24), 1)
    return pd.Series(rain, index=times)


def daily_rain(cells: int, years: int = 30) -> xr.DataArray:
    random = np.random.default_rng(3)
    days = pd.date_range("1991-01-01", f"{1990 + years}-12-31")
    values = np.where(random.random((cells, len(days))) < 0.2, random.gamma(0.7, 10, (cells, len(days))), 0.0)
    return xr.DataArray(values, dims=("cell", "time"), coords={"time": days}, attrs={"units": "mm"})


def seconds(function: Callable[[], object], repeat: int = 5) -> float:
    """CPU time of the fastest of several runs."""
    taken = []
    for _ in range(repeat):
        started = time.process_time()
        function()
        taken.append(time.process_time() - started)
    return min(taken)


def row(what: str, on: str, values: int, took: float, share: str) -> None:
    print(f"| {what}, {on} | {values / 1e6:.1f} M | {took:.2f} | {values / took / 1e6:.1f} | {share} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--station-years", type=int, default=100)
    parser.add_argument("--cells", type=int, default=10_000)
    options = parser.parse_args()
    numba.set_num_threads(1)
    erosive_storms(five_minute_rain(1, 0))  # compiled before the clock runs
    stations = [five_minute_rain(YEARS_OF_A_STATION, seed) for seed in range(options.station_years // YEARS_OF_A_STATION)]
    values = sum(len(rain) for rain in stations)
    print("| what | values | seconds | M values/s | share of copy |")
    print("| --- | --- | --- | --- | --- |")
    storms = seconds(lambda: [erosive_storms(rain) for rain in stations], 1)
    row("erosive_storms", f"{options.station_years} station-years of 5 minutes", values, storms, "")
    rain = daily_rain(options.cells)
    copy = seconds(rain.values.copy)
    methods = ("xie2016", "xie2016_sinusoid", "zhang2003", "zhang_fu2003", "renard_freimund1994", "renard_freimund1994_fournier")
    for method in methods:
        took = seconds(lambda method=method: r_factor(rain, method=method))
        row(f"r_factor, {method}", "30 years of days", rain.size, took, f"{100 * copy / took:.0f} %")
    streamed = rain.chunk({"time": 365, "cell": 4096})
    for method in ("xie2016", "zhang2003"):
        took = seconds(lambda method=method: r_factor(streamed, method=method).compute(scheduler="synchronous"))
        row(f"r_factor, {method}, streamed", "30 years of days", rain.size, took, f"{100 * copy / took:.0f} %")


if __name__ == "__main__":
    main()
