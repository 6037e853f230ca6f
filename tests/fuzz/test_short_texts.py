"""Short texts in old code pages are read as what they are, or refused (short_texts.py)."""

import pytest

from tests.fuzz import short_texts

pytestmark = pytest.mark.fast


def test_no_short_text_is_read_wrongly():
    right, wrong = short_texts.fuzz(3000, seed=1)
    assert wrong == []
    assert right > 900  # of 3,000, most of a few letters


def test_a_sentence_in_a_common_code_page_is_read():
    sentences = {"cp1251": "Russian", "gbk": "Chinese", "shift_jis": "Japanese", "euc-kr": "Korean", "cp1252": "French"}
    files = [(" ".join(short_texts.LANGUAGES[name][1].split()[:16]), code) for code, name in sentences.items()]
    assert short_texts.read([text.encode(code) for text, code in files]) == [text for text, _ in files]
