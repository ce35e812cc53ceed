"""A run by processes of this machine and by a cluster: the bits of a run by threads."""

import socket
import sys

import dask
import pytest
from threadpoolctl import threadpool_info

import rusle_engine as rusle
from rusle_engine.core import scratch
from rusle_engine.runs import engine as engines
from rusle_engine.runs.config import Compute
from rusle_engine.runs.sample import write_sample

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("region"), (300, 340))


def digests(result):
    return {output["path"]: output["sha256"] for output in result.manifest["outputs"] if output["path"].endswith((".tif", ".csv"))}


def test_processes_and_a_cluster_give_the_bits_of_threads(region, tmp_path):
    def made(name, client=None, **compute):
        sets = [f"compute.{key}={value}" for key, value in compute.items()]
        config = rusle.load_config(region, [f"output.folder={tmp_path / name}", "output.report=false", "compute.tile_cells=128", *sets])
        return digests(rusle.run(config, client=client))

    by_threads = made("threads")
    assert {"rasters/A.tif", "rasters/intensity.tif", "rasters/LS.tif", "tables/zones.csv"} <= set(by_threads)
    assert made("workers", workers=2) == by_threads
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, memory_limit=0) as cluster:
        assert made("scheduler", scheduler=cluster.scheduler_address) == by_threads
        with distributed.Client(cluster) as client:
            assert made("client", client=client) == by_threads
            assert client.status == "running"


def test_threads_and_budget_are_in_force_inside_only():
    before = dask.config.get("num_workers", None)
    with engines.engine(Compute(threads=3, memory_budget="2 GB")):
        assert (dask.config.get("scheduler"), dask.config.get("num_workers")) == ("threads", 3)
        assert dask.config.get("rusle_engine.memory_budget") == "2 GB"
        assert {pool["num_threads"] for pool in threadpool_info()} <= {1}
    assert dask.config.get("num_workers", None) == before


def test_a_scheduler_that_is_not_there(monkeypatch):
    monkeypatch.setattr(engines, "_PATIENCE_S", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(rusle.ConfigError, match=r"compute\.scheduler.*does not answer") as caught, engines.engine(Compute(scheduler=address)):
            pass
    assert address in str(caught.value)


def test_workers_without_the_package_for_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(rusle.ConfigError, match=r"compute\.workers.*rusle-engine\[cluster\]"), engines.engine(Compute(workers=2)):
        pass


def test_one_engine_at_a_time(region):
    with pytest.raises(rusle.ConfigError, match="workers and scheduler are both given"):
        rusle.load_config(region, ["compute.workers=2", "compute.scheduler=tcp://127.0.0.1:8786"])
    with pytest.raises(rusle.ConfigError, match="workers and scheduler are both given") as caught:
        engines.as_typed({"threads": None, "workers": 2, "scheduler": "tcp://127.0.0.1:8786"})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("named", [False, True])
def test_intermediates_go_to_the_disk_and_are_gone(region, tmp_path, named, monkeypatch):
    made = []
    put = scratch.Scratch.put
    monkeypatch.setattr(scratch.Scratch, "put", lambda self, thing: made.append(self.folder.parent) or put(self, thing))
    folder = tmp_path / "result"
    sets = [f"output.folder={folder}", "output.report=false", "compute.tile_cells=64", "compute.memory_budget=1.4 MB", "compute.threads=1"]
    result = rusle.run(rusle.load_config(region, [*sets, *([f"compute.scratch={tmp_path / 'other'}"] if named else [])]))
    assert set(made) == {tmp_path / "other" if named else folder}
    assert not [*tmp_path.rglob("rusle-scratch-*")]
    plenty = rusle.run(rusle.load_config(region, [f"output.folder={tmp_path / 'plenty'}", "output.report=false", "compute.tile_cells=64"]))
    assert digests(result) == digests(plenty)
