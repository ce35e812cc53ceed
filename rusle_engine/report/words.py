"""Every word of the report, once, in Chinese and in English. Plain text: the page escapes it."""

LANGUAGES = ("zh", "en")

WORDS: dict[str, tuple[str, str]] = {
    # the page
    "kind": ("土壤侵蚀与水土保持率评估报告", "Soil erosion and soil-conservation rate"),
    "print": ("打印", "Print"),
    "language": ("语言", "Language"),
    "year": ("年", ""),
    "illustrative": (
        "示例数据：图层为演示而生成，详见说明；本页数字不代表任何真实地区的水土流失状况。",
        "Illustrative data: the layers on this terrain were made for demonstration. The figures on this page describe no real place.",
    ),
    "illustrative_short": ("示例数据", "illustrative data"),
    "no_script": (
        "浏览器未运行脚本：地图以静态图显示，表格不能排序和筛选。",
        "Scripts are off in this browser: maps are shown as still pictures, and the tables do not sort or filter.",
    ),
    # headline
    "rate": ("水土保持率", "Soil-conservation rate"),
    "rate_note": (
        "微度侵蚀面积占已评估土地面积的比例",
        "share of the assessed land on which erosion is slight",
    ),
    "interval": ("考虑未评估土地后的区间", "interval over unassessed land"),
    "fully_assessed": ("全部土地均已评估", "all land is assessed"),
    "unassessed_flag": (
        "未评估土地超过 0.1 %：请与区间一并引用",
        "More than 0.1 % of the land is unassessed: quote the rate with its interval",
    ),
    "target": ("目标", "Target"),
    "target_of": ("年目标", "target"),
    "no_target": ("本次运行未设目标。", "No target was set for this run."),
    "below_target": ("低于目标", "below the target"),
    "above_target": ("高于目标", "above the target"),
    "at_target": ("达到目标", "on the target"),
    "points": ("个百分点", "percentage points"),
    "gap_area_below": ("相当于还需将约", "which takes another"),
    "gap_area_below_end": ("的土地降为微度侵蚀", "of land to be brought down to slight erosion"),
    "gap_area_above": ("相当于比目标多出约", "which is"),
    "gap_area_above_end": ("微度侵蚀土地", "more slightly eroded land than the target asks"),
    "target_undecided": (
        "目标落在区间之内：未评估土地可能改变是否达标的结论。",
        "The target lies inside the interval: the unassessed land could change the answer.",
    ),
    "scaled": ("面积已按法定土地面积平差，系数", "Areas are scaled to the official land area, by"),
    "source": ("来源", "Source"),
    "area_total": ("土地面积", "Land area"),
    "area_assessed": ("已评估面积", "Assessed"),
    "area_unassessed": ("未评估面积", "Unassessed"),
    "area_loss": ("水土流失面积", "Area losing soil"),
    "area_slight": ("微度侵蚀面积", "Slightly eroded"),
    "modulus": ("平均侵蚀模数", "Mean soil loss"),
    "total_loss": ("年土壤流失总量", "Soil lost in a year"),
    # classes
    "classes": ("各级侵蚀面积", "Area by erosion intensity"),
    "classes_note": (
        "按 SL 190-2007《土壤侵蚀分类分级标准》水力侵蚀强度分级；下限值计入本级。",
        "Classes of water erosion by SL 190-2007; a value on a limit belongs to the higher class.",
    ),
    "tolerance": ("容许土壤流失量", "Tolerable soil loss"),
    "tolerance_varies": ("容许土壤流失量 T 随地区而变。", "T, the tolerable soil loss, varies from place to place."),
    "class": ("强度", "Intensity"),
    "class_range": ("侵蚀模数", "Soil loss"),
    "share_assessed": ("占已评估 %", "% of assessed"),
    "total": ("合计", "Total"),
    # maps
    "maps": ("地图", "Maps"),
    "maps_note": (
        "拖动平移，Ctrl + 滚轮或双指缩放，右上角另有工具；光标处显示各图层的数值。",
        "Drag to move, Ctrl + wheel or two fingers to zoom, or use the tools at the upper right; "
        "the values of all layers are shown under the cursor.",
    ),
    "wheel_hint": ("按住 Ctrl 滚动以缩放", "Hold Ctrl and scroll to zoom"),
    "here": ("光标处数值", "Values under the cursor"),
    "here_hint": ("将光标移到地图上，或轻触地图。", "Point at the map, or tap it."),
    "nodata": ("无数据", "no data"),
    "thinned": (
        "为便于携带，本页地图已抽稀：每个像元代表 {n} × {n} 个栅格单元（数量取均值，等级取众数）。完整栅格见 rasters 文件夹。",
        "To keep this page small its maps are thinned: one cell stands for {n} × {n} cells of the raster (mean of quantities, commonest class). "
        "The full rasters are in the folder rasters.",
    ),
    "not_thinned": ("本页地图与栅格单元一一对应。", "The maps on this page show every cell of the rasters."),
    "rounded": (
        "光标处数值以 4095 级编码，舍入误差约为 0.3 % 或取值范围的 0.02 %。",
        "Values under the cursor are coded in 4095 steps: rounded to about 0.3 %, or 0.02 % of the range.",
    ),
    "range": ("范围", "range"),
    "log_scale": ("对数色标", "logarithmic scale"),
    "north_up": ("上北下南", "north is up"),
    "intensity": ("土壤侵蚀强度", "Soil erosion intensity"),
    "A": ("年均土壤流失量", "Mean annual soil loss"),
    "R": ("降雨侵蚀力因子", "Rainfall erosivity"),
    "K": ("土壤可蚀性因子", "Soil erodibility"),
    "LS": ("地形因子", "Topographic factor"),
    "L": ("坡长因子", "Slope length factor"),
    "S": ("坡度因子", "Slope steepness factor"),
    "C": ("植被覆盖与管理因子", "Cover and management"),
    "P": ("水土保持措施因子", "Support practice"),
    "B": ("生物措施因子", "Biological practice"),
    "E": ("工程措施因子", "Engineering practice"),
    "T": ("耕作措施因子", "Tillage practice"),
    # zones
    "zones": ("分区统计", "Zones"),
    "zones_note": (
        "点击表头排序。分区可以嵌套或重叠，各自独立统计。",
        "Click a heading to sort. Zones may nest or overlap; each is counted on its own.",
    ),
    "filter": ("按编号或名称筛选", "Filter by id or name"),
    "area_unit": ("面积单位", "Area unit"),
    "mu": ("亩", "mu"),
    "shown": ("显示", "shown"),
    "zones_cut": (
        "分区较多，本页只列出面积最大的 {shown} 个（共 {total} 个）；全部见 tables/zones.csv。",
        "There are many zones: the {shown} largest of {total} are listed here; all are in tables/zones.csv.",
    ),
    "zone": ("分区", "zone"),
    "zone_id": ("编号", "Id"),
    "zone_name": ("名称", "Name"),
    "area": ("面积", "Area"),
    "assessed": ("已评估", "Assessed"),
    "unassessed": ("未评估", "Unassessed"),
    "loss": ("流失面积", "Losing soil"),
    "rate_short": ("保持率 %", "Rate %"),
    "rate_min": ("保持率下限 %", "Rate min %"),
    "rate_max": ("保持率上限 %", "Rate max %"),
    "mix": ("强度构成", "Mix"),
    "total_short": ("流失总量", "Total loss"),
    # inputs and methods
    "methods": ("因子与方法", "Factors and methods"),
    "factor": ("因子", "Factor"),
    "method": ("方法", "Method"),
    "how_raster": ("栅格", "raster"),
    "how_constant": ("常数", "constant"),
    "how_table": ("按类别查表", "table on classes"),
    "options": ("参数", "Options"),
    "minimum": ("最小", "Min"),
    "mean": ("平均", "Mean"),
    "maximum": ("最大", "Max"),
    "valid": ("有效", "Valid"),
    "unit": ("单位", "Unit"),
    "unchecked": ("来源未核对", "source not checked"),
    "topography": ("地形计算", "Topography"),
    "inputs": ("输入数据", "Inputs"),
    "role": ("用途", "Role"),
    "file": ("文件", "File"),
    "crs": ("坐标系", "CRS"),
    "grid_shape": ("行 × 列", "Rows × columns"),
    "resampling": ("重采样", "Resampling"),
    "assumed": ("默认", "assumed"),
    "size": ("大小", "Size"),
    "grid": ("计算网格", "Grid of the run"),
    "cell": ("单元", "cell"),
    # warnings
    "warnings": ("提示与警告", "Warnings"),
    "no_warnings": ("没有警告。", "There are none."),
    # reading
    "reading": ("如何阅读本报告", "How to read this report"),
    "reading_1": (
        "土壤流失量 A 是模型估算的坡面片蚀与细沟侵蚀多年平均值，不含沟蚀、风蚀、重力侵蚀，也不是某一年的实测值。",
        "Soil loss A is a modelled long-term mean of sheet and rill erosion on slopes. It leaves out gullies, wind and mass movement, "
        "and is not a measurement of one year.",
    ),
    "reading_2": (
        "低于容许土壤流失量的土地为微度侵蚀，不计入水土流失面积；容许值决定水土保持率，比较不同年份或地区时应保持一致。",
        "Land that loses less than the tolerable amount counts as slightly eroded, not as losing soil. The tolerance decides the rate: "
        "keep it the same when years or places are compared.",
    ),
    "reading_3": (
        "水域、建设用地与裸岩按土地利用规则参与评估；只有数据缺失处才算未评估土地。",
        "Water, built-up land and rock are assessed by the land-use rule; only gaps in the data are unassessed.",
    ),
    "reading_4": (
        "单个像元的不确定性很大；分区的面积与均值比像元值更可靠。",
        "A single cell is very uncertain; areas and means of zones are more reliable than values of cells.",
    ),
    # footer
    "outputs": ("成果文件", "Files of this run"),
    "kind_of_file": ("类型", "Kind"),
    "provenance": ("运行记录", "Record of the run"),
    "configuration": ("完整配置（含默认值）", "Resolved configuration, defaults included"),
    "digest": ("配置摘要", "Configuration digest"),
    "version": ("版本", "Version"),
    "versions": ("软件版本", "Software versions"),
    "started": ("开始", "Started"),
    "finished": ("完成", "Finished"),
    "took": ("用时", "Took"),
    "memory": ("内存峰值", "Peak memory"),
    "stages": ("各步用时", "Time by stage"),
    # words of the manifest
    "capped_pct": ("坡长达到上限的面积", "land whose slope length is capped"),
    "channel_pct": ("沟道面积", "land taken as channels"),
    "raised_pct": ("填洼抬高的面积", "land raised by filling depressions"),
    "practice": ("LS 算法体系", "practice of LS"),
    "held_pct": ("坡度因子取上限的面积", "land steeper than S is followed"),
    "longest_slope_m": ("最长坡长", "longest slope length"),
    "max_slope_length_m": ("坡长上限", "longest slope allowed"),
    "channel_area_m2": ("沟道汇水面积阈值", "area at which a channel begins"),
    "water_depth_m": ("水深阈值", "depth that counts as water"),
    "max_steepness_degree": ("坡度因子的坡度上限", "slope above which S is held"),
    "valid_cells": ("有效单元数", "cells with a value"),
    "years_used": ("采用年数", "years used"),
    "years_left_out": ("舍去年数", "years left out"),
    "half_months_left_out": ("舍去半月数", "half-months left out"),
    "days_missing": ("缺测天数", "days missing"),
    # tools of the map
    "PanTool": ("平移", "Move"),
    "BoxZoomTool": ("框选放大", "Zoom to a box"),
    "WheelZoomTool": ("滚轮缩放", "Wheel zoom"),
    "ZoomInTool": ("放大", "Zoom in"),
    "ZoomOutTool": ("缩小", "Zoom out"),
    "ResetTool": ("全图", "Whole map"),
    "CrosshairTool": ("十字线", "Crosshair"),
    # workbook and figure
    "total_loss_unit": ("t/a", "t/yr"),
    "modulus_unit": ("t/(km²·a)", "t km⁻² yr⁻¹"),
    "sheet": ("分区统计", "Zones"),
    "made_by": ("制图", "Made by"),
}

ROLES: dict[str, tuple[str, str]] = {
    "dem": ("数字高程模型", "elevation"),
    "rain": ("降雨记录", "rain record"),
    "soil": ("土壤", "soil"),
    "sand": ("砂粒含量", "sand"),
    "silt": ("粉粒含量", "silt"),
    "clay": ("黏粒含量", "clay"),
    "soc": ("有机碳", "organic carbon"),
    "landcover": ("土地利用", "land cover"),
    "ndvi": ("植被指数", "NDVI"),
    "table": ("参数表", "table"),
    "override": ("按地类替代", "override by land cover"),
    "classes": ("类别", "classes"),
    "zones": ("分区", "zones"),
    "tolerance": ("容许土壤流失量", "tolerable soil loss"),
}


def words(key: str) -> tuple[str, str]:
    """Chinese and English for ``key``; the key itself, twice, where the report has no word for it."""
    return WORDS.get(key, (key, key))


def for_script() -> dict[str, tuple[str, str]]:
    """What the page's script says itself."""
    keys = (
        "nodata",
        "shown",
        "wheel_hint",
        "intensity",
        "PanTool",
        "BoxZoomTool",
        "WheelZoomTool",
        "ZoomInTool",
        "ZoomOutTool",
        "ResetTool",
        "CrosshairTool",
    )
    return {key: WORDS[key] for key in keys}
