"""What the page's look inside a model asks: attention maps, the logit lens, the size of weights and gradients (tinygpt.inspect).

Answers fit the channel to the page (256 KiB a message): attention comes one layer a part, half a map at 16 bits a weight.
"""

import math
from array import array
from base64 import b64encode

from .generating import number, the_model, token_text
from .requests import handles

MOST_TOKENS = 64  # of a prompt: more squares than that are no picture
PROMPT = "What light through yonder"
ONE = 65535  # a weight of 1, in 16 bits


def _prompt(args, model, tokenizer):
    """(ids, facts): the last tokens of the prompt that the model and the picture have room for."""
    prompt = args.get("prompt") or PROMPT
    ids = list(tokenizer.encode(prompt))
    limit = min(MOST_TOKENS, getattr(getattr(model, "config", None), "context", MOST_TOKENS))
    kept = ids[-limit:]
    return kept, {"tokens": [token_text(tokenizer, i) for i in kept], "cut": len(ids) - len(kept), "limit": limit}


@handles("inspect_attention")
def attention(args, part):
    """args: prompt. Parts, one a layer: {layer, heads: [base64 of little-endian uint16: rows t = 0..T-1 of t + 1 weights x 65535]}.

    Returns {tokens: texts, cut: tokens left out at the front, limit, layers, heads, step}.
    """
    from tinygpt import inspect

    model, tokenizer, run = the_model()
    ids, facts = _prompt(args, model, tokenizer)
    T = len(ids)
    layers = inspect.attention_tensors(model, ids)
    heads = 0
    for layer, probabilities in enumerate(layers):
        heads = max(heads, probabilities.shape[0])
        try:
            weights = array("H", array("i", (probabilities * ONE + 0.5).int().clamp(0, ONE).tobytes()))
        except OverflowError:
            raise ValueError("The attention of layer %d is not finite: some weight of the model is not." % (layer + 1)) from None
        halves = []
        for start in range(0, len(weights), T * T):
            half = array("H")
            for t in range(T):
                half += weights[start + t * T : start + t * T + t + 1]
            halves.append(b64encode(half.tobytes()).decode())
        part({"layer": layer, "heads": halves})
    return {**facts, "layers": len(layers), "heads": heads, "step": run.step}


@handles("inspect_lens")
def lens(args, part):
    """args: prompt, top. Returns {tokens, cut, limit, layers: names, rows: [layer][position][rank] = [text, probability], step}."""
    from tinygpt import inspect

    model, tokenizer, run = the_model()
    top = number(args, "top", "number of tokens", 5, 1, 10, int)
    ids, facts = _prompt(args, model, tokenizer)
    rows = inspect.logit_lens(model, ids, top=top)
    names = {i: token_text(tokenizer, i) for i in {i for row in rows for place in row for i, _ in place}}
    layers = ["embedding", *("block %d" % (i + 1) for i in range(len(rows) - 1))]
    rows = [[[[names[i], _finite(round(p, 4))] for i, p in place] for place in row] for row in rows]
    return {**facts, "layers": layers, "rows": rows, "step": run.step}


@handles("inspect_weights")
def weights(args, part):
    """args: histograms, the names of the parameters to count (absent: all). Returns {parameters: tinygpt.inspect.weight_report, step}.

    A histogram comes as {counts, low, high, counted}: its bins are of equal width.
    """
    from tinygpt import inspect

    model, _, run = the_model()
    report = inspect.weight_report(model, histograms=args.get("histograms"))
    for entry in report:
        for name in ("norm", "rms", "min", "max", "gradient_norm"):
            entry[name] = _finite(entry[name])
        for name in ("histogram", "gradient_histogram"):
            if entry[name] is not None:
                low, high = _finite(entry[name]["edges"][0]), _finite(entry[name]["edges"][-1])
                counts, counted = entry[name]["counts"], entry[name]["counted"]
                entry[name] = None if low is None or high is None else dict(counts=counts, low=low, high=high, counted=counted)
    return {"parameters": report, "step": run.step}


def _finite(x):
    """x, or None where JSON has no number for it; six digits are enough for a picture."""
    return None if x is None or not math.isfinite(x) else float("%.6g" % x)
