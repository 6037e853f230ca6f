"""The tests of eager_in_c.py, in a process that has the module eager."""

import os
import subprocess
import sys

import pytest

from tests.hosts import ROOT

pytestmark = pytest.mark.fast


def test_the_usual_case_in_c_is_the_plain_functions():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/core/eager_in_c.py"]
    environment = {**os.environ, "TINYGPT_EAGER": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "skipped" not in done.stdout, done.stdout[-2000:]
