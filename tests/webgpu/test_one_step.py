"""One step, looked at on the GPU (tinygpt.tools.one_step): the run's bits stay those of a run that
nobody watches, and what is shown is what the CPU shows.
"""

import pytest

from tests import hosts
from tests.targets import on

# [history, weights, what was shown] of a run without dropout: the devices make the same steps.
WATCHED = """import tinygpt
from tinygpt import loop, train
from tinygpt.tools.one_step import Before, after

def trained(watched):
    shown, last = [], []
    def watch(run):
        if last:
            before = last.pop()
            shown.append([before.rows, after(run, before), before.drew(run), before.problem])
        last.append(Before(run, watch=True))
    loop.set_sink(lambda text: None)
    loop.set_settings({"preset": "tiny", "steps": 5, "eval_interval": 4, "sample_interval": 0, "corpus": "stdlib"})
    loop.set_visitor(watch if watched else None)
    try:
        run = loop.run(train.train)
    finally:
        loop.set_visitor(None)
        loop.set_settings({})
    return [run.history, [p.tobytes().hex() for p in run.kept["model"].parameters()], shown]
"""


def near(a, b):
    return (a is None) == (b is None) and (a is None or a == pytest.approx(b, rel=2e-3, abs=2e-5))


@on("gpu-lavapipe")
def test_a_step_on_the_gpu_is_seen_as_on_the_cpu_and_is_not_touched(value, target):
    watched, alone = value(target, WATCHED + "\n[trained(True), trained(False)]")
    assert watched[:2] == alone[:2], "the bits of a run that nobody watches"
    on_cpu = hosts.value(WATCHED + "\ntrained(True)")[2]  # native
    assert len(watched[2]) == len(on_cpu) == 4
    for (rows, layers, drew, problem), (cpu_rows, cpu_layers, cpu_drew, _) in zip(watched[2], on_cpu, strict=True):
        assert drew and cpu_drew and problem is None
        assert [first for first, _ in rows] == [first for first, _ in cpu_rows]
        for (_, guesses), (_, cpu_guesses) in zip(rows, cpu_rows, strict=True):
            assert [guess["token"] for guess in guesses] == [guess["token"] for guess in cpu_guesses]
            assert all(near(a["loss"], b["loss"]) for a, b in zip(guesses, cpu_guesses, strict=True))
            assert all(near(a["probability"], b["probability"]) for a, b in zip(guesses, cpu_guesses, strict=True))
        assert [layer["name"] for layer in layers] == [layer["name"] for layer in cpu_layers]
        for layer, cpu_layer in zip(layers, cpu_layers, strict=True):
            for norm in ("weights", "gradient", "update"):
                assert near(layer[norm], cpu_layer[norm]), (layer, cpu_layer)
