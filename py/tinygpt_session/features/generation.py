"""Text for the page, token by token: each goes out the moment it is decoded, with the ten tokens
that were likeliest in its place.

The model is the one that trains, or the one that was trained or loaded last (`the_model`). A
request stops within a token when the page cancels it. Nothing is drawn from the training's random
stream.
"""

from __future__ import annotations

import secrets
import time
from math import exp
from typing import TYPE_CHECKING, Any

from ..dispatch import cancelled, handles
from ..json_values import exact, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tinygpt.loop import Run

    from .. import protocol

NO_MODEL = "There is no model yet: run train.py, or load the Shakespeare model."
SEEDS = 1_000_000  # a seed that somebody may want to read and type again
MAX_TOKENS = 100_000
LIKELIEST = 10
NEGLIGIBLE = -20.0  # of the logarithm of a probability beside the largest: 2e-9


def the_model() -> tuple[Any, Any, Run]:
    """(model, tokenizer, Run) that the page's requests are about. RuntimeError with a sentence
    where there is none.
    """
    from tinygpt import loop
    from tinygpt.tokenizer import ByteTokenizer

    run = loop.current
    model = run.kept.get("model") if run is not None else None
    if run is None or model is None:
        raise RuntimeError(NO_MODEL)
    data = run.kept.get("data")
    tokenizer = (
        run.kept.get("tokenizer") or getattr(data, "tokenizer", None) or getattr(run, "tokenizer", None)
    )  # the last: of a file
    vocabulary = getattr(getattr(model, "config", None), "vocab_size", None)
    if tokenizer is None:
        if vocabulary != ByteTokenizer.vocab_size:
            raise RuntimeError(
                'The run keeps no tokenizer: keep the Dataset with run.keep("data", ...), '
                "so that text can become tokens."
            )
        tokenizer = ByteTokenizer()
    if vocabulary is not None and tokenizer.vocab_size > vocabulary:
        raise RuntimeError("The tokenizer has %d tokens, but the model has %d." % (tokenizer.vocab_size, vocabulary))
    return model, tokenizer, run


def token_text(tokenizer: Any, token: int) -> str:
    """One token as text of its own: a byte that is only a part of a character as 0xC3."""
    if token >= tokenizer.vocab_size:  # the head may be wider than the tokenizer
        return "<%d>" % token
    text = tokenizer.decode([token])
    return "0x%02X" % token if text == "\ufffd" and tokenizer.kind == "bytes" else text


def chances(logits: Sequence[float], temperature: float) -> tuple[list[int], Callable[[int], float]]:
    """(the ids of the LIKELIEST tokens, the likeliest first; id -> its probability at this
    temperature, 0 counting as 1).

    As inspect.token_probabilities, for one call a token: what no five digits show is left out of
    the sum.
    """
    share = 1.0 / temperature if temperature > 0 else 1.0
    order = sorted(range(len(logits)), key=logits.__getitem__, reverse=True)
    largest, total = logits[order[0]], 0.0
    for i in order:
        scaled = (logits[i] - largest) * share
        if scaled < NEGLIGIBLE:
            break
        total += exp(scaled)
    return order[:LIKELIEST], lambda i: exp((logits[i] - largest) * share) / total


def number(
    args: Mapping[str, Any], name: str, label: str, default: Any, low: float, high: float, kind: type = float
) -> Any:
    """args[name] as a number in [low, high], `default` where it is absent or null. ValueError names
    the input as the page does.
    """
    value = args.get(name)
    if value is None:
        return default
    exact = type(value) is int or type(value) is float and (kind is float or value.is_integer())
    if not exact or not low <= value <= high:
        raise ValueError(
            "The %s is %r: give a %snumber from %g to %g." % (label, value, "whole " if kind is int else "", low, high)
        )
    return kind(value)


@handles("generate")
def generate(args: protocol.GenerateArgs, part: Callable[[protocol.GeneratedToken], None]) -> protocol.GenerateAnswer:
    """TrainConfig's defaults where an argument is absent, a fresh seed. A part for each token;
    probability and top are the model's at this temperature, before top-k and top-p.
    """
    from tinygpt import generate as generation
    from tinygpt.config import TrainConfig
    from tinygpt.tokenizer import StreamDecoder

    started = time.perf_counter()
    defaults = TrainConfig()
    model, tokenizer, run = the_model()
    missing = [name for name in ("config", "tok_emb", "blocks") if not hasattr(model, name)]
    if missing:
        raise RuntimeError(
            "Generation runs the GPT's blocks with a key/value cache; this model has no %s." % ", no ".join(missing)
        )
    tokens = number(args, "tokens", "length", defaults.sample_tokens, 1, MAX_TOKENS, int)
    temperature = number(args, "temperature", "temperature", defaults.temperature, 0, 100)
    top_k = number(args, "top_k", "top-k", defaults.top_k, 0, 1_000_000, int)
    top_p = number(args, "top_p", "top-p", defaults.top_p, 0, 1)
    if top_p == 0:
        raise ValueError("The top-p is 0, which leaves no token to choose from: give a number above 0, up to 1.")
    seed = number({"seed": whole(args.get("seed"))}, "seed", "seed", None, 0, 2**64 - 1, int)
    seed = secrets.randbelow(SEEDS) if seed is None else seed
    prompt = args.get("prompt", "\n")
    if not prompt:
        raise ValueError("The prompt is empty: write at least one character, for instance a new line.")

    names: dict[int, str] = {}
    stream = StreamDecoder(tokenizer)
    made, first, last = 0, started, started
    words: Any = generation.generate(
        model,
        tokenizer.encode(prompt),
        tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        with_logits=True,
    )
    stopped = False
    try:
        for token, logits in words:
            last = time.perf_counter()
            made += 1
            if made == 1:
                first = last
            likeliest, probability = chances(logits, temperature)
            top: list[list[str | float]] = []
            for i in likeliest:
                if i not in names:
                    names[i] = token_text(tokenizer, i)
                top.append([names[i], round(probability(i), 5)])
            text = stream.push(token) if token < tokenizer.vocab_size else token_text(tokenizer, token)
            ms = round((last - started) * 1e3, 2)
            part({"id": token, "text": text, "probability": round(probability(token), 5), "top": top, "ms": ms})
            if cancelled():
                stopped = True
                break
    finally:
        words.close()
    after_first = last - first
    return {
        "tokens": made,
        "text": stream.flush(),
        "stopped": stopped,
        "seed": exact(seed),
        "seconds": round(last - started, 4),
        "first_token_ms": round((first - started) * 1e3, 2),
        "tokens_per_s": round((made - 1) / after_first, 1) if after_first > 0 else None,
        "step": run.step,
    }
