"""Every quantity once: its symbol, unit, names and range. Units are compared by meaning and converted by name, never guessed."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError

log = logging.getLogger("rusle_engine")

Raster = xr.DataArray | np.ndarray[Any, Any] | float
"""What a factor function takes for a quantity: a labelled array, a plain array or one number."""
Units = str | Mapping[str, str] | None
"""Units of plain arrays: one text for a function of one quantity, or a mapping from parameter name to text."""

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "m": ("metre", "metres", "meter", "meters", "米"),
    "ft": ("feet", "foot", "us_survey_foot", "us survey foot", "foot_us"),
    "rad": ("radian", "radians"),
    "degree": ("degrees", "deg", "°"),
    "1": ("", "fraction", "dimensionless", "m/m", "m m-1", "m2/m2", "m2 m-2", "-", "none", "unitless"),
    "%": ("percent", "pct", "per cent", "g (100 g)-1", "g/100g"),
    "g kg-1": ("g/kg", "g kg^-1", "g·kg⁻¹", "g·kg-1"),
    "dg kg-1": ("dg/kg", "dg kg^-1"),
    "cm3 dm-3": ("cm3/dm3", "cm³/dm³", "vol. ‰", "per mille"),
    "mm": ("millimetre", "millimeter", "millimetres", "millimeters", "毫米"),
    "mm d-1": ("mm/day", "mm/d", "mm day-1", "mm day^-1"),
    "kg m-2 s-1": ("kg/m2/s", "kg m^-2 s^-1", "kg/(m^2 s)", "kg/(m2 s)", "kg/m^2/s"),
    "kg m-2": ("kg/m2", "kg m^-2", "kg/m^2"),
    "cm": ("centimetre", "centimeter"),
    "m d-1": ("m/day", "m/d", "m day-1"),
    "m s-1": ("m/s", "m s^-1"),
    "mm s-1": ("mm/s", "mm s^-1"),
    "0.1 mm": ("0.1mm", "tenth mm", "tenths of mm"),
    "in": ("inch", "inches"),
    "mm h-1": ("mm/h", "mm/hr", "mm h^-1", "mm hr-1", "mm·h⁻¹"),
    "in h-1": ("in/h", "in/hr", "inch/h", "inches per hour"),
    "mm month-1": ("mm/month", "mm/mon", "mm mon-1", "mm month^-1"),
    "mm yr-1": ("mm/yr", "mm/year", "mm/a", "mm a-1", "mm yr^-1", "mm year-1"),
    "degC": ("°C", "celsius", "degrees celsius", "deg c", "℃"),
    "t ha-1 yr-1": ("t/ha/yr", "t/(ha yr)", "t/(ha·yr)", "t ha-1 a-1", "t/ha/a", "t ha^-1 yr^-1", "Mg ha-1 yr-1", "t·ha⁻¹·yr⁻¹", "t/(ha·a)"),
    "t km-2 yr-1": ("t/km2/yr", "t/(km2 yr)", "t/(km²·a)", "t km-2 a-1", "t/km2/a", "t km^-2 yr^-1", "t·km⁻²·a⁻¹", "t/(km2·a)"),
    "MJ mm ha-1 h-1 yr-1": (
        "MJ mm/(ha h yr)",
        "MJ·mm/(ha·h·yr)",
        "MJ·mm/(ha·h·a)",
        "MJ mm ha-1 h-1 a-1",
        "MJ mm ha^-1 h^-1 yr^-1",
        "MJ mm/ha/h/yr",
        "MJ·mm·ha⁻¹·h⁻¹·yr⁻¹",
        "MJ·mm·hm-2·h-1·a-1",
        "MJ mm hm-2 h-1 a-1",
        "MJ·mm·ha-1·h-1·yr-1",
        "MJ·mm·ha-1·h-1·a-1",
    ),
    "100 ft tonf in acre-1 h-1 yr-1": ("hundreds of ft tonf in acre-1 h-1 yr-1", "hundreds of ft·tonf·in·ac⁻¹·h⁻¹·yr⁻¹", "US R"),
    "ft tonf in acre-1 h-1 yr-1": ("ft tonf in/(acre h yr)",),
    "t ha h ha-1 MJ-1 mm-1": (
        "t ha h/(ha MJ mm)",
        "t·ha·h/(ha·MJ·mm)",
        "t h MJ-1 mm-1",
        "t ha h ha^-1 MJ^-1 mm^-1",
        "t·ha·h·ha⁻¹·MJ⁻¹·mm⁻¹",
        "t·hm2·h/(hm2·MJ·mm)",
        "t hm2 h hm-2 MJ-1 mm-1",
        "t·ha·h·ha-1·MJ-1·mm-1",
    ),
    "ton acre h (100 acre ft tonf in)-1": ("US K", "ton ac h per hundred ac ft tonf in", "ton·acre·h/(100 acre·ft·tonf·in)"),
}

# The factor that turns the first unit into the second; science book section 0.2. Nothing else is converted.
_CONVERSIONS: dict[tuple[str, str], float] = {
    ("degree", "rad"): np.pi / 180,
    ("%", "1"): 0.01,
    ("1", "%"): 100.0,
    ("g kg-1", "%"): 0.1,
    ("dg kg-1", "%"): 0.01,
    ("cm3 dm-3", "%"): 0.1,
    ("%", "g kg-1"): 10.0,
    ("0.1 mm", "mm"): 0.1,
    ("mm d-1", "mm"): 1.0,
    ("in", "mm"): 25.4,
    ("in h-1", "mm h-1"): 25.4,
    ("mm", "mm month-1"): 1.0,  # a total of each month, each year; never the other way, so that no month passes for a day
    ("0.1 mm", "mm month-1"): 0.1,
    ("in", "mm month-1"): 25.4,
    ("mm", "mm yr-1"): 1.0,
    ("0.1 mm", "mm yr-1"): 0.1,
    ("in", "mm yr-1"): 25.4,
    ("t km-2 yr-1", "t ha-1 yr-1"): 0.01,
    ("t ha-1 yr-1", "t km-2 yr-1"): 100.0,
    ("100 ft tonf in acre-1 h-1 yr-1", "MJ mm ha-1 h-1 yr-1"): 17.0195,
    ("ft tonf in acre-1 h-1 yr-1", "MJ mm ha-1 h-1 yr-1"): 0.170195,
    ("ton acre h (100 acre ft tonf in)-1", "t ha h ha-1 MJ-1 mm-1"): 0.131714,
}


def _folded(text: str) -> str:
    return " ".join(text.strip().lower().replace("**", "^").replace("·", " ").split())


_CANONICAL = {_folded(spelling): units for units, spellings in _SPELLINGS.items() for spelling in (units, *spellings)}


def canonical_units(text: str) -> str:
    """The one spelling of a unit that this package uses; an unknown unit comes back as it is."""
    return _CANONICAL.get(_folded(text), text.strip())


def conversion_factor(units: str, wanted: str) -> float | None:
    """What to multiply a value in ``units`` by to have it in ``wanted``; None when the two do not measure the same thing."""
    units, wanted = canonical_units(units), canonical_units(wanted)
    return 1.0 if units == wanted else _CONVERSIONS.get((units, wanted))


@dataclass(frozen=True)
class Variable:
    """One quantity. ``units`` is what the engine computes in; ``units_when_undeclared`` what an array without units is taken for."""

    symbol: str
    units: str
    long_name: str
    long_name_zh: str
    valid_range: tuple[float, float]
    units_when_undeclared: str | None = None

    def describe(self, array: xr.DataArray, **provenance: Any) -> xr.DataArray:
        """The same array with this variable's attributes and no others: the input's attributes are not inherited."""
        described = array.rename(self.symbol)
        described.attrs = {"units": self.units, "long_name": self.long_name, "long_name_zh": self.long_name_zh, **provenance}
        return described

    def require(self, values: Raster, units: str | None = None) -> xr.DataArray:
        """``values`` as a labelled array in this variable's unit; lazy stays lazy, the caller's array is not touched.

        Parameters
        ----------
        values
            A DataArray (its ``attrs["units"]`` count), a NumPy array of one or two dimensions, or a number.
        units
            The unit of ``values`` when it does not declare one itself. Declared both ways, the two must mean the same.

        Raises
        ------
        InputError
            When the unit is another quantity's, or is missing and must not be assumed.
        """
        name = f"{self.symbol} ({self.long_name})"
        array = values if isinstance(values, xr.DataArray) else _labelled(np.asarray(values))
        declared = array.attrs.get("units")
        if declared is not None and units is not None and canonical_units(str(declared)) != canonical_units(units):
            raise InputError(f"{name} declares units {declared!r} but {units!r} was stated. Keep the one that is right.")
        seen = declared if declared is not None else units
        if seen is None:
            if self.units_when_undeclared is None:
                raise InputError(f"{name} has no units; expected {self.units!r}. Convert it and set .attrs['units'], or pass units=.")
            if isinstance(values, xr.DataArray):
                log.info("%s declares no units: taken as %r", name, self.units_when_undeclared)
            seen = self.units_when_undeclared
        factor = conversion_factor(str(seen), self.units)
        if factor is None:
            raise InputError(f"{name} has units {seen!r}; expected {self.units!r}. Convert it and set .attrs['units'], or pass units=.")
        if factor == 1.0 and isinstance(values, xr.DataArray) and array.attrs.get("units") == self.units:
            return array
        converted = array if factor == 1.0 else array * factor
        return converted.assign_attrs({**array.attrs, "units": self.units})


def _labelled(values: np.ndarray[Any, Any]) -> xr.DataArray:
    if values.ndim > 2:
        raise InputError(f"an array of {values.ndim} dimensions was given; expected (y, x), one dimension or a number")
    return xr.DataArray(values, dims=("y", "x")[2 - values.ndim :])


def units_of(units: Units, name: str) -> str | None:
    """The unit stated for parameter ``name`` in a ``units=`` argument."""
    return units.get(name) if isinstance(units, Mapping) else units


SI_EROSIVITY = "MJ mm ha-1 h-1 yr-1"
SI_ERODIBILITY = "t ha h ha-1 MJ-1 mm-1"

ELEVATION = Variable("z", "m", "elevation", "高程", (-500.0, 9000.0), "m")
SLOPE_ANGLE = Variable("theta", "rad", "slope angle", "坡度", (0.0, 1.5708))
FLOW_DIRECTION = Variable("d8", "1", "flow direction", "流向", (0, 255), "1")
ACCUMULATION = Variable("accumulation", "1", "flow accumulation", "汇流累积量", (1.0, np.inf), "1")
UPSLOPE_AREA = Variable("upslope_area", "m2", "area draining into the cell, its own excluded", "上坡汇水面积", (0.0, np.inf), "m2")
SLOPE_LENGTH = Variable("slope_length", "m", "slope length along the flow path", "坡长", (0.0, np.inf), "m")
FLOW_AZIMUTH = Variable("alpha", "rad", "azimuth of the flow", "流向方位角", (-2 * np.pi, 2 * np.pi))
FLOW_ANGLE = Variable("angle", "rad", "direction of flow, anticlockwise from east; -1 leaves the grid", "流向角", (-1.0, 2 * np.pi), "rad")
BARRIERS = Variable("barriers", "1", "barriers to water: 1 stops it, 2 diverts it", "水流障碍", (0, 2), "1")
EDGE_CONTAMINATION = Variable("edge_contamination", "1", "contributing area may be cut: 1 cut, 0 whole", "汇水面积是否被边界截断", (0, 1), "1")
BASIN = Variable("basin", "1", "drainage basin", "流域编号", (1, 2**31 - 1), "1")
TOPOGRAPHY_FLAGS = Variable(
    "ls_flags", "1", "what shaped LS: 1 slope length capped, 2 channel, 4 raised by filling, 8 S held", "LS 标记", (0, 9), "1"
)
STEEPNESS = Variable("S", "1", "slope steepness factor", "坡度因子", (0.0, 20.95), "1")
LENGTH = Variable("L", "1", "slope length factor", "坡长因子", (0.0, np.inf), "1")
LENGTH_EXPONENT = Variable("m", "1", "slope length exponent", "坡长指数", (0.0, 1.0), "1")
TOPOGRAPHY = Variable("LS", "1", "topographic factor", "地形因子", (0.0, np.inf), "1")
EROSIVITY = Variable("R", SI_EROSIVITY, "rainfall erosivity factor", "降雨侵蚀力因子", (0.0, 25000.0), SI_EROSIVITY)
HALF_MONTH_EROSIVITY = Variable("R_h", "MJ mm ha-1 h-1", "rainfall erosivity of a half-month", "半月降雨侵蚀力", (0.0, 25000.0), "MJ mm ha-1 h-1")
EROSIVITY_SHARE = Variable("wr", "1", "share of annual erosivity in a half-month", "半月降雨侵蚀力比例", (0.0, 1.0), "1")
ERODIBILITY = Variable("K", SI_ERODIBILITY, "soil erodibility factor", "土壤可蚀性因子", (0.0, 0.1), SI_ERODIBILITY)
COVER = Variable("C", "1", "cover and management factor", "植被覆盖与管理因子", (0.0, 1.0), "1")
PRACTICE = Variable("P", "1", "support practice factor", "水土保持措施因子", (0.0, 1.0), "1")
CONTOURING = Variable("contouring", "1", "sub-factor of contour farming", "等高耕作子因子", (0.0, 1.0), "1")
STONE_WALLS = Variable("stone_walls", "1", "sub-factor of stone walls", "石坎子因子", (0.0, 1.0), "1")
GRASS_MARGINS = Variable("grass_margins", "1", "sub-factor of grass margins", "草带子因子", (0.0, 1.0), "1")
BIOLOGICAL = Variable("B", "1", "biological practice factor", "生物措施因子", (0.0, 1.0), "1")
ENGINEERING = Variable("E", "1", "engineering practice factor", "工程措施因子", (0.0, 1.0), "1")
TILLAGE = Variable("T", "1", "tillage practice factor", "耕作措施因子", (0.0, 1.0), "1")
SOIL_LOSS = Variable("A", "t ha-1 yr-1", "mean annual soil loss", "年均土壤流失量", (0.0, np.inf), "t ha-1 yr-1")
INTENSITY = Variable("intensity", "1", "soil erosion intensity, SL 190-2007", "土壤侵蚀强度 SL 190-2007", (1, 6), "1")
TOLERANCE = Variable("soil_loss_tolerance", "t km-2 yr-1", "tolerable soil loss", "容许土壤流失量", (0.0, 5000.0), "t km-2 yr-1")
NDVI = Variable("ndvi", "1", "normalised difference vegetation index", "归一化植被指数", (-1.0, 1.0), "1")
VEGETATION_COVER = Variable("fvc", "1", "fractional vegetation cover", "植被覆盖度", (0.0, 1.0), "1")
UNDERSTOREY_COVER = Variable("understorey", "1", "cover under the trees", "林下植被覆盖度", (0.0, 1.0), "1")
LEAF_AREA_INDEX = Variable("lai", "1", "leaf area index", "叶面积指数", (0.0, 20.0), "1")
QUALITY = Variable("quality", "1", "quality flag", "质量标记", (-np.inf, np.inf), "1")
SOIL_LOSS_RATIO = Variable("SLR", "1", "soil loss ratio", "土壤流失比例", (0.0, 1.0), "1")
SAND = Variable("sand", "%", "sand content", "砂粒含量", (0.0, 100.0), "%")
SILT = Variable("silt", "%", "silt content", "粉粒含量", (0.0, 100.0), "%")
CLAY = Variable("clay", "%", "clay content", "黏粒含量", (0.0, 100.0), "%")
ORGANIC_CARBON = Variable("soc", "%", "soil organic carbon", "土壤有机碳", (0.0, 60.0), "%")
ORGANIC_MATTER = Variable("om", "%", "soil organic matter", "土壤有机质", (0.0, 100.0), "%")
VERY_FINE_SAND = Variable("very_fine_sand", "%", "very fine sand content", "极细砂含量", (0.0, 100.0), "%")
STRUCTURE = Variable("structure", "1", "soil structure code", "土壤结构等级", (1.0, 4.0), "1")
PERMEABILITY = Variable("permeability", "1", "soil permeability code", "土壤渗透等级", (1.0, 6.0), "1")
ROCK_COVER = Variable("rock_cover", "%", "cover of the surface by rock fragments", "地表砾石盖度", (0.0, 100.0), "%")
ERODIBILITY_FLAGS = Variable(
    "k_flags", "1", "what shaped K: 1 fractions do not close, 2 beyond the nomograph, 4 organic matter held, 8 held at 0", "K 标记", (0, 15), "1"
)
RAINFALL = Variable("rain", "mm", "rainfall per time step", "时段降雨量", (0.0, 2000.0), "mm")
RAIN_INTENSITY = Variable("rain_intensity", "mm h-1", "rain intensity", "降雨强度", (0.0, 2400.0), "mm h-1")
MONTHLY_RAINFALL = Variable("monthly_rain", "mm month-1", "rain of a month", "月降雨量", (0.0, 10000.0), "mm month-1")
ANNUAL_RAINFALL = Variable("annual_rain", "mm yr-1", "rain of a year", "年降雨量", (0.0, 27000.0), "mm yr-1")
TEMPERATURE = Variable("temperature", "degC", "air temperature", "气温", (-90.0, 60.0), "degC")
LAND_COVER = Variable("landcover", "1", "land cover class", "土地利用类型", (-np.inf, np.inf), "1")
ROTATION_ZONE = Variable("rotation", "1", "crop-rotation zone", "轮作区", (-np.inf, np.inf), "1")
MEASURE_TYPE = Variable("types", "1", "type of engineering measure", "工程措施类型", (-np.inf, np.inf), "1")
ZONE = Variable("zones", "1", "zone", "分区", (-np.inf, np.inf), "1")
SOIL_CLASS = Variable("soil", "1", "soil unit", "土壤类型", (-np.inf, np.inf), "1")
