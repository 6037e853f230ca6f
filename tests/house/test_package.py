"""`pip install .`: a wheel from the tracked files alone, installed into an empty environment,
trains natively.
"""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRAIN = """
from tinygpt import loop, train
loop.set_settings({"preset": "tiny", "steps": 4, "sample_interval": 0, "corpus": %r})
loop.run(train.train)
"""
pytestmark = [pytest.mark.alone, pytest.mark.slow]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the tracked files."""
    folder = tmp_path_factory.mktemp("checkout")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.rstrip("\0").split("\0"):
        if name.startswith(("py/", "shaders/", "wasm_ext/")) or "/" not in name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def build_wheel(checkout, target, **environment):
    """Without a network: setuptools and CMake are those of this machine."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(target),
        str(checkout),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, **environment})


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory):
    target = tmp_path_factory.mktemp("wheel")
    done = build_wheel(checkout, target)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = target.iterdir()
    return path


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """run(*arguments): the interpreter of an empty environment with the wheel, in a folder of its
    own and away from any checkout.
    """
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False)
    interpreter = folder / "venv" / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--no-index", str(wheel)]
    subprocess.run(command, capture_output=True, text=True, check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TINYGPT"))}
    environment |= {"XDG_CACHE_HOME": str(folder / "cache"), "TINYGPT_THREADS": "2"}

    def start(*arguments, **more):
        return subprocess.Popen(
            [interpreter, *arguments],
            cwd=folder,
            env={**environment, **more},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    return start


def test_the_wheel_has_the_package_its_library_and_its_shaders(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.name.startswith("tinygpt-") and "-py3-none-linux_" in wheel.name, (
        "any Python 3, and this platform only"
    )
    assert {"tinygpt/libtinygpt.so", "tinygpt/train.py", "tinygpt/devices/webgpu/template.py"} <= set(names)
    shaders = {path.name for path in (ROOT / "shaders").glob("*.wgsl")}
    assert shaders and {name.rpartition("/")[2] for name in names if name.startswith("tinygpt/shaders/")} == shaders
    assert [name for name in names if name.endswith("/LICENSE")], "the licence travels with it"
    assert not [name for name in names if not name.startswith(("tinygpt/", "tinygpt-"))]


def test_a_tensor_in_an_empty_environment(python):
    source = "import tinygpt; a = tinygpt.tensor([1.0, 2.0]); print(tinygpt.__file__, a.device.name, (a @ a).item())"
    out, _ = python("-c", source).communicate(timeout=60)
    path, device, value = out.split()
    assert "site-packages" in path and (device, value) == ("native", "5.0"), out


def test_the_shaders_are_found_there(python):
    out, _ = python(
        "-c", "from tinygpt.devices.webgpu import template; print(len(template.read('matmul_tile')[1]))"
    ).communicate(timeout=60)
    assert int(out) > 0, out


def test_a_text_of_ones_own_is_trained_on(python, tmp_path):
    (tmp_path / "text.txt").write_text("To be, or not to be, that is the question. " * 100)
    process = python("-c", TRAIN % str(tmp_path / "text.txt"))
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "on native" in out and "step 3  loss" in out, out


def test_the_loop_of_the_page_runs_as_a_command_on_its_own_text(python):
    process = python("-u", "-m", "tinygpt.train", TINYGPT_CORPORA=str(ROOT / "public" / "corpora"))
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("step 0  loss"):
                break
    finally:
        process.kill()
        process.wait()
    assert lines[0].startswith("Corpus: ") and lines[-1].startswith("step 0  loss"), "".join(lines)


def test_a_text_that_cannot_be_had_is_a_sentence_that_names_a_place_outside_any_checkout(python):
    source = "from tinygpt import corpora; corpora.find_corpus('shakespeare', fetch=False)"
    out, _ = python("-c", source).communicate(timeout=60)
    assert "uses the Python standard library's source instead" in out, out
    assert out.strip().endswith("cache/tinygpt to use it.") and "Put shakespeare.txt into /" in out, out


@pytest.mark.parametrize(
    "environment, words",
    [
        ({"CXX": "/nonexistent/c++"}, "CMake found no C++ compiler; install CMake 3.16 or newer and a C++ compiler"),
        ({"PATH": "/nonexistent"}, "there is no cmake on the PATH; install CMake 3.16 or newer and a C++ compiler"),
    ],
)
def test_without_a_compiler_the_install_ends_with_a_sentence(checkout, tmp_path, environment, words):
    shutil.rmtree(checkout / "build", ignore_errors=True)
    done = build_wheel(checkout, tmp_path / "wheel", **environment)
    said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if words in line]
    assert done.returncode != 0 and said and said[0].startswith("error: TinyGPT's kernels are compiled at install"), (
        done.stderr
    )
    assert "Traceback" not in done.stderr
