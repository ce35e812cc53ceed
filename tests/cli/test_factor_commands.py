"""``rusle factor``: options come from the functions' signatures, values are checked like a configuration's, results are theirs."""

import inspect
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine

from rusle_engine.cli.app import app
from rusle_engine.factors.ls import ls_factor
from rusle_engine.files.rasters import open_raster
from rusle_engine.runs.signatures import FACTORS, factor_function
from rusle_engine.runs.single_factor import options_of


@pytest.fixture
def rusle(capsys, tmp_path, monkeypatch):
    """Runs ``rusle factor …`` in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            app(["factor", *map(str, arguments)], prog_name="rusle")
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return call


def write_raster(name, values):
    profile = {"driver": "GTiff", "height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype, "crs": "EPSG:32649"}
    with rasterio.open(name, "w", transform=Affine(30, 0, 500_000, 0, -30, 4_000_000), **profile) as file:
        file.write(values, 1)
    return name


def read_raster(name):
    with rasterio.open(name) as file:
        return file.read(1)


@pytest.mark.parametrize("key", FACTORS)
def test_every_parameter_for_files_is_an_option_with_its_description(key):
    offered = {option.name: option for option in options_of(key)}
    for name in inspect.signature(factor_function(key).function).parameters:
        if name in ("units", "components", "direction", "upslope_area", "cell_size_m"):
            assert name not in offered
        else:
            assert offered["dem" if name == "theta" else name].help.strip()


def test_a_result_never_takes_the_place_of_an_input(rusle):
    dem = write_raster("dem.tif", np.add.outer(np.arange(8.0), np.arange(9.0)).astype(np.float32))
    before = read_raster(dem)
    code, _, err = rusle("ls", "--dem", dem, "--out", f"../{Path.cwd().name}/{dem}")
    assert (code, "is an input" in err) == (73, True)
    assert np.array_equal(read_raster(dem), before)


def test_k_of_layers_of_the_soil(rusle):
    # (14 + 2 * 23) / 3 = 20, (71 + 2 * 62) / 3 = 65 and (0.8 + 2 * 0.35) / 3 = 0.5: the formula book's soil A, 0.055081
    pd.DataFrame(
        {"code": [7, 7], "top_cm": [0, 10], "bottom_cm": [10, 30], "sand": [14, 23], "silt": [71, 62], "clay": 15, "soc": [0.8, 0.35]}
    ).to_csv("soil.csv", index=False)
    write_raster("soil.tif", np.full((2, 3), 7, np.uint8))
    code, _, err = rusle("k", "--soil", "soil.tif", "--table", "soil.csv", "--depth-cm", 30, "--out", "k.tif")
    assert code == 0, err
    np.testing.assert_allclose(read_raster("k.tif"), 0.055081, atol=5e-7)
    for layer, value in enumerate((140, 230)):
        write_raster(f"sand{layer}.tif", np.full((2, 3), value, np.int16))
    sand = "{layers: [sand0.tif, sand1.tif], limits_cm: [0, 10, 30], units: g/kg}"
    code, _, err = rusle("k", "--sand", sand, "--silt", 65, "--clay", 15, "--soc", 0.5, "--out", "k.tif")
    assert code == 0, err
    np.testing.assert_allclose(read_raster("k.tif"), 0.055081, atol=5e-7)


def test_p_as_the_product_of_sub_factors(rusle):
    write_raster("contour.tif", np.array([[0.5, 1.0]], np.float32))
    code, _, err = rusle("p", "--method", "panagos2015", "--contouring", "contour.tif", "--grass-margins", 0.5, "--out", "p.tif")
    assert code == 0, err
    np.testing.assert_array_equal(read_raster("p.tif"), np.array([[0.25, 0.5]], np.float32))
    code, _, err = rusle("p", "--method", "panagos2015", "--out", "p.tif")
    assert code != 0
    assert "contouring, stone_walls, grass_margins" in err


def test_k_of_one_soil(rusle):
    code, out, _ = rusle("k", "--sand", 20, "--silt", 65, "--clay", 15, "--soc", 0.5)
    assert code == 0
    assert out.startswith("0.0550811 t ha h")  # a published vector of the EPIC equation: 0.055081


def test_k_from_rasters_in_their_own_units(rusle):
    sand, silt, clay = (write_raster(f"{name}.tif", np.full((4, 5), value, "f4")) for name, value in (("sand", 20), ("silt", 65), ("clay", 15)))
    soc = write_raster("soc.tif", np.full((4, 5), 5, "f4"))
    options = ("--sand", sand, "--silt", silt, "--clay", clay, "--soc", f"{{raster: {soc}, units: g/kg}}", "--out", "K.tif", "--json")
    code, out, err = rusle("k", *options)
    assert code == 0, err
    answer = json.loads(out)
    assert answer["valid_cells"] == 20
    assert answer["mean"] == pytest.approx(0.055081, abs=5e-7)
    assert read_raster("K.tif") == pytest.approx(0.055081, abs=5e-7)


def test_ls_of_a_plane(rusle):
    plane = np.repeat(np.arange(6, 0, -1, dtype="f4")[:, None] * 3, 5, axis=1)  # 10 % southwards
    dem = write_raster("dem.tif", plane)
    code, out, err = rusle("ls", "--dem", dem, "--out", "LS.tif", "--max-slope-length-m", 30)
    assert (code, out) == (0, "LS.tif\n"), err
    sine = 0.1 / np.hypot(1, 0.1)
    beta = sine / 0.0896 / (3 * sine**0.8 + 0.56)
    m = beta / (1 + beta)
    first, capped = (30 / 22.13) ** m, (m + 1) * (30 / 22.13) ** m  # from the second row on the length is at its cap on both sides
    ls = read_raster("LS.tif")
    assert ls[0, 2] == pytest.approx(first * (16.8 * sine - 0.5), rel=1e-6)
    assert ls[3, 2] == pytest.approx(capped * (16.8 * sine - 0.5), rel=1e-6)
    told = json.loads(rusle("ls", "--dem", dem, "--out", "LS.tif", "--max-slope-length-m", 40, "--json")[1])
    assert told["capped_pct"] == pytest.approx(100 * 5 / 6)  # all rows but the one that ends at 30 m
    assert told["channel_pct"] == 0
    assert "raised_pct" not in told  # nobody looked


def test_ls_with_channels_and_barriers_drawn_from_lines(rusle):
    """A plane that falls southwards; a ditch across its western half, a wall across its eastern half, a river along its eastern edge."""
    dem = write_raster("dem.tif", np.repeat(np.arange(12, 0, -1, dtype="f4")[:, None] * 3, 10, axis=1))
    places = {"ditch": [(15, 165), (135, 165)], "wall": [(165, 195), (255, 195)], "river": [(285, 345), (285, 15)]}
    for name, points in places.items():
        line = shapely.LineString([(500_000 + x, 4_000_000 - 360 + y) for x, y in points])
        gpd.GeoDataFrame(geometry=[line], crs="EPSG:32649").to_file(f"{name}.gpkg")
    options = ("--max-slope-length-m", 300, "--barriers", "{lines: {stops: ditch.gpkg, diverts: wall.gpkg}}", "--channels", "{lines: river.gpkg}")
    code, _, err = rusle("ls", "--dem", dem, "--out", "LS.tif", *options)
    assert code == 0, err
    barriers, channels = np.zeros((12, 10), np.uint8), np.zeros((12, 10), np.uint8)
    barriers[6, 0:5], barriers[5, 5:9], channels[:, 9] = 1, 2, 1  # rows of 30 m from the north: y = 165 lies in the seventh, 195 in the sixth
    heights = open_raster(dem)
    expected = ls_factor(heights, max_slope_length_m=300.0, barriers=barriers, channels=channels)
    np.testing.assert_array_equal(read_raster("LS.tif"), expected.values.astype(np.float32))
    assert "expected stops, diverts or both" in rusle("ls", "--dem", dem, "--out", "LS.tif", "--barriers", "{lines: {outlines: true}}")[2]


def test_a_raster_without_a_value_is_remarked(rusle):
    dem = write_raster("dem.tif", np.arange(6, dtype="f4")[None, :])
    code, _, err = rusle("ls", "--dem", dem, "--out", "LS.tif")
    assert (code, "LS has no value in any of its 6 cells" in err) == (0, True)


def test_ls_with_known_channels_barriers_and_routing(rusle):
    plane = np.repeat(np.arange(6, 0, -1, dtype="f4")[:, None] * 3, 5, axis=1)
    river, ditch = np.zeros((6, 5), "u1"), np.zeros((6, 5), "u1")
    river[5], ditch[2] = 7, 1
    dem, channels, barriers = write_raster("dem.tif", plane), write_raster("river.tif", river), write_raster("ditch.tif", ditch)
    options = ("--dem", dem, "--out", "LS.tif", "--channels", channels, "--barriers", barriers, "--routing", "tarboton1997")
    code, _, err = rusle("ls", *options)
    assert code == 0, err
    ls = read_raster("LS.tif")
    assert (ls[5] == 0).all()
    assert ls[3].tolist() == ls[0].tolist()  # below the ditch the slope begins anew
    assert (ls[2] > ls[1]).all()


def test_r_of_a_station_is_a_number_with_its_half_months(rusle, tmp_path):
    days = np.arange("2021-01-01", "2023-01-01", dtype="datetime64[D]")
    rain = {np.datetime64("2021-07-20"): 50.0, np.datetime64("2022-07-10"): 50.0}
    lines = ["day,PRCP"] + [f"{day},{rain.get(day, 0.0)}" for day in days]
    (tmp_path / "rain.csv").write_text("\n".join(lines) + "\n")
    code, out, err = rusle("r", "--rain", "{file: rain.csv, date_column: day, rain_column: PRCP}", "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert answer["value"] == pytest.approx(337.6270, abs=1e-4)  # one day of 50 mm in the warm season each year, by the published equation
    assert answer["wr"][12:14] == [0.5, 0.5]


def test_r_of_stations_is_a_raster_on_the_grid_that_is_named(rusle, tmp_path):
    """Two stations as far away from every cell of the middle column: the mean of 69.4055 and 337.6270, R-8 of 20 and of 50 mm."""
    days = pd.date_range("2021-01-01", "2021-12-31")
    rain = pd.DataFrame({"station": np.repeat(["a", "b"], 365), "date": np.tile(days.strftime("%Y-%m-%d"), 2), "rain": 0.0})
    rain.loc[rain["date"] == "2021-07-20", "rain"] = [20.0, 50.0]
    rain.to_csv(tmp_path / "rain.csv", index=False)
    (tmp_path / "stations.csv").write_text("station,x,y\na,499000,3999955\nb,501150,3999955\n", encoding="utf-8")
    grid = write_raster("dem.tif", np.zeros((3, 5), "f4"))
    options = ("--method", "xie2016", "--rain", "{stations: stations.csv, records: rain.csv}")
    code, _, err = rusle("r", *options, "--grid", grid, "--out", "R.tif")
    assert code == 0, err
    np.testing.assert_allclose(read_raster("R.tif")[:, 2], (69.4055 + 337.6270) / 2, rtol=1e-6)
    code, _, err = rusle("r", *options, "--out", "R.tif")
    assert code == 2
    assert "--grid: missing; this method needs it" in err


def test_c_by_table(rusle, tmp_path):
    classes = write_raster("landcover.tif", np.array([[1, 2], [2, 1]], "u1"))
    (tmp_path / "c.csv").write_text("code,C\n1,0.23\n2,0.001\n")
    code, _, err = rusle("c", "--landcover", classes, "--table", "c.csv", "--out", "C.tif")
    assert code == 0, err
    assert read_raster("C.tif").tolist() == np.array([[0.23, 0.001], [0.001, 0.23]], "f4").tolist()


def test_p_by_slope_on_cropland(rusle):
    dem = write_raster("dem.tif", np.repeat(np.arange(6, 0, -1, dtype="f4")[:, None] * 3, 5, axis=1))
    classes = write_raster("landcover.tif", np.repeat(np.array([[11, 12, 3, 3, 3]], "u1"), 6, axis=0))
    options = ("--dem", dem, "--landcover", classes, "--cropland", "11,12", "--method", "wischmeier_smith1978", "--out", "P.tif")
    code, _, err = rusle("p", *options)
    assert code == 0, err
    assert read_raster("P.tif")[3].tolist() == np.array([0.6, 0.6, 1, 1, 1], "f4").tolist()


def test_t_on_cropland_and_e_by_class(rusle, tmp_path):
    land = write_raster("landcover.tif", np.array([[11, 31], [31, 11]], "u1"))
    zones = write_raster("zones.tif", np.array([[1, 1], [2, 2]], "u1"))
    (tmp_path / "t.csv").write_text("code,T\n1,0.37\n2,0.281\n")
    options = ("--landcover", land, "--rotation", zones, "--table", "t.csv", "--cropland", 11, "--method", "rotation_zones", "--out", "T.tif")
    code, _, err = rusle("t", *options)
    assert code == 0, err
    assert read_raster("T.tif").tolist() == np.array([[0.37, 1], [1, 0.281]], "f4").tolist()
    (tmp_path / "e.csv").write_text("code,E\n1,1\n2,0.084\n")
    assert rusle("e", "--landcover", zones, "--table", "e.csv", "--out", "E.tif")[0] == 0
    assert read_raster("E.tif").tolist() == np.array([[1, 1], [0.084, 0.084]], "f4").tolist()


def test_e_of_a_register_of_measures(rusle, tmp_path):
    grid = write_raster("grid.tif", np.zeros((2, 3), "f4"))
    place = [shapely.box(500_000, 3_999_970, 500_030, 4_000_000), shapely.box(500_060, 3_999_970, 500_075, 4_000_000)]
    measures = gpd.GeoDataFrame({"type": ["terrace", "pit"], "year_built": [2020, 2024]}, geometry=place, crs=32649)
    measures.to_file(tmp_path / "measures.gpkg")
    (tmp_path / "types.csv").write_text("type,E\nterrace,0.1\npit,0.4\n")
    options = ("--method", "register", "--measures", "measures.gpkg", "--table", "{file: types.csv, code_column: type}", "--grid", grid)
    for year, pit in ((2023, 1.0), (2024, 1 - 0.5 * 0.6)):
        code, _, err = rusle("e", *options, "--year", year, "--out", f"E{year}.tif")
        assert code == 0, err
        assert read_raster(f"E{year}.tif") == pytest.approx(np.array([[0.1, 1, pit], [1, 1, 1]]), rel=1e-6)
    ended, _, err = rusle("e", *options, "--out", "E.tif")
    assert (ended, "needs year=" in err) == (65, True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("k", "--sand", 20, "--silt", 65, "--clay", 25, "--soc", 0.5), 65, "K by williams1990 has no value for this soil"),
        (("k", "--sand", 20, "--silt", 65), 2, "--clay: missing; williams1990 needs sand, silt, clay, soc or om"),
        (("k", "--sand", "gone.tif", "--silt", 65, "--clay", 15, "--soc", 1), 66, "--sand: "),
        (("k", "--sand", 120, "--silt", 65, "--clay", 15, "--soc", 1), 2, "--sand (constant): 120 % seen; sand content lies from 0 to 100 %"),
        (("k", "--sand", 20, "--silt", 65, "--clay", 15, "--soc", 1, "--out", "k.tif"), 2, "--out: the result is one number"),
        (("k", "--sand", 20, "--silt", 65, "--clay", 15, "--soc", 1, "--method", "willams1990"), 2, "did you mean 'williams1990'?"),
        (("k", "--sand", 20, "--silt", 65, "--clay", 15, "--soc", 1, "--closure-tolerance-pct", "x"), 2, "'x' seen; expected a number"),
        (("ls", "--out", "LS.tif"), 2, "--dem: missing; this method needs it"),
        (("c", "--ndvi", 0.3, "--method", "vanderknijff1999", "--ndvi-soil", 0.1), 2, "--ndvi-soil: unknown key"),
        (("c", "--ndvi", "{raster: [", "--method", "cai2000"), 2, "--ndvi: not YAML"),
    ],
)
def test_what_is_wrong_is_told_by_option(rusle, arguments, code, message):
    ended, out, err = rusle(*arguments)
    assert (ended, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_a_raster_needs_a_place_and_what_is_not_used_is_refused(rusle):
    dem = write_raster("dem.tif", np.repeat(np.arange(6, 0, -1, dtype="f4")[:, None] * 3, 5, axis=1))
    assert "--out: missing" in rusle("ls", "--dem", dem)[2]
    ended, _, err = rusle("p", "--dem", dem, "--landcover", dem, "--method", "wischmeier_smith1978", "--out", "P.tif")
    assert ended == 2
    assert "--landcover: this method does not use it" in err  # without --cropland it would change nothing


def test_a_column_that_is_named_and_not_there_is_not_passed_over(rusle, tmp_path):
    classes = write_raster("landcover.tif", np.array([[1, 2], [2, 1]], "u1"))
    dem = write_raster("dem.tif", np.zeros((2, 2), "f4"))
    (tmp_path / "p.csv").write_text("code,slope_from_pct,P,P_2020\n1,0,0.5,0.7\n2,0,1,1\n")
    table = "{file: p.csv, columns: {P: P_2021}}"
    code, _, err = rusle("p", "--dem", dem, "--landcover", classes, "--by-slope", table, "--method", "landuse_slope", "--out", "P.tif")
    assert code == 65
    assert "has no column 'P_2021'; its columns are 'code', 'slope_from_pct', 'P', 'P_2020'; did you mean 'P_2020'?" in err
    table = table.replace("2021", "2020")
    code, _, err = rusle("p", "--dem", dem, "--landcover", classes, "--by-slope", table, "--method", "landuse_slope", "--out", "P.tif")
    assert code == 0, err
    np.testing.assert_array_equal(read_raster("P.tif"), np.array([[0.7, 1], [1, 0.7]], "f4"))


def test_one_soil_without_a_k_is_told_why(rusle):
    code, _, err = rusle("k", "--sand", "20", "--silt", "60", "--clay", "10", "--soc", "1")
    assert code == 65
    assert "K by williams1990 has no value for this soil; sand, silt and clay do not add up to 100 within 1 %" in err
