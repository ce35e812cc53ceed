"""Where the configurations and tables that come with the package are: in a checkout, an editable install and a wheel."""

import csv
from pathlib import Path

from rusle_engine.core.errors import MissingInputError


def configs_folder() -> Path:
    """The folder ``configs``: inside the installed package, or at the root of the checkout.

    Raises
    ------
    MissingInputError
        When the installation is not whole.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "tables").is_dir():
            return folder
    raise MissingInputError(f"the folder configs is neither in {package} nor beside it; install rusle-engine again")


def read_packaged_table(name: str) -> list[dict[str, str]]:
    """The rows of ``configs/tables/<name>``, as text by column; lines that start with ``#`` are remarks.

    Raises
    ------
    MissingInputError
        Naming the tables there are.
    """
    folder = configs_folder() / "tables"
    known = sorted(path.name for path in folder.glob("*.csv"))
    file = name if name.endswith(".csv") else f"{name}.csv"
    if file not in known:
        raise MissingInputError(f"there is no table {file!r} in {folder}; there are: {', '.join(known) or 'none'}")
    lines = (folder / file).read_text(encoding="utf-8-sig").splitlines()
    return list(csv.DictReader(line for line in lines if line.strip() and not line.startswith("#")))
