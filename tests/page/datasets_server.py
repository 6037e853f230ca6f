"""A server on this machine that speaks the interface of the Hugging Face datasets server: /splits
and /rows, and its ways to fail.

`datasets` is {name: {config: {split: (features, rows)}}}; `text_features` makes the usual ones.
`faults` is {offset: [fault, ...]}: what happens to the next requests for rows from that offset on,
one fault a request. A fault is a function of the handler and the parameters; below are the ones
that the tests use. `asked` is what came: [(path, {parameter: value})].
"""

import http.server
import json
import socket
import threading
import urllib.parse

MOST = 100  # rows in an answer


def text_features(*names):
    """Columns of strings."""
    return [
        {"feature_idx": i, "name": name, "type": {"dtype": "string", "_type": "Value"}} for i, name in enumerate(names)
    ]


def refuse(status, error, code="", **headers):
    """Answers with this status and what the server says with it."""

    def fault(handler, parameters):
        handler.answer({"error": error}, status, {**({"X-Error-Code": code} if code else {}), **headers})

    return fault


def break_off(handler, parameters):
    """Sends the first half of the answer, then the connection is gone."""
    body = json.dumps(handler.rows(parameters)).encode()
    handler.begin(200, len(body), {})
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    handler.cut()


def answer_with(content):
    """Answers 200 with something that the interface does not promise: bytes, or a function of the
    right answer that changes it.
    """

    def fault(handler, parameters):
        handler.answer(content if isinstance(content, bytes) else content(handler.rows(parameters)))

    return fault


def negative(handler, parameters):
    """Says that there are fewer rows than none."""
    handler.answer({**handler.rows(parameters), "num_rows_total": -1})


def deep(handler, parameters):
    """Answers with JSON that nests 100,000 deep."""
    handler.answer(b'{"features": ' + b"[" * 100_000)


def flood(handler, parameters):
    """Answers without end."""
    handler.begin(200, 10**12, {})
    while True:
        handler.wfile.write(b" " * (1 << 20))


class DatasetsServer:
    """On a free port of 127.0.0.1 until close()."""

    def __init__(self):
        self.held = threading.Event()
        self.reset()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]

    def reset(self):
        """No datasets, no faults, nothing asked."""
        self.held.set()
        self.held = threading.Event()  # what `hold` waits for
        self.datasets, self.faults, self.asked = {}, {}, []

    def hold(self, handler, parameters):
        """Does not answer before the test says `held.set()`."""
        self.held.wait(60)
        handler.answer(handler.rows(parameters))

    def hold_and_cut(self, handler, parameters):
        """Answers nothing, and breaks off when the test says `held.set()`."""
        self.held.wait(60)
        handler.cut()

    def offsets(self):
        """Where the requests for rows began."""
        return [int(parameters["offset"]) for path, parameters in self.asked if path == "/rows"]

    def close(self):
        self.held.set()
        self.server.shutdown()
        self.server.server_close()


def handler(state):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            parts = urllib.parse.urlsplit(self.path)
            parameters = dict(urllib.parse.parse_qsl(parts.query))
            state.asked.append((parts.path, parameters))
            dataset = state.datasets.get(parameters.get("dataset"))
            faults = state.faults.get(
                int(parameters["offset"]) if parts.path == "/rows" and parameters["length"] != "1" else parts.path
            )
            if faults:
                faults.pop(0)(self, parameters)
            elif dataset is None:
                error = "The dataset does not exist, or is not accessible without authentication (private or gated)."
                self.answer({"error": error}, 404, {"X-Error-Code": "ExternalAuthenticatedError"})
            elif parts.path == "/splits":
                splits = [
                    {"dataset": parameters["dataset"], "config": c, "split": s}
                    for c, found in dataset.items()
                    for s in found
                ]
                self.answer({"splits": splits, "pending": [], "failed": []})
            elif parts.path == "/rows":
                rows = self.rows(parameters)
                self.answer(
                    *((rows,) if rows else ({"error": "Not found."}, 404, {"X-Error-Code": "ResponseNotFound"}))
                )
            else:
                self.answer({"error": "Not found."}, 404)

        def rows(self, parameters):
            found = state.datasets[parameters["dataset"]].get(parameters["config"], {}).get(parameters["split"])
            if found is None:
                return None
            features, rows = found
            offset, length = int(parameters["offset"]), int(parameters["length"])
            assert length <= MOST, "the real server refuses more"
            some = [
                {"row_idx": offset + i, "row": row, "truncated_cells": []}
                for i, row in enumerate(rows[offset : offset + length])
            ]
            return {
                "features": features,
                "rows": some,
                "num_rows_total": len(rows),
                "num_rows_per_page": MOST,
                "partial": False,
            }

        def answer(self, content, status=200, headers=None):
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.begin(status, len(body), headers or {})
            self.wfile.write(body)

        def begin(self, status, length, headers):
            self.send_response(status)
            fixed = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "X-Error-Code, Retry-After"}
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(length),
                **fixed,
                **headers,
            }.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def cut(self):
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

        def log_message(self, *args):
            pass

        def handle_one_request(self):
            try:
                super().handle_one_request()
            except (ConnectionError, ValueError, OSError):  # the tab cancelled, or the test broke it off
                self.close_connection = True

    return Handler
