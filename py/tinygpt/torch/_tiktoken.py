"""The package tiktoken where it is not installed: its vocabularies are files on the network."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["encoding_for_model", "get_encoding"]


def get_encoding(encoding_name: str) -> NoReturn:
    """RuntimeError: there is no vocabulary."""
    raise RuntimeError(
        "tiktoken's vocabulary %r is a file on the network, which is not here; train a tokenizer with "
        "tinygpt.tokenizer, or encode characters" % encoding_name
    )


encoding_for_model = get_encoding


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(
        "tiktoken.%s is not here: TinyGPT has none of tiktoken's vocabularies; train a tokenizer with "
        "tinygpt.tokenizer, or encode characters" % name
    )
