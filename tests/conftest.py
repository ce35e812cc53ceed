"""What all tests share: where real data lies, that on the build machine nothing may skip, and that examples are the same in every run."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples every time, however slow the machine; RUSLE_NEW_EXAMPLES=1 looks for others.
settings.register_profile(
    "rusle", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=os.environ.get("RUSLE_NEW_EXAMPLES") != "1"
)
settings.load_profile("rusle")


@pytest.fixture(scope="session")
def acceptance_data() -> Path:
    """The folder of real data named by ``RUSLE_ACCEPTANCE_DATA``; tests that need it skip plainly where it is absent."""
    named = os.environ.get("RUSLE_ACCEPTANCE_DATA")
    if not named:
        pytest.skip("RUSLE_ACCEPTANCE_DATA names no folder of real data")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"RUSLE_ACCEPTANCE_DATA names {folder}, which is not a folder")
    return folder.resolve()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.skipped and os.environ.get("RUSLE_NOTHING_SKIPS") == "1" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped, and RUSLE_NOTHING_SKIPS=1: {report.longrepr}"
    return report
