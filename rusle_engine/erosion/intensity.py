"""Soil erosion intensity by SL 190-2007: six classes of the mean modulus."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.lift import pointwise
from rusle_engine.core.variables import INTENSITY, SOIL_LOSS, TOLERANCE, Raster
from rusle_kernels import soil_loss as kernels

UNASSESSED = 255
"""The code of a cell without data."""


@dataclass(frozen=True)
class IntensityClass:
    """One class; its limits are moduli [t km-2 yr-1], the lower one inclusive. ``None`` is the soil loss tolerance of the region."""

    code: int
    key: str
    name_en: str
    name_zh: str
    colour: str
    lower: float | None
    upper: float | None


CLASSES: tuple[IntensityClass, ...] = (
    IntensityClass(1, "slight", "Slight", "微度", "#a6d96a", 0.0, None),
    IntensityClass(2, "light", "Light", "轻度", "#ffffb2", None, 2500.0),
    IntensityClass(3, "moderate", "Moderate", "中度", "#fecc5c", 2500.0, 5000.0),
    IntensityClass(4, "strong", "Strong", "强烈", "#fd8d3c", 5000.0, 8000.0),
    IntensityClass(5, "very_strong", "Very strong", "极强烈", "#e31a1c", 8000.0, 15000.0),
    IntensityClass(6, "severe", "Severe", "剧烈", "#7a0177", 15000.0, np.inf),
)

_LIMITS = tuple(row.lower for row in CLASSES[2:] if row.lower is not None)
LARGEST_TOLERANCE = _LIMITS[0]


def erosion_intensity(a: Raster, tolerance_t_km2: Raster = 1000.0, *, units: str | None = None) -> xr.DataArray:
    r"""Intensity class of mean annual soil loss, SL 190-2007 (table of water erosion).

    With the modulus :math:`M = 100\,A` [t km-2 yr-1] and the tolerance T of the region:

    ==== ============== ==========================
    code class          modulus
    ==== ============== ==========================
    1    微度 slight      M < T
    2    轻度 light       T ≤ M < 2500
    3    中度 moderate    2500 ≤ M < 5000
    4    强烈 strong      5000 ≤ M < 8000
    5    极强烈 very strong 8000 ≤ M < 15 000
    6    剧烈 severe      M ≥ 15 000
    ==== ============== ==========================

    Parameters
    ----------
    a
        Mean annual soil loss A [t ha-1 yr-1], not negative. It is rounded to float32 first, so that the class is a function of the A that
        is stored; a modulus in t km-2 yr-1 is divided by 100 before that.
    tolerance_t_km2
        Tolerable soil loss T [t km-2 yr-1], above 0 and up to 2500: a number, or a raster where the regions of SL 190 meet
        (西北黄土高原 1000, 东北黑土 and 北方土石山 200, 南方红壤 and 西南土石山 500).
    units
        Unit of ``a`` when it does not declare one.

    Returns
    -------
    DataArray (y, x), uint8
        1 to 6; 255 where A or T is NaN. Lazy when an input is.

    Raises
    ------
    InputError
        When A is negative, or a tolerance is not in (0, 2500]; for lazy arrays when they are computed.

    Notes
    -----
    The standard prints shared limits; the lower one is taken as inclusive (docs/decisions/ADR-0004). For a float32 A the comparison is
    exact: 100 A needs 29 bits.

    Examples
    --------
    >>> import numpy as np
    >>> erosion_intensity(np.array([9.99, 10.0, 25.0, 77.5, np.nan]), 1000).values.tolist()
    [1, 2, 3, 4, 255]
    """
    loss = SOIL_LOSS.require(a, units)
    tolerance = TOLERANCE.require(tolerance_t_km2)
    if tolerance.ndim == 0:
        code = pointwise(_on_tile, loss, parameters=(intensity_limits(tolerance.item()),), dtype=np.uint8, input_dtypes=[np.float32])
    else:
        arrays = same_grid({"A": loss, "tolerance": tolerance})
        code = pointwise(_by_raster_on_tile, *arrays, dtype=np.uint8, input_dtypes=[np.float32, np.float64])
    return INTENSITY.describe(code, standard="SL 190-2007", nodata_code=UNASSESSED)


def intensity_limits(tolerance_t_km2: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The five limits as the smallest float32 A [t ha-1 yr-1] that reach them: A ≥ limit says the same as 100 A ≥ modulus.

    Raises
    ------
    InputError
        When the tolerance is not in (0, 2500].
    """
    if not 0 < tolerance_t_km2 <= LARGEST_TOLERANCE:
        raise _tolerance_error(tolerance_t_km2)
    return np.array([_smallest_reaching(modulus) for modulus in (tolerance_t_km2, *_LIMITS)], np.float32)


def check_tolerances(tolerance: np.ndarray[Any, Any]) -> None:
    """Refuse a tile of tolerances with a value outside (0, 2500]; NaN is nodata."""
    wrong = (tolerance <= 0) | (tolerance > LARGEST_TOLERANCE)
    if wrong.any():
        raise _tolerance_error(float(tolerance[wrong][0]))


def _smallest_reaching(modulus: float) -> np.float32:
    limit = np.float32(modulus / 100)
    while float(limit) * 100 < modulus:
        limit = np.nextafter(limit, np.float32(np.inf))
    while float(np.nextafter(limit, np.float32(0))) * 100 >= modulus:
        limit = np.nextafter(limit, np.float32(0))
    return limit


def _tolerance_error(value: float) -> InputError:
    return InputError(
        f"soil loss tolerance is {value:g} t km-2 yr-1; allowed are values above 0 and up to {LARGEST_TOLERANCE:g}"
        " (SL 190-2007: 200, 500 or 1000). A tolerance in t ha-1 yr-1 must be multiplied by 100."
    )


def _check_loss(a: np.ndarray[Any, Any]) -> None:
    if a.size and np.fmin.reduce(a, axis=None) < 0:
        raise InputError(f"A (mean annual soil loss) has the value {np.nanmin(a):g} t ha-1 yr-1; it cannot be negative. Look for a negative factor.")


def _on_tile(a: np.ndarray[Any, Any], limits: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
    _check_loss(a)
    kernels.intensity(a, limits, out)


def _by_raster_on_tile(a: np.ndarray[Any, Any], tolerance: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
    _check_loss(a)
    check_tolerances(tolerance)
    kernels.intensity_by_raster(a, tolerance, intensity_limits(LARGEST_TOLERANCE), out)
