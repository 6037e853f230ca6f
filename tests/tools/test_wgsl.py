"""The command that prints the expanded WGSL of a launch, for every kernel and without a GPU."""

import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tinygpt import kernels
from tinygpt.devices.webgpu import dispatch_plan, template
from tinygpt.devices.webgpu.precision import PRECISIONS
from tinygpt.tools import wgsl

pytestmark = pytest.mark.fast
NAMES = [kernel.name for kernel in kernels.KERNELS if kernel.name in dispatch_plan.PLANS]
# Kernels that a GPU refuses with a sentence: float64, factorisations, and numbers of mt19937.
CPU_ALONE = [kernel for kernel in kernels.KERNELS if kernel.name not in dispatch_plan.PLANS]


def heads(text):
    """The line on each dispatch."""
    return [line for line in text.split("\n") if line.startswith("// ====")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("align", [16, 4])
def test_every_kernel_expands_at_every_precision(name, align):
    kernel = kernels.BY_NAME[name]
    for precision in PRECISIONS:
        found = wgsl.expand(kernel, wgsl.params_of(kernel, {}), wgsl.AssumedDevice(precision), align=align)
        assert found
        for dispatch in found:
            assert "fn main(" in dispatch.wgsl and min(dispatch.groups) > 0
            assert not re.search(r"\$\{|^\s*#", dispatch.wgsl, re.M), "nothing of the template is left"
            bound = re.findall(r"@binding\(\d+\) var<(\w+)", dispatch.wgsl)
            assert bound == ["uniform"] + ["storage"] * len(dispatch.bindings)
            names = re.search(r"struct Parameters \{ (.*) \}", dispatch.wgsl)[1].split(", ")
            assert [word.split(":")[0] for word in names] == list(dispatch.uniforms)
            assert all(binding.names for binding in dispatch.bindings)


@pytest.mark.parametrize("kernel", CPU_ALONE, ids=[kernel.name for kernel in CPU_ALONE])
def test_a_kernel_without_a_shader_is_refused_by_name(kernel):
    params = SimpleNamespace(**{p.name: 1 for p in kernel.params})
    with pytest.raises(RuntimeError, match="%r is not on WebGPU; move its tensors to the CPU" % kernel.name):
        dispatch_plan.make(wgsl.AssumedDevice(), kernel, params, [])


@pytest.mark.parametrize("name", ["float64", "int16", "uint8", "float16", "bfloat16"])
def test_an_element_type_without_a_shader_is_refused_by_name(name):
    for kernel in (kernels.copy, kernels.fill, kernels.binary, kernels.where, kernels.reduce):
        params = SimpleNamespace(**{p.name: kernels.DTYPES[name] if "dtype" in p.name else 0 for p in kernel.params})
        with pytest.raises(RuntimeError, match="%s is not on WebGPU" % name):
            dispatch_plan.make(wgsl.AssumedDevice(), kernel, params, [])


@pytest.mark.parametrize("name", NAMES)
def test_without_subgroups_no_shader_enables_them(name):
    kernel = kernels.BY_NAME[name]
    for dispatch in wgsl.expand(kernel, wgsl.params_of(kernel, {}), wgsl.AssumedDevice(subgroups=False)):
        assert "enable" not in re.sub(r"//.*", "", dispatch.wgsl), "a word in a comment enables nothing"


@pytest.mark.parametrize(
    "arguments, shaders",
    [
        ("--M 256 --N 384 --K 128 --trans nt --epilogue bias_gelu --precision f32", ["matmul_tile.main"]),
        ("--precision f16_matrix", ["matmul_subgroup_matrix.main"]),
        ("--precision matrix", ["matmul_subgroup_matrix.main"]),
        ("--M 1 --trans nt", ["matmul_vector.dots"]),
        ("--M 1 --trans nn", ["matmul_vector.sweep"]),
        ("--M 64 --N 64 --K 8192 --trans tn", ["matmul_tile.main", "segments.sum"]),
        ("--K 0", ["matmul_tile.main"]),
        ("--M 0", []),
    ],
)
def test_a_product_runs_the_shader_of_its_shape(arguments, shaders):
    text = wgsl.main(["matmul", *arguments.split()])
    assert [re.search(r": ([\w.]+),", line)[1] for line in heads(text)] == shaders
    assert ("m_gelu(" in text) == ("gelu" in arguments)


def test_the_command_prints_it():
    command = [sys.executable, "-m", "tinygpt.tools.wgsl", "softmax", "--rows", "7", "--n", "65"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": "py"}).stdout
    assert heads(printed) and "rows = 7" in printed and "fn main(" in printed


@pytest.mark.parametrize(
    "arguments, words",
    [
        ("nothing", "no kernel 'nothing'"),
        ("matmul --precision f8", "no precision 'f8'"),
        ("matmul --epilogue gulu", "no epilogue 'gulu'"),
        ("unary --op twist", "twist is no value for op"),
        ("softmax --absent x", "no optional buffer x"),
        ("matmul --limit size=3", "the limit size"),
    ],
)
def test_what_it_does_not_know_is_a_sentence(arguments, words):
    with pytest.raises(ValueError, match=words):
        wgsl.main(arguments.split())


def test_let_defines_a_name_of_the_template_from_there_on():
    lines = ["${n}", "#if wide", "#let n = 4 * n", "#end", "${n}", "#if live", "a", "#end", "#let live = n > 4"]
    text = "\n".join([*lines, "#if live", "b", "#end"])
    assert template.expand(text, {"n": 2, "wide": True}).split() == ["2", "8", "b"]
    assert template.expand(text, {"n": 2}).split() == ["2", "2"]
