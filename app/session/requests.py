"""What the page asks of Python while code runs or idles: one JSON request, one answer, perhaps parts in between.

A training loop is asked at each step boundary (`visit`), also while it is paused; where nothing runs, the worker calls `serve`. A feature
registers its functions with `@handles("name")`: they take the request's arguments and `part`, which sends a piece of the answer ahead, and
return what JSON can hold. An error becomes the answer's sentence; the run does not see it.
"""

import json
import sys
import time
import traceback
from importlib import import_module

import tinygpt_host as host

from .output import ANSWER, TRAINING

HANDLERS = {}
# Modules with handlers, imported at the first question.
FEATURES = ("editing", "models", "texts", "generating", "inside", "completing", "recommending", "planning", "measuring")
LATER = object()  # what a handler returns that will answer later, through the Answer it was given
PAUSE_LOOK = 100  # ms between two looks for requests while the loop is paused
ISOLATED = bool(host.isolated)
TURN_SECONDS = 0.05  # between two turns of the worker's event loop where requests come as messages

_run_for = None  # steps until the loop pauses; None: it does not
_current = 0  # the request being served
_turned = 0.0
_version = None  # a loop.Version that waits for the next step boundary


class Answer:
    """The way back for one request."""

    def __init__(self, number):
        self.number = number

    def part(self, value):
        host.write(ANSWER, json.dumps({"id": self.number, "part": value}))

    def result(self, value):
        host.write(ANSWER, json.dumps({"id": self.number, "ok": True, "result": value}))

    def error(self, error):
        """error: an exception."""
        text = str(error) if isinstance(error, (RuntimeError, ValueError, LookupError)) else "%s: %s" % (type(error).__name__, error)
        from .errors import describe

        trace, place = describe(error)
        host.write(ANSWER, json.dumps({"id": self.number, "ok": False, "error": text, "traceback": trace, **place}))


def handles(name, deferred=False):
    """Decorator: the function answers requests called `name`. deferred: it gets the Answer instead of `part` and answers by itself."""

    def register(function):
        HANDLERS[name] = function, deferred
        return function

    return register


def serve():
    """Answers everything that was asked. Called where nothing runs, and at step boundaries."""
    global _current
    for name in FEATURES:
        import_module("." + name, __package__)
    while host.asked():
        for request in json.loads(host.requests()):
            answer = Answer(request["id"])
            found = HANDLERS.get(request["name"])
            _current = request["id"]
            try:
                if found is None:
                    raise ValueError("the page asked for %r, which Python does not know" % request["name"])
                function, deferred = found
                value = function(request["args"], answer if deferred else answer.part)
                if value is not LATER:
                    answer.result(value)
            except KeyboardInterrupt as error:
                answer.error(RuntimeError("it was stopped").with_traceback(error.__traceback__))
                raise
            except Exception as error:
                answer.error(error)
            finally:
                _current = 0
    host.flush()


def serve_idle():
    """`serve` where nothing runs: a Stop ends what is being served, and nothing else."""
    try:
        serve()
    except KeyboardInterrupt:
        pass
    except BaseException:  # the worker must live
        traceback.print_exc(file=sys.stderr)


def stop_wanted():
    """True when the page no longer wants the answer to the request being served; long ones ask now and then."""
    _turn()
    return bool(host.cancelled(_current))


def visit(run):
    """The loop's turn to look outside: at every step boundary."""
    global _run_for, _version
    if _run_for:
        _run_for -= 1
    if _run_for is None:
        _turn()
    if host.asked():
        started = time.perf_counter()
        serve()
        run._exclude(started)
    if _run_for == 0 and _version is None:
        _pause(run)
    if _version is not None:
        version, _version = _version, None
        run.replace(version)


def signalled(number, frame):
    """Pause for code that has no step boundary: a signal, whose handler waits wherever the code is."""
    global _run_for
    from . import training

    _run_for = 0
    if training.running() or _current:
        return  # the next boundary waits
    host.write(TRAINING, json.dumps({"type": "paused", "step": None}))
    while _run_for == 0:
        _rest()
        serve()
    _run_for = None
    host.write(TRAINING, json.dumps({"type": "resumed", "step": None}))


def _pause(run):
    started = time.perf_counter()
    run.drain()
    run.send(type="paused", step=run.step)
    while _run_for == 0 and _version is None:
        _rest()
        serve()
    if _run_for is None:
        run.send(type="resumed", step=run.step)
    run._exclude(started)


def _rest():
    """Waits for a request or a Stop without burning a core."""
    import pyodide_js

    if not host.rest(PAUSE_LOOK):
        _turn(PAUSE_LOOK)
    pyodide_js.checkInterrupt()


def _turn(ms=0):
    """Where the page cannot write into shared memory, its messages arrive when Python lets the worker's event loop turn."""
    global _turned
    if ISOLATED or not ms and time.perf_counter() - _turned < TURN_SECONDS:
        return
    from pyodide.ffi import can_run_sync, run_sync

    if can_run_sync():
        run_sync(host.turn(ms))
    _turned = time.perf_counter()


def begin(paused=False):
    """A run begins. paused: it is to stop before its first step."""
    global _run_for, _version
    _run_for, _version = (0 if paused else None), None


def replace(version):
    """Takes `version` at the next step boundary."""
    global _version
    _version = version


@handles("pause")
def pause(args, part):
    """The loop waits before its next step."""
    global _run_for
    _run_for = 0


@handles("resume")
def resume(args, part):
    global _run_for
    _run_for = None


@handles("step")
def step(args, part):
    """One step (or args["steps"]), then the loop waits again."""
    global _run_for
    _run_for = int(args.get("steps", 1))
