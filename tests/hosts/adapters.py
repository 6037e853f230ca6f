"""The GPU adapters that a host can be given: how a process is pointed at the Vulkan driver of each,
and Chromium's flags for it.

swiftshader  Google's software driver, which comes with Chromium. Subgroups of 4, no shader-f16.
lavapipe     Mesa's software driver, version 25, unpacked by tests/hosts/install_lavapipe.sh. It has
             shader-f16. With vectors of 128 bits, so subgroups of 4: a shader then takes a third of
             the time to compile, and the tests mostly wait for that.
lavapipe-wide  the same with vectors of 256 bits: subgroups of 8.
lavapipe-least  the same (subgroups of 4) opened with no optional feature and WebGPU's default
             limits, in Node. hardware-least: hardware likewise.
lavapipe-integrated  the same under the name of an integrated GPU, without shader-f16, with WebGPU's
             default limits and 1 GiB of memory, in Node. hardware-integrated: hardware likewise.
hardware     the machine's own GPU, with the experimental features that Dawn holds back on it.
"""

import os
import pathlib
import shutil
import tempfile

VECTOR_BITS = {"lavapipe": "128", "lavapipe-wide": "256", "lavapipe-least": "128", "lavapipe-integrated": "128"}
HARDWARE = ("hardware", "hardware-least", "hardware-integrated")
NAMES = ("swiftshader", *VECTOR_BITS, *HARDWARE)
LAVAPIPE = pathlib.Path(os.environ.get("TINYGPT_LAVAPIPE") or pathlib.Path.home() / ".cache" / "tinygpt-lavapipe")


class MissingAdapter(RuntimeError):
    """The files of a software adapter are not on this machine; the message says how to get them."""


def chromium():
    """Chromium's path: TINYGPT_CHROMIUM, or the system's."""
    path = os.environ.get("TINYGPT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        raise MissingAdapter("there is no Chromium; `apt-get install chromium`, or name one in TINYGPT_CHROMIUM")
    return path


def chromium_folder():
    """Where Chromium's own files are: its binary's folder, or where the packages put them when the
    command is a script.
    """
    folders = [pathlib.Path(chromium()).resolve().parent]
    folders += [
        pathlib.Path(base)
        for base in ("/usr/lib/chromium", "/usr/lib/chromium-browser", "/usr/lib64/chromium", "/opt/google/chrome")
    ]
    for folder in folders:
        if (folder / "vk_swiftshader_icd.json").exists():
            return folder
    raise MissingAdapter(
        "vk_swiftshader_icd.json, which Chromium brings, is in none of %s" % ", ".join(map(str, folders))
    )


def lavapipe():
    """(the driver's JSON, the folder of its libraries)."""
    library = next(LAVAPIPE.glob("mesa/usr/lib/*/libvulkan_lvp.so"), None)
    if library:
        return LAVAPIPE / "mesa" / "lvp.json", library.parent
    raise MissingAdapter("lavapipe is not in %s; run `bash tests/hosts/install_lavapipe.sh`" % LAVAPIPE)


def environment(name):
    """Variables by which a process finds the Vulkan driver of an adapter."""
    # Mesa and SwiftShader complain of a missing one at every start.
    out = {} if os.path.isdir(os.environ.get("XDG_RUNTIME_DIR", "")) else {"XDG_RUNTIME_DIR": tempfile.gettempdir()}
    if name == "swiftshader":
        out["VK_ICD_FILENAMES"] = str(chromium_folder() / "vk_swiftshader_icd.json")
    elif name in VECTOR_BITS:
        manifest, libraries = lavapipe()
        out["LP_NATIVE_VECTOR_WIDTH"] = VECTOR_BITS[name]
        before = os.environ.get("LD_LIBRARY_PATH")
        out["VK_ICD_FILENAMES"] = str(manifest)
        out["LD_LIBRARY_PATH"] = str(libraries) + (os.pathsep + before if before else "")
    elif name not in HARDWARE:
        raise ValueError("there is no adapter %r; choose one of %s" % (name, ", ".join(NAMES)))
    return out


# Chromium takes SwiftShader only by a flag, and a GPU of a headless machine only through Vulkan
# without a window.
_SOFTWARE = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-webgpu-developer-features")
FLAGS = {
    "swiftshader": _SOFTWARE,
    **dict.fromkeys(VECTOR_BITS, (*_SOFTWARE, "--use-angle=vulkan")),
    "hardware": (
        "--enable-features=Vulkan", "--use-angle=vulkan", "--disable-vulkan-surface", "--ignore-gpu-blocklist",
        "--enable-unsafe-webgpu",
        "--enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia", "--enable-webgpu-developer-features",
    ),
}  # fmt: skip


def browser(name):
    """(executable, flags, environment) of a Chromium whose WebGPU is this adapter."""
    if name not in VECTOR_BITS:
        return (
            chromium(),
            FLAGS[name],
            environment("hardware"),
        )  # it finds its own SwiftShader, and the machine's driver
    executable = LAVAPIPE / "chromium" / "chromium"
    if not executable.exists():
        raise MissingAdapter("%s is missing; run `bash tests/hosts/install_lavapipe.sh`" % executable)
    # Chromium's SwiftShader is a shim over lavapipe there (tests/hosts/lavapipe_shim.c).
    return str(executable), FLAGS[name], environment(name)


def add_options(parser):
    """The command line options of a webgpu device: --variant, --precision, --no-subgroups."""
    parser.add_argument(
        "--variant", help="build of the extension, e.g. simd-mt; for webgpu the adapter: %s" % ", ".join(NAMES)
    )
    precisions = ("f32", "f16", "f16_matrix", "matrix")  # the last: f16_matrix's former name
    parser.add_argument("--precision", choices=precisions, help="of the webgpu device (default f32)")
    parser.add_argument("--no-subgroups", action="store_true", help="of the webgpu device")


def configuration(parser, options):
    """The configuration that these options request, for `hosts.run`'s configure."""
    chosen = {
        **({"precision": options.precision} if options.precision else {}),
        **({"subgroups": False} if options.no_subgroups else {}),
    }
    if chosen and options.device != "webgpu":
        parser.error("--precision and --no-subgroups are of the webgpu device")
    if options.device == "webgpu" and options.variant not in NAMES:
        parser.error("--device webgpu needs --variant, one of %s" % ", ".join(NAMES))
    return chosen
