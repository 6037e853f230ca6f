"""Text from a `.tinygpt` checkpoint in PyTorch: the same rule for choosing a token as the kernel
`sample`, and the same random stream.

    python3 -m reference.sample --checkpoint run.tinygpt --prompt "ROMEO:" --tokens 200

There is no key/value cache here: every token runs the whole context, which is the plain meaning
that the cached decoder is held to.
"""

import argparse
import sys

import torch

from tinygpt.config import TrainConfig
from tinygpt.tokenizer import StreamDecoder

from . import lora
from .batches import uniform
from .checkpoint import load_model


def choose(logits, temperature, top_k, top_p, u):
    """One token id from logits [V]; u in [0, 1) is the draw. The rule, word by word, is in
    py/tinygpt/kernels.py, `sample`.
    """
    if temperature == 0:
        return int(logits.argmax())
    z = logits.double() / temperature
    keep = torch.ones_like(z, dtype=torch.bool)
    if 0 < top_k < len(z):
        keep &= z >= z.topk(top_k).values[-1]
    weights = torch.where(keep, (z - z.max()).exp(), 0.0)
    if 0.0 < top_p < 1.0:
        ranked, order = torch.sort(weights, descending=True, stable=True)  # stable: ties by the lower index first
        before = ranked.cumsum(0) - ranked
        dropped = order[before >= top_p * weights.sum()]
        weights[dropped] = 0.0
    total = weights.cumsum(0)
    chosen = int((total <= u * total[-1]).sum())
    return min(chosen, int(weights.nonzero()[-1]))


@torch.no_grad()
def generate(model, prompt, max_new_tokens, temperature=1.0, top_k=0, top_p=1.0, seed=42):
    """Yields token ids that continue `prompt` (a non-empty sequence of ids). When the context is
    full its last half is kept.
    """
    if not len(prompt):
        raise ValueError("the prompt is empty; give at least one token, a newline for instance")
    training, device, context = model.training, model.tok_emb.weight.device, model.config.context
    model.eval()
    try:
        ids = list(prompt)
        for made in range(max_new_tokens):
            if len(ids) > context:
                ids = ids[-max(1, context // 2) :]
            logits = model(torch.tensor([ids], device=device))[0, -1].cpu()
            token = choose(logits, temperature, top_k, top_p, uniform(seed, made))
            ids.append(token)
            yield token
    finally:
        model.train(training)


def arguments():
    defaults = TrainConfig()
    parser = argparse.ArgumentParser(
        prog="python3 -m reference.sample", description="Generate text from a .tinygpt checkpoint."
    )
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--lora", help="adapters to merge into the weights first (reference.lora)")
    parser.add_argument("--prompt", default="\n")
    parser.add_argument("--tokens", type=int, default=defaults.sample_tokens)
    parser.add_argument(
        "--temperature", type=float, default=defaults.temperature, help="0 takes the most probable token"
    )
    parser.add_argument("--top-k", type=int, default=defaults.top_k, help="0: off")
    parser.add_argument("--top-p", type=float, default=defaults.top_p, help="1: off")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser


def main(argv=None):
    options = arguments().parse_args(argv)
    try:
        model, tokenizer = load_model(options.checkpoint, options.device)
        if options.lora:
            lora.load(options.lora, model)
            lora.merge(model)
        prompt = tokenizer.encode(options.prompt)
        decoder = StreamDecoder(tokenizer)
        sys.stdout.write(options.prompt)
        for token in generate(
            model, prompt, options.tokens, options.temperature, options.top_k, options.top_p, options.seed
        ):
            sys.stdout.write(decoder.push(token))
            sys.stdout.flush()
        sys.stdout.write(decoder.flush() + "\n")
    except (ValueError, OSError) as error:
        sys.exit("reference.sample: %s" % error)


if __name__ == "__main__":
    main()
