"""Rasters written: every tile computed once and staged by whoever computed it, encoded as COG on all processors, read back, compared, renamed.

GDAL may lose a full disk's error when it encodes in several threads, and a truncated file may still open (both measured); so nothing is
renamed into place before every tile has been decoded again and its digest compared with the one taken when it was handed over.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise, product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
import rasterio.shutil
import xarray as xr
from dask.base import is_dask_collection
from dask.delayed import delayed
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from rusle_engine.core.engine import computed, threads_in_force
from rusle_engine.core.errors import InputError, OutputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.memory import file_cache_bytes
from rusle_engine.core.variables import Variable
from rusle_engine.files.atomic import atomic_folder, flush, make_folder, put_in_place, require_disk, sha256
from rusle_engine.files.legend import Colour, Label, attribute_table, colour_map, layer_style
from rusle_engine.files.sources import Handles
from rusle_engine.files.staging import BLOCK, Staged, digest, staged

Compression = Literal["deflate", "zstd"]
Place = tuple[int, int, int, int]
"""Of a tile: its first row, the row after its last, and the same of columns."""
Progress = Callable[[int, int], None]
"""Called with the tiles done and all tiles; each tile counts twice, when it is computed and when it has been read back."""

CLASS_NODATA = 255
_TILE = 1024


@dataclass(frozen=True)
class RasterOutput:
    """One raster to write.

    ``quantity``: float32 with NaN nodata and averaged overviews. ``classes``: uint8 codes 0 to 254 with 255 nodata, overviews by the most
    frequent class, and, where given, a colour and a label (or a Chinese and an English one) for each code.
    """

    array: xr.DataArray
    path: Path
    variable: Variable
    kind: Literal["quantity", "classes"] = "quantity"
    colors: Mapping[int, Colour] | None = None
    labels: Mapping[int, Label] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WrittenRaster:
    """A raster that stands: verified, renamed, with the digest of its bytes. ``sidecars`` hold class names and colours."""

    path: Path
    kind: str
    bytes: int
    sha256: str
    sidecars: tuple[Path, ...]


@dataclass(frozen=True)
class Written:
    """What one call of :func:`write_rasters` made."""

    rasters: tuple[WrittenRaster, ...]
    records: list[Any]


def write_rasters(
    outputs: Sequence[RasterOutput],
    records: Sequence[Any] = (),
    *,
    progress: Progress | None = None,
    compression: Compression = "deflate",
    overviews: bool = True,
) -> Written:
    """Compute all outputs and ``records`` together, so that every tile is visited once, and write the outputs as COGs.

    Parameters
    ----------
    outputs
        What to write, and where.
    records
        Delayed objects that share the outputs' tiles (see :func:`rusle_engine.core.lift.tiled`); plain values pass through.
    progress
        Called as tiles are done.
    compression
        ``deflate`` is read everywhere; ``zstd`` is faster and needs GDAL with it (QGIS has it, older ArcGIS has not).
    overviews
        With coarser copies inside, so that a map shows at once at any scale; a third more cells to write.

    Returns
    -------
    Written
        The files, and the computed records in their order.

    Raises
    ------
    OutputError
        When a file cannot be written, the disk is too small, or what was written does not read back the same. Nothing is left behind.
    InputError
        When a class raster holds something else than codes 0 to 254, or an array has no grid.
    """
    for folder in {output.path.parent for output in outputs}:
        make_folder(folder)
    if not outputs:
        return Written((), computed(records))
    require_disk(outputs[0].path.parent, int(2.2 * sum(o.array.size * (4 if o.kind == "quantity" else 1) for o in outputs)), "the rasters")
    with atomic_folder(outputs[0].path.parent, "rasters") as folder, rasterio.Env(GDAL_CACHEMAX=file_cache_bytes()):
        sinks = [_Sink(output, folder / f"{i}.tif") for i, output in enumerate(outputs)]
        count = _Count(progress, 2 * sum(len(sink.tiles) for sink in sinks))
        tasks = [task for sink in sinks for task in sink.tasks()]
        results = computed([*tasks, *records], count.one_more, len(tasks))
        for sink in sinks:
            sink.digests = dict(results[: len(sink.tiles)])
            results = results[len(sink.tiles) :]
        with ThreadPoolExecutor(threads_in_force()) as pool:
            finished = list(pool.map(lambda sink: _finish(sink, compression, overviews, count), sinks))
        return Written(tuple(_in_place(sink, encoded) for sink, encoded in zip(sinks, finished)), results)


class _Count:
    def __init__(self, progress: Progress | None, total: int):
        self._progress, self._total, self._done, self._lock = progress, total, 0, threading.Lock()

    def one_more(self) -> None:
        with self._lock:
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, self._total)


class _Sink:
    """One output while it is staged: an uncompressed tiled GeoTIFF that every task fills in its place, and the digests of the tiles."""

    def __init__(self, output: RasterOutput, path: Path):
        self.output = output
        array = output.array if is_dask_collection(output.array) else output.array.chunk({"y": _TILE, "x": _TILE})
        self.grid = Grid.of(output.array)
        self.array = array.transpose("y", "x").data
        self.is_classes = output.kind == "classes"
        rows, columns = (np.cumsum([0, *sizes]) for sizes in self.array.chunks)
        self.tiles = [(int(t), int(b), int(a), int(z)) for t, b in pairwise(rows) for a, z in pairwise(columns)]
        self.digests: dict[Place, bytes] = {}
        self.staged = self._laid_out(path)

    def _laid_out(self, path: Path) -> Staged:
        variable, output, grid = self.output.variable, self.output, self.grid
        try:
            crs = None if grid.crs is None else rasterio.crs.CRS.from_user_input(grid.crs)
            dtype = "uint8" if self.is_classes else "float32"
            laid_out = staged(path, height=grid.height, width=grid.width, dtype=dtype, crs=crs, transform=grid.transform)
            with rasterio.open(path, "r+", driver="GTiff") as dataset:
                dataset.nodata = CLASS_NODATA if self.is_classes else np.nan
                dataset.units = (variable.units,)
                dataset.set_band_description(1, f"{variable.symbol}: {variable.long_name} ({variable.long_name_zh})")
                dataset.update_tags(**_tags(output))
                if output.colors is not None:
                    dataset.write_colormap(1, colour_map(output.colors, CLASS_NODATA))
        except (RasterioError, OSError) as error:
            raise _write_error(output.path, error) from error
        return laid_out

    def tasks(self) -> list[Any]:
        """One delayed call for every tile; unoptimised, so that tasks shared with the records stay shared."""
        call = delayed(_stage, pure=False)
        blocks = self.array.to_delayed(optimize_graph=False).ravel()
        return [call(block, place, self.staged, self.output.path) for block, place in zip(blocks, self.tiles)]


def _stage(tile: np.ndarray[Any, Any], place: Place, staged_file: Staged, path: Path) -> tuple[Place, bytes]:
    """Put a tile in its place; the place with the digest of what was put there."""
    cells = np.asarray(tile)
    stored = _codes(cells, path) if staged_file.dtype == np.uint8 else _float32(cells)
    top, _bottom, left, _right = place
    try:
        return place, staged_file.put(stored, top, left)
    except OSError as error:
        raise _write_error(path, error) from error


def _tags(output: RasterOutput) -> dict[str, str]:
    """What the array and the caller say about it, as text; the same array gives the same tags."""
    described = {key: str(value) for key, value in output.array.attrs.items() if isinstance(value, str | int | float | bool)}
    return {key: text for key, text in {**described, **output.tags}.items() if key not in ("grid_mapping", "units")}


def _float32(tile: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    stored = np.array(tile, np.float32, order="C")  # a copy: the tile may still be someone's
    stored[np.isnan(stored)] = np.nan  # one bit pattern for all NaNs, so that equal arrays are equal files
    return stored


def _codes(tile: np.ndarray[Any, Any], path: Path) -> np.ndarray[Any, Any]:
    if tile.dtype == np.uint8:
        return np.ascontiguousarray(tile)
    missing = np.isnan(tile) if tile.dtype.kind == "f" else tile == CLASS_NODATA
    codes = np.where(missing, CLASS_NODATA, tile)
    wrong = codes[(codes != np.rint(codes)) | (codes < 0) | (codes > CLASS_NODATA) | (~missing & (codes == CLASS_NODATA))]
    if wrong.size:
        raise InputError(f"{path.name} is written as classes but holds {wrong.flat[0]}; expected whole numbers from 0 to 254")
    return np.ascontiguousarray(codes, np.uint8)


def _write_error(path: Path, error: Exception) -> OutputError:
    return _failing_disk(f"{path} could not be written: {error}. Free space on that disk, or choose another folder.")


def _failing_disk(message: str) -> OutputError:
    error = OutputError(message)
    error.exit_code = 74
    return error


@dataclass(frozen=True)
class _Encoded:
    """A verified file, on the disk itself, with the digest of its bytes."""

    path: Path
    sha256: str


def _finish(sink: _Sink, compression: Compression, overviews: bool, count: _Count) -> _Encoded:
    """The staged raster as a COG beside it, verified; the staged one is removed to make room for the next.

    No predictor: maps of erosion repeat their values, and come out smaller and sooner without one (measured: accumulation by 12 and 38 %, C and P
    by half); only LS of a rough terrain is larger, by 4 %.
    """
    encoded = sink.staged.path.with_name(f"cog-{sink.staged.path.name}")
    try:
        factors = _overview_factors(sink.grid.shape) if overviews else []
        digests = _build_overviews(sink, factors) if factors else []
        with rasterio.open(sink.staged.path, driver="GTiff") as staged:
            rasterio.shutil.copy(
                staged,
                encoded,
                driver="COG",
                BLOCKSIZE=str(BLOCK),
                COMPRESS=compression.upper(),
                LEVEL="1",
                OVERVIEWS="FORCE_USE_EXISTING" if overviews else "NONE",
                NUM_THREADS=str(threads_in_force()),
                BIGTIFF="IF_SAFER",
            )
        sink.staged.path.unlink()
        with ThreadPoolExecutor(threads_in_force()) as pool:
            settled = pool.submit(_settled, encoded)  # a disk takes its time: meanwhile the others read
            complete = _reads_back(sink, encoded, count, pool) and _overview_digests(encoded, len(factors), pool) == digests
    except (RasterioError, OSError) as error:
        raise _write_error(sink.output.path, error) from error
    if not complete:
        raise _failing_disk(f"{sink.output.path} did not read back as it was written. The disk may be full or failing; nothing was kept.")
    return _Encoded(encoded, settled.result())


def _settled(encoded: Path) -> str:
    """Flushes the file to the disk; the digest of its bytes."""
    flush(encoded)
    return sha256(encoded)


def _overview_factors(shape: tuple[int, int]) -> list[int]:
    """How many cells of the raster stand side by side for one of each overview: until the coarsest fits into one block."""
    factors: list[int] = []
    while max(shape) > BLOCK * 2 ** len(factors):
        factors.append(2 ** (len(factors) + 1))
    return factors


def _build_overviews(sink: _Sink, factors: list[int]) -> list[bytes]:
    """Overviews inside the staged file, and their digests.

    Built before anything is compressed: left to the COG driver they are deflated twice. GDAL does not say when the disk was full while it
    closed the file (measured), so every block must be inside the file before it counts.
    """
    with rasterio.Env(GDAL_NUM_THREADS=str(threads_in_force())), rasterio.open(sink.staged.path, "r+", driver="GTiff") as staged:
        staged.build_overviews(factors, Resampling.mode if sink.is_classes else Resampling.average)
    _require_whole_overviews(sink.staged.path, factors)
    with ThreadPoolExecutor(threads_in_force()) as pool:
        return _overview_digests(sink.staged.path, len(factors), pool)


def _require_whole_overviews(staged: Path, factors: Sequence[int]) -> None:
    size = staged.stat().st_size
    with rasterio.open(staged, driver="GTiff") as dataset:
        if dataset.overviews(1) != list(factors):
            raise OSError("its overviews are not whole")
        for level, factor in enumerate(factors):
            rows, columns = (-(-side // (factor * BLOCK)) for side in dataset.shape)
            for column, row in product(range(columns), range(rows)):
                ends = [dataset.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=1, ovr=level) for what in ("OFFSET", "SIZE")]
                if None in ends or sum(map(int, ends)) > size:
                    raise OSError("its overviews are not whole")


def _overview_digests(path: Path, levels: int, pool: ThreadPoolExecutor) -> list[bytes]:
    """Of the squares of every overview, in the order of levels and rows."""
    handles = Handles()

    def coarse(level: int) -> Any:
        return handles.get(level, lambda: rasterio.open(path, driver="GTiff", overview_level=level))

    def of_square(square: tuple[int, int, int]) -> bytes:
        level, top, left = square
        height, width = coarse(level).shape
        return digest(coarse(level).read(1, window=((top, min(top + _TILE, height)), (left, min(left + _TILE, width)))))

    squares = []
    for level in range(levels):
        with rasterio.open(path, driver="GTiff", overview_level=level) as dataset:
            squares += [(level, top, left) for top, left in product(*(range(0, length, _TILE) for length in dataset.shape))]
    return list(pool.map(of_square, squares))


def _reads_back(sink: _Sink, encoded: Path, count: _Count, pool: ThreadPoolExecutor) -> bool:
    """Whether every tile decodes to what was handed over, and what a reader needs to make sense of it is there."""
    handles = Handles()

    def same(place: tuple[int, int, int, int]) -> bool:
        top, bottom, left, right = place
        dataset = handles.get(encoded, lambda: rasterio.open(encoded, driver="GTiff"))
        found = digest(dataset.read(1, window=((top, bottom), (left, right)))) == sink.digests[place]
        count.one_more()
        return found

    with rasterio.open(encoded, driver="GTiff") as dataset:
        described = dataset.nodata is not None and dataset.units[0] == sink.output.variable.units
    return all(pool.map(same, sink.tiles)) and described


def _in_place(sink: _Sink, encoded: _Encoded) -> WrittenRaster:
    output = sink.output
    sidecars = []
    if output.labels:
        texts = {".aux.xml": attribute_table(output.labels, output.colors or {})}
        if output.colors:
            texts[".qml"] = layer_style(output.labels, output.colors)
        for suffix, text in texts.items():
            place = output.path.with_name(output.path.name + suffix) if suffix == ".aux.xml" else output.path.with_suffix(suffix)
            temporary = encoded.path.with_name(place.name)
            temporary.write_text(text, encoding="utf-8", newline="\n")
            put_in_place(temporary, place)
            sidecars.append(place)
    size = encoded.path.stat().st_size
    put_in_place(encoded.path, output.path)
    return WrittenRaster(output.path, output.kind, size, encoded.sha256, tuple(sidecars))
