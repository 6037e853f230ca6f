"""Learning rate over the steps of a run: a linear warm-up, then constant, cosine or linear decay, from TrainConfig.

`lr_at(step, config)` is the whole rule (step counts from 0); training in the tab and in PyTorch both call it.
`Scheduler` has the feel of torch.optim.lr_scheduler: `scheduler.step()` after `optimizer.step()`.
"""

import math

# What is left of (lr - min_lr) when the fraction `progress` of the decay is over: 1 at 0, 0 at 1.
DECAYS = {
    "constant": lambda progress: 1.0,
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),  # Loshchilov and Hutter 2017, without restarts
    "linear": lambda progress: 1.0 - progress,
}


def lr_at(step, config):
    """The learning rate of step `step` (0 is the first).

    Warm-up: (step + 1) / warmup_steps of lr, so that no step is lost at 0. Then the decay, which would arrive at min_lr at
    step `config.steps` (one past the last, as torch's CosineAnnealingLR with T_max = steps); from there on it stays.
    """
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.lr
    span = max(1, config.steps - config.warmup_steps)
    progress = min(1.0, (step - config.warmup_steps) / span)
    return config.min_lr + (config.lr - config.min_lr) * DECAYS[config.schedule](progress)


def apply(optimizer, step, config):
    """Sets every parameter group's lr for `step` (times the group's own `lr_scale`, where it has one). Returns the rate."""
    lr = lr_at(step, config)
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)
    return lr


class Scheduler:
    """Holds the step and keeps `optimizer`'s learning rate at lr_at(step, config)."""

    def __init__(self, optimizer, config, last_step=-1):
        self.optimizer, self.config, self.last_step = optimizer, config, last_step
        self.step()

    def step(self):
        """Moves on to the next step; call it after optimizer.step()."""
        self.last_step += 1
        self._lr = apply(self.optimizer, self.last_step, self.config)

    def get_last_lr(self):
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self):
        return {"last_step": self.last_step}

    def load_state_dict(self, state):
        self.last_step = state["last_step"]
        self._lr = apply(self.optimizer, self.last_step, self.config)
