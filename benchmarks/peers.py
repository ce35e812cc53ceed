"""Filling, D8 directions and accumulation from one GeoTIFF to two, by this engine and by others, in the same run.

    pip install pyflwdir py-richdem        # what is missing is skipped, and said
    python benchmarks/peers.py 10000 [--only rusle_engine pyflwdir …]

All read the same compressed DEM and write the same two results as compressed, tiled GeoTIFFs without overviews: D8 directions and the number of
cells draining through each. Each works in a process of its own, so that peak memory is that one's alone; the first, small DEM compiles what is
compiled. Seconds are by the clock, the best of three, seconds of the processor beside them. GRASS (``r.watershed -s``), SAGA (``ta_preprocessor 4``
and ``ta_hydrology 0``) are run where their commands ``grass`` and ``saga_cmd`` are on the path: from the system's package manager, such as ``apt
install grass-core saga``. InVEST's own routing is that of its library ``pygeoprocessing``, which is run where it can be imported: it needs GDAL
for Python, most easily by ``conda install -c conda-forge pygeoprocessing``. Its LS is compared in docs/concepts/ls_schemes.md.

The filled surfaces of all are equal; directions are not, by design: pyflwdir drains to the cell its flood came from, RichDEM leaves flats to an
extra step (done here), GRASS drains depressions by least cost without filling.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from benchmarks.files import write_dem

WARM_UP_CELLS = 1500  # several tiles, as the large one has
_LAYOUT = {"driver": "GTiff", "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1, "num_threads": 2}


def rusle_engine(dem: Path, folder: Path, *, overviews: bool = False) -> None:
    """This engine, tile by tile on two threads; every tile read back and compared."""
    import rusle_engine as rusle
    from rusle_engine.core.variables import ACCUMULATION, FLOW_DIRECTION
    from rusle_engine.files.rasters import RasterOutput, write_rasters

    d8 = rusle.flow_direction(rusle.open_raster(dem))
    accumulation = RasterOutput(rusle.flow_accumulation(d8), folder / "accumulation.tif", ACCUMULATION)
    write_rasters([RasterOutput(d8, folder / "d8.tif", FLOW_DIRECTION, "classes"), accumulation], overviews=overviews)


def rusle_engine_overviews(dem: Path, folder: Path) -> None:
    """The same with overviews, as every run writes them and no other does."""
    rusle_engine(dem, folder, overviews=True)


def pyflwdir(dem: Path, folder: Path) -> None:
    """pyflwdir (Eilander et al. 2021): one process, whole rasters."""
    import pyflwdir as peer

    with rasterio.open(dem) as file:
        heights, profile = file.read(1), file.profile
    found = peer.from_dem(heights, nodata=np.nan, transform=profile["transform"], latlon=False)
    _write(folder, profile, found.to_array("d8"), found.upstream_area("cell"))


def richdem(dem: Path, folder: Path) -> None:
    """RichDEM (Barnes 2016): fill, flats resolved, D8."""
    import richdem as peer

    with rasterio.open(dem) as file:
        heights, profile = file.read(1), file.profile
    surface = peer.rdarray(heights, no_data=-9999.0)
    peer.FillDepressions(surface, epsilon=False, in_place=True)
    peer.ResolveFlats(surface, in_place=True)
    shares = peer.FlowProportions(surface, method="D8")
    directions = np.argmax(np.asarray(shares)[:, :, 1:], axis=2).astype(np.uint8)
    _write(folder, profile, directions, np.asarray(peer.FlowAccumFromProps(shares)))


def grass(dem: Path, folder: Path) -> None:
    """GRASS r.watershed, single flow, in a location made of the DEM."""
    commands = (
        f"r.in.gdal input={dem} output=dem && g.region raster=dem && r.watershed -s elevation=dem drainage=d8 accumulation=acc && "
        f"r.out.gdal -c input=d8 output={folder / 'd8.tif'} type=Int16 createopt=TILED=YES,COMPRESS=DEFLATE,ZLEVEL=1 && "
        f"r.out.gdal -c input=acc output={folder / 'accumulation.tif'} type=Float32 createopt=TILED=YES,COMPRESS=DEFLATE,ZLEVEL=1"
    )
    subprocess.run(["grass", "--tmp-project", str(dem), "--exec", "sh", "-c", commands], check=True, capture_output=True)


def saga(dem: Path, folder: Path) -> None:
    """SAGA: fill by Wang and Liu with its directions, then catchment area by D8."""
    filled, area = folder / "filled.sgrd", folder / "area.sgrd"
    fill = ["ta_preprocessor", "4", "-ELEV", dem, "-FILLED", filled, "-FDIR", folder / "d8.tif", "-MINSLOPE", "0.01"]
    collect = ["ta_hydrology", "0", "-ELEVATION", filled, "-FLOW", area, "-METHOD", "0"]
    for arguments in (fill, collect):
        subprocess.run(["saga_cmd", *map(str, arguments)], check=True, capture_output=True)


def invest(dem: Path, folder: Path) -> None:
    """What InVEST routes with: fill, D8 and accumulation of pygeoprocessing."""
    from pygeoprocessing import routing

    filled, d8 = str(folder / "filled.tif"), str(folder / "d8.tif")
    routing.fill_pits((str(dem), 1), filled, working_dir=str(folder))
    routing.flow_dir_d8((filled, 1), d8, working_dir=str(folder))
    routing.flow_accumulation_d8((d8, 1), str(folder / "accumulation.tif"))


CONTENDERS: dict[str, tuple[Callable[[Path, Path], None], Callable[[], bool]]] = {
    "rusle_engine": (rusle_engine, lambda: True),
    "rusle_engine, overviews": (rusle_engine_overviews, lambda: True),
    "pyflwdir": (pyflwdir, lambda: find_spec("pyflwdir") is not None),
    "richdem": (richdem, lambda: find_spec("richdem") is not None),
    "grass": (grass, lambda: shutil.which("grass") is not None),
    "invest": (invest, lambda: find_spec("pygeoprocessing") is not None),
    "saga": (saga, lambda: shutil.which("saga_cmd") is not None),
}


def _write(folder: Path, profile: Any, directions: Any, accumulation: Any) -> None:
    for name, values in (("d8", directions.astype(np.uint8)), ("accumulation", accumulation.astype(np.float32))):
        shape = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype, "crs": profile["crs"]}
        with rasterio.open(folder / f"{name}.tif", "w", transform=profile["transform"], **shape, **_LAYOUT) as file:
            file.write(values, 1)


def measure(name: str, dem: Path, small: Path, repeat: int) -> dict[str, float]:
    """One contender in this process: seconds by the clock and of the processor of its fastest time, children's included, and peak memory."""
    run = CONTENDERS[name][0]
    with tempfile.TemporaryDirectory(dir=dem.parent) as folder:
        run(small, Path(folder))
    found = []
    for _ in range(repeat):
        start, used = time.perf_counter(), _processor_seconds()
        with tempfile.TemporaryDirectory(dir=dem.parent) as folder:
            run(dem, Path(folder))
            found.append((time.perf_counter() - start, _processor_seconds() - used))
    wall, processor = min(found)
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"wall": wall, "cpu": processor, "peak": peak / 1024}


def _processor_seconds() -> float:
    """Of this process and those it has started."""
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", type=int, help="rows and columns")
    parser.add_argument("--only", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--repeat", type=int, default=3, help="the fastest of so many times counts")
    parser.add_argument("--folder", type=Path, help="where files go; a temporary folder when not given")
    parser.add_argument("--measure", nargs=3, metavar=("NAME", "DEM", "SMALL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        name, dem, small = given.measure
        print(json.dumps(measure(name, Path(dem), Path(small), given.repeat)))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        dem, small = Path(place) / "dem.tif", Path(place) / "small.tif"
        write_dem(dem, given.size, "deflate")
        write_dem(small, WARM_UP_CELLS, "deflate")
        os.sync()  # nobody pays for what is still on its way to the disk
        cells = given.size**2
        print(f"{cells:,} cells, from a DEM of {dem.stat().st_size / 2**20:.0f} MiB to directions and accumulation")
        print("| | seconds | million cells a second | processor seconds | peak, MiB |\n|---|---|---|---|---|")
        for name in given.only:
            if not CONTENDERS[name][1]():
                print(f"| {name} | not installed: skipped | | | |")
                continue
            command = [sys.executable, "-m", "benchmarks.peers", str(given.size), f"--repeat={given.repeat}", "--measure", name, str(dem), str(small)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"| {name} | failed: {done.stderr.strip().splitlines()[-1:]} | | | |")
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            print(f"| {name} | {found['wall']:.1f} | {cells / found['wall'] / 1e6:.2f} | {found['cpu']:.1f} | {found['peak']:.0f} |")


if __name__ == "__main__":
    main()
