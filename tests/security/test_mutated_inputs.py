"""200,000 mutated files, links, answers and messages, for every reader (tests/fuzz/readers.py)."""

import pytest

from tests.fuzz import readers
from tests.security import figures

COUNTS = {  # of the part that CI runs: 200,000 in all
    "checkpoint": 34_000,
    "safetensors": 40_000,
    "tokenizer": 20_000,
    "gzip": 18_000,
    "json": 22_000,
    "link": 11_000,
    "dataset": 12_000,
    "results": 11_000,
    "model": 8_000,
    "text": 12_000,
    "messages": 12_000,
}
COMMAND = "python3 -m tests.fuzz.readers --reader all --count 100000"


def test_the_part_of_every_run_is_200_000_cases():
    assert set(COUNTS) == {*readers.READERS, *readers.PAGE} and sum(COUNTS.values()) == 200_000


@pytest.mark.parametrize("reader", COUNTS)
def test_mutated_inputs_are_accepted_and_valid_or_refused_with_a_sentence(reader):
    result = readers.run(reader, COUNTS[reader], seed=7)
    figures.record("files and answers", result["tried"], result["tried"] - len(result["wrong"]), COMMAND)
    assert readers.failures(result) == []
    assert result["tried"] == COUNTS[reader] and 0.02 < result["accepted"] / result["tried"] < 0.9
