"""From stations to the grid: inverse distance, thin-plate spline, ordinary kriging and kriging with elevation as external drift."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from pyproj import CRS, Transformer

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import ELEVATION, Units, units_of
from rusle_engine.factors.validation import require_choice
from rusle_engine.factors.variograms import Variogram, VariogramShape, fitted_variogram
from rusle_kernels import interpolation as kernels

log = logging.getLogger("rusle_engine")

InterpolationMethod = Literal["idw", "tps", "kriging", "external_drift"]


def _surface(equation: str, source: str, valid_for: str) -> MethodInfo:
    return MethodInfo(equation, source, ("values of stations",), "of the values", "verified", "", valid_for)


METHODS = {
    "idw": _surface("sum d^-p v / sum d^-p over the nearest stations", "Shepard 1968", "two stations and more"),
    "tps": _surface("a_0 + a_1 x + a_2 y + sum w_i r_i^2 ln r_i", "Duchon 1977", "four stations and more"),
    "kriging": _surface("mu + sum w_i C(r_i), ordinary, C of a fitted variogram", "Matheron 1963; variogram by GSTools", "ten stations and more"),
    "external_drift": _surface(
        "mu + nu z + sum w_i C(r_i), z the elevation", "Matheron 1963; variogram by GSTools", "twelve stations and more, where R follows elevation"
    ),
}

_LEAST_STATIONS = {"idw": 2, "tps": 4, "kriging": 10, "external_drift": 12}

Surface = Callable[[Tile, Tile, Tile], Tile]
"""From coordinates [m] and heights [m] of cells, each (rows, columns), to values."""


@dataclass(frozen=True)
class Stations:
    """Where stations lie [m], how high [m], and what was measured there."""

    names: list[Any]
    x: Tile
    y: Tile
    z: Tile
    values: Tile

    def without(self, i: int) -> "Stations":
        keep = np.arange(len(self.values)) != i
        return Stations([n for k, n in enumerate(self.names) if keep[k]], self.x[keep], self.y[keep], self.z[keep], self.values[keep])


@dataclass(frozen=True)
class Scheme:
    method: InterpolationMethod
    power: float
    neighbours: int
    smoothing: float
    variogram: Variogram | None

    def surface(self, stations: Stations) -> Surface:
        """The surface through these stations; the variogram is not fitted anew."""
        if self.method == "idw":
            near = min(self.neighbours, len(stations.values))
            return _on(kernels.inverse_distance, stations.x, stations.y, stations.values, self.power, near)
        if self.method == "tps":
            return _thin_plate(stations, self.smoothing)
        assert self.variogram is not None
        return _kriged(stations, self.variogram, drift=self.method == "external_drift")


def interpolate_stations(
    values: pd.Series,
    stations: pd.DataFrame,
    grid: xr.DataArray,
    method: InterpolationMethod = "idw",
    *,
    power: float = 2.0,
    neighbours: int = 12,
    smoothing: float = 0.0,
    variogram: VariogramShape = "spherical",
    least: float | None = 0.0,
    units: Units = None,
) -> xr.DataArray:
    r"""Values of stations, such as their R, on every cell of a grid, with what leaving each station out says about it.

    .. math:: \hat v = \frac{\sum_i d_i^{-p} v_i}{\sum_i d_i^{-p}}, \qquad \hat v = a_0 + a_1 x + a_2 y + \sum_i w_i r_i^2 \ln r_i, \qquad
        \hat v = \mu + \nu z + \sum_i w_i C(r_i)

    for ``idw`` over the nearest stations (Shepard 1968), ``tps`` (Duchon 1977), ``kriging`` (ν = 0; Matheron 1963) and ``external_drift``.

    Parameters
    ----------
    values
        One value a station, indexed by its name; NaN is left out, and counted.
    stations
        Indexed by name, with ``x`` and ``y`` in the CRS of the grid, and with ``elevation_m`` for ``external_drift``.
    grid
        Any array on the grid; for ``external_drift`` the elevation [m], NaN where there is none.
    method
        How.
    power
        Exponent of the distance (``idw``).
    neighbours
        How many of the nearest stations count (``idw``).
    smoothing
        How far the spline may leave the stations, 0: not at all (``tps``); in units of squared coordinates scaled to the stations' extent.
    variogram
        Shape of the variogram that is fitted (``kriging``, ``external_drift``).
    least
        Lower values are raised to this, for splines and kriging undershoot; None: they are not.
    units
        Unit of the elevation when it does not declare one.

    Returns
    -------
    DataArray
        float64 (y, x), lazy when ``grid`` is; units and name of ``values`` (``attrs["units"]``). ``attrs`` hold the options, the variogram,
        the stations used and left out, and bias, mean absolute error, root mean square error and efficiency of ``cross_validation``.

    Raises
    ------
    InputError
        When a station has no place, two lie on one place, or there are too few for the method.

    Notes
    -----
    Distances are in the plane: on a geographic grid, in the azimuthal equidistant projection centred on the stations (true to 0.1 % within
    500 km of the centre), which the attributes record. Kriging smooths: the nugget is taken for error of measurement. R of ``zhang2003``
    is better made from interpolated P_d12 and P_y12 than interpolated itself.

    References
    ----------
    The variogram (Matheron's estimator) is estimated and fitted by GSTools (Müller et al. 2022).
    """
    surfaces = Surfaces.between(
        values,
        stations,
        grid,
        method,
        power=power,
        neighbours=neighbours,
        smoothing=smoothing,
        variogram=variogram,
        least=least,
        units=units_of(units, "elevation"),
    )
    result = surfaces.lay(surfaces.known.values).rename(values.name)
    result.attrs = {**({"units": values.attrs["units"]} if "units" in values.attrs else {}), **surfaces.described()}
    return result


@dataclass(frozen=True)
class Surfaces:
    """Surfaces through the same stations: places, weights and variogram are those of one set of values, others can be laid with them."""

    known: Stations
    left_out: list[str]
    scheme: Scheme
    least: float | None
    plane: Callable[[Tile, Tile], tuple[Tile, Tile]]
    heights: xr.DataArray
    y: xr.DataArray
    x: xr.DataArray
    is_geographic: bool
    report: pd.DataFrame
    """Of ``cross_validation``."""

    @classmethod
    def between(
        cls,
        values: pd.Series,
        stations: pd.DataFrame,
        grid: xr.DataArray,
        method: InterpolationMethod,
        *,
        power: float,
        neighbours: int,
        smoothing: float,
        variogram: VariogramShape,
        least: float | None,
        units: str | None,
    ) -> "Surfaces":
        """Prepared for the values of ``interpolate_stations``, whose parameters these are."""
        where = Grid.of(grid)
        plane = _plane(where, stations)
        known, left_out = _known(values, stations, plane, method)
        scheme = _scheme(known, method, power, neighbours, smoothing, variogram)
        report = _leave_one_out(known, scheme, least)
        heights = ELEVATION.require(grid, units) if method == "external_drift" else xr.zeros_like(grid, np.float64)
        coordinates = where.coords()
        y, x = (xr.DataArray(coordinates[name], dims=name, coords={name: grid[name]}) for name in ("y", "x"))
        return cls(known, left_out, scheme, least, plane, heights, y, x, where.is_geographic, report)

    def lay(self, values: Tile) -> xr.DataArray:
        """One surface, through one value at each of the known stations; without attributes."""
        surface = self.scheme.surface(replace(self.known, values=values))
        plane, least = self.plane, self.least

        def on_tile(heights: Tile, y: Tile, x: Tile, out: Tile) -> None:
            x, y = plane(np.broadcast_to(x, out.shape), np.broadcast_to(y, out.shape))
            found = surface(x, y, heights)
            out[...] = found if least is None else np.where(found < least, least, found)

        return pointwise(on_tile, self.heights, self.y, self.x)

    def described(self) -> dict[str, Any]:
        """Options, variogram, stations and scores, as attributes."""
        method = self.scheme.method
        own = {"idw": {"power": self.scheme.power, "neighbours": self.scheme.neighbours}, "tps": {"smoothing": self.scheme.smoothing}}
        return {
            "method": method,
            **own.get(method, {}),
            **({} if self.scheme.variogram is None else self.scheme.variogram.described()),
            **({} if self.least is None else {"least": self.least}),
            "stations": len(self.known.values),
            "stations_left_out": self.left_out,
            **({"distances": "azimuthal equidistant, centred on the stations"} if self.is_geographic else {}),
            **scores(self.report),
        }


def cross_validation(
    values: pd.Series,
    stations: pd.DataFrame,
    method: InterpolationMethod = "idw",
    *,
    power: float = 2.0,
    neighbours: int = 12,
    smoothing: float = 0.0,
    variogram: VariogramShape = "spherical",
    least: float | None = 0.0,
) -> pd.DataFrame:
    """What each station would have been taken for by all the others.

    Parameters
    ----------
    values, stations, method, power, neighbours, smoothing, variogram, least
        As for ``interpolate_stations``; here ``x`` and ``y`` are metres. The variogram is fitted once, with all stations.

    Returns
    -------
    DataFrame
        By station: ``observed``, ``predicted`` and ``error`` (predicted - observed). ``scores`` sums it up.

    Raises
    ------
    InputError
        As for ``interpolate_stations``.
    """
    known, _ = _known(values, stations, lambda x, y: (x, y), method)
    return _leave_one_out(known, _scheme(known, method, power, neighbours, smoothing, variogram), least)


def scores(report: pd.DataFrame) -> dict[str, float]:
    """Bias, mean absolute error, root mean square error and Nash-Sutcliffe efficiency of a cross-validation."""
    error = report["error"].to_numpy(np.float64)
    spread = float(((report["observed"] - report["observed"].mean()) ** 2).sum())
    return {
        "left_out_bias": float(error.mean()),
        "left_out_mae": float(np.abs(error).mean()),
        "left_out_rmse": float(np.sqrt((error**2).mean())),
        "left_out_efficiency": 1.0 - float((error**2).sum()) / spread if spread > 0 else float("nan"),
    }


def _leave_one_out(known: Stations, scheme: Scheme, least: float | None) -> pd.DataFrame:
    predicted = np.empty(len(known.values))
    for i in range(len(predicted)):
        at = [part[i : i + 1, None] for part in (known.x, known.y, known.z)]
        predicted[i] = scheme.surface(known.without(i))(*at)[0, 0]
    if least is not None:
        predicted = np.maximum(predicted, least)
    index = pd.Index(known.names, name="station")
    return pd.DataFrame({"observed": known.values, "predicted": predicted, "error": predicted - known.values}, index=index)


def _scheme(known: Stations, method: InterpolationMethod, power: float, neighbours: int, smoothing: float, shape: VariogramShape) -> Scheme:
    if not power > 0 or neighbours < 1 or smoothing < 0:
        raise InputError(f"power {power:g}, neighbours {neighbours}, smoothing {smoothing:g}: expected more than 0, 1 or more, 0 or more")
    variogram = None
    if method in ("kriging", "external_drift"):
        require_choice("variogram", shape, VariogramShape)
        values = known.values
        if method == "external_drift":  # what elevation does not explain
            centred = known.z - known.z.mean()
            values = values - (centred @ values) / (centred @ centred) * centred
        variogram = fitted_variogram(known.x, known.y, values, shape, of_residuals=method == "external_drift")
    return Scheme(method, power, neighbours, smoothing, variogram)


def _known(
    values: pd.Series, stations: pd.DataFrame, plane: Callable[[Tile, Tile], tuple[Tile, Tile]], method: InterpolationMethod
) -> tuple[Stations, list[str]]:
    """The stations that have a value, in the plane; the names of the others."""
    require_choice("method of interpolation", method, InterpolationMethod)
    needed = ["x", "y", *(["elevation_m"] if method == "external_drift" else [])]
    if absent := [name for name in needed if name not in stations.columns]:
        raise InputError(f"stations has no column {', '.join(absent)}; {method} needs {', '.join(needed)}")
    for what, index in (("values", values.index), ("stations", stations.index)):
        if index.has_duplicates:
            raise InputError(f"{what} name {index[index.duplicated()][0]!r} more than once")
    with_value = values.dropna()
    if len(unplaced := with_value.index.difference(stations.index)):
        raise InputError(f"stations has no row for {', '.join(map(str, unplaced[:10]))}, which has a value")
    placed = stations.loc[with_value.index, needed].astype(np.float64)
    if placed.isna().to_numpy().any():
        raise InputError(f"station {placed.index[placed.isna().any(axis=1)][0]!r} lacks one of {', '.join(needed)}")
    if placed.duplicated(["x", "y"]).any():
        raise InputError(f"station {placed.index[placed.duplicated(['x', 'y'])][0]!r} lies where another one does; keep one of them")
    if len(placed) < _LEAST_STATIONS[method]:
        raise InputError(f"{len(placed)} stations have a value; {method} needs {_LEAST_STATIONS[method]} or more. idw makes do with few.")
    left_out = sorted(str(name) for name in stations.index.difference(with_value.index))
    if left_out:
        log.info("%d stations without a value are left out", len(left_out))
    x, y = plane(placed["x"].to_numpy(), placed["y"].to_numpy())
    if method == "external_drift" and placed["elevation_m"].nunique() < 2:
        raise InputError("all stations lie at one elevation; external_drift has nothing to lean on: take kriging")
    z = placed["elevation_m"].to_numpy() if method == "external_drift" else np.zeros(len(placed))
    return Stations(list(with_value.index), np.ascontiguousarray(x), np.ascontiguousarray(y), z, with_value.to_numpy(np.float64)), left_out


def _plane(grid: Grid, stations: pd.DataFrame) -> Callable[[Tile, Tile], tuple[Tile, Tile]]:
    """From the grid's coordinates to metres."""
    if not grid.is_geographic or not {"x", "y"} <= set(stations.columns):
        return lambda x, y: (x, y)
    longitude, latitude = stations["x"].mean(), stations["y"].mean()
    metres = CRS.from_proj4(f"+proj=aeqd +lat_0={latitude} +lon_0={longitude} +datum=WGS84 +units=m")
    transformer = Transformer.from_crs(grid.crs, metres, always_xy=True)
    return lambda x, y: transformer.transform(np.ascontiguousarray(x), np.ascontiguousarray(y))


def _on(kernel: Callable[..., None], *arguments: Any) -> Surface:
    """A kernel on the cells of a tile."""

    def surface(x: Tile, y: Tile, _z: Tile) -> Tile:
        out = np.empty(x.shape)
        kernel(np.ascontiguousarray(x), np.ascontiguousarray(y), *arguments, out)
        return out

    return surface


def _thin_plate(stations: Stations, smoothing: float) -> Surface:
    centre = stations.x.mean(), stations.y.mean()
    extent = max(np.ptp(stations.x), np.ptp(stations.y))
    px, py = (stations.x - centre[0]) / extent, (stations.y - centre[1]) / extent
    squared = (px[:, None] - px) ** 2 + (py[:, None] - py) ** 2
    bending = 0.5 * squared * np.log(np.where(squared > 0, squared, 1.0)) + smoothing * np.eye(len(px))
    weights, plane = _solved(bending, np.column_stack([np.ones(len(px)), px, py]), stations.values)
    spline = _on(kernels.thin_plate_spline, px, py, weights, plane)
    return lambda x, y, z: spline((x - centre[0]) / extent, (y - centre[1]) / extent, z)


def _kriged(stations: Stations, variogram: Variogram, *, drift: bool) -> Surface:
    middle, spread = (stations.z.mean(), stations.z.std()) if drift else (0.0, 1.0)
    distance = np.hypot(stations.x[:, None] - stations.x, stations.y[:, None] - stations.y)
    covariance = variogram.covariance(distance) + variogram.nugget * np.eye(len(distance))
    trend = [np.ones(len(distance)), *([(stations.z - middle) / spread] if drift else [])]
    weights, factors = _solved(covariance, np.column_stack(trend), stations.values)
    slope = float(factors[1]) if drift else 0.0
    shape = {"spherical": kernels.SPHERICAL, "exponential": kernels.EXPONENTIAL, "gaussian": kernels.GAUSSIAN}[variogram.shape]

    def surface(x: Tile, y: Tile, z: Tile) -> Tile:
        out = np.empty(x.shape)
        heights = np.ascontiguousarray((z - middle) / spread)
        arguments = (stations.x, stations.y, weights, float(factors[0]), slope, shape, variogram.sill, variogram.length_m)
        kernels.kriging(np.ascontiguousarray(x), np.ascontiguousarray(y), heights, *arguments, out)
        return out

    return surface


def _solved(matrix: Tile, trend: Tile, values: Tile) -> tuple[Tile, Tile]:
    """Weights of the points and factors of the trend: the weights are orthogonal to the trend."""
    points, terms = trend.shape
    system = np.block([[matrix, trend], [trend.T, np.zeros((terms, terms))]])
    try:
        solution = np.linalg.solve(system, np.append(values, np.zeros(terms)))
    except np.linalg.LinAlgError as error:
        raise InputError("the stations do not determine a surface (do they lie on one line?); take idw") from error
    return np.ascontiguousarray(solution[:points]), np.ascontiguousarray(solution[points:])
