"""Runs a training loop and reports on it: step boundaries, logging, evaluation, samples.

The user's code is an ordinary function `train(run)`. `for step in run.steps(n)` is the step boundary; `run.log` and its neighbours send
messages, one JSON object each, to the sink that the host installed (the page's chart; natively a line on stdout). Objects made
through `run.keep` live in the Run and survive a stop or an error, so nothing is lost when the code is run on.

Message types: start, step, eval, sample_start, sample, sample_end, note, finish.
"""

import json
import math
import sys
import time
from dataclasses import fields, replace

from .config import PRESETS, TrainConfig
from .state import get_device, no_grad

_sink = None
_settings = {}
current = None  # the Run of the last `run(train)`


class TrainingError(RuntimeError):
    """The run cannot go on; the sentence says why. The model and the optimizer keep their last values."""


def set_sink(function):
    """`function(json text)` receives every message from now on; None: print to stdout."""
    global _sink
    _sink = function


def set_settings(values):
    """What the host's inputs say: "preset" and any TrainConfig field. They override the defaults that train() asks for."""
    known = {f.name for f in fields(TrainConfig)}
    for name, value in values.items():
        if name == "preset":
            if value not in PRESETS:
                raise ValueError("there is no preset %r; choose one of %s" % (value, ", ".join(PRESETS)))
        elif name not in known:
            raise ValueError("there is no setting %r; choose from preset, %s" % (name, ", ".join(sorted(known))))
    _settings.clear()
    _settings.update(values)


class Run:
    """One run of a training loop. `kept`: what run.keep made; `step`: steps done."""

    def __init__(self, name="run"):
        self.name = name
        self.kept = {}
        self.step = 0
        self.total = 0
        self.history = []  # (step, train loss) and, for evaluations, (step, train loss or None, validation loss)
        self.preset = None
        self._last = None
        self._best = math.inf

    # ---- configuration and state ----

    def settings(self, preset="small"):
        """(ModelConfig, TrainConfig) of a preset, with what the page's inputs say taken over."""
        self.preset = _settings.get("preset", preset)
        chosen = PRESETS[self.preset]
        return chosen.model, replace(chosen.train, **{k: v for k, v in _settings.items() if k != "preset"})

    def keep(self, name, make):
        """The object called `name`, made by `make()` the first time this Run asks for it."""
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    # ---- the step boundary ----

    def steps(self, total):
        """Yields the numbers of the steps still to do, up to `total`; between two of them the run may stop."""
        self.total = total
        self._last = time.perf_counter()
        while self.step < total:
            yield self.step
            self.step += 1

    # ---- reports ----

    def start(self, model, config, tokenizer=None):
        """Announces the run: what is trained, on what."""
        device = get_device()
        self.send(
            type="start",
            name=self.name,
            preset=self.preset,
            parameters=model.num_parameters(),
            steps=config.steps,
            batch_tokens=config.batch_size * model.config.context,
            device=device.name,
            build=device.build,
            threads=device.threads,
            vocab_size=model.config.vocab_size,
            step=self.step,
        )

    def log(self, loss, lr=None, grad_norm=None, program=None):
        """Reports a step. loss: a number or 0-d tensor. Raises TrainingError when it is not finite."""
        loss = float(loss)
        now = time.perf_counter()
        ms, self._last = (now - self._last) * 1e3, now
        if not math.isfinite(loss):
            raise TrainingError(
                "the loss became %s at step %d: lower the learning rate, or check what changed; "
                "the model keeps its last values" % ("NaN" if loss != loss else "infinite", self.step)
            )
        self.history.append((self.step, loss))
        message = dict(type="step", step=self.step, loss=loss, lr=lr, ms=ms)
        if grad_norm is not None:
            message["grad_norm"] = float(grad_norm)
        if program is not None and program.program is not None:
            message["planned_bytes"] = program.program.planned_bytes
        self.send(**message)

    def evaluate(self, model, dataset, config):
        """The validation loss over config.eval_batches batches of the validation stream: reported and returned."""
        from .generate import evaluating

        started = time.perf_counter()
        with no_grad(), evaluating(model):
            total = 0.0
            for _ in range(config.eval_batches):
                total += model.loss(*dataset.batch(config.batch_size, "validation")).item()
        loss = total / config.eval_batches
        self.history.append((self.step, None, loss))
        self.send(type="eval", step=self.step, val_loss=loss)
        self._exclude(started)
        return loss

    def sample(self, model, tokenizer, config, prompt="\n"):
        """Streams a sample text of config.sample_tokens tokens to the sink, piece by piece."""
        from .generate import stream_text

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
    elif kind in ("sample", "note"):
        sys.stdout.write(message["text"] + ("" if kind == "sample" else "\n"))
    elif kind == "sample_end":
        print()
    sys.stdout.flush()


def run(train, name="run", resume=None):
    """Runs `train(run)` with a fresh Run (or `resume`, a Run to go on with) and returns the Run.

    It is `tinygpt.loop.current` meanwhile and after.
    """
    global current
    current = this = resume or Run(name)
    reason = "error"
    try:
        train(this)
        reason = "done"
    except KeyboardInterrupt:
        reason = "stopped"
        raise
    finally:
        this.send(type="finish", step=this.step, reason=reason)
    return this
