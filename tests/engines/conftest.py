"""Each test of the walk is a row of the matrix: its name as words."""

import pytest

from tests.engines import matrix


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if page is not None and report.when == "call":
        matrix.record(page.name, "walk", matrix.part(item.originalname), report.passed)
    return report
