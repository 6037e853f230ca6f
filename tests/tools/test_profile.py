"""tinygpt.profile: every launch counted and timed, operations and bytes as the contract has them,
and no state changed by the measurement.
"""

import pytest

import tinygpt
from tinygpt import kernels, loop, optim, train
from tinygpt.config import ModelConfig
from tinygpt.data import Dataset
from tinygpt.tools.profile import FLOPS, flops, moved_bytes

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("device")]
CONFIG = ModelConfig(vocab_size=256, context=8, layers=2, d_model=16, heads=2, dropout=0.1)


@pytest.fixture
def training():
    tinygpt.manual_seed(1)
    model = tinygpt.GPT(CONFIG)
    optimizer = optim.AdamW(model.parameters(), lr=1e-2)
    data = Dataset("to be or not to be, " * 40, None, 8, seed=3)

    @tinygpt.compile
    def step():
        loss = model.loss(*data.batch(4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step.model = model
    return step


def test_every_launch_is_in_the_table(training):
    table = tinygpt.profile(training, repeats=2)
    names = [k.name for k, _, _ in training.program.launches]
    assert [x.kernel for x in table.launches] == names
    assert {row.kernel: row.launches for row in table.rows} == {name: names.count(name) for name in names}
    assert all(x.seconds > 0 for x in table.launches) and sum(row.share for row in table.rows) == pytest.approx(1)
    assert [row.seconds for row in table.rows] == sorted((row.seconds for row in table.rows), reverse=True)


def test_the_table_is_aligned_and_names_the_device(training):
    lines = repr(tinygpt.profile(training, repeats=1)).split("\n")
    assert lines[0].split() == ["kernel", "launches", "ms", "share", "GFLOP/s", "GB/s"] and lines[-2].startswith("all ")
    assert len({len(line) for line in lines[:-1]}) == 1
    assert lines[-1].startswith(tinygpt.get_device().name + " (") and "medians of 1 runs" in lines[-1]


def test_profiling_changes_nothing(training):
    for _ in range(4):
        training()
    captures = training.captures
    before = [p.tobytes() for p in training.model.parameters()]
    tinygpt.profile(training, repeats=3)
    assert [p.tobytes() for p in training.model.parameters()] == before and training.captures == captures
    training()
    assert [p.tobytes() for p in training.model.parameters()] != before


def test_training_is_the_same_with_a_look_at_it_in_between(device):
    tinygpt.set_device("native")  # the oracle keeps more digits than a copy of its memory has

    def losses(look):
        tinygpt.manual_seed(1)
        loop.set_sink(lambda text: None)
        loop.set_settings(
            {
                "preset": "tiny",
                "steps": 6,
                "eval_interval": 0,
                "sample_interval": 0,
                "corpus": "stdlib",
                "batch_size": 2,
            }
        )

        def watched(run):
            steps = run.steps

            def stepping(total):
                for i in steps(total):
                    if look and i == 4:
                        tinygpt.profile(repeats=1)
                    yield i

            run.steps = stepping
            train.train(run)

        try:
            return loop.run(watched).history
        finally:
            loop.set_sink(None)
            loop.set_settings({})

    assert losses(True) == losses(False)


def test_a_plain_function_is_compiled_and_arguments_are_given():
    table = tinygpt.profile(lambda a, b: (a @ b).sum(), tinygpt.ones(4, 6), tinygpt.ones(6, 5), repeats=1)
    by_name = {row.kernel: row for row in table.rows}
    assert by_name["matmul"].flops == 2 * 4 * 6 * 5 and by_name["matmul"].bytes == 4 * (4 * 6 + 6 * 5 + 4 * 5)
    assert by_name["reduce"].flops == 20


def test_what_cannot_be_replayed_is_refused_with_the_reason(monkeypatch):
    with pytest.warns(RuntimeWarning), pytest.raises(ValueError, match="item"):
        tinygpt.profile(lambda x: x * x.sum().item(), tinygpt.ones(3))
    with pytest.raises(ValueError, match="launches nothing"):
        tinygpt.profile(lambda: 1)
    monkeypatch.setattr(loop, "current", None)
    with pytest.raises(ValueError, match="no training run"):
        tinygpt.profile()


def test_causal_attention_counts_the_pairs_it_sees():
    names = [p.name for p in kernels.attention.params]
    values = dict.fromkeys(names, 0) | dict(B=2, H=3, G=3, T=5, S=5, D=4, causal=1)
    assert flops(kernels.attention, [values[n] for n in names]) == 4 * 2 * 3 * 4 * 15
    values["causal"] = 0
    assert flops(kernels.attention, [values[n] for n in names]) == 4 * 2 * 3 * 4 * 25
    values.update(causal=1, S=3)
    assert flops(kernels.attention, [values[n] for n in names]) == 4 * 2 * 3 * 4 * (1 + 2 + 3 + 3 + 3)


def test_an_update_reads_and_writes():
    buffers = [(1, 0)] * 5 + [None]
    assert moved_bytes(kernels.adamw, buffers, (100, 1)) == 4 * (7 * 100 + 8)


def test_the_formulas_name_kernels_of_the_contract():
    from tinygpt.tools.profile import ELEMENTS

    assert set(FLOPS) | set(ELEMENTS) <= set(kernels.BY_NAME)
