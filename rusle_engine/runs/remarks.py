"""What a reader of the result should know beforehand: every remark once, in English and Chinese."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rusle_engine.assessment.conservation import LARGEST_UNASSESSED_PCT
from rusle_engine.core.grid import Grid
from rusle_engine.core.variables import TOLERANCE, conversion_factor
from rusle_engine.runs.config import Config
from rusle_engine.runs.sources import Constant, MethodBlock

Remark = dict[str, str]

_LEAST_TOLERANCE = 100.0
"""Half of the least tolerable loss of SL 190-2007 [t km-2 yr-1]."""
LARGEST_CUT_PCT = 1.0
"""A zone with more of its land below the DEM's edge than this is remarked on [%]."""
_SHOWS_TERRACES_M = 2.0
"""Cells up to this size can show the treads of terraces [m]."""


def remark(code: str, en: str, zh: str) -> Remark:
    return {"code": code, "en": en, "zh": zh}


def remarks(
    config: Config,
    grid: Grid,
    inputs: Sequence[Mapping[str, Any]],
    factors: Mapping[str, Mapping[str, Any]],
    overlapping: Sequence[str],
    zones: Any = None,
    edge: Any = None,
) -> list[Remark]:
    """All remarks on a run, gravest first; those on the table of zones only when there is one."""
    return [
        *_on_topography(config, grid),
        *_on_tolerance(config),
        *_on_terraces(config, grid),
        *_on_zone_gaps(zones),
        *_on_edge(edge),
        *_on_extent(inputs),
        *_on_rain(factors),
        *_on_units(inputs),
        *_on_methods(factors),
        *_on_formulas(factors),
        *_on_zones(overlapping),
    ]


def _on_topography(config: Config, grid: Grid) -> Iterable[Remark]:
    block = config.LS
    if not isinstance(block, MethodBlock):
        return
    if "max_slope_length_m" not in block.options:  # a formula of one's own
        return
    longest, channel = block.options["max_slope_length_m"], block.options["channel_area_m2"]
    cell = float(max(grid.dx_m.max(), grid.dy_m.max()))
    if longest is None:
        yield remark("no_longest_slope", "No longest slope is set: LS grows without limit along valleys.", "未设最大坡长：LS 沿沟谷无限增大。")
    elif cell > longest / 3:
        yield remark(
            "coarse_cells",
            f"Cells are up to {cell:.1f} m, more than a third of the longest slope ({longest:g} m): slope lengths are coarse; a finer DEM is better.",
            f"栅格边长达 {cell:.1f} m，超过最大坡长（{longest:g} m）的三分之一，坡长较粗，建议采用更精细的 DEM。",
        )
    if channel is None:
        yield remark("no_channels", "No channel threshold is set: channels count as hillslopes.", "未设沟道阈值：沟道按坡面计算。")


def _on_tolerance(config: Config) -> Iterable[Remark]:
    block = config.intensity.tolerance_t_km2
    if not isinstance(block, Constant):
        return
    tolerance = block.constant * (conversion_factor(block.units or TOLERANCE.units, TOLERANCE.units) or 1.0)
    if 0 < tolerance < _LEAST_TOLERANCE:
        yield remark(
            "low_tolerance",
            f"The tolerable soil loss of {tolerance:g} t km-2 yr-1 is far below the 200 to 1000 of SL 190-2007; is it in t ha-1 yr-1 (times 100)?",
            f"容许土壤流失量 {tolerance:g} t/(km²·a) 远低于 SL 190-2007 的 200～1000，单位是否为 t/(hm²·a)（应乘以 100）？",
        )


def _on_terraces(config: Config, grid: Grid) -> Iterable[Remark]:
    measures = config.E is not None and not (isinstance(config.E, Constant) and config.E.constant == 1)
    cell = float(max(grid.dx_m.max(), grid.dy_m.max()))
    if measures and cell <= _SHOWS_TERRACES_M and (config.dem is None or config.dem.shows_terraces is None):
        yield remark(
            "terraces_in_dem",
            f"Cells of {cell:.1f} m may show the treads of terraces: then LS has their effect already, and E counts it twice. "
            "Say dem.shows_terraces.",
            f"栅格边长 {cell:.1f} m，DEM 可能已反映梯田田面，LS 已含其作用，再乘 E 即重复计算；请设置 dem.shows_terraces。",
        )


def _on_zone_gaps(zones: Any) -> Iterable[Remark]:
    if zones is None:
        return
    incomplete = zones[zones["incomplete"]]
    if len(incomplete):
        named = "、".join(incomplete["zone_name"].astype(str).head(5))
        yield remark(
            "unassessed",
            f"In {len(incomplete)} of {len(zones)} zones more than {LARGEST_UNASSESSED_PCT} % of the land has no data ({named}"
            f"{' …' if len(incomplete) > 5 else ''}); read their rates with the interval.",
            f"{len(zones)} 个分区中有 {len(incomplete)} 个缺数据面积超过 {LARGEST_UNASSESSED_PCT} %（{named}"
            f"{' 等' if len(incomplete) > 5 else ''}），其水土保持率须与区间同读。",
        )


def _on_edge(edge: Any) -> Iterable[Remark]:
    """Zones into which more water may come from beyond the DEM than one would leave unsaid."""
    if edge is None:
        return
    cut = edge[edge["share_pct"] > LARGEST_CUT_PCT].sort_values("share_pct", ascending=False, kind="stable")
    if not len(cut):
        return
    worst, buffer = cut.iloc[0], cut["buffer_m"].iloc[0]
    cure, cure_zh = "a DEM of the whole watershed cures it", "采用覆盖整个流域的 DEM 即可消除"
    if buffer == buffer:
        cure, cure_zh = f"a DEM that reaches at most {buffer:,.0f} m further cures it", f"DEM 向外扩展至多 {buffer:,.0f} m 即可消除"
    yield remark(
        "cut_by_edge",
        f"In {len(cut)} of {len(edge)} zones LS is uncertain on more than {LARGEST_CUT_PCT:g} % of the land (most in {worst['zone_name']}: "
        f"{worst['share_pct']:.1f} %), for more water may come from beyond the DEM's edge or out of holes in it; {cure}.",
        f"{len(edge)} 个分区中有 {len(cut)} 个超过 {LARGEST_CUT_PCT:g} % 的面积可能接纳 DEM 边界以外或空洞处的来水（最多为{worst['zone_name']}："
        f"{worst['share_pct']:.1f} %），其 LS 不确定；{cure_zh}。",
    )


def _on_extent(inputs: Sequence[Mapping[str, Any]]) -> Iterable[Remark]:
    short = [str(entry["role"]) for entry in inputs if (entry.get("alignment") or {}).get("covers_grid") is False]
    if short:
        yield remark(
            "not_covering", f"These inputs do not cover the whole grid: {', '.join(short)}.", f"下列输入未覆盖全部栅格：{'、'.join(short)}。"
        )


def _on_rain(factors: Mapping[str, Mapping[str, Any]]) -> Iterable[Remark]:
    coverage = factors.get("R", {}).get("record", {})
    left_out = coverage.get("years_left_out", 0)
    if left_out:
        yield remark(
            "years_left_out",
            f"{left_out} years of the rain record have too many gaps and are left out; {coverage.get('years_used')} years are used.",
            f"降雨记录中有 {left_out} 年缺测过多，未参与计算；实际使用 {coverage.get('years_used')} 年。",
        )


def _on_units(inputs: Sequence[Mapping[str, Any]]) -> Iterable[Remark]:
    assumed = [f"{entry['role']} ({entry['units']})" for entry in inputs if entry.get("units_assumed") and entry.get("units")]
    if assumed:
        yield remark(
            "units_assumed",
            f"Files that declare no unit are taken in the stated or usual one: {', '.join(assumed)}.",
            f"下列文件未声明单位，按配置或默认单位处理：{'、'.join(assumed)}。",
        )


def _on_methods(factors: Mapping[str, Mapping[str, Any]]) -> Iterable[Remark]:
    unchecked = [f"{letter} {entry.get('method')}" for letter, entry in factors.items() if entry.get("method_status") == "unchecked"]
    if unchecked:
        yield remark(
            "unchecked_methods",
            f"These methods rest on sources that were not read; a result from them is not official: {', '.join(unchecked)}.",
            f"下列方法的出处未经核对，其结果不得作为正式成果：{'、'.join(unchecked)}。",
        )


def _on_formulas(factors: Mapping[str, Mapping[str, Any]]) -> Iterable[Remark]:
    own = [f"{letter} {entry.get('method')}" for letter, entry in factors.items() if entry.get("method_status") == "own"]
    if own:
        yield remark(
            "own_formulas",
            f"These factors come from formulas of the user's own, whose files are among the inputs: {', '.join(own)}.",
            f"下列因子由用户自定义公式计算，公式文件列于输入清单：{', '.join(own)}。",
        )


def _on_zones(overlapping: Sequence[str]) -> Iterable[Remark]:
    if overlapping:
        named = "; ".join(overlapping[:5])
        named_zh = "；".join(overlapping[:5]).replace(" and ", " 与 ")
        yield remark(
            "zones_overlap",
            f"{len(overlapping)} pairs of zones overlap in part ({named}{' …' if len(overlapping) > 5 else ''}); each zone is counted on its own.",
            f"有 {len(overlapping)} 对分区部分重叠（{named_zh}{' 等' if len(overlapping) > 5 else ''}）；各分区分别统计。",
        )
