"""``rusle terrain``: what Python gives, from file to file."""

import json
import subprocess
import sys

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

import rusle_engine as rusle
from rusle_engine.files.vectors import read_zones
from rusle_engine.terrain.streams import streams
from rusle_engine.terrain.watersheds import basins, catchments, sub_basins


@pytest.fixture(scope="module")
def dem(tmp_path_factory):
    heights = np.add.outer(np.arange(40.0), np.abs(np.arange(50.0) - 25)) + np.random.default_rng(4).normal(0, 0.6, (40, 50))
    path = tmp_path_factory.mktemp("terrain") / "高程 dem.tif"
    profile = {"driver": "GTiff", "height": 40, "width": 50, "count": 1, "dtype": "float32", "crs": "EPSG:32650"}
    with rasterio.open(path, "w", transform=Affine(30, 0, 5e5, 0, -30, 4.2e6), **profile) as file:
        file.write(np.round(heights[::-1], 2).astype(np.float32), 1)
    return path


def terrain(*arguments):
    command = [sys.executable, "-m", "rusle_engine", "terrain", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def test_rasters_are_those_of_python(dem, tmp_path):
    heights = rusle.open_raster(dem)
    d8 = rusle.flow_direction(heights)
    multiple = rusle.flow_accumulation(rusle.flow_direction(heights, scheme="quinn1991"))
    for arguments, expected in (
        (("condition",), rusle.condition(heights)),
        (("direction", "--threads", 1), d8),
        (("direction", "--flat-ties", "packed", "--quantum-m", 0.01), rusle.flow_direction(heights, flat_ties="packed", quantum_m=0.01)),
        (("accumulation",), rusle.flow_accumulation(d8)),
        (("accumulation", "--scheme", "quinn1991"), multiple),
    ):
        out = tmp_path / "out.tif"
        done = terrain(*arguments, "--dem", dem, "--out", out)
        assert (done.returncode, done.stdout.strip()) == (0, str(out)), done.stderr
        with rasterio.open(out) as written:
            np.testing.assert_array_equal(written.read(1), expected.values.astype(written.dtypes[0]))


def test_barriers_and_edges_are_those_of_python(dem, tmp_path):
    heights = rusle.open_raster(dem)
    walls = np.zeros(heights.shape, np.uint8)
    walls[10, 5:40], walls[30, 10:45] = 2, 1
    with rasterio.open(dem) as file:
        profile = file.profile | {"dtype": "uint8", "nodata": None}
    with rasterio.open(tmp_path / "walls.tif", "w", **profile) as file:
        file.write(walls, 1)
    out = tmp_path / "out.tif"
    done = terrain("accumulation", "--dem", dem, "--out", out, "--scheme", "qin2007", "--barriers", tmp_path / "walls.tif")
    assert done.returncode == 0, done.stderr
    in_its_place = terrain("accumulation", "--dem", dem, "--out", tmp_path / "walls.tif", "--barriers", tmp_path / "walls.tif")
    assert (in_its_place.returncode, "walls.tif is an input" in in_its_place.stderr) == (73, True)
    expected = rusle.flow_accumulation(rusle.flow_direction(heights, scheme="qin2007", barriers=walls)).values
    with rasterio.open(out) as written:
        np.testing.assert_array_equal(written.read(1), expected.astype(written.dtypes[0]))
    assert terrain("basins", "--dem", dem, "--out", tmp_path / "zones.gpkg").returncode == 0
    cut = tmp_path / "cut.tif"
    done = terrain("edges", "--dem", dem, "--out", cut, "--max-slope-length-m", 200, "--zones", tmp_path / "zones.gpkg", "--json")
    assert done.returncode == 0, done.stderr
    mask = rusle.edge_contamination(rusle.flow_direction(heights), max_slope_length_m=200.0)
    with rasterio.open(cut) as written:
        np.testing.assert_array_equal(written.read(1), mask.values)
    told = json.loads(done.stdout)
    assert told["attributes"]["buffer_m"] == mask.attrs["buffer_m"] == 330.0  # 1 + 200·√2/30 = 10.4 cells
    assert sum(row["contaminated_km2"] for row in told["zones"]) == pytest.approx((mask.values == 1).sum() * 9e-4)


def test_weights_are_summed_in_their_unit(dem, tmp_path):
    with rasterio.open(dem) as file:
        profile = file.profile
    weights = np.random.default_rng(8).uniform(0, 0.4, (40, 50)).astype(np.float32)
    with rasterio.open(tmp_path / "runoff.tif", "w", **profile) as file:
        file.write(weights, 1)
        file.units = ("mm",)
    done = terrain("accumulation", "--dem", dem, "--out", tmp_path / "sums.tif", "--weights", tmp_path / "runoff.tif", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["units"] == "mm"
    expected = rusle.flow_accumulation(rusle.flow_direction(rusle.open_raster(dem)), weights=weights.astype(np.float64))
    with rasterio.open(tmp_path / "sums.tif") as written:
        np.testing.assert_array_equal(written.read(1), expected.values.astype(written.dtypes[0]))
        assert written.units == ("mm",)
    done = terrain("accumulation", "--dem", dem, "--out", tmp_path / "runoff.tif", "--weights", tmp_path / "runoff.tif")
    assert (done.returncode, "is an input" in done.stderr) == (73, True)


def test_lines_stop_and_divert_water(dem, tmp_path):
    heights = rusle.open_raster(dem)
    for name, row in (("ditch", 20), ("wall", 30)):
        line = shapely.LineString([(5e5 + 300, 4.2e6 - 30 * row), (5e5 + 1200, 4.2e6 - 30 * row - 90)])
        gpd.GeoDataFrame(geometry=[line], crs="EPSG:32650").to_file(tmp_path / f"{name}.gpkg")
    lines = {"stops": tmp_path / "ditch.gpkg", "diverts": tmp_path / "wall.gpkg"}
    given = [text for name, path in lines.items() for text in (f"--{name}", path)]
    d8 = rusle.flow_direction(heights, barriers=rusle.rasterize_barriers(heights, **lines))
    assert not np.array_equal(d8, rusle.flow_direction(heights))
    done = terrain("direction", "--dem", dem, "--out", tmp_path / "d8.tif", *given)
    assert done.returncode == 0, done.stderr
    with rasterio.open(tmp_path / "d8.tif") as written:
        np.testing.assert_array_equal(written.read(1), d8.values)
    done = terrain("streams", "--dem", dem, "--out", tmp_path / "streams.gpkg", "--min-cells", 30, "--json", *given)
    assert json.loads(done.stdout)["rows"] == len(streams(d8, min_cells=30)) != len(streams(rusle.flow_direction(heights), min_cells=30))
    done = terrain("direction", "--dem", dem, "--out", tmp_path / "d8.tif", "--barriers", lines["stops"])
    assert (done.returncode, "lines or polygons, and a raster is expected" in done.stderr) == (65, True), done.stderr


def test_shares_of_zones_leave_holes_out(dem, tmp_path):
    """A plane that falls westwards, with a hole of 3 × 4 cells: no land, but its shore and what lies below it are cut."""
    with rasterio.open(dem) as file:
        profile = file.profile | {"nodata": -9999.0}
    heights = np.tile(np.arange(50, dtype=np.float32), (40, 1))
    heights[18:21, 20:24] = -9999
    with rasterio.open(tmp_path / "holed.tif", "w", **profile) as file:
        file.write(heights, 1)
    zone = gpd.GeoDataFrame(
        {"zone_id": ["all"], "zone_name": ["all"]}, geometry=[shapely.box(5e5, 4.2e6 - 1200, 5e5 + 1500, 4.2e6)], crs="EPSG:32650"
    )
    zone.to_file(tmp_path / "zone.gpkg")
    done = terrain("edges", "--dem", tmp_path / "holed.tif", "--out", tmp_path / "cut.tif", "--zones", tmp_path / "zone.gpkg", "--json")
    assert (done.returncode, done.stderr.count("Warning")) == (0, 0), done.stderr
    (row,) = json.loads(done.stdout)["zones"]
    with rasterio.open(tmp_path / "cut.tif") as written:
        cells = np.bincount(written.read(1).ravel(), minlength=256)
    assert (cells[255], cells[0] + cells[1]) == (12, 1988)
    assert row["area_km2"] == pytest.approx(1988 * 9e-4, rel=1e-12)
    assert row["share_pct"] == pytest.approx(100 * cells[1] / 1988, rel=1e-12)


def test_layers_are_those_of_python(dem, tmp_path):
    d8 = rusle.flow_direction(rusle.open_raster(dem))
    out = tmp_path / "out.gpkg"
    done = terrain("basins", "--dem", dem, "--out", out, "--json")
    assert json.loads(done.stdout)["rows"] == int(basins(d8).max()) == len(read_zones(out))
    done = terrain("basins", "--dem", dem, "--out", out, "--min-cells", 60, "--json")
    assert json.loads(done.stdout)["rows"] == int(sub_basins(d8, min_cells=60).max())
    assert sum(read_zones(out).area) == pytest.approx(40 * 50 * 900)
    done = terrain("streams", "--dem", dem, "--out", out, "--min-cells", 60, "--json")
    assert json.loads(done.stdout)["rows"] == len(streams(d8, min_cells=60))
    point = (5e5 + 25.5 * 30, 4.2e6 - 39.5 * 30)
    done = terrain("catchment", "--dem", dem, "--out", out, "--point", f"{point[0]},{point[1]}", "--snap-cells", 3)
    assert done.returncode == 0, done.stderr
    assert sum(read_zones(out).area) == pytest.approx(900 * int((catchments(d8, [point], snap_cells=3) == 1).sum()))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("condition", "--method", "dig"), 65, "'dig'"),
        (("condition", "--memory-budget", "-5 GB"), 2, "--memory-budget: '-5 GB' is not a size"),
        (("condition", "--memory-budget", "20 kB"), 69, "memory budget is 0.00 GiB"),
        (("basins", "--workers", 2, "--scheduler", "tcp://127.0.0.1:1"), 2, "workers and scheduler are both given"),
        (("catchment", "--point", "here"), 2, "expected x and y"),
        (("catchment", "--point", "0,0"), 65, "outside the grid"),
    ],
)
def test_what_cannot_be_done(dem, tmp_path, arguments, code, message):
    out = tmp_path / ("out.tif" if arguments[0] == "condition" else "out.gpkg")
    done = terrain(*arguments, "--dem", dem, "--out", out)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert message in done.stderr
    assert not out.exists()


def test_verbose_tells_how_often_sums_were_passed_on(dem, tmp_path):
    done = terrain("accumulation", "--dem", dem, "--out", tmp_path / "sums.tif", "--scheme", "quinn1991", "--scratch", tmp_path / "scratch", "-v")
    assert done.returncode == 0, done.stderr
    assert "sums passed on" in done.stderr


def test_a_result_of_another_kind_or_in_the_place_of_the_dem_is_refused(dem, tmp_path):
    done = terrain("streams", "--dem", dem, "--min-cells", 9, "--out", tmp_path / "streams.shp")
    assert (done.returncode, "expected .gpkg" in done.stderr) == (65, True)
    before = dem.read_bytes()
    (tmp_path / "link.tif").symlink_to(dem)
    done = terrain("condition", "--dem", dem, "--out", tmp_path / "link.tif")
    assert (done.returncode, "is an input" in done.stderr) == (73, True)
    assert dem.read_bytes() == before
