"""One good region, copied for every test that breaks something in it; and what it means that a run was refused."""

import pytest

import rusle_engine as rusle
from tests.region import build_region


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    return build_region(tmp_path_factory.mktemp("faults") / "region")


@pytest.fixture
def region(whole, tmp_path):
    """A copy of the whole region; the report is left out, as no test here looks at it."""
    return whole.copied(tmp_path / "region", report=False)


@pytest.fixture
def refused():
    """``refused(region, where, exit_code, *said)``: run stops before it writes anything, for one problem, at that key.

    That check lists the same problems as run is held in ``test_values.test_every_problem_at_once`` and where it is all that is asked.
    """

    def assert_refused(region, where, exit_code, *said):
        with pytest.raises(rusle.ConfigError) as stopped:
            region.run()
        problems = stopped.value.problems
        assert [(problem.where, problem.exit_code) for problem in problems] == [(where, exit_code)], "\n".join(map(str, problems))
        message = problems[0].message
        assert not [words for words in said if words not in message], message
        assert stopped.value.exit_code == exit_code
        assert f"{where}: {message}" in str(stopped.value)
        nothing_finished(region)

    return assert_refused


def nothing_finished(region):
    """No record, no raster, no table, no report, and nothing half-written beside their places."""
    left = [path.relative_to(region.result).as_posix() for path in region.result.rglob("*") if path.is_file()] if region.result.is_dir() else []
    assert set(left) <= {"run.failed.json", "logs/run.jsonl"}, left


@pytest.fixture(name="nothing_finished")
def _nothing_finished():
    return nothing_finished
