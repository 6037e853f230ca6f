"""Runs a training loop and reports on it: step boundaries, logging, evaluation, samples; changes of the device; a GPU that goes away.

The user's code is an ordinary function `train(run)`. `for step in run.steps(n)` is the step boundary; `run.log` and its neighbours send
messages, one JSON object each, to the sink that the host installed (the page's chart; natively a line on stdout). Objects made
through `run.keep` live in the Run and survive a stop or an error, so nothing is lost when the code is run on; they are also what moves
when the device changes, and what comes back from the host's copy when a GPU was lost.

A GPU's numbers arrive some steps later: the messages come in order, each with its own step.

Code changes while it runs: `run.replace(train)` at a step boundary leaves the running `train` and enters the new one, with what was learned
carried over (carry.py). A new version that fails gives way to the one before.

Message types: start, step, eval, sample_start, sample, sample_end, note, device, applied, reverted, finish.
"""

import json
import math
import sys
import time
import types
from dataclasses import fields, replace

from . import devices, room
from .config import PRESETS, WAYS, TrainConfig
from .devices.base import DeviceLost
from .ops import random
from .readings import Readings
from .state import get_device, no_grad, set_device

STEPS_UNDER_WAY = 2  # at most, on a device that works through a queue
COPY_SECONDS = 10.0  # at least, between two copies of the state of a device that may go away
COPY_SHARE = 0.02  # of the time, at most, for these copies
MOST_LOSSES = 3  # of the GPU in one run: then it stays on the CPU
PROVEN = 20  # steps after which a new version of the code is trusted, and the objects of the one before are let go

_EMPTY = types.CellType()  # a variable of a closure that has no value yet
_sink = None
_settings = {}
_wanted = None
_visitor = None
_resume = None
_collected = None  # a list while `collect` executes a source: what it would run goes there
current = None  # the Run of the last `run(train)`
running = 0  # Runs under way


class _Replaced(BaseException):
    """Leaves the running train() at a step boundary; no `except Exception` of the user's holds it."""

    def __init__(self, version):
        self.version = version


class Version:
    """Code that a run may go on with. train: its function. undo(): puts back what making it has changed (edited modules, say).

    tell(error, notes): called once, when it is known whether it runs: error is None or the exception, notes what did not carry over.
    describe(error): what the message about a failure says besides, {"line": ..., ...}.
    """

    def __init__(self, train, undo=lambda: None, tell=lambda error, notes: None, describe=lambda error: {}):
        self.train, self.undo, self._tell, self.describe = train, undo, tell, describe

    def tell(self, error, notes):
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(error, notes)


class _Before:
    """What a run goes back to when a new version fails: the version before and, until the new one is proven, its own objects."""

    def __init__(self, run):
        self.version = run.version
        self.kept, self.step, self.length = run.kept, run.step, len(run.history)
        self.random = random.default_generator.get_state()


def collect(execute):
    """The function that `execute()` would train with: its `loop.run(train)` is noted, not run. ValueError where there is none."""
    global _collected
    _collected = []
    try:
        execute()
        if not _collected:
            raise ValueError("the code ended without loop.run(train), so there is no loop to go on with")
        return _collected[-1]
    finally:
        _collected = None


class TrainingError(RuntimeError):
    """The run cannot go on; the sentence says why. The model and the optimizer keep their last values."""


def set_sink(function):
    """`function(json text)` receives every message from now on; None: print to stdout."""
    global _sink
    _sink = function


def set_settings(values):
    """What the host's inputs say: "preset", a name of config.WAYS, any TrainConfig field. They override what train() asks for."""
    known = {f.name for f in fields(TrainConfig)} | set(WAYS)
    for name, value in values.items():
        if name == "preset":
            if value not in PRESETS:
                raise ValueError("there is no preset %r; choose one of %s" % (value, ", ".join(PRESETS)))
        elif name not in known:
            raise ValueError("there is no setting %r; choose from preset, %s" % (name, ", ".join(sorted(known))))
    _settings.clear()
    _settings.update(values)


def configured(values, preset="small", loaded=None):
    """(name of the preset or None, ModelConfig, TrainConfig) that `values`, as in set_settings, make of a preset.

    loaded: (ModelConfig, TrainConfig or None) of a file that takes the preset's place, unless the values name one.
    """
    name = values.get("preset", preset)
    shape, config = PRESETS[name].model, PRESETS[name].train
    if loaded is not None:
        if "preset" not in values:
            shape = loaded[0]
            name = next((p.name for p in PRESETS.values() if p.model == shape), None)
        config = loaded[1] or config
    ways = {k: type(getattr(shape, k))(v) for k, v in values.items() if k in WAYS}
    return name, replace(shape, **ways), replace(config, **{k: v for k, v in values.items() if k not in ("preset", *WAYS)})


def set_wanted(function):
    """`function()` says which device the user has chosen since it was asked last, "webgpu:f16" for instance, or None. It is asked at every
    step boundary; None instead of a function: nobody asks.
    """
    global _wanted
    _wanted = function


def set_visitor(function):
    """`function(run)` is called at every step boundary: the host's turn to answer questions, to pause, to bring edited code."""
    global _visitor
    _visitor = function


def set_resume(run):
    """The next `run(train)` goes on with this Run; None: it begins a new one."""
    global _resume
    _resume = run


def choose_device(choice):
    """Makes `choice` the current device: "native", "webgpu", "webgpu:f16" (a name and a precision). Errors are sentences."""
    name, _, precision = choice.partition(":")
    device = devices.get(name)
    if getattr(device, "lost", False):
        device.reopen()
        random.forget(device)
    if precision and precision != getattr(device, "precision", "f32"):
        if not hasattr(device, "configure"):
            raise ValueError("%s computes in f32 only, not %s" % (name, precision))
        device.configure(precision=precision)
    return set_device(name)


def describe_device(device=None):
    """What the page's device line needs: {device, build, threads, precision}."""
    device = device or get_device()
    return dict(device=device.name, build=device.build, threads=device.threads, precision=getattr(device, "precision", "f32"))


class Run:
    """One run of a training loop. `kept`: what run.keep made; `step`: steps done; `compiled`: the step that run.log was told of."""

    def __init__(self, name="run"):
        self.name = name
        self.kept = {}
        self.step = 0
        self.total = 0
        self.history = []  # (step, train loss) and, for evaluations, (step, train loss or None, validation loss)
        self.preset = None
        self.compiled = None
        self._last = None
        self._readings = Readings(STEPS_UNDER_WAY)
        self._evaluation = None
        self._copy = None  # (moving.Copy, step, length of the history)
        self._copied_at = self._copy_seconds = 0.0
        self._random = None  # where the default stream goes on when train() is entered again
        self._losses = 0
        self.version = None  # the Version that runs
        self._carried = None  # what was kept before this version was entered, while it makes its own
        self._notes = []  # what did not carry over
        self._before = None  # _Before: where to go back to
        self._random_at_end = None
        self._entered = False  # a train() has come to its first step
        self.loaded = None  # (ModelConfig, TrainConfig or None) of the file that this run comes from
        self.train_config = None  # what settings() said last
        self.failure = None  # a TrainingError that was found while something else was asked; raised at the next boundary

    # ---- configuration and state ----

    def settings(self, preset="small"):
        """(ModelConfig, TrainConfig) of a preset, with what the page's inputs say taken over; room is made for that on the device.

        A run that comes from a file goes on with the file's own, unless the inputs say another preset.
        """
        self.preset, shape, self.train_config = configured(_settings, preset, self.loaded)
        self.preset = self.preset or self.name
        room.make(self, shape, self.train_config)
        return shape, self.train_config

    def keep(self, name, make):
        """The object called `name`, made by `make()` the first time this Run asks for it.

        Code that took over from other code makes its own, which take over what that had learned.
        """
        if name not in self.kept:
            made = make()
            if self._carried and name in self._carried:
                from . import carry

                made, notes = carry.over(self._carried[name], made, self._carried, self.kept)
                self._notes += notes
            elif self._from_file():
                self._notes.append("%s starts new: the file does not hold it" % name)
            self.kept[name] = made
        return self.kept[name]

    def _from_file(self):
        """Whether what a file held is being taken over now."""
        return self._carried is not None and self.loaded is not None and not self._entered

    def random_state(self):
        """Where the default random stream goes on: {"seed", "offset"}."""
        if self._random is not None:
            return self._random
        if not running and self._random_at_end is not None:
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
        self._arrive()

    def _boundary(self):
        """Between two steps: what may happen to the run from outside."""
        if self._carried is not None:
            self._arrive()
        if self._before is not None and self._before.kept is not None and self.step >= self._before.step + PROVEN:
            self.drain()  # a loss that is not finite speaks against it
            self._before.kept = None
        if _visitor is not None:
            _visitor(self)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        if _wanted is not None:
            choice = _wanted()
            if choice:
                self.to(choice)
        if get_device().volatile:
            self._keep_copy()

    # ---- versions of the code ----

    def replace(self, version):
        """Leaves the running code and enters `version`; to be called at a step boundary (by the visitor)."""
        self.drain()
        raise _Replaced(version)

    def _enter(self, version):
        """The next train() is `version`'s, with its own objects, which take over what these had learned."""
        self._before = _Before(self) if self.version is not None else None
        self._change_to(version)

    def _change_to(self, version):
        self.version, self._carried, self.kept, self._notes = version, self.kept, {}, []
        self._evaluation = self.compiled = None
        self._random = random.default_generator.get_state()

    def _arrive(self):
        """The code has come to its first step: it runs."""
        if self._carried is None:
            return
        from_file, self._entered = self._from_file(), True
        left = [name for name in self._carried if name not in self.kept]
        self._notes += ["%s is no longer kept" % name for name in left]
        self._carried = None
        self._copied_at = -math.inf  # the copy of before is of other objects
        self.version.tell(None, self._notes)
        if not from_file:
            self.send(type="applied", step=self.step, notes=self._notes)
        elif self._notes:
            self.note("From step %d on, not all is as it was: %s." % (self.step, "; ".join(self._notes)))

    def _go_back(self, error):
        """After an error in a new version: the one before goes on. False where there is none."""
        before = self._before
        if before is None:
            return False
        self._readings.clear()
        failed, arrived = self.version, self._carried is None
        failed.undo()
        self.version = before.version
        if before.kept is not None:
            self.kept, self.step, self._random = before.kept, before.step, before.random
            del self.history[before.length :]
            self._carried, self._evaluation, self.compiled = None, None, None
        else:  # the version before has to make its objects again, from what these have learned
            self._change_to(before.version)
        self._before = None
        failed.tell(error, self._notes)
        about = {"error": _first_upper(error), **failed.describe(error)}
        self.send(type="reverted", step=self.step, arrived=arrived, **about)
        return True

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
            self.note("Training stays %s: %s" % (_named(before), error))
            self.send(type="device", **describe_device())
            return before
        if describe_device() != facts:
            self._copy = self._copy if device.volatile else None
            self.send(type="device", **describe_device(device))
            self.note("Training goes on %s from step %d." % (_named(device), self.step))
        self._exclude(started)
        return device

    def _closed_over(self):
        """What the step works with besides what is kept: a model that train() made without run.keep, for instance."""
        function = getattr(self.compiled, "function", None)
        cells = getattr(function, "__closure__", None) or ()
        return [cell.cell_contents for cell in cells if cell != _EMPTY]

    def _keep_copy(self):
        """Every now and then the state goes to the host's memory, so that a lost GPU costs seconds and not the run."""
        from .moving import Copy

        if self._copy is not None or self._copy_seconds == math.inf:
            age = time.perf_counter() - self._copied_at
            if age < COPY_SECONDS or age < self._copy_seconds / COPY_SHARE:
                return
        self.drain()  # a loss that is not finite ends the run here: only a good state is kept
        started = time.perf_counter()
        try:
            copy = Copy(self.kept, before=self._copy[0] if self._copy else None)
        except MemoryError:
            self._copy_seconds = math.inf
            since = "step %d" % self._copy[1] if self._copy else "the start"
            self.note("There is no room for a copy of the model outside the GPU: if the GPU is lost, so are the steps since %s." % since)
            return
        self._copy = copy, self.step, len(self.history)
        self._copied_at = time.perf_counter()
        self._copy_seconds = self._copied_at - started
        self._exclude(started)

    def _recover(self, error):
        """After a loss of the device, or of its memory: back to the last copy, on that device or else on the CPU."""
        self._readings.clear()
        self._evaluation = None
        self._losses += 1
        lost_at, device = self.step, get_device()
        random.forget(device)
        if isinstance(error, MemoryError):
            what, device = "The GPU's memory did not suffice at step %d (%s)" % (lost_at, _bare(error)), _cpu()
        else:
            what = "%s at step %d" % (_first_upper(error), lost_at)
            if self._losses >= MOST_LOSSES:
                what += ", for the %s time in this run" % {2: "second", 3: "third"}.get(self._losses, "%dth" % self._losses)
                device = _cpu()
            else:
                try:
                    device.reopen()
                except RuntimeError as gone:
                    what += ", and it did not come back (%s)" % _bare(gone)
                    device = _cpu()
        set_device(device.name)
        if self._copy is None or not self._copy[0].nbytes:  # nothing that was trained is kept: from the start
            self.kept.clear()
            self.step = 0
            self.history.clear()
        else:
            copy, self.step, length = self._copy
            copy.restore(device)
            del self.history[length:]
            self._random = copy.random
        if not device.volatile:
            self._copy = None
        self.note("%s; training goes on from step %d %s." % (what, self.step, _named(device)))
        self.send(type="device", **describe_device(device))

    # ---- reports ----

    def start(self, model, config, tokenizer=None):
        """Announces the run: what is trained, on what."""
        self.send(
            type="start",
            name=self.name,
            preset=self.preset,
            parameters=model.num_parameters(),
            steps=config.steps,
            batch_tokens=config.batch_size * model.config.context,
            vocab_size=model.config.vocab_size,
            step=self.step,
            corpus=getattr(self.kept.get("data"), "corpus", None),
            goes_on=self.version is not None and (self._carried is not None or self.step > 0),
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
            self.history.append((message["step"], loss))
            self.send(**message)

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
        self.history.append((self.step, None, loss))
        self.send(type="eval", step=self.step, val_loss=loss)
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
        self.send(type="sample_end")
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
        if _sink is not None:
            _sink(json.dumps(message))
        else:
            _print(message, self)


def _print(message, run):
    kind = message["type"]
    if kind == "start":
        print(
            "%s: %.2f M parameters on %s (%s, %d threads), %d steps"
            % (message["preset"], message["parameters"] / 1e6, message["device"], message["build"], message["threads"], message["steps"])
        )
    elif kind == "step" and (message["step"] % 10 == 0 or message["step"] == run.total - 1):
        print("step %d  loss %.4f  %.1f ms" % (message["step"], message["loss"], message["ms"]))
    elif kind == "eval":
        print("step %d  validation loss %.4f" % (message["step"], message["val_loss"]))
    elif kind == "device":
        print("now on %(device)s (%(build)s, %(threads)d threads)" % message)
    elif kind in ("sample", "note"):
        sys.stdout.write(message["text"] + ("" if kind == "sample" else "\n"))
    elif kind == "sample_end":
        print()
    sys.stdout.flush()


def run(train, name="run", resume=None):
    """Runs `train(run)` with a fresh Run (or `resume`, a Run to go on with) and returns the Run.

    It is `tinygpt.loop.current` meanwhile and after. When the device is lost, or its memory does not suffice, `train(run)` is entered again
    with what is kept as it was at the last copy, and goes on from there. A `resume` that another function made goes on with this one, which
    makes its own objects and takes over what those had learned.
    """
    global current, running, _resume
    if _collected is not None:
        _collected.append(train)
        return None
    resume, _resume = resume or _resume, None
    current = this = resume or Run(name)
    if this.version is None or not this.kept:
        this.version = Version(train)
    elif this.version.train is not train:
        stream = this._random_at_end
        this._change_to(Version(train))
        this._random = stream
    this._before = None
    reason = "error"
    running += 1
    try:
        while not _done(this):
            pass
        reason = "done"
    except KeyboardInterrupt:
        reason = "stopped"
        raise
    finally:
        running -= 1
        try:
            this.drain()
        except TrainingError as error:
            this.note(str(error))
        except (KeyboardInterrupt, Exception):  # a second Stop, or a device that cannot tell any more: the first error is on its way
            this._readings.clear()
        this._random_at_end = this._random or random.default_generator.get_state()  # the first: it did not come to its first step
        if this._carried is not None:  # ended before the new code had made everything: what was learned stays, for the next to take over
            this.kept, this._carried, this.version = this._carried, None, Version(None)
        this.send(type="finish", step=this.step, reason=reason)
    return this


def _done(this):
    """Runs the version's train() to its end (True), or to a loss of the device, or a change of the code, that the run survives (False)."""
    try:
        this.version.train(this)
        this.drain()
        this._arrive()
        return True
    except _Replaced as replaced:
        version = replaced.version
    except (DeviceLost, MemoryError) as error:
        version = None
        unproven = this._before is not None and this._before.kept is not None
        if isinstance(error, MemoryError) and unproven:  # the version before had room
            this._go_back(_bared(error))
            return False
        if not get_device().volatile:
            raise
        lost = _bared(error)
        if this._carried is not None:
            this._go_back(lost)
        elif unproven:
            this._before.kept = None  # gone with the device
    except Exception as error:
        if not this._go_back(error):
            raise
        return False
    if version is not None:
        this._enter(version)
    else:
        this._recover(lost)
    return False


def _bared(error):
    """The error without its frames, which hold what was on the device."""
    error = error.with_traceback(None)
    error.__context__ = error.__cause__ = None
    return error


def _cpu():
    """The CPU device of this host."""
    return devices.get("wasm" if sys.platform == "emscripten" else "native")


def _named(device):
    """As in "training goes on ... on the GPU (...)"."""
    if device.volatile:
        return "on the GPU (%s)" % device.build
    return "on the CPU (%s, %s)" % (device.build, "1 thread" if device.threads == 1 else "%d threads" % device.threads)


def _bare(error):
    return str(error).rstrip(". ")


def _first_upper(error):
    text = _bare(error)
    return text[:1].upper() + text[1:]
