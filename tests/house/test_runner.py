"""`python3 -m tests`: all runs happen, their counts are summed in the last line, and any failure is
in the status.
"""

import subprocess
import sys

import pytest

from tests import __main__ as runs

pytestmark = pytest.mark.fast


@pytest.fixture
def given(monkeypatch):
    """Lets the runs end as a list of (status, counts) says; gives the names of the marks that they
    chose by.
    """
    chosen = []

    def give(*ends):
        left = list(ends)
        monkeypatch.setattr(runs, "set_up", lambda: None)
        monkeypatch.setattr(runs, "run", lambda options: chosen.append(options[options.index("-m") + 1]) or left.pop(0))
        return chosen

    return give


@pytest.mark.parametrize("ends, status, line", [
    ([(0, {"passed": 3}), (0, {"passed": 2, "skipped": 1}), (0, {}), (0, {"passed": 4})], 0, "9 passed, 0 failed"),
    ([(1, {"passed": 3, "failed": 1}), (0, {"passed": 2}), (1, {"passed": 1, "error": 2}), (5, {})], 1,
     "6 passed, 3 failed"),
    ([(0, {"passed": 3}), (5, {}), (5, {}), (5, {})], 0, "3 passed, 0 failed"),
    ([(0, {"passed": 3}), (-9, {}), (0, {"passed": 1}), (0, {"skipped": 8})], 1, "4 passed, 1 failed"),
    ([(4, {}), (0, {"passed": 2}), (0, {"passed": 1}), (0, {"passed": 2})], 1, "5 passed, 1 failed"),
], ids=["well", "failures", "nothing selected", "a run was killed", "a wrong option"])  # fmt: skip
def test_the_runs_are_summed_and_all_of_them_happen(given, capsys, ends, status, line):
    chosen = given(*ends)
    assert runs.main([]) == status
    assert capsys.readouterr().out.splitlines()[-1] == line and len(chosen) == 4


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("by_file", [False, True])
@pytest.mark.parametrize("engines", [False, True])
def test_every_test_is_in_one_of_the_runs(alone, by_file, engines):
    marks = {"alone": alone, "by_file": by_file, "engines": engines}
    assert sum(eval(chosen, marks) for chosen, _ in runs.RUNS.values()) == 1


def test_the_counts_are_those_of_pytests_closing_line(tmp_path):
    (tmp_path / "test_some.py").write_text("def test_a(): pass\ndef test_b(): assert 0\ndef test_c(absent): pass\n")
    source = "import sys; from tests import __main__ as runs; print(runs.run(sys.argv[1:]))"
    command = [
        sys.executable,
        "-c",
        source,
        "-c",
        "/dev/null",
        "--rootdir",
        str(tmp_path),
        "-p",
        "no:cacheprovider",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=runs.ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "(1, {'failed': 1, 'passed': 1, 'error': 1})", done.stdout + done.stderr


SECOND = """
import pathlib, pytest
here = pathlib.Path(__file__).parent
def tried(name):
    first = not (here / name).exists()
    (here / name).touch()
    return not first
def test_well(): pass
def test_late(): assert tried("late")
def test_wrong(): assert False
"""


@pytest.mark.parametrize("more, line, named", [
    ("", "2 passed, 1 failed", ["test_late"]),
    ("def test_gone():\n    if tried('gone'): pytest.skip('')\n    assert False\n", "1 passed, 3 failed", []),
    ("@pytest.mark.parametrize('k', range(11))\ndef test_many(k): assert tried('many%d' % k)\n",
     "1 passed, 13 failed", []),
], ids=["passes then, or never", "skipped then", "too many"])  # fmt: skip
def test_what_failed_is_tried_once_more_and_named(tmp_path, monkeypatch, capsys, more, line, named):
    (tmp_path / "test_some.py").write_text(SECOND + more)
    monkeypatch.setattr(runs, "set_up", lambda: None)
    monkeypatch.setattr(runs, "RUNS", {"all": ("not absent", ["-n", "2"]), "none": ("absent", [])})
    options = ["-c", "/dev/null", "--rootdir", str(tmp_path), "--import-mode=importlib", str(tmp_path)]
    assert runs.main(options) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == line
    assert [each.split("::")[-1] for each in out if each.startswith("passed only at the second try: ")] == named
