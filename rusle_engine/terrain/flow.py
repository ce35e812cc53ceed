"""Where water goes and how much arrives: D8 directions and accumulation."""

from dataclasses import dataclass
from typing import Literal, get_args, overload

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid, same_grid
from rusle_engine.core.lift import is_lazy, two_passes
from rusle_engine.core.variables import ACCUMULATION, FLOW_DIRECTION, UPSLOPE_AREA, Raster
from rusle_engine.terrain.accumulation import CODES, fixed_point, row_sums, weight_sums
from rusle_engine.terrain.barriers import require_barriers, require_exact_walls, walled
from rusle_engine.terrain.conditioning import require_heights, require_method
from rusle_engine.terrain.drainage import Array, drainage
from rusle_engine.terrain.flat_ties import FlatTies, require_ties
from rusle_engine.terrain.multiple_flow import MultipleFlow, Routing, exponent_of
from rusle_kernels.neighbours import NODATA_CODE

FlowScheme = Literal["d8"]
RoutingScheme = Literal["d8", MultipleFlow]


def steepness_weights(dx: Array, dy: Array) -> Array:
    """One over the distance to a neighbour sideways, lengthways and diagonal, for each row: (3, h)."""
    return np.ascontiguousarray(np.stack([1 / dx, 1 / dy, 1 / np.hypot(dx, dy)]))


def grid_of_cells(dem: xr.DataArray, cell_size_m: float | tuple[float, float] | None) -> Grid:
    """The grid of ``dem``; square cells of one metre where it has no coordinates and no size is given, for directions need only the shape."""
    plain = "x" not in dem.coords and "spatial_ref" not in dem.coords
    return Grid.of(dem, 1.0 if plain and cell_size_m is None else cell_size_m)


@overload
def flow_direction(
    dem: Raster,
    *,
    scheme: Literal["d8"] = "d8",
    exponent: float | None = None,
    flat_ties: FlatTies = "index",
    quantum_m: float | None = None,
    barriers: Raster | None = None,
    cell_size_m: float | tuple[float, float] | None = None,
    units: str | None = None,
) -> xr.DataArray: ...
@overload
def flow_direction(
    dem: Raster,
    *,
    scheme: MultipleFlow,
    exponent: float | None = None,
    flat_ties: FlatTies = "index",
    quantum_m: float | None = None,
    barriers: Raster | None = None,
    cell_size_m: float | tuple[float, float] | None = None,
    units: str | None = None,
) -> xr.Dataset: ...
@overload
def flow_direction(
    dem: Raster,
    *,
    scheme: RoutingScheme,
    exponent: float | None = None,
    flat_ties: FlatTies = "index",
    quantum_m: float | None = None,
    barriers: Raster | None = None,
    cell_size_m: float | tuple[float, float] | None = None,
    units: str | None = None,
) -> xr.DataArray | xr.Dataset: ...
def flow_direction(
    dem: Raster,
    *,
    scheme: RoutingScheme = "d8",
    exponent: float | None = None,
    flat_ties: FlatTies = "index",
    quantum_m: float | None = None,
    barriers: Raster | None = None,
    cell_size_m: float | tuple[float, float] | None = None,
    units: str | None = None,
) -> xr.DataArray | xr.Dataset:
    r"""Where water goes on a DEM as it is: every cell drains, without a cycle, and nothing flows uphill on the filled surface.

    On the minimal fill F (``condition``) a cell with a strictly lower neighbour drains, by scheme,

    - ``d8``: to the steepest one, :math:`\max_k \tan\beta_k = [F(c) - F(c_k)] / d_k`, :math:`d_k` the true distance (on a geographic grid the
      cell's own row gives dx, dy and the diagonal); of equally steep ones to the first in the order NW, N, NE, W, E, SW, S, SE;
    - ``tarboton1997`` (D∞): to the two neighbours of the steepest of eight triangular facets, in proportion to the angle from the other's
      direction; to one where its direction is steepest;
    - ``quinn1991``: to all lower ones, :math:`L_k \tan\beta_k`, with L half a side, or a quarter of the diagonal;
    - ``freeman1991``: to all lower ones, :math:`(\tan\beta_k)^p`;
    - ``qin2007``: to all lower ones, :math:`L_k (\tan\beta_k)^f`, :math:`f = 8.9 \min(e, 1) + 1.1`, e the greatest :math:`\tan\beta_k`.

    Every other cell (in lakes and flats) drains, whole, to its parent in the unique minimum spanning tree of the grid, cells ordered by
    (height, row-major index) and the outside lowest of all: the streams of a lake follow its floor. All depends on heights alone,
    never on tiles or threads.

    Parameters
    ----------
    dem
        Elevation [m] (y, x), not filled. Heights that are not finite are nodata.
    scheme
        Whose routing: d8, or several neighbours by tarboton1997, quinn1991, freeman1991 or qin2007.
    exponent
        p of ``freeman1991``; his 1.1 when not given.
    flat_ties
        Which of two cells of one height comes first in the tree: the earlier one (index), or, for heights in whole steps, the one nearer
        to lower ground in their flat, and of those as near the one further from higher ground (packed; distances in cells, up to 8; then
        the earlier one). Packed ties make the parallel lines in the flats of coarse heights fewer; the filled surface is the same.
    quantum_m
        Step of the heights [m] for packed ties, such as 1.0 for whole metres. Every height must be a whole multiple of it, exactly.
    barriers
        Raster on the grid of ``dem``: 0 none; 1 water that enters ends there, as in a ditch or a channel; 2 water goes round, as by a wall, a
        road or a bank: routing takes the cell as 32 768 m higher. Between two such cells that touch at a corner no water passes.
    cell_size_m
        Cell size of an array without coordinates, one number or (dx, dy); square cells when not given.
    units
        The unit of a plain array.

    Returns
    -------
    DataArray (y, x), or Dataset
        For d8, uint8: 1 E, 2 SE, 4 S, 8 SW, 16 W, 32 NW, 64 N, 128 NE (the ESRI codes); 0 leaves the grid or drains into nodata; 255 nodata.
        A cell at the edge leaves the grid (0) when none of its neighbours is lower.
        For the others a routing that ``flow_accumulation`` takes: ``d8`` (as above) and ``filled`` [m], from which shares follow, with the
        scheme as attribute; for tarboton1997 also ``angle`` [rad], anticlockwise from east, −1 where water leaves the grid.

    Raises
    ------
    InputError
        When ``dem`` is not a raster of numbers in metres, its grid cannot be known, or ``exponent`` is not one of ``freeman1991``; when packed
        ties are asked for without the step, or (where directions are computed) a height is no multiple of it, or a barrier none of the three.
    GridMismatchError
        When ``barriers`` lies on another grid.
    MemoryBudgetError
        When a raster in memory, or the tiles in hand of a lazy one, are larger than the memory budget allows.

    Notes
    -----
    Sources: O'Callaghan & Mark 1984, Computer Vision, Graphics and Image Processing 28:323 (D8); Cordonnier, Bovy & Braun 2019, Earth
    Surface Dynamics 7:549 (basins drained along their minimum spanning tree); Tarboton 1997, Water Resources Research 33:309; Quinn et al.
    1991, Hydrological Processes 5:59; Freeman 1991, Computers & Geosciences 17:413; Qin et al. 2007, International Journal of Geographical
    Information Science 21:443 (these four from memory, unchecked).

    Examples
    --------
    >>> import numpy as np
    >>> flow_direction(np.array([[3.0, 2.0, 1.0]]), units="m").values.tolist()
    [[1, 1, 0]]
    >>> routing = flow_direction(np.array([[3.0, 2.0, 1.0]]), scheme="tarboton1997", units="m")
    >>> routing["angle"].values.tolist()
    [[0.0, 0.0, -1.0]]
    """
    require_method(scheme, ("d8", *get_args(MultipleFlow)), "scheme")
    power = exponent_of(scheme, exponent)
    heights = require_heights(dem, units)
    grid = grid_of_cells(heights, cell_size_m)
    how = _How(flat_ties, quantum_m, barriers)
    return _drained(heights, grid, how, with_fill=False)[0] if scheme == "d8" else _spread(heights, grid, scheme, power, how).as_dataset()


@dataclass(frozen=True)
class _How:
    """The options of draining, whatever the scheme."""

    flat_ties: FlatTies = "index"
    quantum_m: float | None = None
    barriers: Raster | None = None


def _spread(heights: xr.DataArray, grid: Grid, scheme: MultipleFlow, exponent: float | None, how: _How) -> Routing:
    codes, filled = _drained(heights, grid, how, with_fill=True)
    return Routing(codes, filled, grid, scheme, exponent)


def routing_on(
    heights: xr.DataArray,
    grid: Grid,
    *,
    scheme: MultipleFlow,
    exponent: float | None = None,
    flat_ties: FlatTies = "index",
    quantum_m: float | None = None,
    barriers: Raster | None = None,
) -> Routing:
    """Routing to several receivers over heights whose grid is known: the surface that water flows on, and all sums along it, from one filling."""
    return _spread(heights, grid, scheme, exponent_of(scheme, exponent), _How(flat_ties, quantum_m, barriers))


def directions_on(
    heights: xr.DataArray, grid: Grid, *, flat_ties: FlatTies = "index", quantum_m: float | None = None, barriers: Raster | None = None
) -> xr.DataArray:
    """``flow_direction`` of heights whose grid is known."""
    return _drained(heights, grid, _How(flat_ties, quantum_m, barriers), with_fill=False)[0]


def direction_and_fill(
    heights: xr.DataArray, grid: Grid, *, flat_ties: FlatTies = "index", quantum_m: float | None = None, barriers: Raster | None = None
) -> tuple[xr.DataArray, xr.DataArray]:
    """Directions and the filled surface in one go, for who needs both."""
    codes, filled = _drained(heights, grid, _How(flat_ties, quantum_m, barriers), with_fill=True)
    return codes, filled


def _drained(heights: xr.DataArray, grid: Grid, how: _How, *, with_fill: bool) -> tuple[xr.DataArray, ...]:
    """Directions, and the filled surface when asked for."""
    ties = require_ties(how.flat_ties, how.quantum_m, heights.dtype)
    obstacles = None if how.barriers is None else require_barriers(how.barriers, heights)
    if obstacles is not None and ties is not None:
        require_exact_walls(ties.quantum_m)
    inputs = (heights,) if obstacles is None else (walled(heights, obstacles), obstacles)
    nearness = steepness_weights(grid.dx_m, grid.dy_m)
    problem = drainage(heights.dtype, step="flow_direction", nearness=nearness, with_fill=with_fill, order=ties, with_stops=obstacles is not None)
    codes, *filled = two_passes(problem, *inputs)
    said = {} if ties is None else {"flat_ties": how.flat_ties, "quantum_m": ties.quantum_m}
    return FLOW_DIRECTION.describe(codes, scheme="d8", codes=CODES, **said), *filled


def require_directions(d8: Raster) -> xr.DataArray:
    """``d8`` as a raster of D8 codes; the codes themselves are checked when they are read.

    Raises
    ------
    InputError
        When it names another scheme than D8, or holds fractions (angles of D∞, for example).
    """
    codes = FLOW_DIRECTION.require(d8)
    scheme = codes.attrs.get("scheme", "d8")
    if scheme != "d8":
        raise InputError(f"d8 (flow direction) has scheme {scheme!r}; expected 'd8': one of the codes {CODES}")
    if codes.ndim != 2 or codes.dtype.kind not in "iu":
        raise InputError(
            f"d8 (flow direction) is {codes.dtype} of {codes.dims}; expected a raster (y, x) of whole-number codes {CODES}. "
            "Angles are not codes; codes stored as floats are converted by .fillna(255).astype('uint8')"
        )
    return codes.astype(np.int16) if codes.dtype == np.int8 else codes  # 255 must have a place in it


def flow_accumulation(d8: Raster | xr.Dataset, *, weights: Raster | None = None) -> xr.DataArray:
    r"""What has gathered in each cell on its way down, its own part included.

    .. math:: A(c) = w(c) + \sum_{u \to c} s(u, c)\,A(u)

    with the share s that cell u gives to c: 1 for D8.

    Cells are counted in integers. Weights are rounded to fixed point (a whole multiple of :math:`2^{-k}`, k chosen so that the sum of the
    greatest weight over all cells takes 61 bits: an error below :math:`n \max|w| \cdot 2^{-61}` for each cell), so that the order of
    addition cannot show. By a routing to several neighbours all amounts, cells too, are in fixed point, and each cell passes on whole
    numbers: what rounding leaves over goes to the neighbour with the greatest share. Nothing is lost.

    Parameters
    ----------
    d8
        D8 directions (y, x) as ``flow_direction`` gives them: whole-number ESRI codes, 0 for a cell that drains out, 255 nodata. Or its Dataset
        of another scheme.
    weights
        What each cell adds, on the same grid or one number; one cell each when not given.

    Returns
    -------
    DataArray (y, x)
        float64; cells, or the unit of the weights. NaN where there is no direction.

    Raises
    ------
    InputError
        When a code is none of the nine, directions lead round in a circle, or a weight is missing where there is a direction.
    MemoryBudgetError
        When a raster in memory, or the tiles in hand of a lazy one, are larger than the memory budget allows.

    Examples
    --------
    >>> import numpy as np
    >>> flow_accumulation(np.array([[1, 1, 0]], np.uint8)).values.tolist()
    [[1.0, 2.0, 3.0]]
    """
    routing: Routing | None = None
    if isinstance(d8, xr.Dataset):
        routing = Routing.of(d8)
        codes, scheme = require_directions(routing.codes), str(routing.scheme)
    else:
        codes, scheme = require_directions(d8), "d8"
    if weights is None:
        return (
            _accumulated(codes, np.ones(codes.shape[0], np.int64), None, 1.0) if routing is None else _described(routing.counted(), scheme, routing)
        )
    labelled = weights if isinstance(weights, xr.DataArray) else xr.DataArray(weights, dims=("y", "x")[2 - np.ndim(weights) :])
    _, labelled = same_grid({"d8": codes, "weights": labelled})
    units = str(labelled.attrs.get("units", "1"))
    if labelled.ndim == 0 and not is_lazy(labelled):
        weight = float(labelled)
        if not np.isfinite(weight):
            raise InputError(f"weights are {weight} where there is a flow direction; expected a number")
        factor = fixed_point(abs(weight) * codes.size)
        row_amounts = np.full(codes.shape[0], np.rint(weight * factor)).astype(np.int64)
        if routing is not None:
            return _described(routing.accumulated(row_amounts, own=None, scale=1 / factor), scheme, routing).assign_attrs(units=units)
        return _accumulated(codes, row_amounts, None, 1 / factor).assign_attrs(units=units)
    amounts = labelled.astype(np.float64).broadcast_like(codes)
    sizes = abs(amounts)
    greatest = sizes.where((codes != NODATA_CODE) & np.isfinite(sizes), 0.0).max()
    if routing is not None:
        return _described(routing.weighted(amounts, greatest), scheme, routing).assign_attrs(units=units)
    (summed,) = two_passes(weight_sums(codes.size), codes, amounts, greatest)
    return _described(summed, scheme, routing).assign_attrs(units=units)


def _described(summed: xr.DataArray, scheme: str, routing: Routing | None) -> xr.DataArray:
    power = {} if routing is None or routing.exponent is None else {"exponent": routing.exponent}
    return ACCUMULATION.describe(summed, scheme=scheme, **power)


def _accumulated(codes: xr.DataArray, amounts: Array, own: Array | None, scale: float) -> xr.DataArray:
    """Sums of one integer amount for each row's cells, less ``own`` for each row, times ``scale``."""
    (summed,) = two_passes(row_sums(amounts, own=own, scale=scale), codes)
    return ACCUMULATION.describe(summed, scheme="d8")


def upslope_area_of(d8: Raster, grid: Grid) -> xr.DataArray:
    """Area draining into each cell [m²], its own excluded; D8.

    On a projected grid whole cells times the area of one. On a geographic grid the ellipsoidal area of each row's cells in fixed point
    (the whole grid's area takes 61 bits, so a cell of 750 m² on 16 million is right to 10⁻⁸ m²).
    """
    codes = require_directions(d8)
    areas = grid.cell_area_m2
    if grid.is_geographic:
        factor = fixed_point(float(areas.sum()) * grid.width)
        amounts = np.rint(areas * factor).astype(np.int64)
        scale = 1 / factor
    else:
        amounts, scale = np.ones(grid.height, np.int64), float(areas[0])
    (area,) = two_passes(row_sums(amounts, own=amounts, scale=scale), codes)
    return UPSLOPE_AREA.describe(area, scheme="d8")


def upslope_area(
    heights: xr.DataArray,
    grid: Grid,
    *,
    scheme: RoutingScheme = "d8",
    exponent: float | None = None,
    barriers: Raster | None = None,
    flat_ties: FlatTies = "index",
    quantum_m: float | None = None,
) -> xr.DataArray:
    """Area draining into each cell [m²], its own excluded, by ``scheme``.

    The options are those of ``flow_direction``.
    """
    power = exponent_of(scheme, exponent)
    how = _How(flat_ties, quantum_m, barriers)
    if scheme == "d8":
        return upslope_area_of(_drained(heights, grid, how, with_fill=False)[0], grid)
    routing = _spread(heights, grid, scheme, power, how)
    return UPSLOPE_AREA.describe(routing.upslope_area(), **routing.described())
