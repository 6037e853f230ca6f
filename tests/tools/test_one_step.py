"""tinygpt.tools.one_step: what one step does, seen without touching it."""

import math

import pytest

import tinygpt
from tinygpt import loop, train
from tinygpt.tools.one_step import Before, after, layer_of

pytestmark = pytest.mark.fast
QUICK = {"preset": "tiny", "steps": 6, "eval_interval": 4, "sample_interval": 0, "corpus": "stdlib", "dropout": 0.1}


@pytest.fixture(autouse=True)
def restored():
    before = tinygpt.get_device().name
    tinygpt.set_device("native")
    loop.set_sink(lambda text: None)
    loop.set_settings(QUICK)
    yield
    loop.set_visitor(None)
    loop.set_sink(None)
    loop.set_settings({})
    tinygpt.set_device(before)


def trained(visitor):
    loop.set_visitor(visitor)
    run = loop.run(train.train)
    return run.history, [p.tobytes() for p in run.kept["model"].parameters()], run.random_state()


def test_a_watched_run_has_the_bits_of_one_that_nobody_watches():
    seen, last = [], []

    def watch(run):
        if last:
            before = last.pop()
            seen.append((before, before.drew(run), after(run, before)))
        last.append(Before(run, watch=True))

    assert trained(watch) == trained(None)
    assert len(seen) == 5 and all(drew for _, drew, _ in seen)
    first = seen[0][0]
    assert len(first.rows) == 3 and len(first.rows[0][1]) == 32
    losses = [guess["loss"] for _, guesses in first.rows for guess in guesses]
    assert sum(losses) / len(losses) == pytest.approx(math.log(256), abs=0.2)
    assert all(0 < guess["probability"] <= 1 for guess in first.rows[0][1])


def test_the_guesses_are_the_steps_own_and_the_update_is_what_changed():
    """Without dropout, over the complete batch: the mean of the losses is the step's."""
    loop.set_settings({**QUICK, "dropout": 0.0, "batch_size": 3, "steps": 3})
    found = []

    def watch(run):
        weights = {name: p.detach().clone() for name, p in run.kept["model"].named_parameters()}
        if found and "layers" not in found[-1]:
            found[-1].update(layers=after(run, found[-1]["before"]), now=weights, gradients={
                name: p.grad.detach().clone() for name, p in run.kept["model"].named_parameters()
            })  # fmt: skip
        found.append({"before": Before(run, watch=True), "was": weights})

    history, _, _ = trained(watch)
    logged = [entry[1] for entry in history if len(entry) == 2]
    for at, one in enumerate(found[:-1]):
        losses = [guess["loss"] for _, guesses in one["before"].rows for guess in guesses]
        assert sum(losses) / len(losses) == pytest.approx(logged[at], rel=1e-4)
        assert [layer["name"] for layer in one["layers"]] == ["tok_emb", "pos_emb", "blocks.0", "blocks.1", "norm_f"]
        for layer in one["layers"]:
            names = [name for name in one["was"] if layer_of(name) == layer["name"]]

            def norm(tensors):
                return math.sqrt(sum((x.float() ** 2).sum().item() for x in tensors))

            assert layer["weights"] == pytest.approx(norm(one["was"][n] for n in names), rel=1e-4)
            assert layer["gradient"] == pytest.approx(norm(one["gradients"][n] for n in names), rel=1e-4)
            moved = norm(one["now"][n] - one["was"][n] for n in names)
            assert layer["update"] == pytest.approx(moved, rel=1e-3) and moved > 0


def test_a_batch_that_the_code_draws_otherwise_is_noticed():
    seen = []

    def watch(run):
        if seen:
            seen.append(seen.pop().drew(run))
        else:
            before = Before(run)
            run.kept["data"].batch(2)  # as code that draws another batch would
            seen.append(before)
        if len(seen) == 1 and seen[0] in (True, False):
            raise KeyboardInterrupt

    loop.set_visitor(watch)
    with pytest.raises(KeyboardInterrupt):
        loop.run(train.train)
    assert seen == [False]
