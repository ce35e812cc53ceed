"""Runs that make R from records as people have them: by time, month and year, of many stations, looked through first."""

import re

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
import yaml

import rusle_engine as rusle
from rusle_engine.core.errors import ConfigError

CELLS, CELL_M = 64, 100.0
STORM = (1.1, 2.3, 3.2, 1.9, 4.1, 5.9, 2.5, 3.1, 2.9, 1.2, 0.5, 0.2)  # storm A of the formula book: 28.9 mm, EI30 56.810519


def write_raster(path, values):
    transform = rasterio.transform.from_origin(500_000, 4_000_000, CELL_M, CELL_M)
    profile = {"driver": "GTiff", "height": CELLS, "width": CELLS, "count": 1, "dtype": "float32", "crs": "EPSG:32649", "transform": transform}
    with rasterio.open(path, "w", **profile) as out:
        out.write(values.astype(np.float32), 1)


def configured(folder, **r):
    """A run in which everything but R is 1."""
    rows = np.arange(CELLS)[:, None]
    write_raster(folder / "dem.tif", 500.0 + 3.0 * rows + np.zeros((CELLS, CELLS)))
    values = {
        "schema_version": 1,
        "project": {"name": "Rain"},
        "dem": {"raster": "dem.tif"},
        "R": r,
        "K": 0.04,
        "LS": 1,
        "C": 1,
        "P": 1,
        "intensity": {"tolerance_t_km2": 1000},
        "output": {"folder": "result", "report": False},
    }
    (folder / "run.yml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder / "run.yml"


def half_hours(path, **columns):
    """A year of half hours, dry but for storm A on a July afternoon."""
    times = pd.date_range("2021-01-01", "2021-12-31 23:30", freq="30min")
    rain = pd.Series(0.0, index=times)
    rain["2021-07-10 13:00":"2021-07-10 18:30"] = STORM
    table = pd.DataFrame({"time": times.strftime("%Y-%m-%d %H:%M"), "mm": rain.to_numpy(), **columns})
    table.to_csv(path, index=False)
    return times


def test_ei30_from_a_table_of_half_hours(tmp_path):
    half_hours(tmp_path / "rain.csv")
    result = rusle.run(configured(tmp_path, method="ei30", rain={"file": "rain.csv", "date_column": "time", "rain_column": "mm"}))
    r = result.manifest["factors"]["R"]
    assert r["constant"] == pytest.approx(56.810519, rel=1e-7)
    assert r["wr"][12] == pytest.approx(1.0)
    storms = pd.read_csv(result.path / "tables" / "storms.csv")
    assert storms["start"].tolist() == ["2021-07-10T13:00"]
    assert storms["ei30"].item() == pytest.approx(56.810519, rel=1e-7)


def test_ei30_from_intensities_in_inches_between_breakpoints(tmp_path):
    """Storm B of the formula book, EI30 481.453; 25.4 mm are an inch."""
    minutes = [0, 20, 27, 30, 44, 57, 60, 70, 80]
    mm = [0, 1, 3, 9, 27, 30, 32, 32, 32]
    times = [pd.Timestamp(2021, 1, 1), *(pd.Timestamp(2021, 7, 1, 6) + pd.Timedelta(minutes=m) for m in minutes), pd.Timestamp(2022, 1, 1)]
    intensity = [0.0, *(60 * (b - a) / (t - s) / 25.4 for a, b, s, t in zip(mm, mm[1:], minutes, minutes[1:])), 0.0, 0.0]
    table = pd.DataFrame({"time": [f"{t:%Y-%m-%dT%H:%M}" for t in times], "i": intensity})
    table.to_csv(tmp_path / "rain.csv", index=False)
    rain = {"file": "rain.csv", "date_column": "time", "rain_column": "i", "units": "in/h"}
    result = rusle.run(configured(tmp_path, method="ei30", record="intensity", rain=rain))
    assert result.manifest["factors"]["R"]["constant"] == pytest.approx(481.453, rel=1e-5)


def test_snow_is_left_out_by_a_table_of_temperatures(tmp_path):
    times = half_hours(tmp_path / "rain.csv")
    days = pd.date_range(times[0], times[-1], freq="12h")
    pd.DataFrame({"time": days.strftime("%Y-%m-%d %H:%M"), "value": -5.0}).to_csv(tmp_path / "t.csv", index=False)
    rain = {"file": "rain.csv", "date_column": "time", "rain_column": "mm"}
    result = rusle.run(configured(tmp_path, method="ei30", rain=rain, temperature="t.csv", snow_below_c=0.0))
    assert result.manifest["factors"]["R"]["constant"] == 0.0


MONTHS = (3, 5, 10, 22, 35, 55, 115, 120, 60, 28, 10, 3)  # the illustrative year of the formula book


@pytest.mark.parametrize(
    ("method", "text", "expected"),
    [
        ("zhang_fu2003", "date,rain\n" + "".join(f"2021-{m:02d},{mm}\n" for m, mm in enumerate(MONTHS, 1)), 1133.1747),
        ("zhang_fu2003", "date,rain\n" + "".join(f"2021{m:02d},{mm}\n" for m, mm in enumerate(MONTHS, 1)), 1133.1747),
        ("renard_freimund1994_fournier", "date,rain\n" + "".join(f"{m},{mm}\n" for m, mm in enumerate(MONTHS, 1)), 2617.966),
        ("renard_freimund1994", "date,rain\n2021,466\n", 955.099),
    ],
)
def test_tables_by_month_and_year(tmp_path, method, text, expected):
    (tmp_path / "rain.csv").write_text(text, encoding="utf-8")
    result = rusle.run(configured(tmp_path, method=method, rain="rain.csv"))
    assert result.manifest["factors"]["R"]["constant"] == pytest.approx(expected, rel=1e-6)


def test_a_table_with_columns_of_year_month_and_day(tmp_path):
    days = pd.date_range("2021-01-01", "2021-12-31")
    rain = pd.Series(0.0, index=days)
    rain["2021-07-03"] = 50.0
    pd.DataFrame({"Y": days.year, "M": days.month, "D": days.day, "rain": rain.to_numpy()}).to_csv(tmp_path / "rain.csv", index=False)
    result = rusle.run(configured(tmp_path, method="xie2016", rain={"file": "rain.csv", "date_column": ["Y", "M", "D"]}))
    assert result.manifest["factors"]["R"]["constant"] == pytest.approx(337.6270, rel=1e-6)


STATIONS = {"west": (499_000.0, 3_996_800.0, 20.0), "east": (507_400.0, 3_996_800.0, 50.0), "54511": (503_200.0, 4_001_000.0, 100.0)}
OF_STORM = {20.0: 69.4055, 50.0: 337.6270, 100.0: 1117.2887}  # R-8, warm season, as the formula book has it


def stations_and_records(folder, *, one_file):
    """Each station has one storm a year: in July, but in May at the east."""
    days = pd.date_range("2020-01-01", "2021-12-31")
    tables = []
    for name, (_, _, storm) in STATIONS.items():
        rain = pd.Series(0.0, index=days)
        rain[["2020-07-20", "2021-07-20"] if name != "east" else ["2020-05-03", "2021-05-03"]] = storm
        tables.append(pd.DataFrame({"station": name, "date": days.strftime("%Y-%m-%d"), "rain": rain.to_numpy()}))
    places = pd.DataFrame(
        [{"station": name, "x": x, "y": y} for name, (x, y, _) in STATIONS.items()] + [{"station": "lost", "x": 500_000.0, "y": 4e6}]
    )
    places.to_csv(folder / "stations.csv", index=False)
    (folder / "rain").mkdir()
    if one_file:
        pd.concat(tables).to_csv(folder / "rain.csv", index=False)
    else:
        for name, table in zip(STATIONS, tables):
            table.to_csv(folder / "rain" / f"{name}.csv", index=False)


def by_distance(values):
    """Shepard's mean with d^-2, written out."""
    y, x = 4_000_000 - CELL_M * (np.arange(CELLS)[:, None] + 0.5), 500_000 + CELL_M * (np.arange(CELLS)[None, :] + 0.5)
    weights = [1 / ((x - sx) ** 2 + (y - sy) ** 2) for sx, sy, _ in STATIONS.values()]
    return sum(w * v for w, v in zip(weights, values)) / sum(weights)


@pytest.mark.parametrize("records", ["rain.csv", "rain", "rain/{station}.csv"])
def test_r_and_its_shares_between_stations(tmp_path, records):
    stations_and_records(tmp_path, one_file=records == "rain.csv")
    config = configured(tmp_path, method="xie2016", rain={"stations": "stations.csv", "records": records})
    result = rusle.run(config)
    at_station = [OF_STORM[storm] for _, _, storm in STATIONS.values()]
    np.testing.assert_allclose(result.open("R").values, by_distance(at_station), rtol=1e-6)
    table = pd.read_csv(result.path / "tables" / "rain_stations.csv", dtype={"station": str}).set_index("station")
    np.testing.assert_allclose(table.loc[list(STATIONS), "R"], at_station, rtol=1e-6)
    assert table.loc["lost", "left_out_because"] == "no record"
    distances = [np.hypot(x - 499_000, y - 3_996_800) for x, y, _ in list(STATIONS.values())[1:]]
    expected = sum(r / d**2 for r, d in zip(at_station[1:], distances)) / sum(1 / d**2 for d in distances)
    assert table.loc["west", "predicted"] == pytest.approx(expected, rel=1e-6)
    assert result.manifest["factors"]["R"]["interpolation"]["left_out_rmse"] == pytest.approx(np.sqrt((table["error"] ** 2).mean()))


def test_the_shares_of_a_cell_are_those_of_the_erosivity_that_reaches_it(tmp_path):
    from rusle_engine.runs.checks import checked
    from rusle_engine.runs.config import load_config

    stations_and_records(tmp_path, one_file=True)
    problems, plan = checked(load_config(configured(tmp_path, method="xie2016", rain={"stations": "stations.csv", "records": "rain.csv"})))
    assert problems == []
    west, east, north = (OF_STORM[storm] for _, _, storm in STATIONS.values())
    wr = plan.erosivity["wr"]
    assert wr.dims == ("half_month", "y", "x")
    expected = by_distance([0, east, 0]) / by_distance([west, east, north])
    np.testing.assert_allclose(wr.sel(half_month=9).values, expected, rtol=1e-6)
    np.testing.assert_allclose(wr.sum("half_month").values, 1.0, rtol=1e-14)


def test_what_was_done_to_a_record_stands_in_a_table(tmp_path):
    stations_and_records(tmp_path, one_file=True)
    table = pd.read_csv(tmp_path / "rain.csv", dtype={"station": str})
    table["rain"] *= 10
    table.loc[(table["station"] == "54511") & (table["date"] == "2020-03-01"), "rain"] = 32766
    table.loc[(table["station"] == "west") & (table["date"] == "2020-03-02"), "rain"] = 32700
    table.to_csv(tmp_path / "rain.csv", index=False)
    rain = {"stations": "stations.csv", "records": "rain.csv", "units": "0.1 mm", "quality": {"rain_day": "20-20 h, UTC+8", "codes": "cma"}}
    result = rusle.run(configured(tmp_path, method="xie2016", rain=rain))
    actions = pd.read_csv(result.path / "tables" / "rain_quality.csv", dtype={"station": str})
    assert sorted(actions[["station", "date", "stored", "action"]].values.tolist()) == [
        ["54511", "2020-03-01", 32766.0, "dropped"],
        ["west", "2020-03-02", 32700.0, "0 mm"],
    ]
    np.testing.assert_allclose(result.open("R").values, by_distance([OF_STORM[s] for _, _, s in STATIONS.values()]), rtol=1e-6)


def rain_and_temperatures(folder):
    """Storm A at three stations on one day, at 5 degrees in the west, at -5 in the east, at a temperature that nobody knows at 54511."""
    (folder / "rain").mkdir()
    times = half_hours(folder / "rain" / "west.csv")
    half_hours(folder / "rain" / "east.csv")
    half_hours(folder / "rain" / "54511.csv")
    places = pd.DataFrame([{"station": name, "x": x, "y": y} for name, (x, y, _) in STATIONS.items()])
    places.to_csv(folder / "stations.csv", index=False)
    days = pd.date_range(times[0], times[-1], freq="12h").strftime("%Y-%m-%d %H:%M")
    return {name: pd.DataFrame({"station": name, "time": days, "value": value}) for name, value in (("west", 5.0), ("east", -5.0))}


@pytest.mark.parametrize("records", ["t.csv", "t", "t/{station}.csv"])
def test_each_station_has_its_own_temperature(tmp_path, records):
    temperatures = rain_and_temperatures(tmp_path)
    pd.concat(temperatures.values()).to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "t").mkdir()
    for name, table in temperatures.items():
        table.to_csv(tmp_path / "t" / f"{name}.csv", index=False)
    rain = {"stations": "stations.csv", "records": "rain", "date_column": "time", "rain_column": "mm"}
    config = configured(tmp_path, method="ei30", rain=rain, temperature={"records": records}, snow_below_c=0.0)
    result = rusle.run(config)
    table = pd.read_csv(result.path / "tables" / "rain_stations.csv", dtype={"station": str}).set_index("station")
    assert table.loc["west", "R"] == pytest.approx(56.810519, rel=1e-7)
    assert (table.loc["east", "R"], table.loc["east", "snow_mm"]) == (0.0, pytest.approx(28.9))
    assert table.loc["54511", "left_out_because"] == "no record of temperature"
    assert [entry["stations"] for entry in result.manifest["inputs"] if entry["role"] == "R.temperature"] == [2]


def test_the_temperature_of_one_station_is_not_that_of_many(tmp_path):
    temperatures = rain_and_temperatures(tmp_path)
    temperatures["west"].to_csv(tmp_path / "t.csv", index=False)
    many = {"stations": "stations.csv", "records": "rain", "date_column": "time", "rain_column": "mm"}
    one = {"file": "rain/west.csv", "date_column": "time", "rain_column": "mm"}
    for rain, temperature, says in ((many, "t.csv", "give each its own"), (one, {"records": "t.csv"}, "name its file")):
        with pytest.raises(ConfigError) as error:
            rusle.run(configured(tmp_path, method="ei30", rain=rain, temperature=temperature, snow_below_c=0.0))
        assert says in "\n".join(problem.message for problem in error.value.problems)


def test_external_drift_needs_the_elevation():
    from rusle_engine.runs.rules import rule_problems

    block = {"method": "xie2016", "rain": {"stations": "s.csv", "records": "r.csv", "interpolation": "external_drift"}}
    values = {"R": block, "K": {"raster": "k.tif"}, "LS": 1, "C": 1, "P": 1}
    assert [problem.where for problem in rule_problems(values)] == ["dem"]


@pytest.mark.parametrize(
    ("rain", "says"),
    [
        ({"stations": "degrees.csv", "records": "rain.csv"}, "look like degrees"),
        ({"stations": "stations.csv", "records": "nowhere.csv"}, "nowhere.csv does not exist"),
        ({"stations": "stations.csv", "records": "rain.csv", "least_years": 3}, "no station of .* has an R"),
        ({"stations": "stations.csv", "records": "rain.csv", "interpolation": "kriging"}, "kriging needs 10 or more"),
    ],
)
def test_stations_that_cannot_be_used(tmp_path, rain, says):
    stations_and_records(tmp_path, one_file=True)
    (tmp_path / "degrees.csv").write_text("station,x,y\nwest,110.1,36.1\neast,110.2,36.1\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        rusle.run(configured(tmp_path, method="xie2016", rain=rain))
    assert re.search(says, "\n".join(problem.message for problem in error.value.problems))


def test_gridded_days_on_the_grid_of_the_run(tmp_path):
    """Rain on 8 x 8 cells of 1 km in the run's own CRS, a storm that grows eastwards: R between the centres is what hand-made weights give."""
    days = pd.date_range("2020-01-01", "2021-12-31")
    x, y = 499_500.0 + 1000.0 * np.arange(9), 4_000_500.0 - 1000.0 * np.arange(9)
    storm = np.broadcast_to(20.0 + 5.0 * np.arange(9), (9, 9))
    values = np.zeros((len(days), 9, 9), np.float32)
    values[days.get_indexer(["2020-07-20", "2021-07-20"])] = storm
    values[days.get_indexer(["2020-05-03", "2021-05-03"]), 4:] = 30.0
    rain = xr.DataArray(values, dims=("time", "y", "x"), coords={"time": days, "y": y, "x": x}, name="tp", attrs={"units": "mm"})
    rain.rio.write_crs("EPSG:32649").to_dataset().to_netcdf(tmp_path / "pr.nc", engine="h5netcdf")
    result = rusle.run(configured(tmp_path, method="xie2016", rain="pr.nc"))
    of_storm, of_may = 0.3937 * storm**1.7265, np.where(np.arange(9)[:, None] >= 4, 0.3937 * 30.0**1.7265, 0.0) + np.zeros((9, 9))

    def between_centres(coarse):
        row = (4_000_500.0 - (4_000_000 - CELL_M * (np.arange(CELLS) + 0.5))) / 1000.0
        column = (500_000 + CELL_M * (np.arange(CELLS) + 0.5) - 499_500.0) / 1000.0
        down = np.array([np.interp(row, np.arange(9), coarse[:, j]) for j in range(9)])
        return np.array([np.interp(column, np.arange(9), down[:, i]) for i in range(CELLS)])

    july, may = between_centres(of_storm), between_centres(of_may)
    np.testing.assert_allclose(result.open("R").values, july + may, rtol=1e-5)

    from rusle_engine.runs.checks import checked
    from rusle_engine.runs.config import load_config

    wr = checked(load_config(tmp_path / "run.yml"))[1].erosivity["wr"]
    np.testing.assert_allclose(wr.sel(half_month=9).values, may / (july + may), rtol=1e-5)
    np.testing.assert_allclose(wr.sum("half_month").values, 1.0, rtol=1e-14)
    entry = next(entry for entry in result.manifest["inputs"] if entry["role"] == "R.rain")
    assert (entry["times"], entry["first"], entry["last"]) == (731, "2020-01-01", "2021-12-31")


def test_r_that_follows_elevation_does_so_on_the_elevation_of_the_run(tmp_path):
    """R of twelve stations is twice their elevation, and the drift says so everywhere."""
    random = np.random.default_rng(2)
    days = pd.date_range("2021-01-01", "2021-12-31")
    places, tables = [], []
    for n in range(12):
        z = 500.0 + 16.0 * n
        rain = pd.Series(0.0, index=days)
        rain["2021-07-20"] = (2 * z / 0.3937) ** (1 / 1.7265)
        tables.append(pd.DataFrame({"station": f"s{n}", "date": days.strftime("%Y-%m-%d"), "rain": rain.to_numpy()}))
        places.append({"station": f"s{n}", "x": random.uniform(500_000, 506_400), "y": random.uniform(3_993_600, 4_000_000), "elevation_m": z})
    pd.DataFrame(places).to_csv(tmp_path / "stations.csv", index=False)
    pd.concat(tables).to_csv(tmp_path / "rain.csv", index=False)
    rain = {"stations": "stations.csv", "records": "rain.csv", "interpolation": "external_drift"}
    result = rusle.run(configured(tmp_path, method="xie2016", rain=rain))
    expected = 2 * (500.0 + 3.0 * np.arange(CELLS)[:, None]) + np.zeros((CELLS, CELLS))
    np.testing.assert_allclose(result.open("R").values, expected, rtol=1e-6)
    assert result.manifest["factors"]["R"]["interpolation"]["method"] == "external_drift"


def test_every_method_of_r_is_listed_with_the_key_that_names_it():
    from rusle_engine.runs.signatures import method_rows

    keys = {row["method"]: row["key"] for row in method_rows() if row["factor"] == "R"}
    assert keys["ei30"] == keys["zhang2003"] == "R.method"
    assert keys["kriging"] == keys["idw"] == "R.rain.interpolation"
    assert (keys["mcgregor1995"], keys["yin2007"]) == ("R.energy", "R.step_correction")
    assert [name for name, key in keys.items() if not key] == ["arnoldus1980"]  # an index, for Python alone
