"""The methods of C: what each is, whose, and from what."""

from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import COVER

_VEGETATED = "land with vegetation; water, built-up, bare land and cropland by a land-cover table"

METHODS = {
    "table": MethodInfo(
        equation="C = table(land cover)",
        source="the table that is given, row by row",
        inputs=("landcover", "table"),
        units=COVER.units,
        status="verified",
        formula_id="table",
    ),
    "cai2000": MethodInfo(
        equation="C = 1 (f <= 0.1 %); 0.6508 - 0.3436 log10 f (0.1 % < f < 78.3 %); 0 (f >= 78.3 %); f = 100 (NDVI - NDVI_s)/(NDVI_v - NDVI_s)",
        source="Cai Chongfa et al. 2000, Journal of Soil and Water Conservation (Chinese) 14(2)",
        inputs=("ndvi or fvc", "ndvi_soil", "ndvi_vegetation"),
        units=COVER.units,
        status="verified",
        formula_id="C-3",
        valid_for=_VEGETATED,
    ),
    "liu1999": MethodInfo(
        equation="C = 1 (FVC <= 0.049); 0.221 - 0.595 log10 FVC; FVC = (NDVI - NDVI_s)/(NDVI_v - NDVI_s)",
        source="Liu Bingzheng et al. 1999, as a later paper quotes it",
        inputs=("ndvi or fvc", "ndvi_soil", "ndvi_vegetation"),
        units=COVER.units,
        status="verified",
        formula_id="C-4",
        valid_for=_VEGETATED,
    ),
    "bu": MethodInfo(
        equation="C = 0.4149 - 0.0052 f (f < 79.8 %); 0 (f >= 79.8 %); f = 100 (NDVI - NDVI_s)/(NDVI_v - NDVI_s)",
        source="Bu Zhaohong et al., as a later paper on Tianzhu and Hezuo quotes it",
        inputs=("ndvi or fvc", "ndvi_soil", "ndvi_vegetation"),
        units=COVER.units,
        status="verified",
        formula_id="C-5",
        valid_for=_VEGETATED + "; at no cover it gives 0.41, not 1",
    ),
    "vanderknijff1999": MethodInfo(
        equation="C = exp[-2 NDVI/(1 - NDVI)], 0 to 1",
        source="van der Knijff, Jones and Montanarella 1999, European Soil Bureau EUR 19022",
        inputs=("ndvi",),
        units=COVER.units,
        status="verified",
        formula_id="C-2",
        valid_for=_VEGETATED,
    ),
    "durigon2014": MethodInfo(
        equation="C = (1 - NDVI)/2",
        source="equation read in published result tables; attributed to Durigon et al. 2014, Int. J. Remote Sensing 35(2), from memory",
        inputs=("ndvi",),
        units=COVER.units,
        status="verified",
        formula_id="C-6a",
        valid_for=_VEGETATED + "; coarse at high cover, 0.05 at NDVI 0.9",
    ),
    "colman2018": MethodInfo(
        equation="C = 0.1 (1 - NDVI)/2",
        source="Colman 2018, from memory: C-6a times 0.1",
        inputs=("ndvi",),
        units=COVER.units,
        status="unchecked",
        formula_id="C-6a",
        valid_for="tropical land with vegetation; water, built-up, bare land and cropland by a land-cover table",
    ),
    "ndvi_power": MethodInfo(
        equation="C = [(1 - NDVI)/2]^(1 + NDVI)",
        source="read in scripts for the Three Gorges reservoir (huangysh/RUSLE_model); the paper behind them was not found",
        inputs=("ndvi",),
        units=COVER.units,
        status="verified",
        formula_id="C-6b",
        valid_for=_VEGETATED,
    ),
    "lai_log": MethodInfo(
        equation="C = 0.184 - 0.177 ln LAI, 0 to 1",
        source="seen in a model of the Loess Plateau (ExintW/SOC-Project) whose own comment says another formula",
        inputs=("lai",),
        units=COVER.units,
        status="unchecked",
        formula_id="C-6c",
        valid_for="vegetation of the Loess Plateau; water, built-up, bare land and cropland by a land-cover table",
    ),
    "panagos2015": MethodInfo(
        equation="C = C_min + (C_max - C_min)(1 - F_cover) of the land-cover class",
        source="Panagos et al. 2015, Land Use Policy 48:38, non-arable land",
        inputs=("landcover", "ndvi or fvc", "ranges", "ndvi_soil", "ndvi_vegetation"),
        units=COVER.units,
        status="verified",
        formula_id="C-7",
        valid_for="non-arable land; arable land and water by rows whose C_min and C_max are one number",
    ),
    "renard1997": MethodInfo(
        equation="C = sum SLR_i EI_i / sum EI_i; SLR = PLU CC SC SR SM of each half-month",
        source="Renard et al. 1997, USDA Agriculture Handbook 703, chapter 5",
        inputs=("landcover", "calendar"),
        units=COVER.units,
        status="verified",
        formula_id="C-8",
        valid_for="cropland with field data; other classes by rows of ratios",
    ),
}

PARTS = {
    "dimidiate_pixel": MethodInfo(
        equation="FVC = (NDVI - NDVI_s)/(NDVI_v - NDVI_s), held to 0 to 1",
        source="dimidiate pixel model, as papers use it; bounds fixed, or percentiles of all dates and the whole region",
        inputs=("ndvi", "ndvi_soil", "ndvi_vegetation"),
        units="1",
        status="verified",
        formula_id="C-1",
        valid_for="land with vegetation; of C and of B",
    ),
}
"""What methods of C are made of, under a name of its own."""
NESTED_KEYS = {"dimidiate_pixel": "C.ndvi_soil"}
