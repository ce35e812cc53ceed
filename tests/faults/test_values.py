"""Values and units that cannot be right: found before the run, with the file, the value, what is allowed and the way out."""

import numpy as np
import pandas as pd
import pytest
import rasterio

from tests.region import BUILT_UP, CROPLAND, GRASS, WATER, write_csv, write_raster


def full(region, value, dtype=np.float32):
    return np.full(region.shape, value, dtype)


def with_one(region, usual, odd):
    values = full(region, usual)
    values[17, 23] = odd
    return values


# ------------------------------------------------------------------------------------------------------------------ factors as rasters


def test_negative_k(region, refused):
    region.put("k", with_one(region, 0.04, -9999))
    region.config["K"] = {"raster": "k.tif"}
    refused(region, "K", 65, "k.tif", "K (soil erodibility factor) is -9999", "expected 0 to 0.1", "a nodata code that is not declared")


def test_k_in_us_units(region, refused):
    region.put("k", with_one(region, 0.04, 0.32))
    region.config["K"] = {"raster": "k.tif"}
    refused(region, "K", 65, "k.tif", "is 0.32", "expected 0 to 0.1", "US K")
    region.config["K"]["units"] = "US K"
    assert region.check() == []


@pytest.mark.parametrize("key", ["C", "P"])
def test_percent_for_fraction(region, refused, key):
    region.put("percent", full(region, 35))
    region.config[key] = {"raster": "percent.tif"}
    refused(region, key, 65, "percent.tif", "is 35", "expected 0 to 1", "If these are percent, declare units '%'")
    region.config[key]["units"] = "%"
    assert region.check() == []


@pytest.mark.parametrize("key", ["C", "P"])
def test_above_one(region, refused, key):
    region.put("high", with_one(region, 0.5, 1.01))
    region.config[key] = {"raster": "high.tif"}
    refused(region, key, 65, "high.tif", "is 1.01", "expected 0 to 1")


def test_ls_from_a_raster_is_held_to_its_range_too(region, refused):
    region.put("ls", with_one(region, 3.0, -1))
    region.config["LS"] = {"raster": "ls.tif"}
    refused(region, "LS", 65, "ls.tif", "is -1", "expected 0 or more")


def test_one_file_under_two_units(region, refused):
    """The unit belongs to the key, not to the file: what C says of it does not silence P."""
    region.put("shared", full(region, 35))
    region.config["C"] = {"raster": "shared.tif", "units": "%"}
    region.config["P"] = {"raster": "shared.tif"}
    refused(region, "P", 65, "shared.tif", "is 35", "expected 0 to 1")


def test_stated_unit_against_the_file_s(region, refused):
    region.put("c", full(region, 0.35), units="1")
    region.config["C"] = {"raster": "c.tif", "units": "%"}
    refused(region, "C", 65, "c.tif declares units '1' but '%' was stated", "Keep the one that is right")


def test_unit_of_another_quantity(region, refused):
    region.put("k", full(region, 0.04), units="m")
    region.config["K"] = {"raster": "k.tif"}
    refused(region, "K", 65, "k.tif", "units 'm'", "t ha h ha-1 MJ-1 mm-1")


def test_ndvi_as_scaled_integers(region, refused):
    region.put("ndvi", full(region, 4500, np.int16))
    refused(region, "C", 65, "ndvi.tif", "is 4500", "expected -1 to 1", "scaled integers", "0.0001")


def test_texture_in_g_kg_under_percent(region, refused):
    for name, value in (("sand", 350.0), ("silt", 50.0), ("clay", 15.0), ("soc", 0.8)):
        region.put(name, full(region, value))
    region.config["K"] = {"method": "williams1990", **{name: {"raster": f"{name}.tif"} for name in ("sand", "silt", "clay", "soc")}}
    refused(region, "K", 65, "sand.tif", "is 350", "expected 0 to 100", "g/kg")


def test_texture_as_fractions(region, refused):
    for name, value in (("sand", 0.35), ("silt", 0.5), ("clay", 0.15), ("soc", 0.8)):
        region.put(name, full(region, value))
    region.config["K"] = {"method": "williams1990", **{name: {"raster": f"{name}.tif"} for name in ("sand", "silt", "clay", "soc")}}
    refused(region, "K", 65, "sand.tif", "add up to 1, not to 100", "Declare units '1'")


@pytest.mark.parametrize(("tolerance", "said"), [(-5, "expected 0 to 5000"), (0, "above 0 and up to 2500"), (3000, "above 0 and up to 2500")])
def test_impossible_tolerance(region, refused, tolerance, said):
    region.put("tolerance", with_one(region, 1000, tolerance))
    region.config["intensity"]["tolerance_t_km2"] = {"raster": "tolerance.tif"}
    refused(region, "intensity.tolerance_t_km2", 65, "tolerance.tif", f"is {tolerance}", said)


def test_impossible_tolerance_as_a_number(region, refused):
    region.config["intensity"]["tolerance_t_km2"] = 3000
    refused(region, "intensity.tolerance_t_km2", 65, "is 3000 t km-2 yr-1", "above 0 and up to 2500")


@pytest.mark.parametrize(("key", "value"), [("C", 1.2), ("P", -0.1), ("K", 0.4), ("R", -5), ("LS", -1)])
def test_constant_out_of_range(region, refused, key, value):
    region.config[key] = value
    refused(region, f"{key}.constant", 78, f"{value:g} ", "seen", "lies from 0 to")


# ------------------------------------------------------------------------------------------------------------------------------ the DEM


def test_dem_that_declares_feet(region, refused):
    region.put("dem", region.values("dem").astype(np.float32), nodata=np.nan, units="ft")
    refused(region, "dem", 65, "dem.tif", "'ft'", "'m'", "Convert")


def test_dem_stated_in_feet(region, refused):
    region.config["dem"]["units"] = "ft"
    refused(region, "dem.units", 78, "'ft' is not a unit of elevation", "expected 'm'")


def test_dem_of_feet_above_sea_by_its_vertical_crs(region, refused):
    """NAVD88 in US survey feet under a metric grid: what American county DEMs come in."""
    write_raster(region.folder / "dem.tif", region.values("dem").astype(np.float32), region.transform, f"{region.crs}+6360", nodata=np.nan)
    refused(region, "dem", 65, "dem.tif", "'ft'", "'m'", "Convert")


@pytest.mark.parametrize("height", [-32768, 9500])
def test_heights_that_are_none(region, refused, height):
    heights = np.where(np.isnan(values := region.values("dem")), 900, values).astype(np.float32)
    heights[17, 23] = height
    region.put("dem", heights)
    refused(region, "dem", 65, "dem.tif", f"is {height}", "expected -500 to 9000", "nodata code")


# ------------------------------------------------------------------------------------------------------------------------------- tables


def test_every_class_without_a_row_is_told_at_once(region, refused):
    """Also when they lie in different tiles."""
    write_csv(region.folder / "c.csv", [{"code": CROPLAND, "C": 0.23}, {"code": 21, "C": 0.1}, {"code": 31, "C": 0.01}])
    region.config["C"] = {"table": "c.csv"}
    refused(region, "C", 65, "c.csv has no row for class 41, 51, 61", "it has 11, 21, 31", "Add rows")


def test_soil_without_a_row(region, refused):
    table = pd.read_csv(region.folder / "soil.csv")
    table[table["code"] != 2].to_csv(region.folder / "soil.csv", index=False)
    refused(region, "K", 65, "soil.csv has no row for class 2", "it has 1, 3", "Add rows")


def test_tolerance_without_a_row(region, refused):
    write_csv(region.folder / "t.csv", [{"soil": 1, "T": 1000}, {"soil": 2, "T": 500}])
    region.config["intensity"]["tolerance_t_km2"] = {"table": "t.csv", "classes": {"raster": "soil.tif"}, "code_column": "soil", "value_column": "T"}
    refused(region, "intensity.tolerance_t_km2", 65, "t.csv has no row for class 3")


def test_percent_in_a_table(region, refused):
    write_csv(region.folder / "p.csv", [{"code": code, "P": 60} for code in (CROPLAND, 21, 31, GRASS, BUILT_UP, WATER)])
    refused(region, "P", 65, "p.csv", "is 60", "for class 11", "expected 0 to 1", "If these are percent, declare units '%'")
    region.config["P"]["units"] = "%"
    assert region.check() == []


def test_override_out_of_range(region, refused):
    write_csv(region.folder / "c_override.csv", [{"code": CROPLAND, "C": 23}])
    refused(region, "C", 65, "c_override.csv", "is 23", "for class 11", "expected 0 to 1", "percent")


def test_table_columns_and_a_near_one(region, refused):
    region.config["K"]["table"] = {"file": "soil.csv", "columns": {"om": "OM"}}
    refused(region, "K", 65, "soil.csv has no column 'OM'", "'code', 'sand', 'silt', 'clay', 'soc'")
    region.config["K"]["table"] = {"file": "soil.csv", "code_column": "cod"}
    refused(region, "K", 65, "soil.csv has no column 'cod'", "did you mean 'code'?")


def test_class_twice(region, refused):
    with (region.folder / "p.csv").open("a", encoding="utf-8") as file:
        file.write("61,0.5\n")
    refused(region, "P", 65, "p.csv", "row 8: class 61 stands twice")


def test_text_where_a_number_belongs(region, refused):
    write_csv(region.folder / "p.csv", [{"code": CROPLAND, "P": "gering"}, {"code": GRASS, "P": 1}])
    refused(region, "P", 65, "p.csv", "row 2: class 11 has 'gering' where a number is expected")


def test_soil_that_does_not_add_up(region, refused):
    write_csv(region.folder / "soil.csv", [{"code": code, "sand": 20, "silt": 50, "clay": 15, "soc": 1} for code in (1, 2, 3)])
    refused(region, "K", 65, "soil.csv", "soil 1", "together 85", "expected 100 within 1")


# -------------------------------------------------------------------------------------------------------------------------------- rain


def rain(region):
    return pd.read_csv(region.folder / "rain.csv")


def put_rain(region, table):
    table.to_csv(region.folder / "rain.csv", index=False)


def test_rain_columns(region, refused):
    put_rain(region, rain(region).rename(columns={"rain": "rain_mm"}))
    refused(region, "R", 65, "rain.csv has no column 'rain'", "'date', 'rain_mm'", "did you mean 'rain_mm'?")


def test_rain_unit(region, refused):
    region.config["R"]["rain"] = {"file": "rain.csv", "units": "hPa"}
    refused(region, "R.rain.units", 78, "'hPa' is not a unit of rain", "expected 'mm'")


def test_negative_rain(region, refused):
    table = rain(region)
    table.loc[99, "rain"] = -99.9
    put_rain(region, table)
    refused(region, "R", 65, "rain.csv", "row 101: rain is negative (-99.9)", "a code for missing (missing_codes)")
    region.config["R"]["rain"] = {"file": "rain.csv", "missing_codes": [32766, -99.9]}
    (entry,) = (entry for entry in region.run().manifest["inputs"] if entry["role"] == "R.rain")
    assert entry["missing_days"] == 1


def test_rain_in_tenths_taken_for_millimetres(region, refused):
    table = rain(region)
    table.loc[99, "rain"] = 32766
    put_rain(region, table)
    refused(region, "R", 65, "rain.csv", "row 101: 32766 mm in a day is impossible", "the unit 0.1 mm")


def test_a_day_twice(region, refused):
    table = rain(region)
    put_rain(region, pd.concat([table, table.iloc[[5]]]))
    refused(region, "R", 65, "rain.csv", "2019-01-06 stands twice")


def test_dates_that_begin_with_the_day(region, refused):
    table = rain(region)
    table["date"] = pd.to_datetime(table["date"]).dt.strftime("%d/%m/%Y")
    put_rain(region, table)
    refused(region, "R", 65, "rain.csv", "'01/01/2019'", "not in a form that begins with the year", "date_format='%d/%m/%Y'")
    region.config["R"]["rain"] = {"file": "rain.csv", "date_format": "%d/%m/%Y"}
    assert region.check() == []


def test_monthly_rain(region, refused):
    table = rain(region)
    put_rain(region, table[table["date"].str.endswith("-01")])
    refused(region, "R", 65, "rain.csv", "no calendar year", "fill them with 0")


def test_gaps_are_counted_and_a_year_full_of_them_is_left_out(region):
    """As if those days had no erosion would be wrong: the year goes, and the result says so."""
    table = rain(region)
    gap = table["date"].between("2020-03-01", "2020-07-31")
    put_rain(region, table[~gap])
    assert region.check() == []
    manifest = region.run().manifest
    record = manifest["factors"]["R"]["record"]
    assert (record["years_used"], record["years_left_out"], record["days_missing"]) == (2, 1, 153)
    (entry,) = (entry for entry in manifest["inputs"] if entry["role"] == "R.rain")
    assert (entry["rows"], entry["days"], entry["missing_days"]) == (1096 - 153, 1096, 153)
    assert "years_left_out" in [remark["code"] for remark in manifest["warnings"]]
    complete = table[~table["date"].str.startswith("2020")]
    wet = complete[complete["rain"] >= 9.7]
    alpha = np.where(pd.to_datetime(wet["date"]).dt.month.between(5, 9), 0.3937, 0.3101)
    assert manifest["factors"]["R"]["constant"] == pytest.approx((alpha * wet["rain"] ** 1.7265).sum() / 2, rel=1e-9)


# ---------------------------------------------------------------------------------------------------------------------- all at once


def test_every_problem_at_once(region, nothing_finished):
    """Nine faults of eight kinds; none hides another, and the run names them all."""
    put_rain(region, rain(region).rename(columns={"date": "day"}))
    region.put("soil", full(region, 9, np.uint8))
    region.put("ndvi", full(region, 4500, np.int16))
    region.put("dem", region.values("dem").astype(np.float32), nodata=np.nan, units="ft")
    region.put("tolerance", full(region, -5))
    write_csv(region.folder / "p.csv", [{"code": CROPLAND, "P": 60}])
    region.config["intensity"]["tolerance_t_km2"] = {"raster": "tolerance.tif"}
    region.config["zones"]["id_field"] = "zoneid"
    (region.folder / "file").touch()
    region.config["output"]["folder"] = "file/result"
    expected = {"dem": 65, "R": 65, "K": 65, "C": 65, "P": 65, "intensity.tolerance_t_km2": 65, "zones": 65, "output.folder": 73}
    problems = region.check()
    assert {problem.where: problem.exit_code for problem in problems} == expected
    assert len(problems) == len(expected)
    with pytest.raises(Exception, match="8 problems") as stopped:
        region.run()
    assert stopped.value.exit_code == 65
    assert list(stopped.value.problems) == problems
    nothing_finished(region)


def test_every_mistake_of_the_configuration_at_once(region):
    region.config["R"] = {"method": "xie2016", "rian": "rain.csv"}
    region.config["LS"].pop("channel_area_m2")
    region.config["output"]["compresion"] = "zip"
    region.config["dem"]["raster"] = "nowhere.tif"
    problems = {problem.where: problem for problem in region.check()}
    assert set(problems) == {"R.rain", "R.rian", "LS.channel_area_m2", "output.compresion", "dem.raster"}
    assert "did you mean 'rain'?" in problems["R.rian"].message
    assert "did you mean 'compression'?" in problems["output.compresion"].message
    assert problems["dem.raster"].exit_code == 66
    with pytest.raises(Exception, match="5 problems") as stopped:
        region.run()
    assert stopped.value.exit_code == 78


def test_a_good_region_has_no_problem(region):
    with rasterio.open(region.folder / "dem.tif") as file:
        assert file.crs.to_epsg() == 4547
    assert region.check() == []
    assert not region.result.exists()
