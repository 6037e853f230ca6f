"""Planted faults: each changes one thing that a GPT trainer can get wrong. The parity gate must
fail on every one of them.

`plant(name)` makes the change and returns an object whose `remove()` undoes it; some faults act on
the batches or on the optimizer.
"""

NAMES = (
    "no_softmax_gradient", "no_attention_scale", "no_position_gradient", "relu_for_gelu", "tanh_gelu",
    "no_mlp_fc_gradient",
    "decay_on_biases", "no_clip", "no_bias_correction", "betas_swapped", "batch_shifted",
)  # fmt: skip


class Planted:
    """A fault in place: `patches` are (object, attribute, value before)."""

    def __init__(self, name):
        self.name, self.patches = name, []
        self.skips_clip = name == "no_clip"

    def patch(self, target, attribute, value):
        self.patches.append((target, attribute, getattr(target, attribute)))
        setattr(target, attribute, value)

    def remove(self):
        for target, attribute, before in reversed(self.patches):
            setattr(target, attribute, before)

    def batches(self, inputs):
        """The batches, targets moved on by one window in the shifted case."""
        if self.name != "batch_shifted":
            return inputs
        return inputs[1:] + inputs[:1]

    def optimizer(self, optimizer):
        """Faults of the optimizer's settings."""
        if self.name == "decay_on_biases":
            decay = max(group["weight_decay"] for group in optimizer.param_groups)
            for group in optimizer.param_groups:
                group["weight_decay"] = decay
        if self.name == "betas_swapped":
            for group in optimizer.param_groups:
                group["betas"] = group["betas"][::-1]


def plant(name):
    """Makes the change `name` (one of NAMES) in the running package."""
    from tinygpt import functional as F
    from tinygpt import model, optim

    planted = Planted(name)
    if name == "no_softmax_gradient":
        # The probabilities are taken as constants: values as before, but no gradient reaches
        # queries and keys.
        true_attention = F.scaled_dot_product_attention
        planted.patch(
            F, "scaled_dot_product_attention", lambda q, k, v, **kw: true_attention(q.detach(), k.detach(), v, **kw)
        )
    elif name == "no_attention_scale":
        true_attention = F.scaled_dot_product_attention
        planted.patch(
            F, "scaled_dot_product_attention", lambda q, k, v, **kw: true_attention(q, k, v, **{**kw, "scale": 1.0})
        )
    elif name == "no_position_gradient":
        true_init = model.GPT.__init__

        def without(self, config):
            true_init(self, config)
            self.pos_emb.weight.requires_grad_(False)

        planted.patch(model.GPT, "__init__", without)
    elif name == "relu_for_gelu":
        planted.patch(F, "gelu", F.relu)
    elif name == "tanh_gelu":
        true_gelu = F.gelu
        planted.patch(F, "gelu", lambda x: true_gelu(x, "tanh"))
    elif name == "no_mlp_fc_gradient":
        true_forward = model.MLP.forward

        def forward(self, x):
            self.fc.weight.requires_grad_(False)
            self.fc.bias.requires_grad_(False)
            return true_forward(self, x)

        planted.patch(model.MLP, "forward", forward)
    elif name == "no_bias_correction":
        planted.patch(
            optim.AdamW,
            "_words",
            lambda self, group, step: (group["lr"], *group["betas"], group["eps"], group["weight_decay"], 1.0, 1.0),
        )
    elif name not in NAMES:
        raise ValueError("there is no planted fault %r; choose one of %s" % (name, ", ".join(NAMES)))
    return planted
