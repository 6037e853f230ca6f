"""PyTorch's half of the speed tests: the job's model, weights and batches, natively, in a process
of its own.

One JSON request a line: {"do": "cold" | "times" | "generation" | "forget", "preset", "threads",
"folder" (job.py), "steps"}.
"""

import json
import os
import pathlib
import sys
import time

import torch

from reference.model import GPT
from reference.sample import generate
from tinygpt.config import PRESETS
from tinygpt.tools.benchmark import COMPARED, WARM_UP, WARM_UP_SECONDS, median_rate, roll


class StepBench:
    """PyTorch's training step of a preset; see benchmark.StepBench."""

    def __init__(self, preset, threads, folder, warm_up=WARM_UP, warm_up_seconds=WARM_UP_SECONDS):
        torch.set_num_threads(threads)
        folder = pathlib.Path(folder)
        job = json.loads((folder / "job.json").read_text())
        if job["preset"] != preset:
            raise ValueError(
                "the job in %s is of %s, not of %s; write it first (tests/bench/job.py)"
                % (folder, job["preset"], preset)
            )
        weights = torch.frombuffer(bytearray((folder / "weights.bin").read_bytes()), dtype=torch.float32)
        batches = torch.frombuffer(bytearray((folder / "batches.bin").read_bytes()), dtype=torch.int32).long()
        self.batches = batches.view(job["batches"], 2, job["batch_size"], job["context"])
        begun = time.perf_counter()
        self.chosen = PRESETS[preset]
        config = self.chosen.train
        self.model = GPT(self.chosen.model)
        named, at = dict(self.model.named_parameters()), 0
        with torch.no_grad():
            for name, shape in job["shapes"]:
                n = named[name].numel()
                named[name].copy_(weights[at : at + n].view(shape))
                at += n
        parameters = list(self.model.parameters())
        # PyTorch's fastest AdamW on the CPU.
        self.optimizer = torch.optim.AdamW(
            [{"params": [p for p in parameters if p.dim() >= 2], "weight_decay": config.weight_decay},
             {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0}],
            lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps, fused=True)  # fmt: skip
        self.losses = []
        self.advance()
        self.first_step_s = time.perf_counter() - begun
        start = time.perf_counter()
        while len(self.losses) < warm_up or time.perf_counter() - start < warm_up_seconds:
            self.advance()

    def advance(self):
        x, y = self.batches[len(self.losses) % len(self.batches)]
        _, loss = self.model(x, y)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.chosen.train.grad_clip)
        self.optimizer.step()
        self.losses.append(loss.item())

    def time(self, steps):
        """{"ms": [per step], "losses", ...}."""
        roll(self)
        out = []
        for _ in range(steps):
            t = time.perf_counter()
            self.advance()
            out.append((time.perf_counter() - t) * 1e3)
        threads, build = torch.get_num_threads(), "torch " + torch.__version__
        return {"ms": out, "replay_ms": out, "losses": self.losses, "threads": threads, "build": build}


kept = {}


def answer(request):
    """The result of one request."""
    do = request["do"]
    if do == "forget":
        return kept.clear()
    preset, key = request["preset"], (request["preset"], request["threads"], request["folder"])
    if do == "cold":
        bench = StepBench(*key, warm_up=COMPARED, warm_up_seconds=0.0)
        return {"first_step_s": bench.first_step_s, "losses": bench.losses[:COMPARED]}
    if do == "generation":
        # Every token runs the whole context: reference/ has no key/value cache.
        model = GPT(PRESETS[preset].model).eval()
        return median_rate(
            lambda seed, count: generate(model, [10], count, temperature=0.8, seed=seed), PRESETS[preset].model.context
        )
    if key not in kept:
        kept.clear()  # one model at a time in memory
        kept[key] = StepBench(*key)
    return kept[key].time(request["steps"])


def serve():
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        try:
            reply = {"ok": True, "result": answer(json.loads(line))}
        except (RuntimeError, ValueError, OSError) as error:
            reply = {"ok": False, "error": "%s: %s" % (type(error).__name__, error)}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
