"""Mean annual soil loss: the product of the factors of RUSLE or CSLE."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.lift import is_lazy, pointwise
from rusle_engine.core.variables import (
    BIOLOGICAL,
    COVER,
    ENGINEERING,
    ERODIBILITY,
    EROSIVITY,
    PRACTICE,
    SOIL_LOSS,
    TILLAGE,
    TOPOGRAPHY,
    Raster,
    Units,
    Variable,
    units_of,
)
from rusle_kernels import soil_loss as kernels
from rusle_kernels import tables

Tile = np.ndarray[Any, Any]

FACTORS: dict[str, Variable] = {
    "r": EROSIVITY,
    "k": ERODIBILITY,
    "ls": TOPOGRAPHY,
    "c": COVER,
    "p": PRACTICE,
    "b": BIOLOGICAL,
    "e": ENGINEERING,
    "t": TILLAGE,
}
"""In the order in which they are multiplied."""
_PLACE = {"r": 0, "k": 1, "ls": 2, "c": 3, "p": 4, "b": 3, "e": 4, "t": 5}


def read_only(tile: Tile, dtype: Any) -> Tile:
    """The tile as a kernel takes it: contiguous, of one type, and not writable, whoever it came from; so one compiled kernel serves all."""
    view = np.ascontiguousarray(tile, dtype).view()
    view.flags.writeable = False
    return view


_MOST_SI_K = ERODIBILITY.valid_range[1] + 1e-6
"""Above it is more than the rounding of a float32 raster."""
_FLOAT32_MAX = float(np.finfo(np.float32).max)


def soil_loss(
    r: Raster | xr.Dataset,
    k: Raster,
    ls: Raster,
    c: Raster | None = None,
    p: Raster | None = None,
    *,
    b: Raster | None = None,
    e: Raster | None = None,
    t: Raster | None = None,
    units: Units = None,
) -> xr.DataArray:
    r"""Mean annual soil loss A.

    .. math:: A = R\,K\,LS\,C\,P \qquad\text{(RUSLE, Renard et al. 1997)}, \qquad A = R\,K\,LS\,B\,E\,T \qquad\text{(CSLE, Liu et al. 2002)}

    A factor that is left out is not multiplied.

    Parameters
    ----------
    r
        Rainfall erosivity R [MJ mm ha-1 h-1 yr-1], or the Dataset that ``r_factor`` returns.
    k
        Soil erodibility K [t ha h ha-1 MJ-1 mm-1].
    ls
        Topographic factor LS.
    c
        Cover and management factor C (RUSLE).
    p
        Support practice factor P (RUSLE).
    b
        Biological practice factor B (CSLE).
    e
        Engineering practice factor E (CSLE).
    t
        Tillage practice factor T (CSLE).
    units
        Units of plain arrays and numbers, by parameter name; SI when not stated.

    Returns
    -------
    DataArray (y, x), float32
        A [t ha-1 yr-1]; NaN where any factor is NaN. Lazy when a factor is. The product is float64, multiplied in the order
        R K LS C P B E T, and rounded once.

    Raises
    ------
    InputError
        When C or P is mixed with B, E or T, when a unit is wrong, or (for lazy arrays when computed) when a K lies between 0.1 and 1, which is
        in US units, or A is negative or infinite.
    GridMismatchError
        When two factors lie on different grids.

    Examples
    --------
    >>> soil_loss(1500.0, 0.045, 1.646588 * 5.810562, 0.12, 1.0).item()  # grass on 18 degrees
    77.49757385253906
    """
    arrays = factor_arrays({"r": r, "k": k, "ls": ls, "c": c, "p": p, "b": b, "e": e, "t": t}, units)
    places = Places(arrays)
    k_at = places.raster_of("k")
    rasters = places.rasters or [xr.DataArray(np.nan)]  # numbers alone make a number

    def multiply(*tiles_and_out: Tile) -> None:
        *tiles, out = tiles_and_out if places.rasters else tiles_and_out[-1:]
        refuse_us_erodibility(np.array([[places.numbers[_PLACE["k"]]]]) if k_at is None else tiles[k_at])
        places.multiply(*tiles, out)

    a = pointwise(multiply, *rasters, dtype=np.float32, input_dtypes=[places.dtype] * len(rasters))
    return SOIL_LOSS.describe(a, factors=" ".join(FACTORS[name].symbol for name in arrays))


def factor_arrays(factors: dict[str, Raster | xr.Dataset | None], units: Units = None) -> dict[str, xr.DataArray]:
    """The factors that are given, in their order, in SI units and on one grid.

    Raises
    ------
    InputError
        As ``soil_loss``.
    """
    present = {name: factors[name] for name in FACTORS if factors.get(name) is not None}
    if ("c" in present or "p" in present) and {"b", "e", "t"} & set(present):
        seen = " ".join(FACTORS[name].symbol for name in present)
        raise InputError(f"factors {seen} mix two equations; RUSLE takes C and P, CSLE takes B, E and T. Leave one set out.")
    required = {name: FACTORS[name].require(_raster(name, value), units_of(units, name)) for name, value in present.items()}
    labelled_first = sorted(required, key=lambda name: "x" not in required[name].coords)  # so that a grid, where there is one, is everybody's
    aligned = dict(zip(labelled_first, same_grid({FACTORS[name].symbol: required[name] for name in labelled_first})))
    return {name: aligned[name] for name in required}


def _raster(name: str, value: Any) -> Raster:
    if not isinstance(value, xr.Dataset):
        return value
    symbol = FACTORS[name].symbol
    if symbol not in value:
        raise InputError(f"the Dataset given for {symbol} has no variable {symbol!r}; it has {sorted(map(str, value.data_vars))}")
    return value[symbol]


class Places:
    """Factors set out as the kernel reads them: a number and a raster in each of six places (``rusle_kernels.soil_loss``)."""

    def __init__(self, arrays: dict[str, xr.DataArray]):
        self.numbers = np.ones(kernels.PLACES)
        self.steps = np.zeros(kernels.PLACES, np.int64)
        self.rasters: list[xr.DataArray] = []
        for name, array in arrays.items():
            place = _PLACE[name]
            if array.ndim == 0 and not is_lazy(array):
                self.numbers[place] = array.item()
            else:
                self.steps[place] = 1
                self.rasters.append(array)
        self.dtype = np.dtype(np.float32 if all(array.dtype == np.float32 for array in self.rasters) else np.float64)

    def raster_of(self, name: str) -> int | None:
        """Which of the rasters is that factor; None where it is a number."""
        place = _PLACE[name]
        return int(self.steps[:place].sum()) if self.steps[place] else None

    def of_tile(self, tiles: Sequence[Tile], width: int) -> tuple[Any, ...]:
        """The first arguments of a kernel, for one tile of every raster."""
        ones = read_only(np.ones((1, width)), self.dtype)
        given = iter(tiles)
        factors = tuple(read_only(next(given), self.dtype) if step else ones for step in self.steps)
        return self.numbers, self.steps, factors

    def multiply(self, *tiles_and_out: Tile) -> None:
        *tiles, out = tiles_and_out
        if kernels.product(*self.of_tile(tiles, out.shape[1]), _FLOAT32_MAX, out):
            raise impossible_loss(out, _FLOAT32_MAX)


def refuse_us_erodibility(k: Tile) -> None:
    """Refuse a K that only US units explain; R in SI times such a K is 7.6 times too high (InputError)."""
    if tables.first_outside(k, -np.inf, _MOST_SI_K) < 0:
        return
    suspect = k[(k > _MOST_SI_K) & (k < 1.0)]
    if suspect.size:
        raise InputError(
            f"K (soil erodibility factor) is {suspect[0]:g}; expected 0 to {ERODIBILITY.valid_range[1]:g} [{ERODIBILITY.units}]."
            " A K this high is almost surely in US units: declare units 'US K', which are converted; else correct the value."
        )


def impossible_loss(a: Tile, largest: float) -> InputError:
    """What to say of a tile of A with values below 0 or above ``largest``."""
    with np.errstate(invalid="ignore"):
        value = float(a[(a < 0) | (a > largest)][0])
    return InputError(
        f"A (mean annual soil loss) has the value {value:g} t ha-1 yr-1; allowed is 0 to {largest:g}."
        " Look for a negative factor, a nodata code taken for a value, or a unit that is wrong."
    )
