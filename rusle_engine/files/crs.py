"""Coordinate systems as files word them, recognised."""

import functools
from typing import Any

import rasterio.crs
from pyproj import CRS
from pyproj.exceptions import CRSError

from rusle_engine.core.errors import InputError


@functools.lru_cache(maxsize=64)
def recognised(wkt: str) -> CRS:
    """The horizontal part of a CRS, by its EPSG entry where it is one in other words (ESRI's wording, or another order of axes).

    GDAL compares the parameters; a name alone never makes a match. A CRS that brings its own datum shift stays as it is.
    """
    crs = CRS.from_wkt(wkt)
    if crs.is_compound:
        crs = crs.sub_crs_list[0]
    if len(crs.axis_info) > 2:
        crs = crs.to_2d()
    code = None if crs.is_bound else rasterio.crs.CRS.from_wkt(crs.to_wkt()).to_epsg()
    return crs if code is None else CRS.from_epsg(code)


def settled(declared: str | None, stated: Any, name: str, remedy: str) -> CRS:
    """The CRS of the file ``name``: what it declares (as WKT), or what is stated where it declares none.

    Raises
    ------
    InputError
        When there is neither (``remedy`` says how to add one), when the two differ, or when it is neither geographic nor projected.
    """
    own = None if declared is None else recognised(declared)
    if stated is not None:
        try:
            wanted = recognised(CRS.from_user_input(stated).to_wkt())
        except CRSError as error:
            raise InputError(f"crs={stated!r} is not a CRS: {error}. Write for example 'EPSG:4490'.") from error
        if own is not None and not own.equals(wanted, ignore_axis_order=True):
            raise InputError(f"{name} declares the CRS {own.name!r} but {wanted.name!r} was stated. Keep the one that is right.")
        own = wanted
    if own is None:
        raise InputError(f"{name} has no CRS. {remedy}, or state it: crs='EPSG:4490'.")
    if not own.is_geographic and not own.is_projected:
        raise InputError(f"{name}: the CRS {own.name!r} is neither geographic nor projected; give the file the right one")
    return own
