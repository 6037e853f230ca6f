"""The loss of a checkpoint on the whole validation split of a text, in PyTorch: what
tinygpt.training.evaluation.held_out_loss measures in the tab.

python3 -m reference.evaluate --checkpoint run.tinygpt [--corpus shakespeare]
"""

import argparse
import sys

import torch
from torch.nn import functional as F

from tinygpt.data import check_split, find_corpus

from .checkpoint import load_model

BATCH = 16


@torch.no_grad()
def held_out_loss(model, tokens, context):
    """The mean cross-entropy, in nats per token, over the last tenth of `tokens` (ids): windows of
    `context`, one after the other.
    """
    low, high = check_split(len(tokens), context)["validation"]
    windows = (high - low - 1) // context
    ids = torch.tensor(tokens[low : low + windows * context + 1])
    x, y = ids[:-1].view(windows, context), ids[1:].view(windows, context)
    total = 0.0
    for first in range(0, windows, BATCH):
        logits = model(x[first : first + BATCH])
        total += F.cross_entropy(logits.flatten(0, 1), y[first : first + BATCH].flatten(), reduction="sum").item()
    return total / (windows * context)


def measure(path, corpus="shakespeare", say=print):
    """held_out_loss of a checkpoint file on a corpus (a registered name, or the path of a text)."""
    model, tokenizer = load_model(path)
    return held_out_loss(model, list(tokenizer.encode(find_corpus(corpus, say=say).text)), model.config.context)


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python3 -m reference.evaluate", description="The loss on the whole validation split."
    )
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--corpus", default="shakespeare")
    options = parser.parse_args(argv)
    try:
        print("%.6f nats a token" % measure(options.checkpoint, options.corpus))
    except (ValueError, OSError) as error:
        sys.exit("reference.evaluate: %s" % error)


if __name__ == "__main__":
    main()
