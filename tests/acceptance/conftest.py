"""Configurations of the real regions, with the places of data and results filled in."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def configured(acceptance_data):
    def write(name: str, work: Path) -> Path:
        text = (HERE / f"{name}.yml").read_text("utf-8").replace("{data}", acceptance_data.as_posix()).replace("{work}", work.as_posix())
        path = work / f"{name}.yml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
