"""Results that cannot be written, and runs that break off: the right exit code, and nothing that looks finished."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

import rusle_engine as rusle
from tests.region import read_raster, write_raster

MIB = 2**20


# ------------------------------------------------------------------------------------------------------------------ refused beforehand


def test_a_file_in_the_way(region, refused):
    (region.folder / "result").touch()
    refused(region, "output.folder", 73, "result is a file", "expected a folder")


def test_a_folder_below_a_file(region, refused):
    (region.folder / "file").touch()
    region.config["output"]["folder"] = "file/result"
    refused(region, "output.folder", 73, "file/result cannot be written", "Choose another output.folder")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc on this system")
def test_a_folder_that_takes_no_files(region, refused):
    """Not even from the administrator, whatever the permissions say."""
    region.config["output"]["folder"] = "/proc/self/result"
    refused(region, "output.folder", 73, "/proc/self/result cannot be written", "Choose another output.folder")


def test_an_input_where_a_result_goes(region):
    """The K of an earlier run, used for this one in the same folder, would be deleted before it is read."""
    shutil.copytree(region.folder, region.folder / "result/rasters")
    (region.folder / "result/rasters/soil.tif").rename(region.folder / "result/rasters/K.tif")
    before = (region.folder / "result/rasters/K.tif").read_bytes()
    region.config["K"] = {"raster": "result/rasters/K.tif", "units": "US K"}
    problems = [problem for problem in region.check() if problem.where == "output.folder"]
    assert [problem.exit_code for problem in problems] == [73]
    assert "K.tif is an input" in problems[0].message
    with pytest.raises(rusle.RusleError):
        region.run()
    assert (region.folder / "result/rasters/K.tif").read_bytes() == before


def test_other_files_in_the_folder_stay(region):
    mine = [region.folder / "result" / name for name in ("rasters/dem copy.tif", "tables/notes.csv", "readme.txt")]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine", encoding="utf-8")
    region.run()
    assert [path.read_text("utf-8") for path in mine] == ["mine"] * 3


def test_tiles_too_large_for_the_budget(region, refused):
    """What the threads hold at once is counted before the work starts: 40 x 50 cells for each of 4 threads."""
    region.config["compute"] = {"memory_budget": "700 KB", "threads": 4}
    refused(region, "compute.tile_cells", 69, "4 threads", "8,000 cells", "Set a smaller compute.tile_cells")


def smallest_disk():
    """A folder on the smallest disk there is, and the bytes free on it."""
    places = [Path(place) for place in ("/dev/shm", "/tmp", str(Path.home())) if os.access(place, os.W_OK)]
    return min(((place, shutil.disk_usage(place).free) for place in places), key=lambda found: found[1])


def test_disk_too_small(region, refused):
    """A file of a few bytes that declares a grid whose results are larger than the disk."""
    place, free = smallest_disk()
    side = min(int((2 * free / 9) ** 0.5) // 16384 * 16384 + 16384, 310_000)
    if side * side * 9 < free:
        pytest.skip(f"no disk here is too small for the largest grid that is read ({free / 2**30:.0f} GiB free)")
    with rasterio.open(
        region.folder / "dem.tif", "w", driver="GTiff", height=side, width=side, count=1, dtype="float32", crs=region.crs,
        transform=region.transform @ Affine.scale(0.01), tiled=True, sparse_ok=True, blockxsize=16384, blockysize=16384, bigtiff="yes",
    ) as file:  # fmt: skip
        file.write(np.full((16, 16), 100, np.float32), 1, window=((0, 16), (0, 16)))
    region.config |= {"R": 1000.0, "K": 0.04, "LS": 1.0, "C": 1.0, "P": 1.0, "landcover": None}
    region.config["compute"] = {"tile_cells": 16384, "memory_budget": "1 TB"}
    region.config["output"]["folder"] = str(place / "rusle_engine-test-of-a-full-disk")
    refused(region, "output.folder", 74, "rusle_engine-test-of-a-full-disk", "GiB are free", "Free space")


# ------------------------------------------------------------------------------------------------------------------------- broken off

LIMITED = """
import resource, sys
import rusle_engine as rusle
rusle.check(sys.argv[1])  # everything is imported and compiled before files become small
for largest in (500, 20_000):  # the log is cut off, the rasters are
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    try:
        rusle.run(sys.argv[1])
    except rusle.RusleError as error:
        print(error.exit_code, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the size of files are POSIX")
def test_a_disk_that_fills_up_in_the_middle(region, nothing_finished):
    """The system itself refuses to let files grow, as on a full disk or at the end of a quota."""
    command = [sys.executable, "-c", LIMITED, region.write_config()]
    limited = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    assert limited.returncode == 0, limited.stderr
    cut_log, cut_rasters = limited.stdout.splitlines()
    assert cut_log.startswith(f"74 {region.result} could not be written: File too large")
    assert cut_rasters.startswith(f"74 {region.result / 'rasters'}")
    assert "could not be written" in cut_rasters
    nothing_finished(region)
    region.run()
    assert not (region.result / "run.failed.json").exists()


def explosive(region):
    """Every input is possible; only together they are not: 25000 × 0.1 × an LS of several hundred."""
    steep = np.add.outer(np.arange(region.shape[0]) * -900.0, np.arange(region.shape[1]) * 0.0) + 8990
    write_raster(region.folder / "dem.tif", np.maximum(steep, -400).astype(np.float32), region.transform, region.crs)
    region.config |= {"R": 25000.0, "K": 0.1, "C": 1.0, "P": 1.0}
    region.config["LS"] |= {"max_slope_length_m": None, "channel_area_m2": None}


def test_a_failure_in_the_middle_and_the_good_run_after_it(region, nothing_finished):
    good = json.loads(json.dumps(region.config))
    first = region.run()
    assert (first.path / "run.json").is_file()
    explosive(region)
    assert region.check() == []
    with pytest.raises(rusle.InputError, match="allowed is 0 to 262144") as failed:
        region.run()
    assert failed.value.exit_code == 65
    nothing_finished(region)
    told = json.loads((region.result / "run.failed.json").read_text("utf-8"))
    assert told["kind"] == "InputError"
    assert told["message"] == str(failed.value)
    lines = [json.loads(line) for line in (region.result / "logs/run.jsonl").read_text("utf-8").splitlines()]
    assert [line["event"] for line in lines if line["level"] == "error"] == ["run failed"]
    region.config = good
    write_raster(region.folder / "dem.tif", read_raster(region.folder / "soil.tif").astype(np.float32) * 10, region.transform, region.crs)
    again = region.run()
    assert not (again.path / "run.failed.json").exists()
    assert (again.path / "run.json").is_file()


class Interrupted:
    """Progress that is interrupted, as by Ctrl-C, when the rasters are half done."""

    def start(self, stage, _total):
        self.stage = stage

    def advance(self, _amount):
        if self.stage == "rasters":
            raise KeyboardInterrupt

    def finish(self):
        pass


def test_interrupted(region, nothing_finished):
    with pytest.raises(KeyboardInterrupt):
        region.run(progress=Interrupted())
    nothing_finished(region)
    assert json.loads((region.result / "run.failed.json").read_text("utf-8"))["kind"] == "KeyboardInterrupt"


def test_what_a_killed_run_left_is_taken_away(region):
    for leftover in ("rasters/.rasters.partial-0badcafe/0.tif", "tables/.zones.partial-0badcafe.csv", ".run.partial-0badcafe.json"):
        path = region.result / leftover
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(100))
    region.run()
    assert [path for path in region.result.rglob("*") if "partial" in path.name] == []


class SecondRun:
    """Starts the same run once more while the first is at work on its rasters."""

    def __init__(self, path):
        self.path, self.errors = path, []

    def start(self, stage, _total):
        if stage == "rasters":
            with pytest.raises(rusle.RusleError) as busy:
                rusle.run(self.path)
            self.errors.append(busy.value)

    def advance(self, _amount):
        pass

    def finish(self):
        pass


def test_a_second_run_in_the_same_folder(region):
    """It stops at once with 75 (try later); the first one is not disturbed, and the folder is free afterwards."""
    second = SecondRun(region.write_config())
    first = region.run(progress=second)
    assert [(error.exit_code, "another run is at work" in str(error)) for error in second.errors] == [(75, True)]
    assert (first.path / "run.json").is_file()
    assert {path.name for path in (first.path / "rasters").glob("*.tif")} == {f"{name}.tif" for name in ("K", "LS", "C", "P", "A", "intensity")}
    region.run()


def test_a_refused_run_leaves_the_earlier_result(region):
    """The configuration is wrong now; what stood there was right and still is."""
    first = region.run()
    before = {path: path.read_bytes() for path in first.path.rglob("*") if path.is_file()}
    region.config["zones"]["id_field"] = "nowhere"
    with pytest.raises(rusle.ConfigError):
        region.run()
    assert {path: path.read_bytes() for path in first.path.rglob("*") if path.is_file()} == before
