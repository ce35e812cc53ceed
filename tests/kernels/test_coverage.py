"""Coverage of cells by polygons: known fractions, an independent library, and parts that add up to the last bit."""

import exactextract
import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from exactextract.raster import NumPyRasterSource
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from rusle_engine.core.coverage import PolygonRuns
from rusle_engine.core.grid import Grid
from rusle_kernels import coverage

HEIGHT, WIDTH = 12, 16
GRID = Grid(HEIGHT, WIDTH, Affine(1, 0, 0, 0, -1, HEIGHT), CRS.from_epsg(32649))


def weights(polygon):
    """Integer weight of every cell, from the runs."""
    runs = PolygonRuns.of([polygon], GRID)
    dense = np.zeros((HEIGHT, WIDTH), np.int64)
    for part in (runs.whole, runs.cut):
        for row in range(HEIGHT):
            for n in range(part.starts[row], part.starts[row + 1]):
                assert (dense[row, part.left[n] : part.right[n]] == 0).all()  # no cell twice
                dense[row, part.left[n] : part.right[n]] = part.weight[n]
    return dense


def star(random, centre, radius, points=14):
    angle = np.sort(random.uniform(0, 2 * np.pi, points))
    distance = radius * random.uniform(0.3, 1, points)
    return shapely.make_valid(shapely.Polygon(np.c_[centre[0] + distance * np.cos(angle), centre[1] + distance * np.sin(angle)]))


def test_half_and_quarter_cells():
    expected = np.zeros((HEIGHT, WIDTH))
    expected[2:5, 3:6] = 1
    expected[5, 3:6] = 0.25  # three cells along a level border, without a vertex in the middle one
    expected[2:5, 6] = 0.5
    expected[5, 6] = 0.125
    assert np.array_equal(weights(shapely.box(3, HEIGHT - 5.25, 6.5, HEIGHT - 2)) / coverage.FULL, expected)


def test_triangle_by_hand():
    # the land below the diagonal of a 2 × 2 square: half of two cells, one whole, one nothing
    covered = weights(shapely.Polygon([(4, 4), (6, 4), (6, 6)])) / coverage.FULL
    assert covered[HEIGHT - 6 : HEIGHT - 4, 4:6].tolist() == [[0, 0.5], [0.5, 1]]
    assert covered.sum() == 2


def test_a_hole_is_outside():
    ring = shapely.box(2, 2, 9, 9) - shapely.box(4.5, 4.5, 6.5, 6.5)
    assert weights(ring).sum() == (49 - 4) * coverage.FULL


def test_orientation_of_rings_does_not_matter():
    ring = shapely.box(2, 2, 9.3, 9.7) - shapely.box(4.1, 4.2, 6.3, 6.4)
    assert np.array_equal(weights(ring), weights(shapely.reverse(ring)))


@pytest.mark.parametrize("seed", range(20))
def test_random_polygons_agree_with_exactextract(seed):
    random = np.random.default_rng(seed)
    polygon = star(random, random.uniform(-2, 18, 2), random.uniform(0.2, 14))
    zones = gpd.GeoDataFrame(geometry=[polygon], crs=GRID.crs)
    source = NumPyRasterSource(np.zeros((HEIGHT, WIDTH)), 0, 0, WIDTH, HEIGHT)
    row = exactextract.exact_extract(source, zones, ["cell_id", "coverage"], output="pandas").iloc[0]
    expected = np.zeros(HEIGHT * WIDTH)
    expected[np.asarray(row["cell_id"], int)] = row["coverage"]
    np.testing.assert_allclose(weights(polygon) / coverage.FULL, expected.reshape(HEIGHT, WIDTH), rtol=0, atol=2e-6)


@given(seed=st.integers(0, 10**6), count=st.integers(2, 30))
@settings(max_examples=30, deadline=None)
def test_parts_add_up_to_the_whole_to_the_last_bit(seed, count):
    random = np.random.default_rng(seed)
    points = shapely.multipoints(random.uniform((-3, -3), (WIDTH + 3, HEIGHT + 3), (count, 2)))
    parts = shapely.get_parts(shapely.voronoi_polygons(points))
    whole = PolygonRuns.of([shapely.union_all(parts)], GRID)
    assert sum(weights(part) for part in parts).tolist() == weights(shapely.union_all(parts)).tolist()
    assert sum(PolygonRuns.of(list(parts), GRID).areas) == whole.areas[0]


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_area_is_the_polygon_s_wherever_it_lies(seed):
    random = np.random.default_rng(seed)
    polygon = star(random, random.uniform(-40, 60, 2), random.uniform(0.5, 30))
    area = PolygonRuns.of([polygon], GRID).areas[0] / (coverage.FULL << 20)
    assert area == pytest.approx(polygon.area, rel=1e-5, abs=1e-4)  # vertices stand on a lattice of 2^-20 cells


def test_land_within_and_beyond_a_grid_in_degrees_adds_up_to_the_last_bit():
    third, top = 1 / 3, 40.017  # large cells and odd edges, to see the last bit of the rows' areas
    degrees = Grid(30, 4, Affine(third, 0, 112, 0, -third, top), CRS.from_epsg(4326))
    north, south = top + 11 * third, top - 29 * third
    across, beyond, within = (shapely.box(112, low, 113, high) for low, high in ((south, north), (top, north), (south, top)))
    whole, north, south = PolygonRuns.of([across, beyond, within], degrees).areas
    assert whole == north + south


def test_windows_hold_what_the_whole_holds():
    polygons = [star(np.random.default_rng(n), (8, 6), 9) for n in range(5)]
    runs = PolygonRuns.of(polygons, GRID)

    def cells(part, row, column):
        height = part.starts.size - 1
        return {
            (part.zone[n], row + i, column + j, part.weight[n])
            for i in range(height)
            for n in range(part.starts[i], part.starts[i + 1])
            for j in range(part.left[n], part.right[n])
        }

    for which in (0, 1):
        whole = cells(runs.window(0, 0, HEIGHT, WIDTH)[which], 0, 0)
        tiles = [
            cells(runs.window(i, j, min(5, HEIGHT - i), min(7, WIDTH - j))[which], i, j) for i in range(0, HEIGHT, 5) for j in range(0, WIDTH, 7)
        ]
        assert set.union(*tiles) == whole
        assert sum(map(len, tiles)) == len(whole) > 0
