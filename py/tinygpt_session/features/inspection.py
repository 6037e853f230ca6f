"""What the page's look inside a model requests: attention maps, the logit lens, the size of weights
and gradients (tinygpt.inspect).

Answers fit the channel to the page (256 KiB a message): attention comes one layer a part, half a
map at 16 bits a weight.
"""

from __future__ import annotations

import math
from array import array
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from ..dispatch import handles
from .generation import number, the_model, token_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import protocol

MAX_TOKENS = 64  # of a prompt: more squares than that are no picture
PROMPT = "What light through yonder"
ONE = 65535  # a weight of 1, in 16 bits


def _prompt(args: protocol.PromptArgs, model: Any, tokenizer: Any) -> tuple[list[int], protocol.PromptFacts]:
    """(ids, facts): the last tokens of the prompt, as many as model and picture can hold."""
    prompt = args.get("prompt", PROMPT)
    if not prompt:
        raise ValueError("the prompt is empty: write at least one character")
    ids = list(tokenizer.encode(prompt))
    limit = min(MAX_TOKENS, getattr(getattr(model, "config", None), "context", MAX_TOKENS))
    kept = ids[-limit:]
    return kept, {"tokens": [token_text(tokenizer, i) for i in kept], "cut": len(ids) - len(kept), "limit": limit}


@handles("inspect_attention")
def attention(args: protocol.PromptArgs, part: Callable[[protocol.AttentionLayer], None]) -> protocol.AttentionAnswer:
    """A part for each layer; a head has the rows t = 0..T-1 of t + 1 weights x 65535."""
    from tinygpt.tools import inspect

    model, tokenizer, run = the_model()
    ids, facts = _prompt(args, model, tokenizer)
    T = len(ids)
    layers = inspect.attention_tensors(model, ids)
    heads = 0
    probabilities: Any
    for layer, probabilities in enumerate(layers):
        heads = max(heads, probabilities.shape[0])
        try:
            weights = array("H", array("i", (probabilities * ONE + 0.5).int().clamp(0, ONE).tobytes()))
        except OverflowError:
            raise ValueError(
                "The attention of layer %d is not finite: some weight of the model is not." % (layer + 1)
            ) from None
        halves: list[str] = []
        for start in range(0, len(weights), T * T):
            half = array("H")
            for t in range(T):
                half += weights[start + t * T : start + t * T + t + 1]
            halves.append(b64encode(half.tobytes()).decode())
        part({"layer": layer, "heads": halves})
    return {**facts, "layers": len(layers), "heads": heads, "step": run.step}


@handles("inspect_lens")
def lens(args: protocol.LensArgs, part: object) -> protocol.LensAnswer:
    """The likeliest next tokens after each layer."""
    from tinygpt.tools import inspect

    model, tokenizer, run = the_model()
    top = number(args, "top", "number of tokens", 5, 1, 10, int)
    ids, facts = _prompt(args, model, tokenizer)
    rows = inspect.logit_lens(model, ids, top=top)
    names = {i: token_text(tokenizer, i) for i in {i for row in rows for place in row for i, _ in place}}
    layers = ["embedding", *("block %d" % (i + 1) for i in range(len(rows) - 1))]
    rows = [[[[names[i], _finite(round(p, 4))] for i, p in place] for place in row] for row in rows]
    return {**facts, "layers": layers, "rows": rows, "step": run.step}


@handles("inspect_weights")
def weights(args: protocol.WeightsArgs, part: object) -> protocol.WeightsAnswer:
    """A histogram comes as {counts, low, high, counted}: its bins are of equal width."""
    from tinygpt.tools import inspect

    model, _, run = the_model()
    report: list[dict[str, Any]] = inspect.weight_report(model, histograms=args.get("histograms"))
    for entry in report:
        for name in ("norm", "rms", "min", "max", "gradient_norm"):
            entry[name] = _finite(entry[name])
        for name in ("histogram", "gradient_histogram"):
            if entry[name] is not None:
                low, high = _finite(entry[name]["edges"][0]), _finite(entry[name]["edges"][-1])
                counts, counted = entry[name]["counts"], entry[name]["counted"]
                entry[name] = (
                    None if low is None or high is None else dict(counts=counts, low=low, high=high, counted=counted)
                )
    return {"parameters": report, "step": run.step}


def _finite(x: float | None) -> float | None:
    """x, or None where JSON has no number for it; six digits are enough for a picture."""
    return None if x is None or not math.isfinite(x) else float("%.6g" % x)
