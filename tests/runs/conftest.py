"""A configuration whose files exist but hold nothing, for tests of the configuration; and a whole region, for tests of runs."""

import pytest

from tests.region import build_region

COMPLETE = """\
schema_version: 1
project: {name: Test}
dem: {raster: dem.tif}
landcover: {raster: landcover.tif}
R: {method: xie2016, rain: {file: rain.csv}}
K: {method: williams1990, soil: {raster: soil.tif}, table: {file: soil.csv, columns: {sand: SAND}}}
LS: {method: desmet_govers1996, max_slope_length_m: 304.8, channel_area_m2: null}
C: {table: c.csv}
P: 1
intensity: {tolerance_t_km2: 1000}
zones: {file: zones.gpkg}
output: {folder: result}
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with a blank in its name, the files of ``COMPLETE`` and ``run.yml``."""
    place = tmp_path / "区域 one"
    (place / "tiles").mkdir(parents=True)
    for name in ("dem.tif", "landcover.tif", "rain.csv", "soil.tif", "soil.csv", "c.csv", "zones.gpkg", "ndvi.tif", "tiles/b.tif", "tiles/a.tif"):
        (place / name).touch()
    (place / "run.yml").write_text(COMPLETE, encoding="utf-8")
    return place


@pytest.fixture(scope="session")
def whole_region(tmp_path_factory):
    """A region larger than the smallest tile, with every kind of input; run it in a copy."""
    return build_region(tmp_path_factory.mktemp("runs") / "region", shape=(150, 170))


@pytest.fixture
def region(whole_region, tmp_path):
    return whole_region.copied(tmp_path / "region", report=False)


@pytest.fixture(scope="session")
def finished(whole_region, tmp_path_factory):
    """The region and a run of it with its report; no test may change either."""
    copy = whole_region.copied(tmp_path_factory.mktemp("run") / "region")
    return copy, copy.run()
