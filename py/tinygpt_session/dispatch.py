"""The dispatcher: what the page requests of Python while code runs or idles. One JSON request, one
answer, perhaps parts in between.

A training loop serves requests at each step boundary (step_boundary.py), also while it is paused;
where nothing runs, the worker calls `serve_idle`. A feature registers its functions with
`@handles("name")`: they take the request's arguments and `part`, which sends a piece of the answer
ahead, and return what JSON can hold, or NaN and the infinities (app/worker/json_text.js). An error
becomes the answer's sentence; the run does not see it.

Every request is answered: a Stop in the middle of one ends that one alone, and the functions that
move a request or its answer are not interrupted (interruptible.unbroken).
The dispatcher knows no feature: `features_from` gives it the function that imports them.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pyodide.ffi
import pyodide_js
import tinygpt_host as host

from .interruptible import unbroken
from .output_channel import ANSWER
from .tracebacks import describe, sentence_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import protocol

    Handler = Callable[..., Any]

HANDLERS: dict[str, tuple[Handler, bool]] = {}  # by request: the function, and whether it is deferred
LATER = object()  # what a handler returns that will answer later, through the Answer it was given
PAUSE_POLL = 100  # ms between two polls for requests while the loop is paused
ISOLATED = bool(host.isolated)
YIELD_SECONDS = 0.05  # between two yields to the worker's event loop where requests come as messages

_import_features: Callable[[], None] | None = None  # called before the first request is served
_waiting: list[protocol.Request] = []  # requests that have come and are not answered, the oldest first
_current = 0  # the request being served
_idle = False  # nothing runs but what serves requests
_yielded_at = 0.0


class Answer:
    """The way back for one request. open: it is to be answered before its function is left."""

    def __init__(self, number: int) -> None:
        self.number, self.open = number, False

    def part(self, value: Any) -> None:
        """Sends a part ahead of the answer."""
        host.write(ANSWER, json.dumps({"id": self.number, "part": value}))

    def result(self, value: Any) -> None:
        """Sends the answer. TypeError, ValueError for what JSON cannot express."""
        self._last(ANSWER, json.dumps({"id": self.number, "ok": True, "result": value}))

    def error(self, error: BaseException) -> None:
        """Sends an error instead of the answer."""
        text = sentence_of(error)
        if not isinstance(error, (RuntimeError, ValueError, LookupError)):
            text = "%s: %s" % (type(error).__name__, text)
        trace, place = describe(error)
        self._last(ANSWER, json.dumps({"id": self.number, "ok": False, "error": text, "traceback": trace, **place}))

    @unbroken
    def _last(self, kind: int, text: str) -> None:
        host.write(kind, text)
        self.open = False


def handles(name: str, deferred: bool = False) -> Callable[[Handler], Handler]:
    """Decorator: the function answers requests called `name`. deferred: it gets the Answer instead
    of `part` and answers by itself.
    """

    def register(function: Handler) -> Handler:
        HANDLERS[name] = function, deferred
        return function

    return register


def features_from(import_features: Callable[[], None]) -> None:
    """import_features(): imports the modules that register handlers. It is called before the first
    request is served.
    """
    global _import_features
    _import_features = import_features


def serve() -> None:
    """Answers every request that has come. Called where nothing runs, and at step boundaries."""
    global _import_features
    if _import_features is not None:
        _import_features()
        _import_features = None
    while requested():
        _take()
        while _waiting:
            _serve_first()
    host.flush()


def requested() -> bool:
    """Whether a request has come that nobody serves."""
    return bool(host.hasRequests() or _waiting)


@unbroken
def _take() -> None:
    _waiting.extend(json.loads(host.takeRequests()))


def _serve_first() -> None:
    """Answers one request, whatever its function does; a Stop goes on to what runs."""
    answer, outer = Answer(0), _current
    stop: BaseException = RuntimeError("it was stopped")
    try:
        request = _begin(answer)
        found = HANDLERS.get(request["name"])
        if found is None:
            raise ValueError("the page sent the request %r, which Python does not know" % request["name"])
        function, deferred = found
        value = function(json.loads(request["args"]), answer if deferred else answer.part)
        if value is LATER:
            answer.open = False
        else:
            answer.result(value)
    except KeyboardInterrupt as error:
        stop = stop.with_traceback(error.__traceback__)
        raise
    except BaseException as error:  # a SystemExit of a feature is no more than an error to the run
        answer.error(error)
    finally:
        _end(answer, stop, outer)


@unbroken
def _begin(answer: Answer) -> protocol.Request:
    global _current
    request = _waiting.pop(0)
    answer.number = _current = request["id"]
    answer.open = True
    return request


@unbroken
def _end(answer: Answer, stop: BaseException, outer: int) -> None:
    global _current
    if answer.open:
        answer.error(stop)
    _current = outer


def serve_idle() -> None:
    """`serve` where nothing runs: a Stop ends what is being served, and nothing else. Another error
    means that no request can be served: the worker reports that Python cannot continue.
    """
    global _idle
    _idle = True
    try:
        while True:
            try:
                return serve()
            except KeyboardInterrupt:
                pass  # the requests behind it are not stopped
    finally:
        _idle = False


def idle() -> bool:
    """True while requests are served where nothing runs."""
    return _idle


def serving() -> bool:
    """True while a request is being served."""
    return _current != 0


def cancelled() -> bool:
    """True when the page no longer needs the answer to the request being served: a long handler
    calls this now and then.
    """
    yield_to_events()
    return bool(host.cancelled(_current))


def wait_for_request() -> None:
    """Waits for a request or a Stop without burning a core."""
    if not host.waitForRequest(PAUSE_POLL):
        yield_to_events(PAUSE_POLL)
    pyodide_js.checkInterrupt()


def yield_to_events(ms: float = 0) -> None:
    """Where the page cannot write into shared memory, its messages arrive when Python yields to the
    worker's event loop.
    """
    global _yielded_at
    if ISOLATED or not ms and time.perf_counter() - _yielded_at < YIELD_SECONDS:
        return
    if pyodide.ffi.can_run_sync():
        pyodide.ffi.run_sync(host.yieldToEvents(ms))
    _yielded_at = time.perf_counter()
