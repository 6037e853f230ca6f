"""The number of threads: measured where nobody named one, and kept where somebody did."""

import pytest

from tinygpt import devices, loop, train
from tinygpt.devices import thread_choice
from tinygpt.devices.thread_choice import ThreadChoice, candidates, promising

pytestmark = pytest.mark.fast


class Machine:
    """A device on a machine of `cores`. step: (work of one thread, launches), in seconds; barrier:
    seconds of a launch whose threads do not all have a core.
    """

    def __init__(self, most, cores, barrier, step=(4e-3, 100), given=None):
        self.cores, self.barrier, self.step, self.threads = cores, barrier, step, 0
        self.pool, self.clock, self.steps, self.sampled = most, 0.0, [], 0
        self.choice = ThreadChoice(self, most, given)
        self.choice.name(None)

    def use_threads(self, n):
        self.pool = n
        return n

    def seconds(self, work, launches):
        late = self.barrier * (self.pool - self.cores) if self.pool > self.cores else 1e-6
        return work / min(self.pool, self.cores) + (launches * late if self.pool > 1 else 0)

    def train(self, seconds):
        due, end = 0.0, self.clock + seconds
        while self.clock < end:
            took = self.seconds(*self.step)
            self.clock += took
            self.steps.append((self.pool, took))
            if self.clock >= due:
                due = self.choice.look(self.clock, took)
        return self.threads


@pytest.fixture
def sample(monkeypatch):
    class Sample:
        def __init__(self, machine):
            self.machine = machine

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def time(self, threads):
            self.machine.use_threads(threads)
            took = self.machine.seconds(0.6e-3, thread_choice.LAUNCHES)
            self.machine.clock += took
            self.machine.sampled += 1
            return took

    monkeypatch.setattr(thread_choice, "Sample", Sample)


WEBKIT, V8 = 1e-3, 20e-6  # seconds of such a launch in the two engines


@pytest.mark.parametrize("barrier", [WEBKIT, V8])
@pytest.mark.parametrize("most, cores", [(4, 2), (8, 2), (8, 6), (16, 4), (3, 1), (2, 2), (16, 16), (1, 1)])
def test_training_finds_the_number_of_cores(sample, most, cores, barrier):
    machine = Machine(most, cores, barrier)
    machine.choice.at_start()
    assert machine.train(5) == cores


def test_a_hopeless_number_is_lowered_at_the_start_and_another_is_not(sample):
    webkit, v8, fine = Machine(4, 2, WEBKIT), Machine(4, 2, V8), Machine(4, 4, WEBKIT)
    for machine in (webkit, v8, fine):
        machine.choice.at_start()
    assert (webkit.threads, v8.threads, fine.threads) == (2, 4, 4) and fine.sampled == 2


def test_other_programs_come_and_go(sample):
    machine = Machine(2, 2, WEBKIT)
    assert machine.train(5) == 2
    machine.cores = 1
    assert machine.train(70) == 1
    machine.cores = 2
    assert machine.train(70) == 2


def test_where_all_is_well_no_step_is_made_with_another_number_and_looks_become_rare(sample):
    machine = Machine(4, 4, WEBKIT)
    machine.train(200)
    assert {n for n, _ in machine.steps} == {4}
    assert machine.sampled < 8 * 2 * len(candidates(4)) * (thread_choice.ROUNDS + 1)


def test_the_time_of_steps_decides_not_the_sample_alone(sample):
    machine = Machine(2, 1, V8, step=(4.0, 100))  # launches of 40 ms: the barriers do not matter
    machine.seconds = lambda work, launches: (
        work / machine.pool if work > 1 else Machine.seconds(machine, work, launches)
    )
    assert machine.train(100) == 2


@pytest.mark.parametrize("n", [1, 3, 8])
def test_a_named_number_is_kept(sample, n):
    machine = Machine(8, 2, WEBKIT, given=n)
    machine.choice.at_start()
    assert machine.train(5) == n and machine.sampled == 0
    assert machine.choice.name(5) == 5 and machine.train(5) == 5  # until another one is named
    assert machine.choice.name(None) == n and machine.train(5) == n


def test_after_a_named_number_the_measured_one_is_used_again(sample):
    machine = Machine(8, 2, WEBKIT)
    assert machine.train(20) == 2
    assert machine.choice.name(1) == 1 and machine.train(5) == 1
    assert machine.choice.name(None) == 2


def test_candidates_are_close_to_one_another():
    assert candidates(1) == [1] and candidates(2) == [2, 1] and candidates(4) == [4, 3, 2, 1]
    for most in range(2, 17):
        found = candidates(most)
        assert found[0] == most and found[-1] == 1 and found == sorted(set(found), reverse=True)
        assert all(2 * b >= a for a, b in zip(found, found[1:]) if a > 3)


def test_fewer_threads_are_tried_only_where_they_are_clearly_faster():
    assert promising(4, {4: 1.0, 2: 0.8, 1: 0.9}) is None
    assert promising(4, {4: 1.0, 2: 0.5, 1: 0.6}) == 2
    assert promising(4, {4: 9.0, 2: 0.5, 1: 0.45}) == 2
    assert promising(2, {4: 0.9, 2: 0.8, 1: 1.0}) == 4 and promising(2, {4: 9.0, 2: 0.8, 1: 1.0}) is None


def test_a_change_in_the_middle_of_a_run_changes_no_bit(native, messages, monkeypatch):
    """Every few steps of a run another number of threads: the losses are those of one thread."""

    def losses(numbers):
        messages.clear()

        def look(now, step_seconds):
            native.threads = native.use_threads(numbers[len(messages) % len(numbers)])
            return now

        monkeypatch.setattr(native, "look_at_threads", look)
        loop.set_settings(dict(preset="tiny", steps=12, eval_interval=0, sample_interval=0))
        loop.run(train.train)
        changed = {m["threads"] for m in messages if m["type"] == "device"}
        return [m["loss"] for m in messages if m["type"] == "step"], changed

    try:
        one, _ = losses([1])
        many, changed = losses([1, 4, 2, 3])
    finally:
        native.set_threads(None)
    assert one == many and len(one) == 12 and len(changed) > 1


def test_set_threads_without_a_number_returns_to_measuring(native):
    before = native.named_threads
    devices.set_threads(1)
    assert native.threads == 1 and native.named_threads == 1
    devices.set_threads(None)
    assert native.named_threads == before


def test_a_look_at_the_real_device_gives_back_its_memory(native):
    choice = ThreadChoice(native, 4, None)
    in_use, due = native.in_use(), 0.0
    for now in range(40):
        if now >= due:
            due = choice.look(now, 5e-3)
    assert native.in_use() == in_use and 1 <= choice.chosen <= 4
    native.set_threads(None)
