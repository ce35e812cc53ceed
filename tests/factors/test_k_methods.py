"""The other methods of K against the formula book's soils, what shapes them, and texture of other surveys."""

import math

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import InputError
from rusle_engine.factors.k import FLAGS, METHODS, NODATA_FLAG, k_factor, k_with_flags, require_value, soil_table_k
from rusle_engine.factors.k_methods import Scheme
from rusle_engine.factors.soil_layers import depth_weighted
from rusle_engine.factors.soil_texture import usda_texture

TO_SI = 0.1317
SOILS = {  # the book's illustrative soils: sand, silt, clay, carbon, and K by zhang2008, renard1997, torri1997 in SI
    "A": (20, 65, 15, 0.5, 0.026587, 0.042607, 0.056347),
    "B": (65, 25, 10, 0.6, 0.015067, 0.019341, 0.040443),
    "C": (20, 30, 50, 1.5, 0.015012, 0.040120, 0.026840),
    "D": (45, 45, 10, 0.3, 0.021045, 0.030019, 0.051703),
    "E": (95, 3, 2, 0.2, 0.004046, 0.007008, 0.031390),
}
NOMOGRAPH = [  # silt, very fine sand, clay, organic matter, structure, permeability, K in US units
    (55, 10, 15, 1.0, 2, 3, 0.42645261),
    (30, 10, 20, 2.0, 3, 4, 0.2655129),
    (65, 5, 15, 0.86, 2, 3, 0.469952),
    (20, 10, 50, 2.5, 4, 5, 0.198308),
    (40, 10, 12, 0.8, 1, 2, 0.277445),
]


def texture(soil):
    return dict(zip(("sand", "silt", "clay"), map(float, SOILS[soil])))


def nomograph(silt, very_fine_sand, clay, om, structure, permeability, **other):
    contents = {"sand": 100.0 - silt - clay, "silt": silt, "clay": clay, "very_fine_sand": very_fine_sand, "om": om}
    given = {name: float(value) for name, value in (contents | {"structure": structure, "permeability": permeability}).items()}
    return k_factor(**given, **({"method": "wischmeier1978"} | other))


@pytest.mark.parametrize("soil", SOILS)
def test_soils_of_the_book(soil):
    carbon, *expected = SOILS[soil][3:]
    found = [
        k_factor(**texture(soil), soc=carbon, method="zhang2008").item(),
        k_factor(**texture(soil), method="renard1997").item(),
        k_factor(**texture(soil), soc=carbon, method="torri1997").item(),
    ]
    assert found == pytest.approx(expected, abs=6e-7)


def test_vectors_of_the_book():
    assert k_factor(**texture("A"), om=0.862, method="torri1997").item() == pytest.approx(0.056346808, rel=1e-6)
    assert k_factor(**texture("A"), method="renard1997", curve="few_stones").item() == pytest.approx(0.042001097, rel=1e-6)
    assert k_factor(**texture("A"), method="renard1997", curve="united_states").item() == pytest.approx(0.049176743, rel=1e-6)


def test_the_bell_has_its_top_where_the_book_puts_it():
    # Dg = 0.02192805 mm: between clay 0.001 and sand 1.025 mm, in logarithms
    sand = 100 * (math.log(0.02192805) - math.log(0.001)) / (math.log(1.025) - math.log(0.001))
    assert k_factor(sand=sand, silt=0.0, clay=100.0 - sand, method="renard1997").item() == pytest.approx(0.0439, abs=1e-9)


@pytest.mark.parametrize("row", NOMOGRAPH)
def test_the_nomograph(row):
    assert nomograph(*row[:6]).item() == pytest.approx(TO_SI * row[6], rel=3e-6)


def test_silty_soils_beyond_the_nomograph():
    silty = (75, 8, 12, 1.0, 2, 3)
    assert np.isnan(nomograph(*silty).item())
    assert nomograph(*silty, method="rusle2_fine").item() == pytest.approx(TO_SI * 0.50753626, rel=1e-6)
    assert nomograph(60, 10, 12, 1.0, 2, 3).item() > 0  # 70 percent is still inside
    below = (50, 10, 12, 1.0, 2, 3)
    assert nomograph(*below, method="rusle2_fine").item() == nomograph(*below).item()


def test_organic_matter_is_held_at_the_end_of_the_nomograph():
    assert nomograph(55, 10, 15, 9.0, 2, 3).item() == nomograph(55, 10, 15, 4.0, 2, 3).item()
    assert nomograph(55, 10, 15, 9.0, 2, 3, most_organic_matter_pct=12.0).item() == pytest.approx(TO_SI * 0.01 * 2.1e-4 * 5525**1.14 * 3, rel=1e-9)


def test_very_fine_sand_can_be_estimated_when_asked_for():
    # sand 20: (0.74 - 0.62 * 0.20) * 20 = 12.32 percent, by the book
    given = {**texture("C"), "om": 2.5, "structure": 4.0, "permeability": 5.0, "method": "wischmeier1978"}
    estimated = k_factor(**given, estimate_very_fine_sand=True)
    assert estimated.item() == pytest.approx(k_factor(**given, very_fine_sand=12.32).item(), rel=1e-12)
    assert estimated.attrs["method_status"] == "unchecked"
    with pytest.raises(InputError, match=r"very_fine_sand.*estimate_very_fine_sand"):
        k_factor(**given)


@pytest.mark.parametrize(("cover", "factor"), [(0, 1.0), (10, 1.0), (20, 0.67032), (40, 0.301194), (60, 0.1353353)])
def test_stones_shelter_the_soil(cover, factor):
    bare = k_factor(**texture("A"), soc=0.5)
    stony = k_factor(**texture("A"), soc=0.5, rock_cover=float(cover))
    assert stony.item() == pytest.approx(bare.item() * factor, rel=1e-6)
    assert (bare.attrs["method_status"], stony.attrs["method_status"]) == ("verified", "unchecked")
    assert np.isnan(k_factor(**texture("A"), soc=0.5, rock_cover=math.nan).item())
    mapped = k_factor(soil=np.array([[4]]), table={4: {**texture("A"), "soc": 0.5, "rock_cover": float(cover)}})
    assert mapped.item() == stony.item()
    assert mapped.attrs["method_status"] == "unchecked"


def test_what_shaped_k_is_flagged():
    sand, silt, clay = np.array([[20.0, 20, 10, 13, 60, np.nan]]), np.array([[65.0, 40, 75, 75, 10, 40]]), np.array([[15.0, 15, 15, 12, 30, 40]])
    layers = {"sand": sand, "silt": silt, "clay": clay, "om": np.array([[1.0, 1, 5, 1, 12, 1]]), "very_fine_sand": np.full((1, 6), 4.0)}
    layers |= {"structure": np.array([[2.0, 2, 2, 2, 1, 2]]), "permeability": np.array([[3.0, 3, 3, 3, 1, 3]])}
    found = k_with_flags(layers, Scheme(method="wischmeier1978", most_organic_matter_pct=4.0))
    closed, beyond, held, floored = (FLAGS[name] for name in ("not_closed", "beyond_nomograph", "matter_held", "floored"))
    assert found["flags"].values.tolist() == [[0, closed, beyond | held, beyond, held | floored, NODATA_FLAG]]
    assert np.isnan(found["k"].values).tolist() == [[False, True, True, True, False, True]]
    assert found["k"].values[0, 4] == 0.0


def test_zhang_is_held_at_zero():
    poorest = {"sand": 99.0, "silt": 0.01, "clay": 0.99, "soc": 5.0}
    assert k_factor(**poorest).item() / TO_SI < 0.01383 / 0.51575
    assert k_with_flags(poorest, Scheme(method="zhang2008"))["k"].item() == 0.0
    assert k_with_flags(poorest, Scheme(method="zhang2008"))["flags"].item() == FLAGS["floored"]


def test_fractions_within_the_tolerance_are_scaled_when_asked_for():
    wide = {"sand": 22.0, "silt": 71.5, "clay": 16.5, "soc": 0.5}  # soil A times 1.1
    assert np.isnan(k_factor(**wide).item())
    scaled = k_factor(**wide, closure_tolerance_pct=10.0, normalise=True)
    assert scaled.item() == pytest.approx(TO_SI * 0.41823145, rel=1e-7)
    assert k_factor(**wide, closure_tolerance_pct=10.0).item() != pytest.approx(scaled.item(), rel=1e-3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "renard1997", "soc": 1.0}, "renard1997 does not use soc"),
        ({"method": "williams1990", "soc": 1.0, "structure": 2.0}, "williams1990 does not use structure"),
        ({"method": "wischmeier1978", "om": 1.0, "very_fine_sand": 5.0}, "needs .*structure, permeability"),
        ({"method": "torri1997"}, "torri1997 needs sand, silt, clay and one of soc"),
        ({"method": "torri97", "om": 1.0}, "torri97.*choose one of"),
    ],
)
def test_inputs_that_do_not_go_together_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        k_factor(**texture("A"), **given)


def test_codes_outside_their_range_are_refused():
    with pytest.raises(InputError, match=r"soil structure code.* is 5; expected 1 to 4"):
        nomograph(55, 10, 15, 1.0, 5, 3)
    with pytest.raises(InputError, match=r"soil permeability code.* is 0; expected 1 to 6"):
        nomograph(55, 10, 15, 1.0, 2, 0)


def test_a_soil_table_by_another_method():
    columns = ("silt", "very_fine_sand", "clay", "om", "structure", "permeability")
    rows = {code: {"sand": 100 - row[0] - row[2], "name": "x", **dict(zip(columns, row))} for code, row in enumerate(NOMOGRAPH)}
    found = soil_table_k(rows, Scheme(method="wischmeier1978"))
    assert [found[code] for code in rows] == pytest.approx([TO_SI * row[6] for row in NOMOGRAPH], rel=3e-6)
    with pytest.raises(InputError, match=r"soil 0 of the table has sand 13, silt 75.*nomograph has no value"):
        soil_table_k(
            {0: {"sand": 13, "silt": 75, "clay": 12, "very_fine_sand": 8, "om": 1, "structure": 2, "permeability": 3}},
            Scheme(method="wischmeier1978"),
        )


def test_texture_by_other_limits_keeps_its_curve():
    # Grains spread evenly over the logarithm of their size: every classification then sees the share of logarithms between its limits.
    def share(low, high):
        return 100 * math.log(high / low) / math.log(2 / 0.0001)

    usda = {"sand": share(0.05, 2), "silt": share(0.002, 0.05), "clay": share(0.0001, 0.002)}
    isss = {"sand": share(0.02, 2), "silt": share(0.002, 0.02), "clay": share(0.0001, 0.002)}
    found = usda_texture(**isss, particle_limits="isss")
    assert {name: found[name].item() for name in usda} == pytest.approx(usda, rel=1e-12)

    def up_to_1_mm(low, high):
        return 100 * math.log(high / low) / math.log(1 / 0.0001)

    kachinsky = {"sand": up_to_1_mm(0.05, 1), "silt": up_to_1_mm(0.001, 0.05), "clay": up_to_1_mm(0.0001, 0.001)}
    found = usda_texture(**kachinsky, particle_limits="kachinsky")
    assert found["clay"].item() == pytest.approx(up_to_1_mm(0.0001, 0.002), rel=1e-12)
    assert found["silt"].item() == pytest.approx(up_to_1_mm(0.002, 0.05), rel=1e-12)
    assert found["sand"].item() == pytest.approx(up_to_1_mm(0.05, 1), rel=1e-12)


def test_k_of_texture_by_other_limits():
    isss = {"sand": 50.0, "silt": 30.0, "clay": 20.0}
    moved = 50 * math.log(0.05 / 0.02) / math.log(2 / 0.02)  # from sand to silt, by hand 9.9485
    usda = {"sand": 50 - moved, "silt": 30 + moved, "clay": 20.0}
    k = k_factor(**isss, soc=0.5, particle_limits="isss")
    assert k.item() == pytest.approx(k_factor(**usda, soc=0.5).item(), rel=1e-12)
    assert k.attrs["particle_limits"] == "isss to usda, log-linear"
    assert soil_table_k({3: {**isss, "soc": 0.5}}, Scheme(particle_limits="isss"))[3] == k.item()


def test_layers_weighted_by_depth():
    # 0-5, 5-15 and 15-30 cm down to 20 cm: 5, 10 and 5 of 20
    assert depth_weighted([10.0, 20.0, 50.0], (0, 5, 15, 30), bottom_cm=20).item() == pytest.approx((5 * 10 + 10 * 20 + 5 * 50) / 20)
    deep = xr.DataArray([[1.0, np.nan]], dims=("y", "x"), attrs={"units": "g/kg"})
    found = depth_weighted([deep, deep * np.nan], (0, 5, 15), bottom_cm=5)
    np.testing.assert_array_equal(found.values, [[1.0, np.nan]])
    assert found.attrs["units"] == "g/kg"
    for limits, bottom, message in (((0, 5), 5, "2 layers"), ((0, 5, 5), 5, "rise"), ((5, 10, 15), 8, "rise from 0"), ((0, 5, 15), 20, "at most 15")):
        with pytest.raises(InputError, match=message):
            depth_weighted([deep, deep], limits, bottom_cm=bottom)
    with pytest.raises(InputError, match=r"'%', 'g/kg'"):
        depth_weighted([deep, deep.assign_attrs(units="%")], (0, 5, 15), bottom_cm=10)


def test_scaled_integers_of_soil_grids_are_converted_by_their_unit():
    k = k_factor(sand=200, silt=650, clay=150, soc=50, units={"sand": "g/kg", "silt": "g/kg", "clay": "g/kg", "soc": "dg/kg"})
    assert k.item() == pytest.approx(TO_SI * 0.41823145, rel=1e-7)


def refuse_to_compute(*_args, **_kwargs):
    raise AssertionError("computed while the graph was built")


@pytest.mark.parametrize("method", sorted(METHODS))
@given(tile=st.tuples(st.integers(1, 9), st.integers(1, 9)))
@settings(max_examples=8, deadline=None)
def test_lazy_equals_eager_on_any_tiling(method, tile):
    random = np.random.default_rng(3)
    shares = random.dirichlet((2, 3, 1), (9, 8)) * 100
    layers = dict(zip(("sand", "silt", "clay"), np.moveaxis(shares, -1, 0)))
    if method in ("wischmeier1978", "rusle2_fine"):
        layers |= {"very_fine_sand": layers["sand"] / 3, "structure": random.integers(1, 5, (9, 8)), "permeability": random.integers(1, 7, (9, 8))}
    if method != "renard1997":
        layers["om"] = random.gamma(2, 1.0, (9, 8))
    labelled = {
        name: xr.DataArray(layer, dims=("y", "x"), attrs={"units": "%" if name not in ("structure", "permeability") else "1"})
        for name, layer in layers.items()
    }
    before = {name: layer.copy(deep=True) for name, layer in labelled.items()}
    eager = k_with_flags(labelled, Scheme(method=method, particle_limits="isss"))
    with dask.config.set(scheduler=refuse_to_compute):
        lazy = k_with_flags(
            {name: layer.chunk(dict(zip(("y", "x"), tile))) for name, layer in labelled.items()}, Scheme(method=method, particle_limits="isss")
        )
    for name in ("k", "flags"):
        assert dask.is_dask_collection(lazy[name])
        assert lazy[name].dtype == eager[name].dtype == lazy[name].compute().dtype
        assert lazy[name].values.tobytes() == eager[name].values.tobytes()
    assert all(labelled[name].identical(before[name]) for name in labelled)


def test_very_fine_sand_is_a_part_of_the_sand():
    with pytest.raises(InputError, match="very_fine_sand is 10 % where sand is 5 %; expected a part of the sand"):
        nomograph(60, 10, 35, 1.0, 2, 3)
    assert nomograph(55, 30, 15, 1.0, 2, 3, method="rusle2_fine").item() > 0  # all of it


@pytest.mark.parametrize(
    ("method", "options", "reason"),
    [
        ("williams1990", {"curve": "few_stones"}, "k_factor by williams1990 does not use curve"),
        ("williams1990", {"estimate_very_fine_sand": True}, "k_factor by williams1990 does not use estimate_very_fine_sand"),
        ("torri1997", {"most_organic_matter_pct": 6.0}, "k_factor by torri1997 does not use most_organic_matter_pct"),
        ("williams1990", {"closure_tolerance_pct": -1.0}, "closure_tolerance_pct is -1"),
    ],
)
def test_options_that_say_nothing_to_the_method_are_refused(method, options, reason):
    with pytest.raises(InputError, match=reason):
        k_factor(**texture("A"), soc=0.5, method=method, **options)


@pytest.mark.parametrize(
    ("contents", "method", "reason"),
    [
        ({"sand": 20.0, "silt": 60.0, "clay": 10.0, "soc": 1.0}, "williams1990", "do not add up to 100 within 1 %"),
        ({"sand": 100.0, "silt": 0.0, "clay": 0.0, "soc": 1.0}, "williams1990", "its equation has none for this texture"),
        (
            {"sand": 20.0, "silt": 70.0, "clay": 10.0, "very_fine_sand": 5.0, "om": 1.0, "structure": 2.0, "permeability": 3.0},
            "wischmeier1978",
            "silt and very fine sand are more than 70 %, beyond the nomograph",
        ),
    ],
)
def test_a_soil_without_a_value_is_told_why(contents, method, reason):
    scheme = Scheme(method)
    with pytest.raises(InputError, match=f"K by {method} has no value for this soil; .*{reason}"):
        require_value(k_with_flags(contents, scheme), scheme)
    other = Scheme("renard1997")
    require_value(k_with_flags({"sand": 30.0, "silt": 50.0, "clay": 20.0}, other), other)
