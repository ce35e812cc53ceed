"""The configuration file to start from: the packaged reference, with every key and its meaning."""

from pathlib import Path

from rusle_engine.core.errors import OutputError
from rusle_engine.files.atomic import make_folder, write_text
from rusle_engine.files.configs import configs_folder

FILE_NAME = "rusle.yml"


def starter() -> str:
    """The text of the packaged ``rusle.yml``."""
    return (configs_folder() / FILE_NAME).read_text(encoding="utf-8")


def write_starter(folder: Path) -> Path:
    """Write ``rusle.yml`` into ``folder``, which is made when missing.

    Raises
    ------
    OutputError
        When there is such a file already, or it cannot be written.
    """
    path = folder / FILE_NAME
    if path.exists():
        raise OutputError(f"{path} is there already and is not replaced; name another folder, or move the file away")
    make_folder(folder)
    return write_text(path, starter())
