"""Where cells lie and how large they are, against closed forms and published numbers."""

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from pyproj import CRS, Geod

from rusle_engine.core.errors import GridMismatchError, InputError
from rusle_engine.core.grid import Grid, same_grid

WGS84 = CRS.from_epsg(4326)
GAUSS_KRUEGER = CRS.from_epsg(4547)


def geographic(rows=4, columns=3, south=38.5, step=1 / 3600):
    return Grid(rows, columns, Affine(step, 0, 112.0, 0, -step, south + rows * step), WGS84)


def test_one_second_cell_at_xinzhou():
    grid = geographic()
    assert grid.cell_area_m2[-1] == pytest.approx(747.17118, rel=1e-7)  # science book G-3
    assert grid.dx_m[-1] == pytest.approx(24.231, abs=1e-3)
    assert grid.dy_m[-1] == pytest.approx(30.835, abs=1e-3)


def test_areas_of_all_rows_add_up_to_the_ellipsoid():
    # 180 rows of one degree, 360 columns: the whole WGS84 ellipsoid, 510 065 621.724 km2
    grid = Grid(180, 360, Affine(1, 0, -180, 0, -1, 90), WGS84)
    assert grid.cell_area_m2.sum() * 360 == pytest.approx(510065621.724e6, rel=1e-9)


def test_area_agrees_with_a_geodesic_polygon():
    grid = geographic(rows=1, columns=1, step=0.01)
    # short geodesics follow the parallel closely at this size
    left, bottom, right, top = grid.bounds
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter([left, right, right, left], [bottom, bottom, top, top])
    assert grid.cell_area_m2[0] == pytest.approx(area, rel=2e-6)


def test_projected_cells_are_all_alike():
    grid = Grid(3, 2, Affine(30, 0, 5e5, 0, -20, 4e6), GAUSS_KRUEGER)
    assert set(grid.dx_m) == {30.0}
    assert set(grid.dy_m) == {20.0}
    assert set(grid.cell_area_m2) == {600.0}


@pytest.mark.parametrize("grid", [geographic(), Grid(5, 7, Affine(30, 0, 5e5, 0, -30, 4e6), GAUSS_KRUEGER)])
def test_a_labelled_array_knows_its_grid(grid):
    array = grid.label(np.zeros(grid.shape))
    assert Grid.of(array).transform == grid.transform
    assert Grid.of(array).same_as(grid)
    cut = array.isel(y=slice(1, None), x=slice(1, None))
    assert Grid.of(cut).transform.c == pytest.approx(grid.transform.c + grid.transform.a)


def test_a_shift_of_a_millionth_cell_is_no_shift_and_of_a_thousandth_is():
    grid = Grid(5, 7, Affine(30, 0, 5e5, 0, -30, 4e6), GAUSS_KRUEGER)
    near = Grid(5, 7, Affine(30, 0, 5e5 + 1e-5, 0, -30, 4e6), GAUSS_KRUEGER)
    far = Grid(5, 7, Affine(30, 0, 5e5 + 0.03, 0, -30, 4e6), GAUSS_KRUEGER)
    assert grid.same_as(near)
    assert "bounds" in grid.differences(far)[0]


def test_arrays_of_one_grid_get_one_coordinate_object_and_others_are_refused():
    grid = Grid(5, 7, Affine(30, 0, 5e5, 0, -30, 4e6), GAUSS_KRUEGER)
    near = Grid(5, 7, Affine(30, 0, 5e5 + 1e-5, 0, -30, 4e6), GAUSS_KRUEGER)
    one, two = same_grid({"one": grid.label(np.ones((5, 7))), "two": near.label(np.ones((5, 7)))})
    assert (one * two).shape == (5, 7)
    far = Grid(5, 7, Affine(30, 0, 5e5 + 15, 0, -30, 4e6), GAUSS_KRUEGER)
    with pytest.raises(GridMismatchError, match="one and far"):
        same_grid({"one": one, "far": far.label(np.ones((5, 7)))})


@pytest.mark.parametrize(
    ("transform", "crs", "words"),
    [
        (Affine(30, 1, 0, 0, -30, 0), GAUSS_KRUEGER, "rotated"),
        (Affine(30, 0, 0, 0, 30, 0), GAUSS_KRUEGER, "north-up"),
        (Affine(30, 0, 0, 0, -30, 0), CRS.from_epsg(2263), "foot"),  # New York in US survey feet
    ],
)
def test_grids_that_are_refused(transform, crs, words):
    with pytest.raises(InputError, match=words):
        Grid(3, 3, transform, crs)


def test_degrees_without_a_crs_are_refused():
    array = xr.DataArray(np.zeros((3, 3)), dims=("y", "x"), coords={"y": [38.2, 38.1, 38.0], "x": [112.0, 112.1, 112.2]})
    with pytest.raises(InputError, match="EPSG:4326"):
        Grid.of(array)


def test_a_plain_array_needs_a_cell_size():
    array = xr.DataArray(np.zeros((3, 4)), dims=("y", "x"))
    with pytest.raises(InputError, match="cell_size_m"):
        Grid.of(array)
    assert set(Grid.of(array, cell_size_m=(20.0, 10.0)).cell_area_m2) == {200.0}
    for size in (0, -30.0, np.nan, (30.0, -30.0)):
        with pytest.raises(InputError, match="expected metres above 0, one number or"):
            Grid.of(array, cell_size_m=size)
