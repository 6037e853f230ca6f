"""The wheel: py/tinygpt with the native library and the shaders inside. `pip install .` builds and
installs it.

CMake compiles the library for the machine at hand (wasm_ext/CMakeLists.txt), so the wheel has a
platform tag; any Python 3 may load the library. The module `eager` beside it is for the Python that
builds; others do without. An editable install compiles nothing: the package then takes the library
of `make native`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.errors import ExecError

ROOT = Path(__file__).resolve().parent
NEEDED = "install CMake 3.16 or newer and a C++ compiler (on Debian: apt-get install cmake g++)"


class BuildWithLibrary(build_py):
    def run(self):
        if self.editable_mode:
            super().run()
            return
        shutil.rmtree(self.build_lib, ignore_errors=True)  # an earlier build's modules may have moved
        super().run()
        package = Path(self.build_lib, "tinygpt")
        library = self.compiled_library()
        shutil.copyfile(library, package / "libtinygpt.so")
        for path in library.parent.glob("eager*.so"):
            shutil.copyfile(path, package / path.name)
        (package / "shaders").mkdir()
        for path in (ROOT / "shaders").glob("*.wgsl"):
            shutil.copyfile(path, package / "shaders" / path.name)

    def compiled_library(self):
        """The path of the library. ExecError with one sentence where it cannot be compiled."""
        folder = Path(self.get_finalized_command("build").build_temp, "native").resolve()
        cmake = shutil.which("cmake")
        if cmake is None:
            raise ExecError("TinyGPT's kernels are compiled at install, and there is no cmake on the PATH; " + NEEDED)
        options = ["-DCMAKE_BUILD_TYPE=Release", "-DPYTHON=" + sys.executable]
        configure = [cmake, "-S", str(ROOT / "wasm_ext"), "-B", str(folder), *options]
        build = [cmake, "--build", str(folder), "--target", "tinygpt", "--parallel", str(os.cpu_count() or 1)]
        for command in (configure, build):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode and "CMAKE_CXX_COMPILER" in done.stderr:
                raise ExecError("TinyGPT's kernels are compiled at install, and CMake found no C++ compiler; " + NEEDED)
            if done.returncode:
                raise ExecError(
                    "TinyGPT's kernels could not be compiled:\n" + (done.stdout + done.stderr).strip()[-2000:]
                )
        # Eager ops in C, for this Python alone; there is no such target where its headers lack.
        subprocess.run([cmake, "--build", str(folder), "--target", "eager"], capture_output=True)
        return folder / "libtinygpt.so"


class PlatformWheel(bdist_wheel):
    def get_tag(self):
        return "py3", "none", super().get_tag()[2]  # the library is loaded through ctypes, by any Python


class WithLibrary(Distribution):
    def has_ext_modules(self):
        return True  # so that the wheel is of this platform


setup(distclass=WithLibrary, cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel})
