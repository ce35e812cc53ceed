"""Computing by the workers of a cluster: the same results, each part counted, and a worker that dies is made up for."""

import os
import signal
import threading
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest

import rusle_engine as rusle
from rusle_engine.core.engine import active_client, computed, threads_in_force

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, memory_limit=0) as cluster,
        distributed.Client(cluster) as found,
    ):
        yield found


def test_threads_of_this_process_are_asked_for_by_name():
    with dask.config.set(scheduler="threads", num_workers=3):
        assert (active_client(), threads_in_force()) == (None, 3)
    with dask.config.set(scheduler="synchronous"):
        assert (active_client(), threads_in_force()) == (None, 1)


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_each_part_is_counted_in_this_process(scheduler):
    parts = list(da.arange(12, chunks=4).to_delayed())
    counted = []
    with dask.config.set(scheduler=scheduler):
        found = computed([*parts, 7, parts[0]], lambda: counted.append(threading.get_ident()), 3)
    assert [np.asarray(part).tolist() for part in found[:3]] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert found[3] == 7
    assert len(counted) == 3


def test_each_part_is_counted_by_workers(client):
    parts = list(da.arange(12, chunks=4).to_delayed())
    counted = []
    with dask.config.set(scheduler=client):
        assert active_client() is client
        found = computed([*parts, 7, parts[0]], lambda: counted.append(1), 3)
    assert [np.asarray(part).tolist() for part in found[:3]] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert (found[3], found[4].tolist(), len(counted)) == (7, [0, 1, 2, 3], 3)


def test_the_first_failure_ends_it(client):
    @dask.delayed
    def fails():
        raise rusle.InputError("this tile is damaged")

    with dask.config.set(scheduler=client), pytest.raises(rusle.InputError, match="this tile is damaged"):
        computed([fails()], lambda: None, 1)


def deadly_once(tile, marker):
    """The tile; the first process that comes by dies as if it were killed from outside."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return tile
    os.kill(os.getpid(), signal.SIGKILL)
    return tile


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system kills in another way")
def test_a_worker_killed_in_the_middle_changes_nothing(client, tmp_path: Path):
    heights = np.random.default_rng(11).normal(100, 5, (48, 40)).astype(np.float32)
    whole = rusle.ls_factor(heights, cell_size_m=30.0, units="m")
    marker = tmp_path / "killed"
    tiles = da.from_array(heights, chunks=(16, 20)).map_blocks(deadly_once, marker, dtype=np.float32, meta=np.empty((0, 0), np.float32))
    with dask.config.set(scheduler=client):
        found = computed([rusle.ls_factor(tiles, cell_size_m=30.0, units="m").data])[0]
    assert marker.exists()
    np.testing.assert_array_equal(found, whole.values)
