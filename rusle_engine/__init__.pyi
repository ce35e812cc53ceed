from rusle_engine.assessment.conservation import conservation_rate as conservation_rate
from rusle_engine.core.errors import ConfigError as ConfigError
from rusle_engine.core.errors import GridMismatchError as GridMismatchError
from rusle_engine.core.errors import InputError as InputError
from rusle_engine.core.errors import MemoryBudgetError as MemoryBudgetError
from rusle_engine.core.errors import OutputError as OutputError
from rusle_engine.core.errors import RunError as RunError
from rusle_engine.core.errors import RusleError as RusleError
from rusle_engine.erosion.intensity import erosion_intensity as erosion_intensity
from rusle_engine.erosion.soil_loss import soil_loss as soil_loss
from rusle_engine.factors.b import b_factor as b_factor
from rusle_engine.factors.c import c_factor as c_factor
from rusle_engine.factors.cover import vegetation_cover as vegetation_cover
from rusle_engine.factors.crop_calendar import crop_soil_loss_ratios as crop_soil_loss_ratios
from rusle_engine.factors.e import e_factor as e_factor
from rusle_engine.factors.k import k_factor as k_factor
from rusle_engine.factors.ls import ls_factor as ls_factor
from rusle_engine.factors.ndvi_bounds import ndvi_bounds as ndvi_bounds
from rusle_engine.factors.ndvi_series import half_month_ndvi as half_month_ndvi
from rusle_engine.factors.p import p_factor as p_factor
from rusle_engine.factors.r import r_factor as r_factor
from rusle_engine.factors.soil_texture import depth_weighted as depth_weighted
from rusle_engine.factors.soil_texture import usda_texture as usda_texture
from rusle_engine.factors.storms import erosive_storms as erosive_storms
from rusle_engine.factors.t import t_factor as t_factor
from rusle_engine.files.rasters import open_raster as open_raster
from rusle_engine.files.series import open_series as open_series
from rusle_engine.runs.config import load_config as load_config
from rusle_engine.runs.run import check as check
from rusle_engine.runs.run import run as run
from rusle_engine.terrain.conditioning import condition as condition
from rusle_engine.terrain.flow import flow_accumulation as flow_accumulation
from rusle_engine.terrain.flow import flow_direction as flow_direction
from rusle_engine.terrain.slope import slope as slope

__version__: str
__all__: list[str]
