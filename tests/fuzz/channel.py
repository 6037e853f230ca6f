"""Random messages through the channel between Python and the page, in both directions.

Python writes a value as dispatch.py does, the page's reader (app/worker/channel.js, json_text.js)
reads it in Node out of the ring, writes it again, and it comes back through the ring of the
requests. The value must be the same: with NaN, the infinities and -0.0, with lone surrogates, with
keys and strings that look like the encoding's own, longer than a ring, and with printed text in
between.

    python3 -m tests.fuzz.channel --count 100000 --seed 1
"""

import argparse
import json
import math
import random
import subprocess
import time

from tests.hosts import NODE, ROOT

BATCH = 200
STDOUT, ANSWER = 1, 5
NUMBERS = [0, -0.0, 1, -1, 0.1, 1e308, 5e-324, 2**53 - 1, -(2**53) + 1, math.nan, math.inf, -math.inf]
PIECES = [
    "",
    "a",
    "NaN",
    "-Infinity",
    "Infinity",
    '"NaN"',
    "number ",
    "~number NaN",
    "\\",
    '"',
    "\n",
    "\0",
    "ü",
    "\ufeff",
]
PIECES += ["\ud83d", "\ude00", "\u2028", "𝄞", "__proto__", "constructor", "1", "part", "漢字", ': NaN, "', "\\u004eaN"]


def text(rng, long=False):
    pieces = "".join(rng.choice(PIECES) for _ in range(rng.randrange(6)))
    return pieces * rng.randrange(20_000, 60_000) if long else pieces


def key(rng):
    """A key of an object, without a backslash: after a key that ends in one, the V8 of Node 26
    takes another whose spelling begins like it for the same (JSON.parse of a key of one backslash,
    then of one of a line feed). Chromium's does not.
    """
    return text(rng).replace("\\", "")


def value(rng, depth=0):
    """A random value that JSON with the three numbers can hold."""
    kind = rng.randrange(9 if depth < 5 else 5)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind <= 2:
        return rng.choice(NUMBERS) if rng.random() < 0.7 else rng.uniform(-1e3, 1e3)
    if kind <= 4:
        return text(rng)
    few = range(rng.randrange(5))
    return [value(rng, depth + 1) for _ in few] if kind <= 6 else {key(rng): value(rng, depth + 1) for _ in few}


def same(a, b):
    """Equal, where NaN equals NaN and 0.0 is not -0.0."""
    if isinstance(a, float) and isinstance(b, (int, float)):
        return a != a and b != b or a == b and (a != 0 or math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b and (type(a) is type(b) or type(a) is int)


def printed(rng):
    """What may be printed: no lone surrogates, which cannot leave Python (output_channel.py)."""
    return text(rng, rng.random() < 0.002).encode("utf-8", "replace").decode()


def run(count, seed=1, long=0.001):
    """Sends `count` messages; the values that came back as others, as (sent, got)."""
    rng = random.Random(seed)
    command, pipe = [str(NODE), "tests/fuzz/channel.mjs"], subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
    wrong = []
    try:
        for start in range(0, count, BATCH):
            sent, records, text_sent = [], [], ""
            for _ in range(min(BATCH, count - start)):
                message = {"id": rng.randrange(1, 99), "ok": True, "result": value(rng)}
                if rng.random() < long:
                    message["long"] = text(rng, True)
                encoded = json.dumps(message)
                sent.append(json.loads(encoded))  # two lone halves of a character are one then
                records.append([ANSWER, encoded])
                if rng.random() < 0.2:
                    words = printed(rng)
                    text_sent += words
                    records.append([STDOUT, words])
            process.stdin.write(json.dumps(records) + "\n")
            process.stdin.flush()
            back = json.loads(process.stdout.readline())
            got = [json.loads(one) for kind, one in back if kind == ANSWER]
            wrong += [pair for pair in zip(sent, got, strict=True) if not same(*pair)]
            text_got = "".join(json.loads(one) for kind, one in back if kind == STDOUT)
            if text_got != text_sent:
                wrong.append((text_sent, text_got))
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.perf_counter()
    found = run(options.count, options.seed)
    for sent, got in found[:5]:
        print("sent %.300r\ngot  %.300r" % (sent, got))
    print(
        "%d messages, seed %d: %d wrong, %.0f s"
        % (options.count, options.seed, len(found), time.perf_counter() - began)
    )
    raise SystemExit(bool(found))
