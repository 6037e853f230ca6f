"""Every kernel case runs clean under AddressSanitizer with UBSan, and under ThreadSanitizer with
four threads.

A finding ends the host process, and the test fails with the sanitizer's report. Buffers are
allocated one by one, so that a read or write outside one is seen; the builds are `make sanitizers`.
"""

import json

import pytest

from tests import hosts
from tests.kernels.cases import CASES

SOURCE = """
import json
from tests.kernels import execute
execute.GUARD = 0
answers = execute.run_cases(json.loads((files / "cases.json").read_text()), %r)
import tinygpt
differ = [n for n, a in answers.items() if a.get("differ")]
[tinygpt.get_device().build, sum("error" in a for a in answers.values()), differ, len(answers)]
"""


@pytest.mark.slow
@pytest.mark.parametrize("variant, threads", [("asan", (1, 2)), ("tsan", (2, 4))])
def test_kernels_run_clean_under_sanitizers(variant, threads):
    cases = [case for kernel_cases in CASES.values() for case in kernel_cases]
    refused = sum("refused" in case[0] for case in cases)
    files = {"cases.json": json.dumps(cases).encode()}
    build, errors, differ, count = hosts.value(SOURCE % (threads,), variant=variant, files=files)
    hosts.stop("native", variant)
    assert variant in build
    assert (errors, differ, count) == (refused, [], len(cases))


@pytest.mark.slow
def test_address_sanitizer_sees_a_write_outside_a_buffer():
    source = """
import tinygpt
from tinygpt import kernels
device = tinygpt.get_device()
handle = device.alloc(400)
device.launch(kernels.fill, [(handle, 0)], (0, 120, 1.0))
"""
    with pytest.raises(hosts.HostError, match="heap-buffer-overflow"):
        hosts.value(source, variant="asan")
    hosts.stop("native", "asan")
