"""Alignment: the same cells on every tiling, right against plain arithmetic, and refused where it makes no sense."""

import dask
import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.files.rasters import alignment_of, describe_raster, open_aligned

from .conftest import GRID

DEGREES = Affine(1 / 1200, 0, 111.0, 0, -1 / 1200, 36.3)
TARGET = Grid(150, 170, Affine(60, 0, 502_000, 0, -60, 4_015_000), CRS.from_epsg(4546))


def noise(shape, seed=0, holes=0.02):
    random = np.random.default_rng(seed)
    values = random.normal(500, 200, shape).astype(np.float32)
    values[random.random(shape) < holes] = -9999
    return values


@pytest.fixture
def degrees(save):
    return save("degrees.tif", noise((240, 260)), crs="EPSG:4326", transform=DEGREES, nodata=-9999)


@pytest.mark.parametrize("resampling", ["nearest", "bilinear", "cubic", "average", "mode"])
def test_every_tile_is_what_a_warp_of_that_tile_alone_gives(degrees, resampling):
    whole = open_aligned(degrees, TARGET, resampling=resampling, chunks=(150, 170)).values
    assert 0.5 < np.isfinite(whole).mean() < 1.0
    with rasterio.open(degrees) as source:
        for top, left in ((0, 0), (37, 0), (74, 82), (111, 123)):
            options = {
                "crs": "EPSG:4546",
                "transform": TARGET.transform @ Affine.translation(left, top),
                "height": 37,
                "width": 41,
                "dtype": "float32",
            }
            with WarpedVRT(source, resampling=Resampling[resampling], nodata=-9999, tolerance=1e-9, XSCALE=1, YSCALE=1, **options) as alone:
                expected = alone.read(1)
            expected[expected == -9999] = np.nan
            np.testing.assert_array_equal(whole[top : top + 37, left : left + 41], expected)


@given(tile=st.tuples(st.integers(20, 180), st.integers(20, 180)), resampling=st.sampled_from(["nearest", "bilinear", "average", "mode"]))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tiling_gives_the_same_cells(degrees, tile, resampling):
    whole = open_aligned(degrees, TARGET, resampling=resampling, chunks=(150, 170))
    tiled = open_aligned(degrees, TARGET, resampling=resampling, chunks=tile)
    assert tiled.dtype == np.float32
    with dask.config.set(scheduler="threads"):
        assert tiled.values.tobytes() == whole.values.tobytes()


def test_nearest_and_bilinear_by_arithmetic(save):
    values = noise((240, 260), seed=3, holes=0)
    path = save("whole.tif", values, crs="EPSG:4326", transform=DEGREES)
    x, y = np.meshgrid(*(TARGET.coords()[axis] for axis in ("x", "y")))
    lon, lat = Transformer.from_crs("EPSG:4546", "EPSG:4326", always_xy=True).transform(x, y)
    column, row = (lon - DEGREES.c) / DEGREES.a, (lat - DEGREES.f) / DEGREES.e
    inside = (column > 1) & (column < 259) & (row > 1) & (row < 239)
    i, j = np.floor(row[inside]).astype(int), np.floor(column[inside]).astype(int)
    nearest = open_aligned(path, TARGET, resampling="nearest").values[inside]
    assert (nearest == values[i, j]).mean() > 0.9999  # a centre on a cell's edge may fall to either side
    i, j = np.floor(row[inside] - 0.5).astype(int), np.floor(column[inside] - 0.5).astype(int)
    u, v = row[inside] - 0.5 - i, column[inside] - 0.5 - j
    exact = values.astype(np.float64)
    expected = (1 - u) * ((1 - v) * exact[i, j] + v * exact[i, j + 1]) + u * ((1 - v) * exact[i + 1, j] + v * exact[i + 1, j + 1])
    np.testing.assert_allclose(open_aligned(path, TARGET, resampling="bilinear").values[inside], expected, rtol=1e-4)


def test_average_takes_all_fine_cells_under_a_coarse_one_and_no_others(save):
    fine = noise((300, 400), seed=4, holes=0.3)
    fine[:10, :10] = -9999  # one coarse cell without any
    path = save("fine.tif", fine, nodata=-9999)
    coarse = Grid(34, 44, Affine(100, 0, 500_000 - 200, 0, -100, 4_000_000 + 200), CRS.from_epsg(4546))
    blocks = np.where(fine == -9999, np.nan, fine).astype(np.float64).reshape(30, 10, 40, 10).swapaxes(1, 2).reshape(30, 40, 100)
    expected = np.full((34, 44), np.nan)
    counts = np.isfinite(blocks).sum(-1)
    expected[2:32, 2:42] = np.where(counts > 0, np.nansum(blocks, -1) / np.where(counts, counts, 1), np.nan)
    for tiles in (44, 7):
        result = open_aligned(path, coarse, resampling="average", chunks=tiles)
        np.testing.assert_allclose(result.values, expected, rtol=1e-6)  # and NaN exactly where there is no fine cell


def test_mode_is_a_most_frequent_class(save):
    random = np.random.default_rng(5)
    fine = random.choice(np.array([1, 2, 3, 9], np.uint8), (300, 400), p=[0.4, 0.3, 0.2, 0.1])
    path = save("landcover.tif", fine, nodata=9)
    coarse = Grid(30, 40, Affine(100, 0, 500_000, 0, -100, 4_000_000), CRS.from_epsg(4546))
    result = open_aligned(path, coarse, resampling="mode", classes=True, chunks=11).values.astype(int)
    blocks = fine.reshape(30, 10, 40, 10).swapaxes(1, 2).reshape(30, 40, 100)
    counts = np.stack([(blocks == code).sum(-1) for code in (1, 2, 3)], axis=-1)
    assert (np.take_along_axis(counts, (result - 1)[..., None], -1)[..., 0] == counts.max(-1)).all()


def test_a_coarse_class_raster_keeps_its_codes_exactly(save):
    codes = np.array([[1_100_000_001, 7], [4_000_000_000, 0]], np.uint32)
    path = save("soil.tif", codes, nodata=0, transform=Affine(100, 0, 500_000, 0, -100, 4_000_000))
    fine = Grid(20, 20, GRID, CRS.from_epsg(4546))
    expected = np.where(codes == 0, np.nan, codes.astype(float)).repeat(10, 0).repeat(10, 1)
    np.testing.assert_array_equal(open_aligned(path, fine, resampling="nearest", classes=True).values, expected)
    with pytest.raises(InputError, match="cannot tell apart"):  # GDAL's mode counts in float32
        open_aligned(path, fine, resampling="mode", classes=True).compute()


def test_the_same_lattice_is_cut_not_warped(save):
    values = noise((50, 60), seed=6)
    path = save("a.tif", values, nodata=-9999)
    grid = Grid(50, 60, GRID @ Affine.translation(-5, 7), CRS.from_epsg(4546))
    expected = np.full((50, 60), np.nan, np.float32)
    expected[:43, 5:] = np.where(values == -9999, np.nan, values)[7:, :55]
    cut = open_aligned(path, grid, resampling="bilinear", chunks=23)
    np.testing.assert_array_equal(cut.values, expected)
    assert cut.attrs["alignment"] == "cut"
    assert open_aligned(path, Grid(50, 60, GRID, CRS.from_epsg(4546)), resampling="bilinear").attrs["alignment"] == "as it is"


def test_a_mosaic_is_warped_as_one_raster(save):
    values = noise((240, 260), seed=7, holes=0)
    whole = save("whole.tif", values, crs="EPSG:4326", transform=DEGREES)
    parts = [
        save("left.tif", values[:, :130], crs="EPSG:4326", transform=DEGREES),
        save("right.tif", values[:, 130:], crs="EPSG:4326", transform=DEGREES @ Affine.translation(130, 0)),
    ]
    for resampling in ("bilinear", "average"):
        expected = open_aligned(whole, TARGET, resampling=resampling).values
        np.testing.assert_array_equal(open_aligned(parts, TARGET, resampling=resampling).values, expected)  # no seam


def test_scale_mask_and_overlap_hold_in_a_warp_too(save):
    fine = Grid(4, 8, Affine(5, 0, 500_000, 0, -5, 4_000_000), CRS.from_epsg(4546))
    scaled = save("s.tif", np.array([[100, -1, 300], [100, 200, 300]], np.int16), nodata=-1, scale=0.01, offset=1)
    expected = np.array([[2, np.nan, 4], [2, 3, 4]], np.float32).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(open_aligned(scaled, fine, resampling="nearest").values[:, :6], expected)
    masked = save("m.tif", np.array([[1, 2, 3]], np.uint8), mask=np.array([[255, 0, 255]], np.uint8))
    np.testing.assert_array_equal(open_aligned(masked, fine, resampling="nearest").values[0, :6], [1, 1, np.nan, np.nan, 3, 3])
    holes = save("h.tif", np.array([[1.0, np.nan, 3.0]], np.float32))
    below = save("b.tif", np.array([[7.0, 8.0, 9.0, 10.0]], np.float32))
    np.testing.assert_array_equal(open_aligned([holes, below], fine, resampling="nearest").values[0], [1, 1, 8, 8, 3, 3, 10, 10])


def test_what_was_done_is_said(degrees):
    alignment = alignment_of(describe_raster(degrees), TARGET, "bilinear")
    assert alignment.as_dict() | {"transformation": None} == {
        "how": "warped",
        "resampling": "bilinear",
        "crs": "EPSG:4326",
        "cell": (1 / 1200, 1 / 1200),
        "transformation": None,
        "covers_grid": True,
    }
    wider = Grid(400, 400, TARGET.transform, TARGET.crs)
    assert not alignment_of(describe_raster(degrees), wider, "bilinear").covers_grid
    assert "warped from EPSG:4326" in open_aligned(degrees, TARGET, resampling="bilinear").attrs["alignment"]


def test_no_overlap_is_refused(degrees):
    away = Grid(10, 10, Affine(60, 0, 502_000, 0, -60, 3_000_000), CRS.from_epsg(4546))
    with pytest.raises(InputError, match=r"degrees\.tif does not overlap the grid"):
        open_aligned(degrees, away, resampling="bilinear")


def test_classes_are_never_averaged(save):
    path = save("landcover.tif", np.ones((4, 4), np.uint8))
    with pytest.raises(InputError, match="would mix their codes"):
        open_aligned(path, TARGET, resampling="bilinear", classes=True)


def test_a_far_finer_source_on_single_points_is_said(save, caplog):
    path = save("fine.tif", np.ones((300, 300), np.float32))
    open_aligned(path, Grid(5, 5, Affine(100, 0, 500_000, 0, -100, 4_000_000), CRS.from_epsg(4546)), resampling="bilinear")
    assert "10.0 times finer" in caplog.text
