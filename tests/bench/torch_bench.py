"""PyTorch's half of the speed tests: the same model and step, natively, in a process of its own with the same number of threads."""

import json
import sys
import time

import torch


class StepBench:
    """PyTorch's training step of a preset; see host_bench.StepBench."""

    def __init__(self, preset, threads):
        from reference.model import GPT
        from tests.bench.host_bench import WARM_UP, WARM_UP_SECONDS
        from tinygpt.config import PRESETS

        torch.set_num_threads(threads)
        torch.manual_seed(42)
        self.chosen = PRESETS[preset]
        config = self.chosen.train
        self.model = GPT(self.chosen.model)
        self.x = torch.randint(256, (config.batch_size, self.chosen.model.context))
        self.y = torch.randint(256, (config.batch_size, self.chosen.model.context))
        parameters = list(self.model.parameters())
        # PyTorch's fastest AdamW on the CPU.
        self.optimizer = torch.optim.AdamW(
            [{"params": [p for p in parameters if p.dim() >= 2], "weight_decay": config.weight_decay},
             {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0}],
            lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps, fused=True)  # fmt: skip
        self.losses = []
        start = time.perf_counter()
        while len(self.losses) < WARM_UP or time.perf_counter() - start < WARM_UP_SECONDS:
            self.advance()

    def advance(self):
        _, loss = self.model(self.x, self.y)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.chosen.train.grad_clip)
        self.optimizer.step()
        self.losses.append(loss.item())

    def time(self, steps):
        """{"ms": [per step], "losses"}."""
        from tests.bench.host_bench import roll

        roll(self)
        out = []
        for _ in range(steps):
            t = time.perf_counter()
            self.advance()
            out.append((time.perf_counter() - t) * 1e3)
        return {
            "ms": out,
            "replay_ms": out,
            "losses": self.losses,
            "threads": torch.get_num_threads(),
            "build": "torch " + torch.__version__,
        }


def serve():
    """One JSON request a line: {"preset", "threads", "steps"} -> the times."""
    kept = {}
    for line in sys.stdin:
        request = json.loads(line)
        key = request["preset"], request["threads"]
        if key not in kept:
            kept.clear()  # one model at a time in memory
            kept[key] = StepBench(*key)
        print(json.dumps(kept[key].time(request["steps"])), flush=True)


if __name__ == "__main__":
    serve()
