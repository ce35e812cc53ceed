"""What a run leaves behind: its folder, its record, its rasters, whatever the tiles; and that the plain functions give the same."""

import hashlib
import json
import re
import shutil
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
import rasterio
import rasterio.shutil

import rusle_engine as rusle
from rusle_engine.files.vectors import read_zones
from rusle_engine.runs.config import read_config
from tests.region import BUILT_UP, CROPLAND, WATER, read_raster, stored, write_raster

RASTERS = ("K", "LS", "C", "P", "A")


# ------------------------------------------------------------------------------------------------------------------ the folder


def test_the_files(finished):
    _, result = finished
    files = {path.relative_to(result.path).as_posix() for path in result.path.rglob("*") if path.is_file()}
    rasters = {f"rasters/{name}.tif" for name in (*RASTERS, "intensity")}  # R is one number for the region
    sidecars = {"rasters/intensity.tif.aux.xml", "rasters/intensity.qml"}
    assert files == rasters | sidecars | {"tables/zones.csv", "tables/zones.xlsx", "tables/edge.csv", "report.html", "logs/run.jsonl", "run.json"}


def test_run_json_is_the_record_that_the_result_holds(finished):
    _, result = finished
    written = json.loads((result.path / "run.json").read_text("utf-8"))
    assert written == json.loads(json.dumps(result.manifest, default=str).replace("Infinity", "null"))
    assert (result.path / "run.json").stat().st_mtime_ns >= max(p.stat().st_mtime_ns for p in result.path.rglob("*.*") if p.suffix != ".jsonl")


def test_digests_of_inputs_and_outputs(finished):
    region, result = finished

    def digest(path):
        return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size

    by_role = {entry["role"]: entry for entry in result.manifest["inputs"]}
    files = {
        "dem": "dem.tif", "landcover": "landcover.tif", "R.rain": "rain.csv", "K.soil": "soil.tif", "K.table": "soil.csv", "C.ndvi": "ndvi.tif",
        "C.override": "c_override.csv", "P.table": "p.csv", "zones": "zones.gpkg",
    }  # fmt: skip
    assert set(by_role) == set(files)
    for role, name in files.items():
        assert by_role[role]["path"] == str(region.folder / name)
        assert (by_role[role]["sha256"], by_role[role]["bytes"]) == digest(region.folder / name)
    outputs = {entry["path"]: entry for entry in result.manifest["outputs"]}
    kinds = {f"rasters/{name}.tif": "quantity" for name in RASTERS} | {"rasters/intensity.tif": "classes", "report.html": "report"}
    kinds |= {"tables/zones.csv": "table", "tables/zones.xlsx": "table", "tables/edge.csv": "table"}
    kinds |= {"rasters/intensity.tif.aux.xml": "style", "rasters/intensity.qml": "style"}
    assert {path: entry["kind"] for path, entry in outputs.items()} == kinds
    for path, entry in outputs.items():
        assert (entry["sha256"], entry["bytes"]) == digest(result.path / path)


def test_what_the_rooms_below_warn_of_is_in_the_record(finished):
    """Three years of rain are few for R: its function says so, and the record repeats it."""
    _, result = finished
    said = [entry["en"] for entry in result.manifest["warnings"] if entry["code"] == "logged"]
    assert any("3 years" in text for text in said), said
    assert len(said) == len(set(said))


def test_class_limits_in_the_record_name_the_tolerance(finished):
    _, result = finished
    limits = [(entry["code"], entry["lower"], entry["upper"]) for entry in result.manifest["classes"]]
    tolerance = result.manifest["config"]["intensity"]["tolerance_t_km2"]["constant"]
    assert limits[0][2] == limits[1][1] == tolerance
    assert limits[1][2] == limits[2][1] == 2500


def test_valid_cells_of_the_inputs(finished):
    region, result = finished
    found = {entry["role"]: entry["valid_cells"] for entry in result.manifest["inputs"] if "valid_cells" in entry}
    names = {"dem": "dem", "landcover": "landcover", "K.soil": "soil", "C.ndvi": "ndvi"}
    assert found == {role: np.count_nonzero(~np.isnan(region.values(name))) for role, name in names.items()}


def test_the_resolved_configuration_can_be_run_again(finished):
    region, result = finished
    resolved = result.manifest["config"]
    assert resolved["LS"]["steepness"] == "mccool1987"  # a default
    assert resolved["dem"]["raster"] == ["dem.tif"]  # relative to the configuration
    assert read_config(resolved, region.folder).resolved() == resolved
    canonical = json.dumps(resolved, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert result.manifest["config_digest"] == hashlib.sha256(canonical.encode()).hexdigest()


def test_time_memory_versions_and_grid(finished):
    region, result = finished
    manifest = result.manifest
    assert datetime.fromisoformat(manifest["started"]) <= datetime.fromisoformat(manifest["finished"])
    assert 0 < sum(manifest["stages"].values()) <= manifest["seconds"] + 0.01
    assert set(manifest["stages"]) == {"rasters", "tables", "workbook", "report"}
    assert manifest["peak_memory_mib"] > 50
    assert {"python", "rusle_engine", "numpy", "numba", "rasterio", "GDAL", "PROJ"} <= set(manifest["versions"])
    assert manifest["schema_version"] == 1
    grid = manifest["grid"]
    assert (grid["crs"], grid["height"], grid["width"], grid["cell_m"], grid["is_geographic"]) == ("EPSG:4547", 150, 170, [30, 30], False)
    assert grid["transform"] == list(region.transform)[:6]


def test_factors_in_the_record(finished):
    _, result = finished
    factors = result.manifest["factors"]
    assert "constant" in factors["R"]
    assert len(factors["R"]["wr"]) == 24
    assert sum(factors["R"]["wr"]) == pytest.approx(1, rel=1e-12)
    for name in RASTERS[:4]:
        values = stored(result, name).astype(np.float64)
        valid = values[~np.isnan(values)]
        assert factors[name]["valid_cells"] == valid.size
        assert [factors[name][key] for key in ("min", "max")] == [valid.min(), valid.max()]
        assert factors[name]["mean"] == pytest.approx(valid.mean(), rel=1e-7)
    assert factors["C"]["options"]["ndvi_soil"] == 0.05
    assert "Cai" in factors["C"]["sources"][0]


def test_shares_of_capped_and_channel_cells(finished):
    """Counted again from the routing: a channel drains at least 9 ha; where 304.8 m or more drain in, L is the cap's."""
    region, result = finished
    parts = rusle.ls_factor(rusle.open_raster(region.folder / "dem.tif"), max_slope_length_m=304.8, channel_area_m2=90_000.0, components=True)
    valid = ~np.isnan(parts["ls"].values)
    area = parts["upslope_area_m2"].values
    topography = result.manifest["topography"]
    assert topography["valid_cells"] == valid.sum()
    assert topography["channel_pct"] == pytest.approx(100 * (area[valid] + 900 >= 90_000).sum() / valid.sum(), rel=1e-12)
    assert 0 < topography["capped_pct"] < 100
    assert topography["max_slope_length_m"] == 304.8
    assert "held_pct" not in topography  # nothing was held, for nobody asked for it
    with rasterio.open(result.path / "rasters" / "LS.tif") as file:
        assert (file.tags()["practice"], file.tags()["routing"]) == ("own options", "d8")  # rusle is on multiple-flow area
    assert result.manifest["factors"]["LS"]["practice"] == "own options"
    assert "practice" not in result.manifest["factors"]["K"]


def test_what_the_dem_s_edge_makes_uncertain_by_zone(finished):
    """Downstream in plain Python: cut is the edge, and below it what less than a channel's 9 ha reaches from inside."""
    region, result = finished
    d8 = rusle.flow_direction(rusle.open_raster(region.folder / "dem.tif"))
    codes, passing = d8.values, rusle.flow_accumulation(d8).values
    there = np.pad(codes != 255, 1)
    around = [there[i : i + codes.shape[0], j : j + codes.shape[1]] for i in range(3) for j in range(3)]
    edge = ~np.all(around, axis=0) & (codes != 255)
    steps = {1: (0, 1), 2: (1, 1), 4: (1, 0), 8: (1, -1), 16: (0, -1), 32: (-1, -1), 64: (-1, 0), 128: (-1, 1)}
    below, inside = edge.copy(), np.where(edge, 0.0, 900.0)
    for i, j in zip(*np.unravel_index(np.argsort(passing, axis=None), codes.shape)):  # whoever drains into a cell has less draining through
        if codes[i, j] in steps:
            down = i + steps[codes[i, j]][0], j + steps[codes[i, j]][1]
            below[down] |= below[i, j]
            inside[down] += 0.0 if edge[i, j] else inside[i, j]
    cut = edge | below & (inside < 90_000)
    entry, table = result.manifest["edge"], pd.read_csv(result.path / "tables/edge.csv", encoding="utf-8-sig", dtype={"zone_id": str})
    assert entry["buffer_m"] == (1 + 99) * 30  # 90 000 m² are 99 cells of 900 m² and the channel's own
    whole = entry["zones"][0]
    assert whole["zone_id"] == result.manifest["headline"]["zone_id"]
    assert 0 < cut.mean() < 0.5
    assert table["zone_id"].tolist() == result.tables["zones"]["zone_id"].tolist()
    assert table["share_pct"].tolist() == pytest.approx([zone["share_pct"] for zone in entry["zones"]])
    known = ~np.isnan(stored(result, "LS"))
    mask = d8.copy(data=np.where(known, cut, 255).astype(np.uint8)).rename("edge_contamination")
    expected = rusle.edge_table(mask, read_zones(region.folder / "zones.gpkg"))
    found = table.set_index("zone_id").loc[expected["zone_id"]]
    for column in ("area_km2", "contaminated_km2"):
        assert found[column].tolist() == pytest.approx(expected[column].tolist(), rel=1e-9)


def test_the_log_is_lines_of_json(finished):
    _, result = finished
    lines = [json.loads(line) for line in (result.path / "logs/run.jsonl").read_text("utf-8").splitlines()]
    assert lines[0]["event"] == "run started"
    assert lines[-1]["event"] == "run finished"
    assert all(datetime.fromisoformat(line["time"]).tzinfo for line in lines)
    defaults = {line["key"]: line["value"] for line in lines if line["event"] == "default"}
    assert defaults["LS.steepness"] == "mccool1987"
    assert "C.ndvi_soil" not in defaults  # it was stated
    assert any("R rests on 3 years of rain" in line["event"] for line in lines)  # said while the run was prepared


# ------------------------------------------------------------------------------------------------------------------ the same bits


@pytest.mark.parametrize("compute", [{"tile_cells": 64, "threads": 1}, {"tile_cells": 97, "threads": 3}, {}])
def test_the_answer_does_not_depend_on_tiles_threads_or_the_run(finished, region, compute):
    _, first = finished
    region.config["compute"] = compute
    again = region.run()
    assert (again.path / "tables/zones.csv").read_bytes() == (first.path / "tables/zones.csv").read_bytes()
    for name in (*RASTERS, "intensity"):
        assert stored(again, name).tobytes() == stored(first, name).tobytes(), name
    for key in ("factors", "topography", "edge", "headline", "soil_loss"):
        assert again.manifest[key] == first.manifest[key]


# ------------------------------------------------------------------------------------------------------------------ the rasters


def test_stored_factors_multiply_to_the_stored_a_bit_for_bit(finished):
    _, result = finished
    product = np.float64(result.manifest["factors"]["R"]["constant"])
    for name in ("K", "LS", "C", "P"):
        product = product * stored(result, name).astype(np.float64)
    a = stored(result, "A")
    assert np.array_equal(product.astype(np.float32), a, equal_nan=True)
    assert 0 < np.isnan(a).sum() < 100


def test_the_class_is_a_function_of_the_stored_a(finished):
    _, result = finished
    modulus = stored(result, "A").astype(np.float64) * 100
    expected = np.select([modulus < limit for limit in (1000, 2500, 5000, 8000, 15000)] + [modulus >= 15000], [1, 2, 3, 4, 5, 6], 255)
    assert np.array_equal(stored(result, "intensity"), expected)
    assert set(np.unique(expected)) == {1, 2, 3, 4, 5, 6, 255}


def test_units_nodata_and_place(finished):
    region, result = finished
    units = {"K": "t ha h ha-1 MJ-1 mm-1", "LS": "1", "C": "1", "P": "1", "A": "t ha-1 yr-1", "intensity": "1"}
    for name, unit in units.items():
        with rasterio.open(result.path / f"rasters/{name}.tif") as file:
            assert file.units == (unit,)
            assert file.dtypes == ("uint8" if name == "intensity" else "float32",)
            assert file.nodata == 255 if name == "intensity" else np.isnan(file.nodata)
            assert (file.crs, file.transform, file.shape) == (rasterio.crs.CRS.from_epsg(4547), region.transform, region.shape)
            assert file.tags()["illustrative"] == "yes"


def test_colours_and_names_of_the_classes_as_gdal_reads_them(finished, tmp_path):
    _, result = finished
    with rasterio.open(result.path / "rasters/intensity.tif") as file:
        colours = file.colormap(1)
        rasterio.shutil.copy(file, tmp_path / "seen.vrt", driver="VRT")  # GDAL writes down what it has read
    assert colours[1] == (0xA6, 0xD9, 0x6A, 255)
    assert colours[6] == (0x7A, 0x01, 0x77, 255)
    assert colours[255][3] == 0
    seen = (tmp_path / "seen.vrt").read_text("utf-8")
    names = re.findall("<Category>(.*?)</Category>|<Category />", seen)
    assert names[1:7] == ["微度 Slight", "轻度 Light", "中度 Moderate", "强烈 Strong", "极强烈 Very strong", "剧烈 Severe"]


def test_large_rasters_are_cogs(region):
    """GDAL's own mark of the layout, tiles, overviews; the class overview holds classes that are under it, not means."""
    rows, columns = 600, 530
    dem = np.add.outer(np.arange(rows, 0, -1.0), 5 * np.sin(np.arange(columns) / 9)).astype(np.float32)
    write_raster(region.folder / "dem.tif", dem, region.transform, region.crs)
    region.config |= {"R": 2000.0, "K": 0.04, "C": 0.2, "P": 1.0, "zones": None, "landcover": None}
    result = region.run()
    for name in ("LS", "A", "intensity"):
        with rasterio.open(result.path / f"rasters/{name}.tif") as file:
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert (file.block_shapes, file.overviews(1), file.shape) == ([(512, 512)], [2], (600, 530))
            assert file.compression == rasterio.enums.Compression.deflate
    region.config["output"] = {"folder": "plain", "overviews": False, "report": False}
    with rasterio.open(region.run().path / "rasters/A.tif") as plain:
        assert plain.overviews(1) == []
        assert np.array_equal(plain.read(1), stored(result, "A"), equal_nan=True)
    code = stored(result, "intensity")
    with rasterio.open(result.path / "rasters/intensity.tif", overview_level=0) as overview:
        coarse = overview.read(1)
    blocks = code.reshape(300, 2, 265, 2).swapaxes(1, 2).reshape(300, 265, 4)
    assert (blocks == coarse[:, :, None]).any(axis=2).all()


def test_open(finished):
    region, result = finished
    r = result.open("R")
    assert (r.ndim, r.attrs["units"]) == (0, "MJ mm ha-1 h-1 yr-1")
    assert r.item() == result.manifest["factors"]["R"]["constant"]
    a = result.open("A")
    assert (a.shape, a.attrs["units"], a.chunks is not None) == (region.shape, "t ha-1 yr-1", True)
    assert np.array_equal(a.values, stored(result, "A"), equal_nan=True)
    code = result.open("intensity").values
    assert np.array_equal(np.isnan(code), stored(result, "intensity") == 255)
    with pytest.raises(rusle.RunError, match=r"no raster 'X'; it has A, C, K, LS, P, intensity"):
        result.open("X")


# ------------------------------------------------------------------------------------------------------------------ the same by hand


def test_the_public_functions_give_the_same(finished):
    """Every factor, the loss and the classes, by the functions a person calls; only the land-use rule is the run's own."""
    region, result = finished
    open_ = lambda name, **options: rusle.open_raster(region.folder / f"{name}.tif", **options)  # noqa: E731
    landcover = open_("landcover", classes=True)
    rain = pd.read_csv(region.folder / "rain.csv", index_col="date", parse_dates=True)["rain"]
    override = {CROPLAND: 0.23, BUILT_UP: 0.0}
    practice = pd.read_csv(region.folder / "p.csv")
    made = {
        "R": rusle.r_factor(rain)["R"],
        "K": rusle.k_factor(soil=open_("soil", classes=True), table=pd.read_csv(region.folder / "soil.csv")),
        "LS": rusle.ls_factor(open_("dem"), max_slope_length_m=304.8, channel_area_m2=90_000.0),
        "C": rusle.c_factor(ndvi=open_("ndvi"), method="cai2000", ndvi_soil=0.05, ndvi_vegetation=0.86, landcover=landcover, override=override),
        "P": rusle.p_factor(landcover=landcover, table=dict(zip(practice["code"], practice["P"]))),
    }
    made["A"] = rusle.soil_loss(*made.values())
    ruled = region.values("landcover") == WATER
    assert made["R"].item() == result.manifest["factors"]["R"]["constant"]
    for name in RASTERS:
        expected, found = made[name].values[~ruled], stored(result, name)[~ruled]
        assert np.array_equal(np.isnan(expected), np.isnan(found)), name
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=name)
    code = rusle.erosion_intensity(result.open("A"), tolerance_t_km2=1000)
    assert np.array_equal(code.values, stored(result, "intensity"))


# ------------------------------------------------------------------------------------------------------------------ other ways in


def test_another_resolution_is_brought_to_the_grid_and_said(finished, region):
    """Land cover in cells of a third: each coarse cell has one class, so the commonest is that class and the run's result the same."""
    _, first = finished
    codes = region.values("landcover")
    fine = np.where(np.isnan(codes), 0, codes).astype(np.uint8).repeat(3, axis=0).repeat(3, axis=1)
    write_raster(region.folder / "landcover.tif", fine, region.transform @ rasterio.Affine.scale(1 / 3), region.crs, nodata=0)
    result = region.run()
    (entry,) = (entry for entry in result.manifest["inputs"] if entry["role"] == "landcover")
    assert (entry["alignment"]["how"], entry["resampling"], entry["shape"]) == ("warped", "mode", [450, 510])
    assert np.array_equal(stored(result, "intensity"), stored(first, "intensity"))
    assert "warped from EPSG:4547" in (result.path / "logs/run.jsonl").read_text("utf-8")


def test_tiles_as_one_mosaic(finished, region):
    _, first = finished
    heights = region.values("dem").astype(np.float32)
    for name, column in (("left", 0), ("right", 90)):
        part = heights[:, column : column + (90 if name == "left" else 80)]
        write_raster(region.folder / f"tiles/{name}.tif", part, region.transform @ rasterio.Affine.translation(column, 0), region.crs)
    region.config["dem"]["raster"] = "tiles/*.tif"
    result = region.run()
    (entry,) = (entry for entry in result.manifest["inputs"] if entry["role"] == "dem")
    assert [file["path"].rsplit("/", 1)[1] for file in entry["files"]] == ["left.tif", "right.tif"]
    assert np.array_equal(stored(result, "A"), stored(first, "A"), equal_nan=True)


def test_without_a_dem_the_first_raster_leads(region):
    """Factors from elsewhere, all rasters and numbers; the grid is that of LS."""
    ls = np.linspace(0.1, 30, region.shape[0] * region.shape[1]).reshape(region.shape).astype(np.float32)
    region.put("ls", ls)
    region.config |= {"LS": {"raster": "ls.tif"}, "R": 2000.0, "K": 0.04, "C": 0.1, "P": 1.0}
    del region.config["dem"], region.config["landcover"]
    result = region.run()
    np.testing.assert_allclose(stored(result, "A"), 2000 * 0.04 * ls.astype(np.float64) * 0.1, rtol=1e-6)
    assert result.manifest["topography"] is None
    assert result.manifest["edge"] is None
    assert not (result.path / "tables/edge.csv").exists()


def test_constants_alone_still_make_a_map(region):
    region.config |= {"LS": 2.0, "R": 2000.0, "K": 0.04, "C": 0.1, "P": 1.0, "landcover": None}
    result = region.run()
    assert {path.name for path in (result.path / "rasters").glob("*.tif")} == {"A.tif", "intensity.tif"}
    assert np.unique(stored(result, "A")).tolist() == [16.0]
    assert (stored(result, "intensity") == 2).all()


def test_a_copy_elsewhere_gives_the_same_tables(finished, tmp_path):
    """Nothing in the results knows where the folder lies."""
    region, first = finished
    moved = shutil.copytree(region.folder, tmp_path / "elsewhere")
    result = rusle.run(rusle.load_config(moved / "run.yml", ["output.report=false", "output.folder=other"]))
    assert (result.path / "tables/zones.csv").read_bytes() == (first.path / "tables/zones.csv").read_bytes()
    assert read_raster(result.path / "rasters/A.tif").tobytes() == read_raster(first.path / "rasters/A.tif").tobytes()
