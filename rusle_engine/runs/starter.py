"""The configuration file to start from: the packaged reference, with every key and its meaning."""

from pathlib import Path
from typing import Literal

from rusle_engine.core.errors import OutputError
from rusle_engine.files.atomic import make_folder, write_text
from rusle_engine.files.configs import configs_folder

Equation = Literal["rusle", "csle"]


def starter(equation: Equation = "rusle") -> str:
    """The text of the packaged ``rusle.yml`` or ``csle.yml``."""
    return (configs_folder() / f"{equation}.yml").read_text(encoding="utf-8")


def write_starter(folder: Path, equation: Equation = "rusle") -> Path:
    """Write ``rusle.yml``, or ``csle.yml``, into ``folder``, which is made when missing.

    Raises
    ------
    OutputError
        When there is such a file already, or it cannot be written.
    """
    path = folder / f"{equation}.yml"
    if path.exists():
        raise OutputError(f"{path} is there already and is not replaced; name another folder, or move the file away")
    make_folder(folder)
    return write_text(path, starter(equation))
