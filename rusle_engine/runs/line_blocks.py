"""Channels and barriers as lines and polygons: every cell that a line touches, and those whose middle a polygon holds."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import model_validator

from rusle_engine.runs.sources import Block, ExistingLayer, LinesSource, refused


class ChannelLines(LinesSource):
    """Channels and waters."""

    lines: ExistingLayer
    """Lines (rivers) or polygons (lakes): GeoPackage, Shapefile, GeoJSON or FileGDB."""

    @property
    def drawn(self) -> Mapping[str, Path]:
        """The files, by what water does there."""
        return {"stops": self.lines}

    @property
    def outlines(self) -> bool:
        """Whether of polygons the borders are meant."""
        return False


class Obstacles(Block):
    """What water does where."""

    stops: ExistingLayer | None = None
    """Lines or polygons in which water that enters ends, such as ditches; null: none."""
    diverts: ExistingLayer | None = None
    """Lines or polygons that water goes round, such as walls; null: none."""
    outlines: bool = False
    """Take the borders of polygons (fields) in place of their surface."""

    @model_validator(mode="after")
    def _something(self) -> "Obstacles":
        if self.stops is None and self.diverts is None:
            raise refused("nothing is drawn; expected stops, diverts or both")
        return self


class BarrierLines(LinesSource):
    """What stops or diverts water."""

    lines: Obstacles
    """What water does where."""

    @property
    def drawn(self) -> Mapping[str, Path]:
        """The files, by what water does there."""
        return {name: path for name in ("stops", "diverts") if (path := getattr(self.lines, name)) is not None}

    @property
    def outlines(self) -> bool:
        """Whether of polygons the borders are meant."""
        return self.lines.outlines
