"""R from the rain that a configuration names: of one record, of many stations, or of a grid over time."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from dask.base import compute
from pyproj import CRS, Transformer

from rusle_engine.core.errors import InputError
from rusle_engine.core.memory import require_memory
from rusle_engine.core.time_folds import cut_along_time
from rusle_engine.factors.erosivity_grid import erosivity_on_grid
from rusle_engine.factors.r import record_step
from rusle_engine.factors.station_erosivity import interpolate_erosivity
from rusle_engine.factors.station_quality import CMA_CODES, CheckedRain, StationCode, checked_rain
from rusle_engine.factors.storms import erosive_storms
from rusle_engine.files.rain import RainRows, rain_record, read_rain_rows
from rusle_engine.files.rain_grids import crop_to, open_rain_grid
from rusle_engine.files.rain_stations import read_stations, station_files
from rusle_engine.runs.inputs import Inputs
from rusle_engine.runs.rain_blocks import STATION, Quality, RainGrid, RainRecord, RainStations, ValueRecord, ValueRecords
from rusle_engine.runs.signatures import factor_function
from rusle_engine.runs.sources import MethodBlock, RainSource

log = logging.getLogger("rusle_engine")

QUALITY_TABLE, STATIONS_TABLE, STORMS_TABLE = "rain_quality", "rain_stations", "storms"
TABLES = (QUALITY_TABLE, STATIONS_TABLE, STORMS_TABLE)
"""Tables that a run may have of its rain."""
_BYTES_OF_A_FINE_VALUE = 40.0
_ONLY_OF_R = ("method", "max_missing_pct", "threshold_mm", "pd12_mm", "py12_mm", "coefficient_units", "step_correction")


def erosivity(rain: RainSource, block: MethodBlock, inputs: Inputs, role: str, elevation: xr.DataArray | None = None) -> xr.Dataset:
    """R and its half-month shares by the method of ``block``; ``elevation`` [m] is the run's.

    Raises
    ------
    InputError
        When the records cannot be read, or too little of them remains.
    """
    work = _Erosivity(block, inputs, role)
    if isinstance(rain, RainStations):
        return work.of_stations(rain, elevation)
    if isinstance(rain, RainGrid):
        return work.of_grid(rain)
    assert isinstance(rain, RainRecord)
    return work.of_record(rain)


@dataclass(frozen=True)
class _Erosivity:
    block: MethodBlock
    inputs: Inputs
    role: str

    def of_record(self, rain: RainRecord) -> xr.Dataset:
        rows = self._rows(rain, rain.file)
        series, quality, actions = _series(rows, rain, self.block.method, str(rain.file))
        if actions is not None:
            self.inputs.tables[QUALITY_TABLE] = actions.assign(station=rain.file.stem)
        self.inputs.note(f"{self.role}.rain", (rain.file,), **quality)
        options = {**self.block.options, **self._temperature()}
        if self.block.method == "ei30":
            rules = {name: value for name, value in options.items() if name not in _ONLY_OF_R}
            correction = options["step_correction"] if options["step_correction"] != "yue2020" else None
            storms = erosive_storms(series, **rules, step_correction=correction)
            self.inputs.tables[STORMS_TABLE] = storms.assign(**{name: storms[name].dt.strftime("%Y-%m-%dT%H:%M") for name in ("start", "end")})
        return _by_method(options, series)

    def of_stations(self, rain: RainStations, elevation: xr.DataArray | None) -> xr.Dataset:
        places = self._places(rain)
        temperatures = self._temperatures(places.index)
        found: dict[str, xr.Dataset] = {}
        reasons: dict[str, str] = {}
        actions: list[pd.DataFrame] = []
        files: list[Path] = []
        for name, rows, file in self._records(rain, places.index):
            if file is not None and file not in files:
                files.append(file)
            if rows is None:
                reasons[name] = "no record"
                continue
            if temperatures is not None and name not in temperatures:
                reasons[name] = "no record of temperature"
                continue
            try:
                series, _, done = _series(rows, rain, self.block.method, f"{file}, station {name}")
                actions += [] if done is None else [done.assign(station=name)]
                own = {} if temperatures is None else {"temperature": temperatures[name]}
                result = _by_method({**self.block.options, **own}, series)
            except InputError as error:
                reasons[name] = str(error)
                continue
            years = int(result["years_used"]) if "years_used" in result else 0
            if years < rain.least_years:
                reasons[name] = f"{years} years count; least_years is {rain.least_years}"
            else:
                found[name] = result
        self.inputs.note(f"{self.role}.rain.stations", (rain.stations,), rows=len(places))
        self.inputs.note(f"{self.role}.rain.records", tuple(files), stations=len(found), stations_left_out=reasons)
        if actions or rain.quality is not None:
            columns = ["station", "date", "stored", "finding", "action", "used"]
            self.inputs.tables[QUALITY_TABLE] = pd.concat(actions, ignore_index=True)[columns] if actions else pd.DataFrame(columns=columns)
        if not found:
            shown = "; ".join(f"{name}: {why}" for name, why in list(reasons.items())[:3])
            raise InputError(f"no station of {rain.stations} has an R ({shown})")
        for name, why in reasons.items():
            log.warning("station %s is left out: %s", name, why)
        grid = elevation if rain.interpolation == "external_drift" else self.inputs.blank()
        if grid is None:
            raise InputError("external_drift needs the elevation of the run; give dem, or take another interpolation")
        result, report = interpolate_erosivity(
            found,
            places.loc[list(found)],
            grid,
            rain.interpolation,
            power=rain.power,
            neighbours=rain.neighbours,
            smoothing=rain.smoothing,
            variogram=rain.variogram,
        )
        self.inputs.tables[STATIONS_TABLE] = _of_stations(places, found, reasons, report)
        return result

    def of_grid(self, rain: RainGrid) -> xr.Dataset:
        """R computed on the grid of the rain, where it reaches the run's, and brought to the run's."""
        if self.block.inputs.get("temperature") is not None:
            raise InputError("temperature is that of stations, and the rain is a grid; leave it out")
        array = open_rain_grid(
            rain.grid,
            variable=rain.variable,
            units=rain.units,
            crs=rain.crs,
            name_format=rain.name_format,
            start=rain.start,
            step=rain.step,
            mean_year=rain.mean_year,
        )
        cut = crop_to(array, self.inputs.grid)
        if self.block.method == "ei30" and not (cut_along_time(cut) and self.block.options["record"] == "depth"):  # the series are held whole
            require_memory(cut.size, _BYTES_OF_A_FINE_VALUE, "storms of gridded rain", "Give a smaller region, or R as a raster.")
        (found,) = compute(_by_method(self.block.options, cut))  # the rain's cells are few; their R is used by every tile
        times = {"first": str(cut["time"].values.min())[:10], "last": str(cut["time"].values.max())[:10]} if "time" in cut.dims else {}
        details: dict[str, Any] = {"rain_cells": list(cut.shape[-2:]), "times": cut.sizes.get("time", cut.sizes.get("month", 1)), **times}
        self.inputs.note(f"{self.role}.rain", rain.grid, units=array.attrs["units"], variable=rain.variable, resampling=rain.resampling, **details)
        result = erosivity_on_grid(found, self.inputs.blank(), rain.resampling)
        result["R"].attrs |= {"rain_cells": details["rain_cells"], "years_used": _range(found["years_used"])} if "years_used" in found else {}
        return result

    def _rows(self, rain: RainRecord | RainStations, file: Path, station_column: str | None = None) -> RainRows:
        return read_rain_rows(
            file,
            date_column=rain.date_column,
            rain_column=rain.rain_column,
            step=record_step(self.block.method),
            date_format=rain.date_format,
            missing_codes=rain.missing_codes,
            station_column=station_column,
            encoding=rain.encoding,
        )

    def _records(self, rain: RainStations, names: pd.Index) -> list[tuple[str, RainRows | None, Path | None]]:
        """The rows of each station, and the file they stand in."""
        found = _by_station(rain.records, names, lambda file, whose: self._rows(rain, file, whose), rain.station_column)
        if unknown := sorted({name for name, *_ in found} - set(names)):
            log.warning("%s has records of %d stations that %s does not have: %s", rain.records, len(unknown), rain.stations, ", ".join(unknown[:10]))
        return [record for record in found if record[0] in set(names)]

    def _places(self, rain: RainStations) -> pd.DataFrame:
        """The stations in the CRS of the grid."""
        drift = rain.interpolation == "external_drift"
        places = read_stations(
            rain.stations,
            station_column=rain.station_column,
            x_column=rain.x_column,
            y_column=rain.y_column,
            elevation_column=rain.elevation_column if drift else None,
            encoding=rain.encoding,
        )
        grid = self.inputs.grid
        if rain.crs is not None:
            if grid.crs is None:
                raise InputError("the grid has no CRS, so that stations cannot be brought to it; leave crs out where they are in its coordinates")
            x, y = Transformer.from_crs(CRS.from_user_input(rain.crs), grid.crs, always_xy=True).transform(places["x"], places["y"])
            places = places.assign(x=x, y=y)
        elif not grid.is_geographic and (places["x"].abs() <= 180).all() and (places["y"].abs() <= 90).all():
            raise InputError(f"x and y of {rain.stations} look like degrees, and the grid is in metres; state their crs, such as EPSG:4326")
        if not np.isfinite(places[["x", "y"]].to_numpy()).all():
            raise InputError(f"stations of {rain.stations} lie where crs {rain.crs} does not reach; are x and y the right way round?")
        return places

    def _temperature(self) -> dict[str, Any]:
        """Of the one station."""
        source = self.block.inputs.get("temperature")
        if isinstance(source, ValueRecords):
            raise InputError("temperature has records of many stations, and the rain is that of one; name its file: temperature: {file: t.csv}")
        if not isinstance(source, ValueRecord):
            return {}
        rows = _values(source, source.file, None)
        self.inputs.note(f"{self.role}.temperature", (source.file,), rows=len(rows.table))
        return {"temperature": _over_time(rows, source.units)}

    def _temperatures(self, names: pd.Index) -> dict[str, pd.Series] | None:
        """By station; None where snow is not looked for."""
        source = self.block.inputs.get("temperature")
        if isinstance(source, ValueRecord):
            raise InputError(
                "temperature is that of one station, and the rain is that of many; give each its own: temperature: {records: …}, one table with "
                f"a column of the stations, a folder, or a name with {STATION} in it"
            )
        if not isinstance(source, ValueRecords):
            return None
        records = _by_station(source.records, names, lambda file, whose: _values(source, file, whose), source.station_column)
        held = {name: (rows, file) for name, rows, file in records if rows is not None and file is not None}
        files = tuple(dict.fromkeys(file for _, file in held.values()))
        if not files:
            raise InputError(f"{source.records} has no table of temperature for a station")
        self.inputs.note(f"{self.role}.temperature", files, stations=len(held.keys() & set(names)))
        return {name: _over_time(rows, source.units) for name, (rows, _) in held.items()}


def _by_station(
    place: Path, names: pd.Index, read: Callable[[Path, str | None], RainRows], station_column: str
) -> list[tuple[str, RainRows | None, Path | None]]:
    """The rows of each station and the file they stand in: one of all, where stations without a place come last, or one for each."""
    if place.is_dir() or STATION in place.name:
        return [(name, None if file is None else read(file, None), file) for name, file in station_files(place, names, STATION)]
    rows = read(place, station_column)
    by_name = {str(name): RainRows(part, rows.step) for name, part in rows.table.groupby("station")}
    return [(name, by_name.get(name), place) for name in [*names, *sorted(set(by_name) - set(names))]]


def _values(source: ValueRecord | ValueRecords, file: Path, station_column: str | None) -> RainRows:
    return read_rain_rows(
        file,
        date_column=source.time_column,
        rain_column=source.value_column,
        step=None,
        date_format=source.time_format,
        station_column=station_column,
    )


def _over_time(rows: RainRows, units: str) -> pd.Series:
    series = pd.Series(rows.table["stored"].to_numpy(), index=pd.DatetimeIndex(rows.table["when"]))
    series.attrs = {"units": units}
    return series


def _range(counts: xr.DataArray) -> list[int]:
    return [int(counts.min()), int(counts.max())]


def _by_method(options: Mapping[str, Any], rain: pd.Series | xr.DataArray) -> xr.Dataset:
    result: xr.Dataset = factor_function("R").function(rain, **options)
    return result


def _series(rows: RainRows, rain: RainRecord | RainStations, method: str, where: str) -> tuple[pd.Series, dict[str, Any], pd.DataFrame | None]:
    """The record, its counts, and what was done to it when it was looked through."""
    if rain.quality is None:
        record = rain_record(rows, rain.units, where, rain.rain_column)
        return record.series, record.quality, None
    if rows.step != "day":
        raise InputError(f"{where}: quality looks through daily records, and this is one of {rows.step}s; leave quality out")
    checked = _checked(rows, rain.units, rain.quality)
    quality = {
        "rows": len(rows.table),
        "first": checked.summary["first"],
        "last": checked.summary["last"],
        "days": checked.summary["days"],
        "missing_days": checked.summary["missing_days"],
        "wet_days": int((checked.daily > 0).sum()),
        "rain_day": checked.summary["rain_day"],
        "findings": checked.summary["findings"],
    }
    log.info("%s, looked through for %s: %s", where, method, checked.summary["findings"])
    return checked.daily, quality, checked.actions.assign(date=checked.actions["date"].dt.strftime("%Y-%m-%d"))


def _checked(rows: RainRows, units: str, quality: Quality) -> CheckedRain:
    codes = CMA_CODES if quality.codes == "cma" else [StationCode(c.lower, c.upper, c.meaning, c.take_off) for c in quality.codes or ()]
    stored = pd.Series(rows.table["stored"].to_numpy(), index=pd.DatetimeIndex(rows.table["when"]))
    return checked_rain(stored, units=units, rain_day=quality.rain_day, codes=codes, snow_counts=quality.snow_counts, most_mm=quality.most_mm)


def _of_stations(places: pd.DataFrame, found: Mapping[str, xr.Dataset], reasons: Mapping[str, str], report: pd.DataFrame) -> pd.DataFrame:
    """One row a station: its place, its R, what the others would have taken it for, or why it is left out."""
    table = places.copy()
    table["R"] = pd.Series({name: float(result["R"]) for name, result in found.items()}, dtype=np.float64)
    for count in ("years_used", "years_left_out", "days_missing"):
        table[count] = pd.Series({name: float(result[count]) for name, result in found.items() if count in result}, dtype=np.float64)
    snow = {name: float(result["R"].attrs["snow_mm"]) for name, result in found.items() if "snow_mm" in result["R"].attrs}
    if snow:
        table["snow_mm"] = pd.Series(snow, dtype=np.float64)
    table[["predicted", "error"]] = report[["predicted", "error"]].reindex(table.index)
    table["left_out_because"] = pd.Series(dict(reasons), dtype="str").reindex(table.index).fillna("")
    return table.reset_index()
