"""Pending reads: values arrive in order, and no step waits while few are under way. The loop and
generation build on them.
"""

import pytest

import tinygpt
from tests.fake_gpu import fake_gpu
from tinygpt import loop, train
from tinygpt.config import ModelConfig
from tinygpt.core.async_reads import PendingReads
from tinygpt.generate import decoder_of, generate

pytestmark = pytest.mark.fast

QUICK = {
    "preset": "tiny",
    "steps": 12,
    "eval_interval": 5,
    "sample_interval": 7,
    "eval_batches": 3,
    "sample_tokens": 40,
}


@pytest.fixture
def gpu():
    with fake_gpu() as device:
        yield device


def test_on_a_cpu_every_value_is_there_at_once(device):
    reads = PendingReads()
    assert reads.push(tinygpt.tensor(2.5), "a") == [("a", 2.5)]
    assert reads.push((tinygpt.tensor([3]), 4.0), "b") == [("b", (3, 4.0))]
    assert len(reads) == 0 and reads.drain() == []


def test_values_come_in_order_and_push_waits_only_for_the_third(gpu):
    reads = PendingReads(2)
    x = tinygpt.tensor(1.0)
    assert reads.push(x, 0) == [] and reads.push(x + 1.0, 1) == [] and gpu.waited == 0
    assert reads.push(x + 2.0, 2) == [(0, 1.0)] and len(reads) == 2
    assert reads.drain() == [(1, 2.0), (2, 3.0)]


def test_a_value_is_the_one_of_its_moment(gpu):
    reads, x = PendingReads(2), tinygpt.tensor(1.0)
    reads.push(x)
    x.fill_(9.0)
    assert reads.drain() == [(None, 1.0)]


def test_a_reading_inside_a_compiled_function_keeps_it_from_being_replayed(gpu):
    reads = PendingReads()

    @tinygpt.compile
    def f(x):
        reads.push(x.sum())
        return x * 2.0

    with pytest.warns(RuntimeWarning, match="requested inside it"):
        f(tinygpt.ones(3))
    assert f.refused


def test_more_than_one_element_is_refused():
    with pytest.raises(RuntimeError, match="3 elements"):
        PendingReads().push(tinygpt.ones(3))


def run_of(messages, device, **settings):
    messages.clear()
    tinygpt.set_device(device)
    loop.set_settings({**QUICK, "corpus": "stdlib", **settings})
    loop.run(train.train)
    return [{k: v for k, v in m.items() if k not in ("ms", "device", "build", "threads")} for m in messages]


def test_a_gpus_messages_are_the_cpus_in_the_same_order(gpu, messages):
    here = run_of(messages, "native")
    there = run_of(messages, "fake")
    text = lambda run: "".join(m["text"] for m in run if m["type"] == "sample")  # noqa: E731
    assert text(there) == text(here) and len(text(here)) > 20
    assert [m for m in there if m["type"] != "sample"] == [m for m in here if m["type"] != "sample"]


def test_a_loss_that_is_not_a_number_names_its_own_step(gpu, messages):
    def train(run):
        for i in run.steps(9):
            run.log(tinygpt.tensor(float("nan") if i == 4 else 1.0))

    with pytest.raises(loop.TrainingError, match="NaN at step 4"):
        loop.run(train)
    assert [m["step"] for m in messages if m["type"] == "step"] == [0, 1, 2, 3] and messages[-1]["reason"] == "diverged"


@pytest.mark.parametrize("last", [7, 8])
def test_a_bad_loss_at_the_end_is_not_lost(gpu, messages, last):
    def train(run):
        for i in run.steps(9):
            run.log(tinygpt.tensor(float("inf") if i == last else 1.0))

    with pytest.raises(loop.TrainingError, match="infinite at step %d" % last):
        loop.run(train)


@pytest.mark.parametrize("error, reason", [(KeyboardInterrupt, "stopped"), (NameError, "error")])
def test_a_stop_or_an_error_first_reports_the_steps_that_were_made(gpu, messages, error, reason):
    def train(run):
        for i in run.steps(9):
            if i == 6:
                raise error
            run.log(tinygpt.tensor(float(i)), grad_norm=tinygpt.tensor(2.0))

    with pytest.raises(error):
        loop.run(train)
    assert [(m["step"], m["loss"], m["grad_norm"]) for m in messages[:-1]] == [(i, float(i), 2.0) for i in range(6)]
    assert messages[-1] == {"type": "finish", "step": 6, "reason": reason}


def test_metrics_arrive_with_their_step_and_cost_no_wait(gpu, messages):
    def train(run):
        for i in run.steps(6):
            accuracy = tinygpt.tensor([i / 10]) if i != 3 else tinygpt.tensor(float("nan"))
            run.log(tinygpt.tensor(float(i)), accuracy=accuracy, scale=2 * i)
            waited.append(i - len([m for m in messages if m["type"] == "step"]) + 1)

    waited = []
    loop.run(train)
    found = [(m["step"], m["metrics"]["accuracy"], m["metrics"]["scale"]) for m in messages[:-1]]
    assert found == [(i, None if i == 3 else pytest.approx(i / 10), 2 * i) for i in range(6)]
    assert max(waited) == 2, "as many steps are under way as with the loss alone"


@pytest.mark.alone
def test_the_times_of_the_steps_add_up_to_the_time_that_passed(gpu, messages):
    import time

    def train(run):
        started = time.perf_counter()
        for _ in run.steps(9):
            time.sleep(0.01)
            run.log(tinygpt.tensor(1.0))
        run.took = (time.perf_counter() - started) * 1e3

    run = loop.run(train)
    assert sum(m["ms"] for m in messages[:-1]) == pytest.approx(run.took, rel=0.1)


def texts(model, n, **options):
    return list(generate(model, [1, 2, 3], n, seed=5, **options))


@pytest.mark.parametrize("n", [0, 1, 2, 9, 45])
def test_a_gpu_writes_the_same_text_without_waiting_for_each_token(gpu, n):
    config = ModelConfig(vocab_size=65, context=16, layers=1, d_model=16, heads=2)
    tinygpt.set_device("native")
    tinygpt.manual_seed(3)
    model = tinygpt.GPT(config)
    expected = texts(model, n)
    tinygpt.set_device("fake")
    model.to("fake")
    assert texts(model, n) == expected and len(expected) == n
    assert texts(model, n, temperature=0.0) == texts(model, n, temperature=0.0)


def test_the_first_token_comes_before_a_second_is_asked_for_and_then_eight_are_under_way(gpu):
    model = tinygpt.GPT(ModelConfig(vocab_size=65, context=64, layers=1, d_model=16, heads=2))
    gpu.looks = 10**9  # nothing arrives unless somebody waits
    text = generate(model, [1], 40)
    replays = []
    for _ in range(34):
        next(text)
        replays.append(gpu.replays)
    assert replays[0] == 0 and decoder_of(model).step.captures == 1
    # The prompt's one token was the recorded step. The second was waited for when eight more were
    # under way; each further costs a replay.
    assert replays[1:31] == list(range(9, 39)) and replays[31:] == [39] * 3


def test_two_texts_that_take_turns_on_a_gpu_are_what_each_is_alone(gpu):
    model = tinygpt.GPT(ModelConfig(vocab_size=65, context=16, layers=1, d_model=16, heads=2))
    alone = [list(generate(model, [k], 30, seed=k)) for k in (1, 2)]
    turns = list(zip(generate(model, [1], 30, seed=1), generate(model, [2], 30, seed=2)))
    assert [list(t) for t in zip(*turns)] == alone
