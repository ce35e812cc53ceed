"""Soil loss ratios of crops by half-month, from a calendar of what stands and lies on the field (RUSLE's sub-factors)."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from rusle_engine.core.errors import InputError
from rusle_engine.factors.half_months import Calendar

SMOOTH_MM = 6.096
"""Roughness of the unit plot [mm], 0.24 in."""
_DAYS = Calendar(2023, 2023).days
"""Of the half-months of a year of 365 days."""
_NAMED = 20  # faults that a message lists
_COLUMNS: dict[str, tuple[float, float, float]] = {  # least, most, where blank
    "slr": (0.0, 1.0, math.nan),
    "plu": (0.0, 1.0, 1.0),
    "sm": (0.0, 1.0, 1.0),
    "canopy_cover": (0.0, 1.0, 0.0),
    "fall_height_m": (0.0, 30.0, math.nan),
    "surface_cover_pct": (0.0, 100.0, math.nan),
    "residue_kg_m2": (0.0, 10.0, math.nan),
    "residue_cover_m2_kg": (0.0, 100.0, math.nan),
    "residue_decay": (0.0, 1.0, math.nan),
    "surface_cover_has_stones": (0.0, 1.0, math.nan),
    "surface_cover_b": (0.0, 0.2, 0.035),
    "roughness_mm": (SMOOTH_MM, 150.0, math.nan),
    "rain_mm": (0.0, 5000.0, math.nan),
    "temperature_c": (-60.0, 60.0, math.nan),
    "ei": (0.0, 25000.0, math.nan),
}


def canopy_ratio(canopy_cover: float, fall_height_m: float) -> float:
    """Canopy sub-factor CC = 1 − F_c·exp(−0.328·H): cover of the canopy [1] and the height that drops fall from it [m]."""
    return 1.0 - canopy_cover * math.exp(-0.328 * fall_height_m)


def roughness_mm(tilled_mm: float, rain_mm: float, ei: float) -> float:
    """What rain leaves of the roughness of tillage [mm]: R_u = 6.096 + D_r·(R_i − 6.096).

    D_r = exp[½·(−0.14/25.4)·P + ½·(−0.012/17.02)·EI], with rain P [mm] and erosivity EI [MJ mm ha-1 h-1] since the tillage.
    """
    left = math.exp(0.5 * (-0.14 / 25.4) * rain_mm + 0.5 * (-0.012 / 17.02) * ei)
    return SMOOTH_MM + left * (tilled_mm - SMOOTH_MM)


def roughness_ratio(rough_mm: float) -> float:
    """Surface-roughness sub-factor SR = exp[−0.026·(R_u − 6.096)], R_u in mm."""
    return math.exp(-0.026 * (rough_mm - SMOOTH_MM))


def residue_cover_pct(residue_kg_m2: float, cover_m2_kg: float) -> float:
    """Surface under residue S_p = 100·(1 − exp(−α·B_s)) [%]: mass B_s [kg m-2] and what it covers, α [m2 kg-1]."""
    return 100.0 * (1.0 - math.exp(-cover_m2_kg * residue_kg_m2))


def surface_cover_ratio(cover_pct: float, rough_mm: float, b: float = 0.035) -> float:
    """Surface-cover sub-factor SC = exp[−b·S_p·(6.096/R_u)^0.08], S_p in %, R_u in mm."""
    return math.exp(-b * cover_pct * (SMOOTH_MM / rough_mm) ** 0.08)


def residue_decay_rate(decay: float, rain_mm: float, temperature_c: float) -> float:
    """Decay of residue a = p·min(W, F) [d-1], from the rain of the half-month [mm] and its mean temperature [°C].

    W = rain/25.76; F = [2(T+A)²(T₀+A)² − (T+A)⁴]/(T₀+A)⁴ with T₀ = 37 °C and A = 7.76 °C, all read in °F.
    """
    temperature, best, offset = (9.0 / 5.0 * celsius + 32.0 for celsius in (temperature_c, 37.0, 7.76))
    ratio = ((temperature + offset) / (best + offset)) ** 2
    return decay * max(0.0, min(rain_mm / 25.76, 2.0 * ratio - ratio**2))


def crop_soil_loss_ratios(calendar: pd.DataFrame) -> pd.DataFrame:
    r"""Soil loss ratios of crops by half-month.

    .. math:: SLR = PLU \cdot CC \cdot SC \cdot SR \cdot SM

    with prior land use, canopy cover, surface cover, surface roughness and soil moisture (Renard et al. 1997).

    Parameters
    ----------
    calendar
        24 rows for each crop: ``code``, ``half_month`` (1 to 24), and either ``slr`` [1], or what makes it: ``plu``, ``sm`` (1 where
        blank); ``canopy_cover`` [1] (0 where blank) with ``fall_height_m``; ``surface_cover_pct`` [%] (``surface_cover_has_stones``: 1 where
        stones are counted in it, and then not in K, 0 where they are not), or ``residue_kg_m2`` at the start of the half-month with
        ``residue_cover_m2_kg`` and ``residue_decay``; ``roughness_mm`` where the soil is tilled; ``surface_cover_b`` (0.035 where blank);
        ``rain_mm``, ``temperature_c`` and ``ei`` [MJ mm ha-1 h-1] where residue decays or roughness wears off.

    Returns
    -------
    DataFrame
        ``code``, ``half_month``, ``plu``, ``cc``, ``sc``, ``sr``, ``sm``, ``slr``, and the state behind them: ``roughness_mm`` and
        ``residue_kg_m2``; sorted by both keys.

    Raises
    ------
    InputError
        With every row that is wrong or incomplete.

    Notes
    -----
    Residue and roughness are carried through the year and over its end, from the last row that states them. Surface cover is that of the
    residue at the start of the half-month; roughness is that at its end, its own rain included. Both as in the published worked case.
    """
    rows, faults = _read(calendar)
    results = [row for code in sorted(rows) for row in _of_crop(code, rows[code], faults)]
    if faults:
        more = [f"and {len(faults) - _NAMED} more"] if len(faults) > _NAMED else []
        raise InputError("the crop calendar is not complete:\n  " + "\n  ".join([*faults[:_NAMED], *more]))
    return pd.DataFrame(results)


def counts_stones(calendar: pd.DataFrame) -> bool | None:
    """Whether the surface cover of a calendar has stones in it; None where it has one and does not tell."""
    rows, _ = _read(calendar)
    covered = [row for crop in rows.values() for row in crop.values() if row["surface_cover_pct"] > 0 and math.isnan(row["slr"])]
    if any(row["surface_cover_has_stones"] > 0 for row in covered):
        return True
    return None if any(math.isnan(row["surface_cover_has_stones"]) for row in covered) else False


def ratios_by_class(calendar: pd.DataFrame) -> dict[int, np.ndarray[Any, np.dtype[np.float64]]]:
    """Crop code → its 24 soil loss ratios."""
    ratios = crop_soil_loss_ratios(calendar)
    return {int(code): ratios.loc[ratios["code"] == code, "slr"].to_numpy(np.float64) for code in ratios["code"].unique()}


def erosivity_by_half_month(calendar: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Shares of the calendar's own ``ei`` in the half-months, when all crops state the same; None when one states none.

    Raises
    ------
    InputError
        When crops differ: a region has one climate here.
    """
    rows, _ = _read(calendar)
    by_crop = [np.array([row.get("ei", math.nan) for _, row in sorted(crop.items())]) for crop in rows.values()]
    if not by_crop or any(len(ei) != 24 or np.isnan(ei).any() for ei in by_crop) or by_crop[0].sum() == 0:
        return None
    if any((ei != by_crop[0]).any() for ei in by_crop):
        raise InputError("crops of the calendar state different ei for the same half-month; state the weights (wr) beside it")
    shares: np.ndarray[Any, np.dtype[np.float64]] = by_crop[0] / by_crop[0].sum()
    return shares


def _read(calendar: pd.DataFrame) -> tuple[dict[int, dict[int, dict[str, float]]], list[str]]:
    """Crop → half-month → column → number, blanks by their default; and what is wrong, row by row."""
    unknown = [str(name) for name in ("code", "half_month") if name not in calendar.columns]
    if unknown:
        raise InputError(f"the crop calendar has columns {list(calendar.columns)}; expected {' and '.join(unknown)} among them")
    rows: dict[int, dict[int, dict[str, float]]] = {}
    faults: list[str] = []
    for number, record in enumerate(calendar.to_dict("records"), start=1):
        code, half_month = _number(record["code"]), _number(record["half_month"])
        if not code.is_integer() or half_month not in range(1, 25):
            faults.append(
                f"row {number}: code {record['code']!r}, half_month {record['half_month']!r}; expected whole numbers, 1 to 24 for the half-month"
            )
            continue
        where = f"crop {int(code)}, half-month {int(half_month)}"
        if int(half_month) in rows.setdefault(int(code), {}):
            faults.append(f"{where} stands twice")
        values = {}
        for name, (least, most, blank) in _COLUMNS.items():
            cell = record.get(name)
            stated = not (cell is None or cell != cell or str(cell).strip() == "")
            value = _number(cell) if stated else blank
            if stated and not least <= value <= most:
                faults.append(f"{where}: {name} is {cell!r}; expected {least:g} to {most:g}")
            values[name] = value
        rows[int(code)][int(half_month)] = values
    return rows, faults


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.nan


def _of_crop(code: int, rows: Mapping[int, Mapping[str, float]], faults: list[str]) -> list[dict[str, float]]:
    """The sub-factors of one crop; what is missing goes to ``faults``."""
    if missing := [h for h in range(1, 25) if h not in rows]:
        faults.append(f"crop {code} has no row for half-month {', '.join(map(str, missing))}")
        return []
    rough = _roughness(code, rows, faults)
    residue = _residue(code, rows, faults)
    found = []
    for h in range(1, 25):
        row = rows[h]
        if not math.isnan(row["slr"]):
            parts = dict.fromkeys(("plu", "cc", "sc", "sr", "sm"), math.nan)
            found.append({"code": code, "half_month": h, **parts, "slr": row["slr"], "roughness_mm": rough[h], "residue_kg_m2": residue[h]})
            continue
        if row["canopy_cover"] > 0 and math.isnan(row["fall_height_m"]):
            faults.append(f"crop {code}, half-month {h}: canopy_cover without fall_height_m")
        cover = row["surface_cover_pct"]
        if math.isnan(cover):
            covering = _carried(rows, h, "residue_cover_m2_kg")
            if residue[h] > 0 and math.isnan(covering):
                faults.append(f"crop {code}, half-month {h}: residue without residue_cover_m2_kg")
            cover = residue_cover_pct(residue[h], covering) if residue[h] > 0 else 0.0
        parts = {
            "plu": row["plu"],
            "cc": canopy_ratio(row["canopy_cover"], row["fall_height_m"]) if row["canopy_cover"] > 0 else 1.0,
            "sc": surface_cover_ratio(cover, rough[h], row["surface_cover_b"]),
            "sr": roughness_ratio(rough[h]),
            "sm": row["sm"],
        }
        found.append(
            {"code": code, "half_month": h, **parts, "slr": math.prod(parts.values()), "roughness_mm": rough[h], "residue_kg_m2": residue[h]}
        )
    return found


def _from_last(rows: Mapping[int, Mapping[str, float]], column: str) -> list[int]:
    """The half-months in the order in which a state is carried on, from the first that states it; empty when none does."""
    stated = [h for h in range(1, 25) if not math.isnan(rows[h][column])]
    return [(stated[0] - 1 + i) % 24 + 1 for i in range(24)] if stated else []


def _carried(rows: Mapping[int, Mapping[str, float]], h: int, column: str) -> float:
    """The value of the column in this half-month, or in the last one before it that states it."""
    return next((v for i in range(24) if not math.isnan(v := rows[(h - 1 - i) % 24 + 1][column])), math.nan)


def _roughness(code: int, rows: Mapping[int, Mapping[str, float]], faults: list[str]) -> dict[int, float]:
    """Roughness at the end of every half-month [mm]; that of the unit plot when the calendar has no tillage."""
    rough = dict.fromkeys(range(1, 25), SMOOTH_MM)
    tilled, rain, ei = SMOOTH_MM, 0.0, 0.0
    for h in _from_last(rows, "roughness_mm"):
        row = rows[h]
        if not math.isnan(row["roughness_mm"]):
            tilled, rain, ei = row["roughness_mm"], 0.0, 0.0
        if math.isnan(row["rain_mm"]) or math.isnan(row["ei"]):
            faults.append(f"crop {code}, half-month {h}: roughness_mm is carried on, which needs rain_mm and ei")
            continue
        rain, ei = rain + row["rain_mm"], ei + row["ei"]
        rough[h] = roughness_mm(tilled, rain, ei)
    return rough


def _residue(code: int, rows: Mapping[int, Mapping[str, float]], faults: list[str]) -> dict[int, float]:
    """Residue at the start of every half-month [kg m-2]; none when the calendar states none."""
    residue = dict.fromkeys(range(1, 25), 0.0)
    mass = 0.0
    for h in _from_last(rows, "residue_kg_m2"):
        row = rows[h]
        mass = row["residue_kg_m2"] if not math.isnan(row["residue_kg_m2"]) else mass
        residue[h] = mass
        decay = _carried(rows, h, "residue_decay")
        if mass > 0 and (math.isnan(decay) or math.isnan(row["rain_mm"]) or math.isnan(row["temperature_c"])):
            faults.append(f"crop {code}, half-month {h}: residue decays, which needs residue_decay, rain_mm and temperature_c")
        elif mass > 0:
            mass *= math.exp(-residue_decay_rate(decay, row["rain_mm"], row["temperature_c"]) * float(_DAYS[h - 1]))
    return residue
