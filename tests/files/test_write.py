"""Writing: what comes back, that every tile is computed once, and that a failure leaves nothing that looks finished."""

import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ElementTree

import dask
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import CRS

from rusle_engine.core.errors import InputError, OutputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import tiled
from rusle_engine.core.variables import INTENSITY, SOIL_LOSS
from rusle_engine.files.atomic import sha256
from rusle_engine.files.rasters import RasterOutput, open_raster, write_rasters

from .conftest import GRID

COLOURS = {1: "#a6d96a", 2: (255, 255, 178)}
NAMES = {1: ("微度", "Slight"), 2: ("轻度", "Light & more")}


def labelled(values, chunks=None, **attrs):
    array = Grid(*values.shape, GRID, CRS.from_epsg(4546)).label(values, **attrs)
    return array.chunk({"y": chunks[0], "x": chunks[1]}) if chunks else array


def loss(shape, seed=0):
    random = np.random.default_rng(seed)
    values = random.gamma(1, 20, shape)
    values[random.random(shape) < 0.1] = np.nan
    return values


def codes(shape, seed=0):
    return np.random.default_rng(seed).choice(np.array([1, 2, 255], np.uint8), shape, p=[0.6, 0.3, 0.1])


def test_a_quantity_comes_back_as_float32_with_what_belongs_to_it(tmp_path):
    values = loss((700, 1300))
    path = tmp_path / "结果 一" / "A.tif"
    written = write_rasters([RasterOutput(labelled(values, (512, 512), units="t ha-1 yr-1", method="rusle"), path, SOIL_LOSS, tags={"run": "demo"})])
    with rasterio.open(path) as source:
        assert source.read(1).tobytes() == np.where(np.isnan(values), np.nan, values).astype(np.float32).tobytes()
        assert source.dtypes == ("float32",)
        assert np.isnan(source.nodata)
        assert source.units == ("t ha-1 yr-1",)
        assert source.descriptions == ("A: mean annual soil loss (年均土壤流失量)",)
        assert source.tags()["method"] == "rusle"
        assert source.tags()["run"] == "demo"
        assert source.crs.to_epsg() == 4546
        assert source.transform == GRID
        assert source.block_shapes == [(512, 512)]
        assert source.compression.value == "DEFLATE"
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.overviews(1) == [2, 4]
        half = source.read(1, out_shape=(350, 650), resampling=rasterio.enums.Resampling.nearest)
    blocks = values.reshape(350, 2, 650, 2).swapaxes(1, 2).reshape(350, 650, 4)
    some = np.isfinite(blocks).any(-1)
    np.testing.assert_allclose(half[some], np.nanmean(blocks[some], -1), rtol=1e-5)  # overviews are means of what is there
    assert np.isnan(half[~some]).all()
    assert written.rasters[0].sha256 == sha256(path)
    assert written.rasters[0].bytes == path.stat().st_size
    assert sorted(p.name for p in path.parent.iterdir()) == ["A.tif"]
    assert open_raster(path).attrs["units"] == "t ha-1 yr-1"


def test_classes_have_colours_and_names_where_gis_programs_look(tmp_path):
    values = codes((700, 800))
    path = tmp_path / "intensity.tif"
    written = write_rasters([RasterOutput(labelled(values, (300, 300)), path, INTENSITY, kind="classes", colors=COLOURS, labels=NAMES)])
    with rasterio.open(path) as source:
        np.testing.assert_array_equal(source.read(1), values)
        assert source.nodata == 255
        assert source.colorinterp == (rasterio.enums.ColorInterp.palette,)
        assert source.colormap(1)[1] == (166, 217, 106, 255)
        assert source.colormap(1)[2] == (255, 255, 178, 255)
        coarse = source.read(1, out_shape=(350, 400), resampling=rasterio.enums.Resampling.nearest)
        rasterio.shutil.copy(source, tmp_path / "seen.vrt", driver="VRT")  # writes down all that GDAL sees, names included
    assert set(np.unique(coarse)) <= {1, 2, 255}
    seen = ElementTree.parse(tmp_path / "seen.vrt").getroot()
    assert [entry.text for entry in seen.findall("VRTRasterBand/CategoryNames/Category")] == [None, "微度 Slight", "轻度 Light & more"]
    sidecar = ElementTree.parse(tmp_path / "intensity.tif.aux.xml").getroot()
    rows = [[cell.text for cell in row] for row in sidecar.findall("PAMRasterBand/GDALRasterAttributeTable/Row")]
    assert rows == [
        ["1", "微度 Slight", "微度", "Slight", "166", "217", "106"],
        ["2", "轻度 Light & more", "轻度", "Light & more", "255", "255", "178"],
    ]
    style = ElementTree.parse(tmp_path / "intensity.qml").getroot()
    entries = [(e.get("value"), e.get("color"), e.get("label")) for e in style.iter("paletteEntry")]
    assert entries == [("1", "#a6d96a", "微度 Slight"), ("2", "#ffffb2", "轻度 Light & more")]
    assert {p.name for p in written.rasters[0].sidecars} == {"intensity.tif.aux.xml", "intensity.qml"}


def test_class_overviews_are_the_most_frequent_class(tmp_path):
    values = np.tile(np.array([[1, 1], [1, 5]], np.uint8), (400, 400))
    write_rasters([RasterOutput(labelled(values), tmp_path / "c.tif", INTENSITY, kind="classes")])
    with rasterio.open(tmp_path / "c.tif") as source:
        assert (source.read(1, out_shape=(400, 400), resampling=rasterio.enums.Resampling.nearest) == 1).all()


@given(tile=st.tuples(st.integers(6, 70), st.integers(6, 70)), seed=st.integers(0, 5))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_array_is_the_same_file_on_any_tiling(tmp_path, tile, seed):
    values = loss((61, 67), seed)
    eager, lazy = tmp_path / f"eager{seed}.tif", tmp_path / f"lazy{seed}.tif"
    array = labelled(values)
    before = array.copy(deep=True)
    write_rasters([RasterOutput(array, eager, SOIL_LOSS)])
    write_rasters([RasterOutput(labelled(values, tile), lazy, SOIL_LOSS)])
    assert eager.read_bytes() == lazy.read_bytes()
    assert array.identical(before)


def test_every_tile_is_computed_once_for_all_rasters_and_records(tmp_path):
    calls = []

    def both(tile, row, column):
        calls.append((row, column))
        return tile * 2, np.where(np.isnan(tile), 255, 1).astype(np.uint8), float(np.nansum(tile))

    values = loss((40, 50))
    for outputs in (1, 2):
        calls.clear()
        (a, c), records = tiled(both, labelled(values, (20, 20)), dtypes=[np.float64, np.uint8])
        rasters = [RasterOutput(a, tmp_path / "A.tif", SOIL_LOSS), RasterOutput(c, tmp_path / "c.tif", INTENSITY, kind="classes")]
        progress: list[tuple[int, int]] = []
        done = write_rasters(rasters[:outputs], [*records, 7], progress=lambda *seen, kept=progress: kept.append(seen))
        assert sorted(calls) == [(row, column) for row in (0, 20) for column in (0, 20, 40)]
        assert len(done.records) == 7
        assert done.records[-1] == 7
        assert sum(done.records[:-1]) == pytest.approx(np.nansum(values))
        total = 2 * 6 * outputs
        assert progress == [(i, total) for i in range(1, total + 1)]


def test_every_scheduler_writes_the_same_file(tmp_path):
    written = set()
    for scheduler in ("synchronous", "threads", "processes"):
        with dask.config.set(scheduler=scheduler):
            made = write_rasters([RasterOutput(labelled(loss((20, 20)), (7, 9)), tmp_path / "A.tif", SOIL_LOSS)])
        written.add(made.rasters[0].sha256)
        np.testing.assert_array_equal(open_raster(tmp_path / "A.tif").values, loss((20, 20)).astype(np.float32))
    assert len(written) == 1


@pytest.mark.parametrize("wrong", [0.5, 300.0, -1.0, 255.0])
def test_codes_that_do_not_fit_are_refused(tmp_path, wrong):
    values = np.array([[1.0, np.nan], [wrong, 2.0]])
    with pytest.raises(InputError, match=r"c\.tif is written as classes but holds"):
        write_rasters([RasterOutput(labelled(values), tmp_path / "c.tif", INTENSITY, kind="classes")])
    assert list(tmp_path.iterdir()) == []


def test_a_file_damaged_before_it_was_read_back_is_not_kept(tmp_path):
    def damage(done, total):
        if done == total // 2 + 1:  # the first tile has been read back
            (encoded,) = tmp_path.glob(".rasters*/cog-*.tif")
            whole = bytearray(encoded.read_bytes())
            whole[-1500:-500] = bytes(1000)  # inside the last tile
            encoded.write_bytes(bytes(whole))

    output = RasterOutput(labelled(loss((3072, 1024)), (512, 512)), tmp_path / "A.tif", SOIL_LOSS)
    with pytest.raises(OutputError, match=r"A\.tif (did not read back|could not be written)") as caught:
        write_rasters([output], progress=damage)
    assert caught.value.exit_code == 74
    assert list(tmp_path.iterdir()) == []


def test_an_older_result_stays_when_the_new_one_fails(tmp_path):
    path = tmp_path / "A.tif"
    write_rasters([RasterOutput(labelled(loss((20, 20))), path, SOIL_LOSS)])
    before = path.read_bytes()

    def stop(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_rasters([RasterOutput(labelled(loss((20, 20), seed=1)), path, SOIL_LOSS)], progress=stop)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="out") as caught:
        write_rasters([RasterOutput(labelled(loss((5, 5))), tmp_path / "out" / "A.tif", SOIL_LOSS)])
    assert caught.value.exit_code == 73


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file size are POSIX")
@pytest.mark.parametrize("limit", [200_000, 4_500_000])  # while tiles are staged; while overviews are built, where GDAL itself says nothing
def test_a_disk_that_takes_no_more(tmp_path, limit):
    """A process that may not write larger files gets the error of a full disk at the same places."""
    code = f"""
        import resource, signal, sys
        import numpy as np
        from affine import Affine
        from pyproj import CRS
        from rusle_engine.core.errors import OutputError
        from rusle_engine.core.grid import Grid
        from rusle_engine.core.variables import SOIL_LOSS
        from rusle_engine.files.rasters import RasterOutput, write_rasters
        values = np.random.default_rng(0).random((1024, 1024))
        array = Grid(1024, 1024, Affine(10, 0, 5e5, 0, -10, 4e6), CRS.from_epsg(4546)).label(values).chunk({{"y": 512, "x": 512}})
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        try:
            write_rasters([RasterOutput(array, sys.argv[1], SOIL_LOSS)])
        except OutputError as error:
            sys.exit(error.exit_code)
    """
    code = textwrap.dedent(code).replace("sys.argv[1]", "__import__('pathlib').Path(sys.argv[1])")
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path / "A.tif")], capture_output=True, text=True, check=False)
    assert ended.returncode == 74, ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_disk_too_small_is_refused_before_the_work(tmp_path):
    import dask.array as da

    huge = Grid(2_000_000, 2_000_000, Affine(10, 0, 0, 0, -10, 4_000_000), CRS.from_epsg(4546))
    array = huge.label(da.zeros(huge.shape, chunks=500_000, dtype=np.float32))
    with pytest.raises(OutputError, match="GiB are free") as caught:
        write_rasters([RasterOutput(array, tmp_path / "A.tif", SOIL_LOSS)])
    assert caught.value.exit_code == 74


def test_no_outputs_still_compute_the_records():
    (_,), records = tiled(lambda tile, _row, _column: (tile, float(tile.sum())), labelled(np.ones((4, 4)), (2, 4)), dtypes=[np.float64])
    assert write_rasters([], records).records == [8.0, 8.0]


def test_a_nan_is_a_nan_whatever_its_bits(tmp_path):
    plain, negative = loss((20, 20)), loss((20, 20))
    negative[np.isnan(negative)] = -np.float64(np.nan)
    assert plain.tobytes() != negative.tobytes()
    files = [write_rasters([RasterOutput(labelled(v), tmp_path / f"{i}.tif", SOIL_LOSS)]).rasters[0] for i, v in enumerate((plain, negative))]
    assert files[0].sha256 == files[1].sha256


def test_no_overviews_by_option(tmp_path):
    values = loss((1300, 600))
    write_rasters([RasterOutput(labelled(values), tmp_path / "A.tif", SOIL_LOSS)], overviews=False)
    with rasterio.open(tmp_path / "A.tif") as source:
        assert source.overviews(1) == []
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        np.testing.assert_array_equal(source.read(1), values.astype(np.float32))


def test_zstd_by_option(tmp_path):
    values = loss((600, 600))
    write_rasters([RasterOutput(labelled(values), tmp_path / "A.tif", SOIL_LOSS)], compression="zstd")
    with rasterio.open(tmp_path / "A.tif") as source:
        assert source.compression.value == "ZSTD"
        np.testing.assert_array_equal(source.read(1), values.astype(np.float32))
