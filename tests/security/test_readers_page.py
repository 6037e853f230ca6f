"""Hostile model files in the real page: each is a sentence, and Python and the page live on."""

import base64
import gzip
import struct
import zlib

import pytest

from tests.storage.test_checkpoint import resealed, saved

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]
DEEP = "[" * 8000 + "]" * 8000
IMPORT = """async (text) => {
    const blob = await (await fetch("data:application/octet-stream;base64," + text)).blob();
    const began = performance.now();
    const said = await tinygpt.importModel(blob).then(() => "accepted", (error) => error.message);
    return [said, performance.now() - began, (await tinygpt.run("1 + 1")).result];
}"""


def file_of(header):
    return struct.pack("<Q", len(header)) + header


def bomb():
    """2 MB that unpack to 2.1 GB, behind a header that declares 16 bytes."""
    header = file_of(b'{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}')
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    start = packer.compress(header) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = zlib.compressobj(6, zlib.DEFLATED, -15)
    return start + (zeros.compress(bytes(1 << 20)) + zeros.flush(zlib.Z_FULL_FLUSH)) * 2100


@pytest.mark.parametrize(
    "data, sentence",
    [
        (file_of(b'{"x":' * 40_000), "nested too deeply"),
        (resealed(saved()[2], lambda metadata, header: metadata.update(history=DEEP)), "nested too deeply"),
        (bomb(), "unpacks to more than the 79 bytes that its header declares"),
        (gzip.compress(file_of(b'{"x":' * 40_000)), "nested too deeply"),
        (gzip.compress(file_of(b'{"x":{"dtype":"I8","shape":[9],"data_offsets":[0,9000000000]}}')), "unpack at most"),
        (gzip.compress(saved()[2])[:-9], "cannot be unpacked"),
        (file_of(("{%s,%s}" % ((",".join('"%d":0' % i for i in range(60_000)),) * 2)).encode()), "twice"),
    ],
    ids=["deep header", "deep history", "bomb", "deep and packed", "declares 9 GB", "cut off", "names twice"],
)
def test_a_hostile_model_file_is_a_sentence_within_seconds(tab, data, sentence):
    said, ms, result = tab.page.evaluate(IMPORT, base64.b64encode(data).decode())
    assert sentence in said and ms < 5000 and result == 2
