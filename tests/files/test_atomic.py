"""Atomic files: whole or not there; and the packaged configurations are found."""

import hashlib
import json
import math

import numpy as np
import pytest

from rusle_engine.core.errors import MissingInputError, OutputError
from rusle_engine.files.atomic import atomic_file, atomic_folder, require_disk, sha256, write_json, write_text
from rusle_engine.files.configs import configs_folder, read_packaged_table


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "新 建" / "a.json"
    with atomic_file(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".json"
        temporary.write_text("one")
        assert not path.exists()
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    path = write_text(tmp_path / "a.txt", "old\n")

    def fails():
        with atomic_file(path) as temporary:
            temporary.write_text("half")
            temporary.with_name(f"{temporary.name}-journal").write_text("beside it")
            raise error

    with pytest.raises(error):
        fails()
    assert path.read_bytes() == b"old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_system_refuses_becomes_an_output_error(tmp_path):
    blocked = write_text(tmp_path / "file", "")
    with pytest.raises(OutputError, match="could not be written") as caught, atomic_file(blocked / "a.txt"):
        pass
    assert caught.value.exit_code == 73
    with pytest.raises(OutputError) as full, atomic_file(tmp_path / "b.txt"):
        raise OSError(28, "No space left on device")
    assert full.value.exit_code == 74
    assert "No space left" in str(full.value)
    with pytest.raises(OutputError), atomic_file(tmp_path / "never.txt"):
        pass  # nothing was written


def test_a_temporary_folder_is_gone_at_the_end(tmp_path):
    def fails():
        with atomic_folder(tmp_path, "rasters") as folder:
            (folder / "a").write_text("x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert list(tmp_path.iterdir()) == []


def test_digests_of_files_and_folders(tmp_path):
    a = write_text(tmp_path / "g.gdb" / "a", "x\n")
    assert sha256(a) == hashlib.sha256(b"x\n").hexdigest()
    before = sha256(tmp_path / "g.gdb")
    write_text(tmp_path / "g.gdb" / "b", "")
    assert sha256(tmp_path / "g.gdb") != before


def test_json_is_readable_stable_and_valid(tmp_path):
    content = {
        "名": "河曲",
        "b": np.float32(0.5),
        "a": (1, math.nan, -math.inf),
        "n": np.int64(3),
        "v": np.array([1, 2]),
        "p": tmp_path / "x",
        "f": {3, 1},
        "ok": True,
    }
    path = write_json(tmp_path / "run.json", content)
    text = path.read_text("utf-8")
    assert "河曲" in text
    assert text.endswith("}\n")
    back = json.loads(text)
    assert list(back) == list(content)
    assert back == {"名": "河曲", "b": 0.5, "a": [1, None, None], "n": 3, "v": [1, 2], "p": (tmp_path / "x").as_posix(), "f": [1, 3], "ok": True}


def test_a_disk_too_small(tmp_path):
    require_disk(tmp_path / "not" / "made", 1)
    with pytest.raises(OutputError, match="GiB are free") as caught:
        require_disk(tmp_path / "not" / "made", 10**18)
    assert caught.value.exit_code == 74


def test_packaged_tables():
    assert (configs_folder() / "tables").is_dir()
    with pytest.raises(MissingInputError, match=r"there is no table 'nothing\.csv'"):
        read_packaged_table("nothing")
