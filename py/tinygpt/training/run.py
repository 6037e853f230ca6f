"""One run of a training loop, as its train(run) sees it: settings, kept objects, step boundaries,
the device, reports.

`for step in run.steps(n)` is the step boundary; `run.log` and its neighbours send messages, one
JSON object each, to the sink that the host installed (the page's chart; natively a line on stdout).
Objects made through `run.keep` survive a stop or an error, so nothing is lost when the run resumes;
they are also what moves when the device changes, and what the copy in host memory restores when a
GPU was lost. The state itself is in run_state.py.

A GPU's numbers arrive some steps later: the messages come in order, each with its own step.

Message types: start, adjusted, step, eval, sample_start, sample, sample_end, note, device, applied,
reverted, finish.
"""

from __future__ import annotations

import math
import time
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ..core.async_reads import PendingReads
from ..core.compile import compile
from ..core.current_device import get_device, set_device
from ..core.state import no_grad
from ..core.transfer import move
from ..devices.base import DeviceLost
from ..generate import NonFiniteLogits, evaluating, stream_text
from . import hooks, hot_reload, live_settings, memory_reserve, metrics, overwritten_rate
from .device_recovery import Recovery
from .device_selection import choose_device, describe_device, named
from .run_state import RunState

if TYPE_CHECKING:
    from ..config import ModelConfig, TrainConfig
    from ..core.compile import Compiled
    from ..core.tensor import Tensor
    from ..data import Dataset
    from ..devices.base import Device
    from ..model import GPT
    from .hot_reload import Version

QUEUED_STEPS = 2  # at most, on a device that works through a queue

Kept = TypeVar("Kept")
_EMPTY = types.CellType()  # a variable of a closure that has no value yet


class TrainingError(RuntimeError):
    """The run ends; the sentence says why. Model and optimizer keep their last values."""


class Run:
    """One run of a training loop: what `train(run)` works with.

    name: of the run. state: a RunState, which has all that survives a stop. total: steps that
    `steps` was asked for. preset, train_config: what `settings` said last.
    """

    tokenizer: Any  # of the file that a run was restored from
    _encoded: tuple[int, Any, list[str]]  # the history as JSON so far (run_checkpoint.py)

    def __init__(self, name: str = "run") -> None:
        self.name = name
        self.state = RunState()
        self.recovery = Recovery()
        self.total = 0
        self.preset: str | None = None
        self.train_config: TrainConfig | None = None
        self.loop_config: TrainConfig | None = None  # that `start` was given: train() may have replaced fields
        self._base = "small"  # the preset that train() asked for
        # What differs from the settings before train() was entered again; reported after `start`.
        self._changes: live_settings.Changes = {}
        self.tokenizer: Any = None  # of the file that the run comes from
        # A TrainingError found while a request was answered; raised at the next step boundary.
        self.failure: TrainingError | None = None
        self._made_rates: overwritten_rate.Rates = {}  # of optimizers whose first step is to come
        self._hinted: set[float] = set()
        self._metric_names: set[str] = set()  # that log was given so far
        self._reads = PendingReads(QUEUED_STEPS)
        # What log was given last. A Stop may come before it is among the reads.
        self._logged: tuple[Any, Any] | None = None
        self._last: float | None = None  # when the step began
        self._ms = 0.0  # that the last step took
        self._look = 0.0  # from when on a step's beginning is a time for the device to look at its threads

    @property
    def kept(self) -> dict[str, Any]:
        """The objects that `keep` made, by name."""
        return self.state.kept

    @property
    def step(self) -> int:
        """Steps done."""
        return self.state.step

    @property
    def history(self) -> list[Any]:
        """By step: (step, train loss), and for an evaluation (step, None, validation loss)."""
        return self.state.history

    @property
    def loaded(self) -> tuple[ModelConfig, TrainConfig | None] | None:
        """(ModelConfig, TrainConfig or None) of the file that this run comes from."""
        return self.state.loaded

    @property
    def compiled(self) -> Compiled | None:
        """The compiled step that `log` was given last."""
        return self.state.compiled

    # ---- configuration and state ----

    def settings(self, preset: str = "small", **shape: Any) -> tuple[ModelConfig, TrainConfig]:
        """(ModelConfig, TrainConfig) of a preset, with what the page's inputs say. Memory for that
        is reserved on the device.

        shape: fields of ModelConfig that the model has otherwise than the preset: layers=6, say.
        heads without kv_heads are as many of both. TypeError for an unknown field, ValueError for a
        value that it does not take.
        A run that comes from a file continues with the file's own, unless the inputs name another
        preset.
        """
        before = self.train_config or (self.loaded and self.loaded[1])
        found = hooks.configured(hooks.settings, preset, self.loaded, shape)
        self.preset, config, self.train_config = found
        self.preset, self._base = self.preset or ("custom" if shape else self.name), preset
        self._changes = live_settings.changes_between(before or None, self.train_config) if self.step else {}
        self.loop_config = None
        memory_reserve.make(self, config, self.train_config)
        return config, self.train_config

    def adjust(self, values: dict[str, Any]) -> None:
        """What the host's inputs say now, as in set_settings: the fields of config.LIVE apply from
        the next step on, and a message says which. To be called at a step boundary. ValueError, and
        nothing has changed.
        """
        _, _, wanted = hooks.configured(values, self._base, self.loaded)
        hooks.set_settings(values)
        live_settings.apply(self, wanted)

    def keep(self, name: str, make: Callable[[], Kept]) -> Kept:
        """The object called `name`, made by `make()` the first time this Run asks for it.

        Edited code makes its own, which take over what their predecessors have learned.
        """

        def noted() -> Kept:
            made = make()
            self._made_rates[name] = overwritten_rate.made(made)
            return made

        return self.state.keep(name, noted)

    def random_state(self) -> dict[str, int]:
        """Where the default random stream resumes: {"seed", "offset"}."""
        return self.state.random_position()

    # ---- the step boundary ----

    def steps(self, total: int) -> Iterator[int]:
        """Yields the numbers of the steps still to do, up to `total` or what `adjust` made of it;
        between two of them the run may stop.
        """
        self.total = total
        self.state.resume_stream()
        self._last = time.perf_counter()
        while self.step < self.total:
            self._boundary()
            if self.step >= self.total:
                break  # it was lowered
            yield self.step
            self.state.finish_step()
        self.drain()
        hot_reload.first_step(self)

    def _boundary(self) -> None:
        """Between two steps: what may happen to the run from outside."""
        hot_reload.first_step(self)
        hot_reload.prove(self)
        if hooks.visitor is not None:
            hooks.visitor(self)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        if hooks.wanted is not None:
            choice = hooks.wanted()
            if choice:
                self.to(choice)
        device = get_device()
        if device.volatile:
            self.recovery.keep_copy(self)
        elif self._ms and self._last is not None and self._last >= self._look:
            self._look_at_threads(device)

    def _look_at_threads(self, device: Device) -> None:
        started, before = time.perf_counter(), device.threads
        self._look = device.look_at_threads(started, self._ms / 1e3)
        if device.threads != before:
            self.send(type="device", **describe_device(device))
        self.exclude_time(started)

    def replace(self, version: Version) -> None:
        """Leaves the running code for `version`; to be called at a step boundary."""
        self.drain()
        raise hot_reload.CodeSwap(version)

    # ---- devices ----

    def to(self, choice: str) -> Device:
        """Continues on "webgpu", "native", "webgpu:f16", ...: all that is kept moves there, bit by
        bit. Where it cannot, a note says so.
        """
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
                self.state.host_copy = None
            self.send(type="device", **describe_device(device))
            self.note("Training continues %s from step %d." % (named(device), self.step))
        self.exclude_time(started)
        return device

    def _closed_over(self) -> list[Any]:
        """What the step works with besides what is kept: a model that train() made without
        run.keep, for instance.
        """
        function = getattr(self.state.compiled, "function", None)
        cells = getattr(function, "__closure__", None) or ()
        return [cell.cell_contents for cell in cells if cell != _EMPTY]

    # ---- reports ----

    def start(self, model: GPT, config: TrainConfig, tokenizer: Any = None) -> None:
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
            train=config.to_dict(),
            vocab_size=model.config.vocab_size,
            step=self.step,
            corpus=getattr(self.kept.get("data"), "corpus", None),
            goes_on=self.state.version is not None and (self.state.transferring is not None or self.step > 0),
            **describe_device(),
        )
        self.loop_config = config
        if self._changes:
            live_settings.report(self, self._changes)
            self._changes = {}

    def log(
        self,
        loss: float | Tensor,
        lr: float | None = None,
        grad_norm: float | Tensor | None = None,
        program: Compiled | None = None,
        **more: float | Tensor,
    ) -> None:
        """Reports a step.

        loss, grad_norm: numbers or 0-d float32 tensors. lr: the learning rate of this step.
        program: the compiled step. more: metrics of one's own by name, numbers or tensors of one
        element, which the page draws; at most 16 names a run. Raises TrainingError when the loss is
        not finite; on a GPU, a step or two later. ValueError, TypeError for a wrong metric.
        """
        if self._last is None:
            raise RuntimeError("run.log was called outside of the loop over run.steps(n)")
        metrics.check_number("the loss", loss)
        if grad_norm is not None:
            metrics.check_number("grad_norm", grad_norm)
        if more:
            metrics.check(more, self._metric_names)
        now = time.perf_counter()
        ms, self._last = (now - self._last) * 1e3, now
        self._ms = ms
        message = dict(type="step", step=self.step, loss=None, lr=lr, ms=ms)
        if program is not None:
            self.state.compiled = program
            if program.program is not None:
                message["planned_bytes"] = program.program.planned_bytes
        if self._made_rates:
            self._look_at_rates()
        values = (loss, 0.0 if grad_norm is None else grad_norm, *more.values())
        self._logged = values, (message, grad_norm is not None, tuple(more))
        self.state.logged_step = self.step
        self._report()

    def _look_at_rates(self) -> None:
        """After an optimizer's first step: a note where the schedule overwrote its rate."""
        config = self.loop_config or self.train_config
        found = overwritten_rate.hint(self._made_rates, self.kept, config and config.lr)
        self._made_rates = {}
        if found is not None and found[0] not in self._hinted:
            self._hinted.add(found[0])
            self.note(found[1])

    def drain(self) -> None:
        """Waits for the reads that are pending on the device and reports them."""
        self._report(wait=True)

    def _report(self, wait: bool = False) -> None:
        """Reports what has arrived, or waits for all of it. A Stop may interrupt it anywhere: an
        entry stays where the next call finds it until it is reported.
        """
        if self._logged is not None:
            values, payload = self._logged
            if self.state.reported and payload[0]["loss"] is None and payload not in self._reads:
                self._reads.add(values, payload)
            self._logged = None
        while self._reads and (wait or self._reads.due):
            (message, with_norm, names), (loss, norm, *more) = self._reads.first()
            loss = message["loss"] = float(loss)
            if not math.isfinite(loss):
                self._reads.clear()  # what follows is no better
                self.state.logged_step = None
                raise TrainingError(
                    "the loss became %s at step %d: lower the learning rate, or check what changed; "
                    "the model keeps its last values" % ("NaN" if loss != loss else "infinite", message["step"])
                )
            if with_norm:
                message["grad_norm"] = float(norm)
            if names:
                message["metrics"] = metrics.reported(names, tuple(more))
            self.state.record((message["step"], loss))
            self.send(**message)
            self._reads.drop()

    def discard_reads(self) -> None:
        """Drops the numbers on their way: they belong to steps that the run returns from."""
        self._logged = None
        self._reads.clear()

    def evaluate(self, model: GPT, dataset: Dataset, config: TrainConfig) -> float:
        """The validation loss over config.eval_batches batches, in nats per token: reported and
        returned.
        """
        self.drain()
        started = time.perf_counter()
        about = (model, dataset, config.batch_size)
        if self.state.evaluation is None or self.state.evaluation[0] != about:
            self.state.evaluation = about, compile(lambda: model.loss(*dataset.batch(config.batch_size, "validation")))
        one_batch = self.state.evaluation[1]
        reads, losses = PendingReads(QUEUED_STEPS), []
        with no_grad(), evaluating(model):
            for _ in range(config.eval_batches):
                losses += reads.push(one_batch())
            losses += reads.drain()
        total = 0.0
        for _, value in losses:
            total += value
        loss = total / config.eval_batches
        self.state.record((self.step, None, loss))
        self.send(type="eval", step=self.step, val_loss=loss, ms=(time.perf_counter() - started) * 1e3)
        self.exclude_time(started)
        return loss

    def sample(self, model: GPT, tokenizer: Any, config: TrainConfig, prompt: str = "\n") -> None:
        """Streams a sample text of config.sample_tokens tokens to the sink, piece by piece.
        TrainingError where the model's logits are not finite.
        """
        self.drain()
        started = time.perf_counter()
        self.send(type="sample_start", step=self.step)
        try:
            for piece in stream_text(
                model,
                tokenizer,
                prompt,
                config.sample_tokens,
                temperature=config.temperature,
                top_k=config.top_k,
                top_p=config.top_p,
            ):
                self.send(type="sample", text=piece)
        except NonFiniteLogits as error:
            raise TrainingError(str(error)) from None
        self.send(type="sample_end", ms=(time.perf_counter() - started) * 1e3)
        self.exclude_time(started)

    def note(self, text: str) -> None:
        """A sentence for the user."""
        self.send(type="note", text=text)

    def due(self, interval: int) -> bool:
        """True at step 0, at each multiple of `interval`, and at the last step; False when interval
        is 0.
        """
        return bool(interval) and (self.step % interval == 0 or self.step == self.total - 1)

    def exclude_time(self, started: float) -> None:
        """Time since `started` does not count as the step's."""
        if self._last is not None:
            self._last += time.perf_counter() - started

    def send(self, **message: Any) -> None:
        """Sends one message, a dict of JSON values, to the host of the loop."""
        hooks.send(self, message)
