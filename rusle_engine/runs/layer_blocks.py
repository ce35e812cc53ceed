"""Where a quantity of the soil comes from when it was mapped layer by layer, as a configuration says it."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from rusle_engine.core.errors import InputError
from rusle_engine.factors.soil_layers import layer_weights
from rusle_engine.files.paths import input_files
from rusle_engine.runs.sources import LayersSource, QuantityRaster, QuantityResampling, path_in_configuration, refused, short, told_as_problem


@told_as_problem
def _layers(value: object, info: ValidationInfo) -> tuple[tuple[Path, ...], ...]:
    if not isinstance(value, list | tuple) or not value:
        raise refused(f"{short(value)} seen; expected a list with a raster for every layer, from the top down")
    files = [list(layer) if isinstance(layer, list | tuple) else [layer] for layer in value]
    return tuple(tuple(dict.fromkeys(input_files([path_in_configuration(name, info) for name in names]))) for names in files)


_PATH = {"type": "string", "minLength": 1}
_RASTERS = {"anyOf": [_PATH, {"type": "array", "items": _PATH, "minItems": 1}]}
Layers = Annotated[
    tuple[tuple[Path, ...], ...],
    BeforeValidator(_layers),
    WithJsonSchema({"type": "array", "items": _RASTERS, "minItems": 1}),
]


class QuantityLayers(LayersSource):
    """A quantity of the soil in a raster for every layer, as its mean from the surface down to a depth, weighted by thickness."""

    layers: Layers
    """A raster for every layer, from the top down: a file, a list of tiles, or a glob each."""
    limits_cm: list[float]
    """Depths between which the layers lie [cm], rising from 0, one more than there are layers."""
    bottom_cm: float | None = Field(None, gt=0)
    """Down to which depth [cm]; null: the last of limits_cm."""
    units: str | None = None
    """Unit of the values; null: what the files declare, else the key's usual unit."""
    resampling: QuantityResampling = "bilinear"
    """How values come to the run's grid when they lie on another one."""
    band: int = Field(1, ge=1)
    """Which band of each file."""

    @model_validator(mode="after")
    def _limits_fit(self) -> "QuantityLayers":
        try:
            layer_weights(len(self.layers), self.limits_cm, self.depth_cm)
        except (InputError, IndexError) as error:
            raise refused(str(error) if self.limits_cm else "empty; expected depths such as [0, 5, 15]", at="limits_cm") from None
        return self

    @property
    def depth_cm(self) -> float:
        """Down to which depth [cm]."""
        return self.limits_cm[-1] if self.bottom_cm is None else self.bottom_cm

    @property
    def rasters(self) -> list[QuantityRaster]:
        """The layers that count, as the rasters that they are."""
        counted = len(layer_weights(len(self.layers), self.limits_cm, self.depth_cm))
        return [
            QuantityRaster.model_construct(raster=files, units=self.units, resampling=self.resampling, band=self.band)
            for files in self.layers[:counted]
        ]
