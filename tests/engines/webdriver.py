"""A WebDriver session (W3C, 2018): over HTTP to a driver, or over Marionette, which Firefox itself
answers.

The commands and their parameters are the same; only the way to send one differs.
"""

import base64
import contextlib
import json
import socket
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's id, by the specification
SCRIPT_SECONDS = 180  # that a script's promise may take: three times what is long on a busy machine
KEYS = {
    "Control": "\ue009", "Shift": "\ue008", "Alt": "\ue00a", "Enter": "\ue007", "Tab": "\ue004", "Escape": "\ue00c",
    "Home": "\ue011", "End": "\ue010", "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014",
    "ArrowDown": "\ue015", "Backspace": "\ue003", "Delete": "\ue017",
}  # fmt: skip
PATHS = {
    "Navigate": ("POST", "url"),
    "SetTimeouts": ("POST", "timeouts"),
    "ExecuteAsyncScript": ("POST", "execute/async"),
    "FindElement": ("POST", "element"),
    "ElementClick": ("POST", "element/{id}/click"),
    "ElementSendKeys": ("POST", "element/{id}/value"),
    "PerformActions": ("POST", "actions"),
    "GetWindowRect": ("GET", "window/rect"),
    "SetWindowRect": ("POST", "window/rect"),
    "SwitchToFrame": ("POST", "frame"),
    "TakeScreenshot": ("GET", "screenshot"),
    "DeleteSession": ("DELETE", ""),
}
# Promise and arguments in, {value} or {error} out.
CALL = """const done = arguments[arguments.length - 1];
Promise.resolve().then(() => (%s)(...[...arguments].slice(0, -1))).then(
    (value) => done({value: value ?? null}),
    (error) => done({error: String(error?.stack ? error + "\\n" + error.stack : error)}),
);"""


class WebDriverError(RuntimeError):
    """What the browser answered to a command that it could not carry out."""


class OverHttp:
    """Commands to a driver (chromedriver, WebKitWebDriver) at an address."""

    def __init__(self, address, capabilities):
        self.address = address
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.session, self.capabilities = "/session/" + answer["sessionId"], answer["capabilities"]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, method=method, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=SCRIPT_SECONDS + 60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise WebDriverError("%s: %s" % (value.get("error"), value.get("message", "")[:600])) from None

    def send(self, name, parameters):
        method, path = PATHS[name]
        path = path.format(**parameters)
        return self.call(
            method, "%s/%s" % (self.session, path) if path else self.session, parameters if method == "POST" else None
        )


class OverMarionette:
    """Commands to Firefox: JSON arrays with their length before them, over a socket."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SCRIPT_SECONDS + 60)
        self.buffer, self.sent = b"", 0
        self.receive()  # its greeting
        self.capabilities = self.send("NewSession", {})["capabilities"]

    def receive(self):
        while b":" not in self.buffer:
            self.buffer += self.more()
        length, _, self.buffer = self.buffer.partition(b":")
        while len(self.buffer) < int(length):
            self.buffer += self.more()
        message, self.buffer = self.buffer[: int(length)], self.buffer[int(length) :]
        return json.loads(message)

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise WebDriverError("Firefox closed its connection")
        return data

    def send(self, name, parameters):
        self.sent += 1
        message = json.dumps([0, self.sent, "WebDriver:" + name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, number, error, result = self.receive()
        assert number == self.sent, "an answer to command %s while %s waits" % (number, self.sent)
        if error:
            raise WebDriverError("%s: %s" % (error["error"], error["message"][:600]))
        return result["value"] if isinstance(result, dict) and set(result) == {"value"} else result


class Session:
    """One window of a browser. Sizes are in CSS pixels, times in seconds."""

    def __init__(self, transport):
        self.transport = transport
        self.version = transport.capabilities["browserVersion"]
        self.send("SetTimeouts", script=SCRIPT_SECONDS * 1000, pageLoad=180_000, implicit=0)

    def send(self, command, **parameters):
        return self.transport.send(command, parameters)

    def goto(self, url):
        self.send("Navigate", url=url)

    def frame(self, url, width, height):
        """The address in a frame of this size, in a document of the same origin that has nothing
        else. What follows is done in the frame, until goto. A window of WebKitGTK is at least
        447 pixels wide, one of Firefox 500; a frame is as narrow as a phone.
        """
        self.evaluate(
            """(url, width, height) => {
                const frame = document.createElement("iframe");
                frame.style = `position: fixed; left: 0; top: 0; border: 0; width: ${width}px; height: ${height}px`;
                frame.src = url;
                document.body.replaceChildren(frame);
            }""",
            url, width, height,
        )  # fmt: skip
        self.send("SwitchToFrame", id=0)

    def reload(self):
        """As a person does: chromedriver's own command goes past caches and service workers."""
        self.evaluate("() => { window.beforeReload = true; setTimeout(() => location.reload(), 50); }")
        end = time.monotonic() + SCRIPT_SECONDS
        while time.monotonic() < end:
            time.sleep(0.1)
            with contextlib.suppress(WebDriverError):  # in between there is no document to ask
                if self.evaluate("() => !window.beforeReload && document.readyState === 'complete'"):
                    return

    def evaluate(self, function, *arguments):
        """The value of an (async) JavaScript function of these arguments."""
        answer = self.send("ExecuteAsyncScript", script=CALL % function, args=list(arguments))
        if answer is None:
            raise WebDriverError("the document went away while a script of it ran")
        if "error" in answer:
            raise WebDriverError(answer["error"])
        return answer["value"]

    def wait(self, condition, *arguments, seconds=60):
        """Until the condition (JavaScript, of the arguments) holds: its value."""
        end = time.monotonic() + seconds
        while True:
            if value := self.evaluate(condition, *arguments):
                return value
            if time.monotonic() > end:
                told = self.evaluate(
                    "() => ['status', 'banner', 'device'].map((id) => document.getElementById(id)?.innerText ?? '')"
                )
                raise AssertionError("waited %d s for %s; the page says %r" % (seconds, condition, told))
            time.sleep(0.1)

    def element(self, selector):
        return self.send("FindElement", using="css selector", value=selector)[ELEMENT]

    def click(self, selector):
        element = self.element(selector)
        self.evaluate("(selector) => document.querySelector(selector).scrollIntoView({block: 'center'})", selector)
        self.send("ElementClick", id=element)

    def upload(self, selector, path):
        self.send("ElementSendKeys", id=self.element(selector), text=str(path))

    def text(self, selector):
        return self.evaluate("(selector) => document.querySelector(selector)?.innerText ?? null", selector)

    def press(self, combination):
        """Keys held down together, such as "Control+Enter"."""
        keys = [KEYS.get(name, name) for name in combination.split("+")]
        self._keys([("keyDown", key) for key in keys] + [("keyUp", key) for key in reversed(keys)])

    def type(self, text):
        self._keys([(kind, KEYS["Enter"] if key == "\n" else key) for key in text for kind in ("keyDown", "keyUp")])

    def _keys(self, strokes):
        actions = [{"type": kind, "value": key} for kind, key in strokes]
        self.send("PerformActions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def enter(self, selector, value):
        """Types the value into a field in place of what is there, and leaves it."""
        self.click(selector)
        self.press("Control+a")
        self.type(str(value))
        self.press("Tab")

    def choose(self, selector, value):
        """Chooses a select's option, as its own list does: input and change follow."""
        self.evaluate(
            """(selector, value) => {
                const select = document.querySelector(selector);
                select.value = value;
                for (const kind of ["input", "change"]) select.dispatchEvent(new Event(kind, {bubbles: true}));
            }""",
            selector,
            str(value),
        )

    def resize(self, width, height):
        """Until the page's own width and height are these, where the window allows it."""
        self.send("SetWindowRect", width=width, height=height)
        for _ in range(3):
            inner = self.evaluate("() => [innerWidth, innerHeight]")
            if inner == [width, height]:
                break
            outer = self.send("GetWindowRect")
            self.send(
                "SetWindowRect",
                width=int(outer["width"]) + width - inner[0],
                height=int(outer["height"]) + height - inner[1],
            )
            time.sleep(0.3)
        return self.evaluate("() => [innerWidth, innerHeight]")

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.send("TakeScreenshot")))

    def close(self):
        self.send("DeleteSession")
