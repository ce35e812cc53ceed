"""Polygons of a label raster against counted cells."""

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.files.vectorize import polygonize


def labelled(values):
    values = np.asarray(values)
    return Grid(*values.shape, Affine(10.0, 0.0, 500_000.0, 0.0, -20.0, 4_000_000.0), CRS.from_epsg(4547)).label(values)


def test_areas_are_cells_and_the_ring_s_hole_is_the_island():
    zones = polygonize(labelled([[1, 1, 1, 0], [1, 2, 1, 0], [1, 1, 1, 3]]))
    assert zones["label"].tolist() == [1, 2, 3]
    assert (zones.area / 200).tolist() == [8, 1, 1]
    assert zones.geometry[1].bounds == (500_010.0, 3_999_960.0, 500_020.0, 3_999_980.0)
    assert len(zones.geometry[0].interiors) == 1
    assert zones.crs.to_epsg() == 4547


def test_cells_that_meet_at_a_corner_are_parts_of_one_valid_multipolygon():
    zones = polygonize(labelled([[5, 0], [0, 5]]))
    assert zones.geometry[0].geom_type == "MultiPolygon"
    assert zones.geometry.is_valid.all()
    assert zones.area.sum() == 400


def test_random_labels_cover_every_cell_once():
    values = np.random.default_rng(4).integers(0, 5, (40, 50))
    zones = polygonize(labelled(values))
    assert zones.geometry.is_valid.all()
    assert (zones.area / 200).round(9).tolist() == np.bincount(values.ravel())[1:].tolist()
    assert zones.union_all().area == pytest.approx(zones.area.sum(), rel=1e-12)


def test_no_label_no_polygon():
    assert len(polygonize(labelled(np.full((3, 3), np.nan)))) == 0


def test_fractions_are_refused():
    with pytest.raises(InputError, match="whole numbers"):
        polygonize(labelled([[1.0, 1.5]]))
