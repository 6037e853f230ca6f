"""What is opened from outside can only be refused: no file, link or answer ends Python or the page,
takes time beyond its size, or memory beyond what it declares.
"""

import gzip
import itertools
import json
import re
import struct
import subprocess
import time
import tracemalloc
import zlib

import pytest

from tests.fuzz import readers
from tests.hosts import NODE, ROOT
from tests.storage.test_checkpoint import resealed, saved
from tinygpt import checkpoint
from tinygpt.checkpoint import CheckpointError
from tinygpt.storage import bounded_json, gzip_file, safetensors_file

pytestmark = pytest.mark.fast


# ---- nesting and size of JSON ----


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("[" * 8000, "nested too deeply"),
        ("[" * 101 + "]" * 101, "nested too deeply"),
        ('{"a":' * 8000 + "1" + "}" * 8000, "nested too deeply"),
        ('["\\"[", ' + "[" * 100 + "]" * 100 + "]", "nested too deeply"),
        ('["\\\\", ' + "[" * 100 + "]" * 100 + "]", "nested too deeply"),
        ("[" * 50_000_000, "holds 50000001 values"),
        ("{}," * 1_000_001, "holds 1000001 objects"),
    ],
    ids=["lists", "one too many", "objects", "behind an escaped quote", "behind a backslash", "values", "many objects"],
)
def test_what_is_too_deep_or_too_much_is_found_before_it_is_parsed(text, sentence, monkeypatch):
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("it was parsed"))
    began = time.process_time()
    with pytest.raises(bounded_json.LimitError, match=sentence):
        bounded_json.parse(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "value",
    [
        "[" * 8000,
        '"[' * 8000,
        "\\" * 7,
        ["[{" * 200, {"]\\": "{" * 300}],
        [[]] * 500,
        json.loads("[" * 100 + "]" * 100),
    ],
    ids=["a text", "quotes", "backslashes", "a name", "side by side", "the limit itself"],
)
def test_brackets_in_texts_and_side_by_side_are_no_nesting(value):
    assert bounded_json.parse(json.dumps(value)) == value


def test_the_scan_is_linear_whatever_the_text():
    for piece in ('"', '\\"', '"\\', '"[', '",[', "\\", '"a":"b",'):
        times = []
        for length in (250_000, 1_000_000):
            text = piece * (length // len(piece))
            began = time.process_time()
            try:
                bounded_json.check(text)
            except bounded_json.LimitError:
                pass
            times.append(time.process_time() - began)
        assert times[1] < 12 * times[0] + 0.05, (piece, times)


def test_json_is_parsed_in_one_place():
    """The exceptions read what this site's own build, or the page's own worker, has written."""
    own = {"py/tinygpt_session/__init__.py", "py/tinygpt_session/dispatch.py", "py/tinygpt_session/execute.py"}
    places = {"py/tinygpt/storage/bounded_json.py", "app/worker/bounded_json.js", "app/worker/json_text.js"}
    found = set()
    for folder, pattern in (
        ("py", r"json\.loads?\("),
        ("reference", r"json\.loads?\("),
        ("app", r"JSON\.parse|\.json\(\)"),
    ):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".js") and re.search(pattern, path.read_text()):
                found.add(path.relative_to(ROOT).as_posix())
    assert found == own | places


# ---- checkpoints ----


def file_of(header, data=b""):
    return struct.pack("<Q", len(header)) + header + data


def test_a_checkpoint_that_nests_8000_deep_is_refused_wherever_that_is():
    deep = "[" * 8000 + "]" * 8000
    good = saved()[2]
    hostile = [file_of(b'{"x":' * 8000), file_of(('{"__metadata__":%s}' % deep).encode())]
    for name in ("model", "train", "tokenizer", "step", "random", "data", "history", "optimizer"):
        hostile.append(resealed(good, lambda metadata, header, name=name: metadata.update({name: deep})))
    for data in hostile:
        with pytest.raises(CheckpointError, match="nested too deeply"):
            checkpoint.loads(data)


def test_a_name_that_comes_twice_is_found_in_linear_time():
    pairs = ",".join('"%d":0' % i for i in range(100_000))
    began = time.process_time()
    for text in ("{%s,%s}" % (pairs, '"99999":1'), "{%s,%s}" % (pairs, pairs)):
        with pytest.raises(CheckpointError, match="twice"):
            checkpoint.loads(file_of(text.encode()))
    assert time.process_time() - began < 2


def test_a_million_tensors_are_refused_in_under_a_second():
    entry = '"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    text = "{%s}" % ",".join(entry % i for i in range(1_000_000))
    data = file_of(text.encode())
    began = time.process_time()
    with pytest.raises(CheckpointError, match=r"holds 1000001 objects, and at most 100002 are read"):
        checkpoint.loads(data)
    assert time.process_time() - began < 1


def test_as_many_tensors_as_are_read_can_be_written_and_one_more_cannot(tmp_path, monkeypatch):
    most = 1000
    monkeypatch.setattr(safetensors_file, "MAX_TENSORS", most)
    monkeypatch.setattr(safetensors_file, "HEADER_LIMITS", bounded_json.Limits(16 * most, most + 2))
    tensors = {str(i): ("F32", (0,), lambda: b"") for i in range(most)}
    with open(tmp_path / "file", "w+b") as file:
        safetensors_file.write(file, {}, tensors)
        file.seek(0)
        assert len(safetensors_file.read(file.read())[1]) == most
        with pytest.raises(CheckpointError, match="1001 tensors; at most 1000 "):
            safetensors_file.write(file, {}, {**tensors, "more": tensors["0"]})


# ---- gzip ----


def packed(*parts):
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return b"".join(packer.compress(part) for part in parts) + packer.flush()


GOOD = gzip.compress(saved()[2])


@pytest.mark.parametrize(
    "data, sentence",
    [
        (GOOD[:-1], "cut off"),
        (GOOD[: len(GOOD) // 2], "cut off"),
        (GOOD[:5], "cut off"),
        (b"\x1f\x8b", "cut off"),
        (b"\x1f\x8bnot gzip at all", "cannot be unpacked"),
        (GOOD[:-8] + bytes(4) + GOOD[-4:], "incorrect data check"),
        (GOOD[:-4] + bytes(4), "incorrect length check"),
        (GOOD[:30] + b"\xff" * 30 + GOOD[60:], "cannot be unpacked"),
        (GOOD + b"more", "more bytes after its end"),
        (GOOD + GOOD, "more bytes after its end"),
        (gzip.compress(GOOD), "not a .tinygpt file but gzip"),
        (gzip.compress(b""), "empty"),
        (gzip.compress(b"a text, and not a model"), "not a .tinygpt file"),
        (gzip.compress(saved()[2][:-9]), "cut off or damaged"),
        (gzip.compress(saved()[2][:60]), "cut off"),
        (gzip.compress(saved()[2] + b"x"), "unpacks to more than"),
        (gzip.compress(file_of(b'{"\xff":1}')), "not UTF-8"),
        (gzip.compress(file_of(b"{" * 9000)), "nested too deeply"),
    ],
    ids=itertools.count(),  # the bytes have the time in them
)
def test_a_bad_gzip_file_is_one_checkpoint_error(tmp_path, data, sentence):
    path = tmp_path / "run.tinygpt.gz"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=sentence):
        checkpoint.load(path)


def test_a_good_gzip_file_is_read(tmp_path):
    path = tmp_path / "run.tinygpt.gz"
    path.write_bytes(GOOD)
    assert readers.checkpoint_read(checkpoint.read_file(path)) is None


def test_two_megabytes_that_unpack_to_two_gigabytes_take_neither_time_nor_memory(tmp_path):
    header = file_of(b'{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}')
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    start = packer.compress(header) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = zlib.compressobj(6, zlib.DEFLATED, -15)
    block = zeros.compress(bytes(1 << 20)) + zeros.flush(zlib.Z_FULL_FLUSH)
    path = tmp_path / "bomb.tinygpt.gz"
    path.write_bytes(start + block * 2100)
    assert path.stat().st_size < 2.5e6
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(CheckpointError, match="unpacks to more than the 79 bytes that its header declares"):
        checkpoint.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - began < 1 and peak < 10e6


def test_a_header_that_declares_more_than_there_is_memory_is_refused_before_anything_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(gzip_file, "free_memory", lambda: 1_500_000_000)
    path = tmp_path / "large.tinygpt.gz"
    path.write_bytes(
        packed(file_of(b'{"x":{"dtype":"I8","shape":[2000000000],"data_offsets":[0,2000000000]}}'), bytes(99))
    )
    with pytest.raises(CheckpointError, match=r"would take 2.0 GB unpacked, and at most 1.5 GB"):
        checkpoint.load(path)


def test_memory_that_is_not_there_is_a_checkpoint_error(tmp_path, monkeypatch):
    def none(*_):
        raise MemoryError

    path = tmp_path / "run.tinygpt"
    path.write_bytes(saved()[2])
    monkeypatch.setattr(safetensors_file, "_views", none)
    with pytest.raises(CheckpointError, match="needs more memory than there is"):
        checkpoint.load(path)


def test_the_free_memory_is_a_plausible_number():
    assert 1e8 < gzip_file.free_memory() < 1e14


# ---- the page's readers, in Node ----


def in_node(script):
    command = [str(NODE), "--input-type=module", "--eval", PAGE_SIDE + script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


PAGE_SIDE = """
import { DatasetError, HuggingFace, Loading } from "./app/data/huggingface.js";
import { check, parse } from "./app/worker/bounded_json.js";
import { readable } from "./app/run/model_file.js";
import { gzipSync } from "node:zlib";
Object.defineProperty(globalThis, "navigator", { value: { onLine: true }, configurable: true });
const say = (value) => process.stdout.write(JSON.stringify(value));
const message = async (act) => { try { return (await act()) ?? "accepted"; } catch (error) { return error.message; } };
const features = [{ name: "text", type: { dtype: "string", _type: "Value" } }];
const rows = (offset, texts) => texts.map((text, i) => ({ row_idx: offset + i, row: { text }, truncated_cells: [] }));
const place = { dataset: "a/b", config: "c", split: "s", column: "text", separator: "" };
const load = async (answer, limit = 1e6) => {
  let requests = 0;
  globalThis.fetch = async (url, { signal }) => {
    requests++;
    const given = answer(Number(new URL(url).searchParams.get("offset")), signal);
    return given instanceof Response ? given : new Response(typeof given === "string" ? given : JSON.stringify(given));
  };
  const server = new HuggingFace("http://127.0.0.1:1");
  const loading = new Loading({ ...place, server, limit });
  const error = await message(() => loading.run());
  const { rows, bytes, shortened, atLastPage } = loading;
  return { error, requests, rows, bytes, shortened, atLastPage, kind: loading.kind };
};
"""


def test_the_page_counts_levels_before_it_parses():
    script = """
const deep = (n) => "[".repeat(n) + "]".repeat(n);
say(await Promise.all([deep(100), deep(101), deep(100_000), '{"a":'.repeat(9000), JSON.stringify(["[".repeat(500)]),
  '["\\\\"[",' + deep(100) + "]", '["\\\\\\\\",' + deep(100) + "]", "[" + "[],".repeat(1000) + "1]"]
  .map((text) => message(() => void parse(text)))));"""
    deep = "is nested too deeply (more than 100 levels)"
    assert in_node(script) == ["accepted", deep, deep, deep, "accepted", deep, deep, "accepted"]


def test_the_page_unpacks_no_more_than_the_header_declares_and_the_tab_can_hold():
    script = """
const file = (end, data) => {
  const header = Buffer.from(JSON.stringify({ x: { dtype: "I8", shape: [end], data_offsets: [0, end] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return new Blob([gzipSync(Buffer.concat([length, header, data]))]);
};
const bomb = file(16, Buffer.alloc(256e6)), began = performance.now();
const said = [await message(() => readable(bomb))];
const ms = performance.now() - began;
said.push(await message(() => readable(file(2e9, Buffer.alloc(9)))));
said.push(await message(() => readable(file(16, Buffer.alloc(15)))));
said.push((await readable(file(40e6, Buffer.alloc(40e6)))).size);
say({ said, ms, bytes: bomb.size });"""
    found = in_node(script)
    declared, memory, cut, size = found["said"]
    assert (
        re.search("unpacks to more than the [67][0-9] bytes that its header declares", declared) and found["ms"] < 3000
    )
    assert re.search(r"would take 2\.00 GB unpacked, and this tab can unpack at most 1\.[0-9]+ GB", memory)
    assert "it is cut off" in cut and 40e6 < size < 40.001e6


def test_a_dataset_server_cannot_keep_the_page_busy_or_fill_its_memory():
    script = """
const page = (offset, texts, total = 1) => ({ features, rows: rows(offset, texts), num_rows_total: total });
const hundred = (text) => (offset) => page(offset, Array(100).fill(text), 1e12);
const endless = () => new ReadableStream({ pull: (sink) => sink.enqueue(new Uint8Array(1 << 20)) });
say({
  negative: await load((offset) => page(offset, ["a"], -1)),
  fraction: await load((offset) => page(offset, ["a"], 1.5)),
  fewer: await load((offset) => page(offset, ["a", "b"], 1)),
  shrinks: await load((offset) => (offset ? page(offset, [], 1) : page(0, ["a", "b"], 9))),
  deep: await load(() => '{"features":' + "[".repeat(1e5)),
  cell: await load((offset) => JSON.stringify(page(offset, ["@"])).replace('"@"', "[".repeat(5e4) + "]".repeat(5e4))),
  large: await load(() => new Response(endless())),
  long: await load((offset) => page(offset, ["x".repeat(11e6)]), 100e6),
  empty: await load(hundred("")),
  endless: await load(hundred("y"), 100e6),
  columns: await load(() => ({ features: Array(60_000).fill(features[0]), rows: [], num_rows_total: 0 })),
  name: await load(() => ({ features: [{ ...features[0], name: "n".repeat(1e6) }], rows: [], num_rows_total: 0 })),
});"""
    found = in_node(script)
    assert "did not answer with the number of rows (it says -1)" in found["negative"]["error"]
    assert "(it says 1.5)" in found["fraction"]["error"] and "did not answer with rows" in found["fewer"]["error"]
    assert found["negative"]["rows"] == 0
    assert "did not answer with rows 2 to 101" in found["shrinks"]["error"] and found["shrinks"]["rows"] == 2
    assert "nested too deeply" in found["deep"]["error"] and "nested too deeply" in found["cell"]["error"]
    assert "more than 32 MB, the most" in found["large"]["error"] and found["large"]["requests"] <= 8
    assert found["long"]["error"] == "accepted" and found["long"]["shortened"] == 1 and found["long"]["bytes"] == 10e6
    assert "holds no text in its 50,000 rows" in found["empty"]["error"] and found["empty"]["requests"] == 500
    assert found["endless"]["error"] == "accepted" and found["endless"]["requests"] == 10_000
    assert found["endless"]["rows"] == found["endless"]["bytes"] == 1_000_000 and found["endless"]["atLastPage"]
    assert "did not answer with rows" in found["columns"]["error"] and "no column text" in found["name"]["error"]
