"""Rasters cut into tiles, and what a problem must give to be solved on them in two passes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

Tile = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Place:
    """Where a tile lies in the raster: its first row and column, its size, the raster's width."""

    row: int
    column: int
    height: int
    width: int
    raster_width: int

    @property
    def rows(self) -> slice:
        return slice(self.row, self.row + self.height)

    @property
    def columns(self) -> slice:
        return slice(self.column, self.column + self.width)


@dataclass(frozen=True)
class Layout:
    """How a raster is cut into tiles: the heights of their rows and the widths of their columns."""

    heights: tuple[int, ...]
    widths: tuple[int, ...]

    @classmethod
    def squares(cls, shape: tuple[int, ...], size: int) -> "Layout":
        """Square tiles, the last ones smaller."""
        cuts = [tuple(min(size, length - start) for start in range(0, length, size)) for length in shape]
        return cls(cuts[0], cuts[1])

    @property
    def row_starts(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The first row of each row of tiles, and the raster's height."""
        return np.concatenate([[0], np.cumsum(self.heights, dtype=np.int64)])

    @property
    def column_starts(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The first column of each column of tiles, and the raster's width."""
        return np.concatenate([[0], np.cumsum(self.widths, dtype=np.int64)])

    @property
    def places(self) -> list[Place]:
        """All tiles in row-major order."""
        rows, columns = self.row_starts.tolist(), self.column_starts.tolist()
        return [
            Place(row, column, height, width, columns[-1]) for row, height in zip(rows, self.heights) for column, width in zip(columns, self.widths)
        ]

    @property
    def largest_tile(self) -> int:
        return max(self.heights) * max(self.widths)

    @property
    def border_cells(self) -> int:
        """Cells on the perimeters of all tiles, about."""
        return 2 * (sum(self.heights) * len(self.widths) + sum(self.widths) * len(self.heights))


def joined(sizes: tuple[int, ...], least: int) -> tuple[int, ...]:
    """Pieces of a side, neighbours joined so that none is shorter than ``least``, or one piece is left."""
    pieces = [0]
    for size in sizes:
        if pieces[-1] >= least:
            pieces.append(0)
        pieces[-1] += size
    if len(pieces) > 1 and pieces[-1] < least:
        pieces[-2:] = [pieces[-2] + pieces[-1]]
    return tuple(pieces)


def framed_tile(raster: Tile, place: Place, around: Any, ring: int = 1) -> Tile:
    """The tile of ``raster`` at ``place`` with ``ring`` cells around it, ``around`` beyond the raster."""
    top, left = max(place.row - ring, 0), max(place.column - ring, 0)
    part = raster[top : place.row + place.height + ring, left : place.column + place.width + ring]
    framed = np.empty((place.height + 2 * ring, place.width + 2 * ring), raster.dtype)
    first, first_column = top - place.row + ring, left - place.column + ring
    last, last_column = first + part.shape[0], first_column + part.shape[1]
    framed[first:last, first_column:last_column] = part
    for beyond in (framed[:first], framed[last:], framed[:, :first_column], framed[:, last_column:]):
        beyond[...] = around
    return framed


@dataclass(frozen=True)
class TwoPasses:
    """The three functions, with what they need: the value around the raster for each array, and bytes.

    ``working_bytes`` for each cell of a tile in hand; ``state_bytes`` for each cell between the passes; ``border_bytes`` for each cell of a
    tile's border while solving; ``tile_size`` that suits arrays in memory.

    *Blocks.* With ``merge`` and ``spread`` (both or neither) lazy rasters are solved in levels: tiles are grouped into blocks of some by some
    tiles, and a block is to the level above what a tile is. Which blocks cannot show in the result either.

    ``merge(records, layout, place) -> (record, state)`` sees the records of a block's tiles, row-major; ``layout`` says how the block is cut
    into them (its starts count from the block's first row and column), ``place`` where the block lies in the raster. The record is the one
    ``summarise`` would make of one tile of the block's size, so that ``solve`` and further merges take it as it is: only what touches the
    block's border is left in it. The state is what ``spread`` needs, goes to the disk like a tile's, and must be left as it was.
    ``spread(state, answer) -> answers`` takes the answer to the block's record apart into one for each of its tiles, row-major, the ones that
    ``solve`` would have given them. Blocks at the raster's lower and right edge hold fewer tiles, perhaps one.
    """

    step: str
    summarise: Callable[..., tuple[Any, Any]]
    solve: Callable[[list[Any], Layout], Sequence[Any]]
    finish: Callable[[Any, Any, Place], tuple[Tile, ...]]
    around: tuple[Any, ...]
    dtypes: tuple[Any, ...]
    working_bytes: float
    state_bytes: float
    border_bytes: float
    tile_size: int
    merge: Callable[[list[Any], Layout, Place], tuple[Any, Any]] | None = None
    spread: Callable[[Any, Any], Sequence[Any]] | None = None
    ring: int = 1
    """How many cells around a tile ``summarise`` sees; tiles narrower than that are joined for the work."""


def raster_like(array: xr.DataArray, data: Any) -> xr.DataArray:
    """``data`` where ``array`` lies, without its attributes; those of coordinates stay, for they hold the CRS.

    Not ``drop_attrs``, which copies the data (measured: half the time of LS from a DEM in memory).
    """
    result = array.copy(data=data)
    result.attrs = {}
    return result
