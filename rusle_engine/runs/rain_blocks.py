"""Where rain comes from, as a configuration says it."""

from typing import Annotated

from pydantic import Field

from rusle_engine.core.variables import RAINFALL
from rusle_engine.runs.sources import ExistingFile, FileBlock, RainSource, convertible_to


class RainRecord(FileBlock, RainSource):
    """A rain record of one station, in a CSV file; a bare path is short for ``{file: path}``."""

    file: ExistingFile
    """The CSV file."""
    date_column: str = "date"
    """Column of the dates."""
    rain_column: str = "rain"
    """Column of the rain of each day."""
    units: Annotated[str, convertible_to(RAINFALL)] = "mm"
    """Unit of the rain: mm, or 0.1 mm."""
    date_format: str | None = None
    """Form of the dates, such as "%d/%m/%Y"; null: one that begins with the year, such as 2013-01-05 or 20130105."""
    missing_codes: list[float] = Field(default_factory=list)
    """Numbers that stand for a day without a value, such as 32766."""
    encoding: str | None = None
    """Text encoding of the file, such as gbk; null: UTF-8, else GB18030."""
