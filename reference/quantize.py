"""Makes a small file of a checkpoint: the weights alone, matrices as int8 with one scale a row, the
whole gzip-compressed.

    python3 -m reference.quantize run.tinygpt small.tinygpt.gz [--levels 127]

Round to nearest, symmetric, per output channel (row): the rule of the kernel `quantize_int8`, with
`levels` steps on each side of zero. Fewer levels cost accuracy and compress better: the numbers are
stored in a byte all the same, and gzip takes what is not needed.
"""

import argparse
import gzip
import io
import sys

import torch

from tinygpt import checkpoint as format
from tinygpt.storage import safetensors_file

from .views import tensor


def quantize(x, levels=127):
    """(int8 [rows, ...], float32 [rows]) of a matrix: x is about the product. A row of zeros has
    the scale 1.
    """
    largest = x.abs().flatten(1).amax(1)
    scale = torch.where(largest == 0, torch.ones_like(largest), largest / levels)
    return (x / scale[:, None]).round().clamp(-levels, levels).to(torch.int8), scale


def pack(saved, levels=127):
    """The bytes of the small file of a tinygpt.checkpoint.Checkpoint; what else it says (tokenizer,
    step, settings) stays.
    """
    if not 1 <= levels <= 127:
        raise ValueError("levels is %r; a byte holds 1 to 127 of them on each side of zero" % (levels,))
    tensors = {}
    for name, view in saved.model.items():
        value = tensor(view, saved.scales.get(name))
        if value.ndim < 2:
            tensors["model." + name] = ("F32", tuple(value.shape), value)
            continue
        q, scale = quantize(value, levels)
        tensors["model." + name] = ("I8", tuple(q.shape), q)
        tensors["scale." + name] = ("F32", tuple(scale.shape), scale)
    told = format.metadata(
        saved.model_config,
        train=saved.train_config,
        tokenizer=saved.tokenizer,
        step=saved.step,
        random=saved.random,
        data=saved.data,
    )
    file = io.BytesIO()
    safetensors_file.write(
        file, told, {name: (kind, shape, value.numpy().tobytes) for name, (kind, shape, value) in tensors.items()}
    )
    return gzip.compress(file.getvalue(), 9, mtime=0)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python3 -m reference.quantize", description="A small file of a checkpoint.")
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--levels", type=int, default=127)
    options = parser.parse_args(argv)
    try:
        packed = pack(format.loads(bytearray(format.read_file(options.checkpoint))), options.levels)
        with open(options.out, "wb") as file:
            file.write(packed)
    except (ValueError, OSError) as error:
        sys.exit("reference.quantize: %s" % error)
    print("%s: %.1f MB" % (options.out, len(packed) / 1e6))


if __name__ == "__main__":
    main()
