"""One run of a training loop, as its train(run) sees it: settings, what is kept, step boundaries, the device, reports.

`for step in run.steps(n)` is the step boundary; `run.log` and its neighbours send messages, one JSON object each, to the sink that the
host installed (the page's chart; natively a line on stdout). Objects made through `run.keep` live in the Run and survive a stop or an
error, so nothing is lost when the code is run on; they are also what moves when the device changes, and what comes back from the host's
copy when a GPU was lost.

A GPU's numbers arrive some steps later: the messages come in order, each with its own step.

Message types: start, step, eval, sample_start, sample, sample_end, note, device, applied, reverted, finish.
"""

import bisect
import math
import time
import types

from . import host, room
from .device_choice import choose_device, describe_device, named
from .devices.base import DeviceLost
from .ops import random
from .readings import Readings
from .recovery import Recovery
from .state import get_device, no_grad, set_device
from .versions import Replaced, Versions

EXACT = 50_000  # entries of the history: beyond that every fourth loss of its older half stays, and every evaluation
STEPS_UNDER_WAY = 2  # at most, on a device that works through a queue

_EMPTY = types.CellType()  # a variable of a closure that has no value yet


class TrainingError(RuntimeError):
    """The run cannot go on; the sentence says why. The model and the optimizer keep their last values."""


class Run:
    """One run of a training loop. `kept`: what run.keep made; `step`: steps done; `compiled`: the step that run.log was told of."""

    def __init__(self, name="run"):
        self.name = name
        self.kept = {}
        self.step = 0
        self.total = 0
        self.history = []  # by step: (step, train loss) and, for evaluations, (step, train loss or None, validation loss)
        self.preset = None
        self.compiled = None
        self._last = None
        self._readings = Readings(STEPS_UNDER_WAY)
        self._evaluation = None
        self._random = None  # where the default stream goes on when train() is entered again
        self._random_at_end = None  # where it was when the run ended; None while it goes on
        self.versions = Versions()
        self.recovery = Recovery()
        self.loaded = None  # (ModelConfig, TrainConfig or None) of the file that this run comes from
        self.train_config = None  # what settings() said last
        self.failure = None  # a TrainingError that was found while something else was asked; raised at the next boundary

    # ---- configuration and state ----

    def settings(self, preset="small"):
        """(ModelConfig, TrainConfig) of a preset, with what the page's inputs say taken over; room is made for that on the device.

        A run that comes from a file goes on with the file's own, unless the inputs say another preset.
        """
        self.preset, shape, self.train_config = host.configured(host.settings, preset, self.loaded)
        self.preset = self.preset or self.name
        room.make(self, shape, self.train_config)
        return shape, self.train_config

    def keep(self, name, make):
        """The object called `name`, made by `make()` the first time this Run asks for it.

        Code that took over from other code makes its own, which take over what that had learned.
        """
        if name not in self.kept:
            self.kept[name] = self.versions.over(self, name, make())
        return self.kept[name]

    def random_state(self):
        """Where the default random stream goes on: {"seed", "offset"}."""
        if self._random is not None:
            return self._random
        if self._random_at_end is not None:
            return self._random_at_end
        return random.default_generator.get_state()

    # ---- the step boundary ----

    def steps(self, total):
        """Yields the numbers of the steps still to do, up to `total`; between two of them the run may stop."""
        self.total = total
        if self._random is not None:
            random.default_generator.set_state(self._random)
            self._random = None
        self._last = time.perf_counter()
        while self.step < total:
            self._boundary()
            yield self.step
            self.step += 1
        self.drain()
        self.versions.arrive(self)

    def _boundary(self):
        """Between two steps: what may happen to the run from outside."""
        self.versions.arrive(self)
        self.versions.trust(self)
        if host.visitor is not None:
            host.visitor(self)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        if host.wanted is not None:
            choice = host.wanted()
            if choice:
                self.to(choice)
        if get_device().volatile:
            self.recovery.keep_copy(self)

    def replace(self, version):
        """Leaves the running code and enters `version`; to be called at a step boundary (by the visitor)."""
        self.drain()
        raise Replaced(version)

    # ---- devices ----

    def to(self, choice):
        """Goes on with "webgpu", "native", "webgpu:f16", ...: all that is kept moves there, bit by bit. Where it cannot, a note says so."""
        from .moving import move

        started = time.perf_counter()
        before = get_device()
        facts = describe_device()
        self.drain()
        try:
            device = choose_device(choice)
            move(device, self.kept, *self._closed_over())
        except (RuntimeError, ValueError, MemoryError) as error:
            if isinstance(error, DeviceLost) and before.volatile:
                raise  # not the new one: the loss is dealt with where the run was
            set_device(before.name)
            self.note("Training stays %s: %s" % (named(before), error))
            self.send(type="device", **describe_device())
            return before
        if describe_device() != facts:
            if not device.volatile:
                self.recovery.copy = None
            self.send(type="device", **describe_device(device))
            self.note("Training goes on %s from step %d." % (named(device), self.step))
        self._exclude(started)
        return device

    def _closed_over(self):
        """What the step works with besides what is kept: a model that train() made without run.keep, for instance."""
        function = getattr(self.compiled, "function", None)
        cells = getattr(function, "__closure__", None) or ()
        return [cell.cell_contents for cell in cells if cell != _EMPTY]

    # ---- reports ----

    def start(self, model, config, tokenizer=None):
        """Announces the run: what is trained, on what."""
        self.send(
            type="start",
            name=self.name,
            preset=self.preset,
            parameters=model.num_parameters(),
            steps=config.steps,
            eval_interval=config.eval_interval,
            sample_interval=config.sample_interval,
            batch_tokens=config.batch_size * model.config.context,
            vocab_size=model.config.vocab_size,
            step=self.step,
            corpus=getattr(self.kept.get("data"), "corpus", None),
            goes_on=self.versions.current is not None and (self.versions.carried is not None or self.step > 0),
            **describe_device(),
        )

    def log(self, loss, lr=None, grad_norm=None, program=None):
        """Reports a step. loss: a number or 0-d tensor. Raises TrainingError when it is not finite; on a GPU, a step or two later."""
        now = time.perf_counter()
        ms, self._last = (now - self._last) * 1e3, now
        message = dict(type="step", step=self.step, loss=None, lr=lr, ms=ms)
        if program is not None:
            self.compiled = program
            if program.program is not None:
                message["planned_bytes"] = program.program.planned_bytes
        self._report(self._readings.push((loss, 0.0 if grad_norm is None else grad_norm), (message, grad_norm is not None)))

    def drain(self):
        """Waits for the numbers that are still on their way from the device and reports them."""
        while self._readings:
            self._report([self._readings.pop()])

    def _report(self, arrived):
        for (message, with_norm), (loss, norm) in arrived:
            loss = message["loss"] = float(loss)
            if not math.isfinite(loss):
                self._readings.clear()  # what follows is no better
                raise TrainingError(
                    "the loss became %s at step %d: lower the learning rate, or check what changed; "
                    "the model keeps its last values" % ("NaN" if loss != loss else "infinite", message["step"])
                )
            if with_norm:
                message["grad_norm"] = float(norm)
            self._record((message["step"], loss))
            self.send(**message)

    def _record(self, entry):
        if len(self.history) >= EXACT:
            half = len(self.history) // 2
            self.history[:half] = [old for i, old in enumerate(self.history[:half]) if i % 4 == 0 or len(old) == 3]
        self.history.append(entry)

    def forget_from(self, step):
        """What was noted of the steps from this one on never happened: the run goes back to it."""
        del self.history[bisect.bisect_left(self.history, step, key=lambda entry: entry[0]) :]

    def evaluate(self, model, dataset, config):
        """The validation loss over config.eval_batches batches of the validation stream: reported and returned."""
        from .compiled import compile
        from .generate import evaluating

        self.drain()
        started = time.perf_counter()
        about = (model, dataset, config.batch_size)
        if self._evaluation is None or self._evaluation[0] != about:
            self._evaluation = about, compile(lambda: model.loss(*dataset.batch(config.batch_size, "validation")))
        one_batch = self._evaluation[1]
        readings, losses = Readings(STEPS_UNDER_WAY), []
        with no_grad(), evaluating(model):
            for _ in range(config.eval_batches):
                losses += readings.push(one_batch())
            losses += readings.drain()
        total = 0.0
        for _, value in losses:
            total += value
        loss = total / config.eval_batches
        self._record((self.step, None, loss))
        self.send(type="eval", step=self.step, val_loss=loss, ms=(time.perf_counter() - started) * 1e3)
        self._exclude(started)
        return loss

    def sample(self, model, tokenizer, config, prompt="\n"):
        """Streams a sample text of config.sample_tokens tokens to the sink, piece by piece."""
        from .generate import stream_text

        self.drain()
        started = time.perf_counter()
        self.send(type="sample_start", step=self.step)
        for piece in stream_text(
            model, tokenizer, prompt, config.sample_tokens, temperature=config.temperature, top_k=config.top_k, top_p=config.top_p
        ):
            self.send(type="sample", text=piece)
        self.send(type="sample_end", ms=(time.perf_counter() - started) * 1e3)
        self._exclude(started)

    def note(self, text):
        """A sentence for the user."""
        self.send(type="note", text=text)

    def due(self, interval):
        """True at step 0, at each multiple of `interval`, and at the last step; False when interval is 0."""
        return bool(interval) and (self.step % interval == 0 or self.step == self.total - 1)

    def _exclude(self, started):
        """Time since `started` does not count as the step's."""
        if self._last is not None:
            self._last += time.perf_counter() - started

    def send(self, **message):
        host.send(self, message)
