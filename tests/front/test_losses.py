"""Losses and distances: values and gradients of every reduction, the modules of the same names,
what is refused.
"""

import pytest
import torch

from tests.front.layers import compare_call, compare_error, compare_module

pytestmark = pytest.mark.fast


def wave(*shape, dtype=torch.float32, grad=True, phase=0.0, scale=1.0):
    n = torch.Size(shape).numel()
    x = (torch.sin(torch.arange(n, dtype=torch.float64) * 1.7 + phase) * scale).to(dtype).reshape(shape)
    return x.requires_grad_() if grad else x


def classes(*shape, below, **marks):
    n = torch.Size(shape).numel()
    return (torch.arange(n) * 7 % below).reshape(shape)


SIGNS = torch.tensor([1.0, -1.0, 1.0, -1.0, -1.0])
# (expression, x, y, z): each is also taken with the reductions "sum" and "none".
LOSSES = [
    ("F.mse_loss(x, y%s)", lambda: (wave(3, 4), wave(3, 4, phase=1))),
    ("F.mse_loss(x, y, weight=z%s)", lambda: (wave(3, 4), wave(3, 4, phase=1), wave(3, 4, phase=3, grad=False).abs())),
    ("F.mse_loss(x, y%s)", lambda: (wave(3, 4), wave(4, phase=1))),
    ("F.l1_loss(x, y%s)", lambda: (wave(3, 4), wave(3, 4, phase=1))),
    ("F.smooth_l1_loss(x, y%s)", lambda: (wave(5, scale=3), wave(5, phase=1))),
    ("F.smooth_l1_loss(x, y, beta=0.3%s)", lambda: (wave(5, scale=3), wave(5, phase=1))),
    ("F.smooth_l1_loss(x, y, beta=0.0%s)", lambda: (wave(5, scale=3), wave(5, phase=1))),
    ("F.huber_loss(x, y, delta=0.7%s)", lambda: (wave(5, scale=3), wave(5, phase=1))),
    ("F.huber_loss(x, y, weight=z%s)", lambda: (wave(5, scale=3), wave(5, phase=1), wave(5, phase=2, grad=False))),
    ("F.cross_entropy(x, y%s)", lambda: (wave(5, 4, scale=3), classes(5, below=4))),
    ("F.cross_entropy(x, y, label_smoothing=0.2%s)", lambda: (wave(5, 4, scale=3), classes(5, below=4))),
    (
        "F.cross_entropy(x, y, z, ignore_index=2%s)",
        lambda: (wave(5, 4), classes(5, below=4), torch.tensor([1, 2, 3, 0.5])),
    ),
    (
        "F.cross_entropy(x, y, z, ignore_index=2, label_smoothing=0.1%s)",
        lambda: (wave(5, 4), classes(5, below=4), torch.tensor([1, 2, 3, 0.5])),
    ),
    ("F.cross_entropy(x, y%s)", lambda: (wave(2, 4, 3, 5), classes(2, 3, 5, below=4))),
    ("F.cross_entropy(x, y%s)", lambda: (wave(5, 4), wave(5, 4, phase=2, grad=False).softmax(-1))),
    ("F.cross_entropy(x, y, label_smoothing=0.3%s)", lambda: (wave(2, 4, 3), wave(2, 4, 3, grad=False).softmax(1))),
    ("F.cross_entropy(x, y%s)", lambda: (wave(4), torch.tensor(2))),
    ("F.cross_entropy(x, y%s)", lambda: (wave(5, 4, dtype=torch.float64), classes(5, below=4))),
    ("F.nll_loss(x.log_softmax(1), y%s)", lambda: (wave(5, 4), classes(5, below=4))),
    (
        "F.nll_loss(x.log_softmax(1), y, z%s)",
        lambda: (wave(2, 4, 3, 5), classes(2, 3, 5, below=4), torch.tensor([1, 2, 3, 0.5])),
    ),
    ("F.nll_loss(x, y, ignore_index=1%s)", lambda: (wave(4), torch.tensor(1))),
    ("F.binary_cross_entropy(x.sigmoid(), y%s)", lambda: (wave(3, 4, scale=4), wave(3, 4, phase=1, grad=False).abs())),
    (
        "F.binary_cross_entropy(x, y, z%s)",
        lambda: (torch.tensor([0.0, 1.0, 0.3, 1.0, 0.0], requires_grad=True), torch.tensor([0.0, 1, 1, 0, 1]), SIGNS),
    ),
    ("F.binary_cross_entropy_with_logits(x, y%s)", lambda: (wave(3, 4, scale=40), wave(3, 4, phase=1).detach().abs())),
    (
        "F.binary_cross_entropy_with_logits(x, y, pos_weight=z%s)",
        lambda: (wave(3, 4, scale=4), wave(3, 4, grad=False).round().abs(), torch.tensor([1.0, 2, 3, 0.1])),
    ),
    (
        "F.binary_cross_entropy_with_logits(x, y, z%s)",
        lambda: (wave(4), wave(4, grad=False).abs(), torch.tensor([1.0, 2, 3, 0.1])),
    ),
    ("F.kl_div(x.log_softmax(1), y%s)", lambda: (wave(3, 4), wave(3, 4, phase=1, grad=False).relu())),
    ("F.kl_div(x, y, log_target=True%s)", lambda: (wave(3, 4), wave(3, 4, phase=1))),
    (
        "F.poisson_nll_loss(x, y, full=True%s)",
        lambda: (wave(3, 4), wave(3, 4, phase=1, grad=False, scale=4).abs().round()),
    ),
    ("F.poisson_nll_loss(x.abs(), y, log_input=False%s)", lambda: (wave(3, 4), wave(3, 4, phase=1, grad=False).abs())),
    (
        "F.gaussian_nll_loss(x, y, z%s)",
        lambda: (wave(3, 4), wave(3, 4, phase=1), wave(3, 4, grad=False).relu().requires_grad_()),
    ),
    (
        "F.gaussian_nll_loss(x, y, z, full=True%s)",
        lambda: (wave(3, 4), wave(3, 4, phase=1), wave(3, 1, grad=False).abs()),
    ),
    ("F.gaussian_nll_loss(x, y, 0.5%s)", lambda: (wave(3, 4), wave(3, 4, phase=1))),
    ("F.cosine_embedding_loss(x, y, z, 0.1%s)", lambda: (wave(5, 3), wave(5, 3, phase=1), SIGNS)),
    ("F.margin_ranking_loss(x, y, z, 0.3%s)", lambda: (wave(5), wave(5, phase=1), SIGNS)),
    ("F.hinge_embedding_loss(x, y%s)", lambda: (wave(5, scale=2), SIGNS)),
    ("F.soft_margin_loss(x, y%s)", lambda: (wave(5, scale=2), SIGNS)),
    ("F.multi_margin_loss(x, y%s)", lambda: (wave(5, 4), classes(5, below=4))),
    (
        "F.multi_margin_loss(x, y, p=2, margin=0.5, weight=z%s)",
        lambda: (wave(5, 4), classes(5, below=4), torch.tensor([1.0, 2, 3, 4])),
    ),
    ("F.multi_margin_loss(x, y%s)", lambda: (wave(4), torch.tensor(2))),
    ("F.multilabel_margin_loss(x, y%s)", lambda: (wave(2, 4), torch.tensor([[3, 0, -1, 1], [-1, 0, 0, 0]]))),
    (
        "F.multilabel_soft_margin_loss(x, y, z%s)",
        lambda: (wave(3, 4), wave(3, 4, grad=False).round().abs(), torch.tensor([1.0, 2, 3, 4])),
    ),
    ("F.triplet_margin_loss(x, y, z%s)", lambda: (wave(5, 3), wave(5, 3, phase=1), wave(5, 3, phase=2))),
    (
        "F.triplet_margin_loss(x, y, z, p=1, swap=True, margin=2.0%s)",
        lambda: (wave(5, 3), wave(5, 3, phase=1), wave(5, 3, phase=2)),
    ),
    ("F.triplet_margin_with_distance_loss(x, y, z%s)", lambda: (wave(5, 3), wave(5, 3, phase=1), wave(5, 3, phase=2))),
    (
        "F.ctc_loss(x.log_softmax(2), y, (6, 5), (3, 2)%s)",
        lambda: (wave(6, 2, 5, scale=2), torch.tensor([[1, 2, 2], [3, 1, 4]])),
    ),
    (
        "F.ctc_loss(x.log_softmax(2), y, z, z - 3, blank=4%s)",
        lambda: (wave(6, 2, 5), torch.tensor([1, 2, 3, 3, 0]), torch.tensor([6, 5])),
    ),
    (
        "F.ctc_loss(x.log_softmax(2), y, (3, 5), (3, 2), zero_infinity=True%s)",
        lambda: (wave(6, 2, 5), torch.tensor([[1, 1, 2], [3, 1, 4]])),
    ),
]
DISTANCES = [
    ("F.pairwise_distance(x, y)", lambda: (wave(5, 3), wave(5, 3, phase=1))),
    ("F.pairwise_distance(x, y, p=1.0, keepdim=True)", lambda: (wave(5, 3), wave(5, 3, phase=1))),
    ("F.pairwise_distance(x, y, p=3.0)", lambda: (wave(5, 3), wave(3, phase=1))),
    ("F.cosine_similarity(x, y)", lambda: (wave(5, 3), wave(5, 3, phase=1))),
    ("F.cosine_similarity(x, y, dim=-1)", lambda: (wave(5, 1, 3), wave(1, 4, 3, phase=1))),
    ("F.pdist(x)", lambda: (wave(5, 3),)),
    ("F.pdist(x, p=1.0)", lambda: (wave(5, 3),)),
    ("F.normalize(x, p=1.0, dim=-1)", lambda: (wave(5, 3),)),
    ("F.normalize(x * 0)", lambda: (wave(5, 3),)),
]
MODULES = [
    ("nn.MSELoss()", lambda: (wave(3, 4), wave(3, 4, phase=1))),
    ("nn.L1Loss(reduction='sum')", lambda: (wave(3, 4), wave(3, 4, phase=1))),
    ("nn.SmoothL1Loss(beta=0.5)", lambda: (wave(3, 4), wave(3, 4, phase=1))),
    ("nn.HuberLoss(delta=0.5)", lambda: (wave(3, 4), wave(3, 4, phase=1))),
    ("nn.CrossEntropyLoss()", lambda: (wave(5, 4), classes(5, below=4))),
    ("nn.CrossEntropyLoss(weight=t.arange(4.0), label_smoothing=0.1)", lambda: (wave(5, 4), classes(5, below=4))),
    ("nn.CrossEntropyLoss(size_average=False)", lambda: (wave(5, 4), classes(5, below=4))),
    ("nn.CrossEntropyLoss(reduce=False)", lambda: (wave(5, 4), classes(5, below=4))),
    ("nn.NLLLoss(weight=t.arange(4.0))", lambda: (wave(5, 4), classes(5, below=4))),
    ("nn.BCELoss()", lambda: (wave(5, grad=False).abs().requires_grad_(), wave(5, grad=False).round().abs())),
    ("nn.BCEWithLogitsLoss(pos_weight=t.arange(4.0))", lambda: (wave(5, 4), wave(5, 4, grad=False).round().abs())),
    ("nn.KLDivLoss(reduction='batchmean')", lambda: (wave(5, 4), wave(5, 4, grad=False).abs())),
    ("nn.PoissonNLLLoss()", lambda: (wave(5), wave(5, grad=False).abs())),
    ("nn.GaussianNLLLoss(full=True)", lambda: (wave(5), wave(5, phase=1), wave(5, phase=2, grad=False).abs())),
    ("nn.CosineEmbeddingLoss()", lambda: (wave(5, 3), wave(5, 3, phase=1), SIGNS)),
    ("nn.MarginRankingLoss(0.1)", lambda: (wave(5), wave(5, phase=1), SIGNS)),
    ("nn.HingeEmbeddingLoss()", lambda: (wave(5), SIGNS)),
    ("nn.SoftMarginLoss()", lambda: (wave(5), SIGNS)),
    ("nn.MultiMarginLoss()", lambda: (wave(5, 4), classes(5, below=4))),
    ("nn.MultiLabelMarginLoss()", lambda: (wave(4), torch.tensor([3, 0, -1, 1]))),
    ("nn.MultiLabelSoftMarginLoss()", lambda: (wave(3, 4), wave(3, 4, grad=False).round().abs())),
    ("nn.TripletMarginLoss()", lambda: (wave(5, 3), wave(5, 3, phase=1), wave(5, 3, phase=2))),
    ("nn.TripletMarginWithDistanceLoss()", lambda: (wave(5, 3), wave(5, 3, phase=1), wave(5, 3, phase=2))),
    ("nn.CosineSimilarity(dim=0)", lambda: (wave(5, 3), wave(5, 3, phase=1))),
    ("nn.PairwiseDistance(keepdim=True)", lambda: (wave(5, 3), wave(5, 3, phase=1))),
    (
        "nn.CTCLoss()",
        lambda: (
            wave(6, 2, 5).detach().requires_grad_(),
            torch.tensor([[1, 2], [3, 1]]),
            torch.tensor([6, 5]),
            torch.tensor([2, 1]),
        ),
    ),
]
REFUSED = [
    "F.cross_entropy(x, c.int())", "F.cross_entropy(x, c[:2])", "F.cross_entropy(x, c + 4)",
    "F.cross_entropy(x, c, reduction='all')", "F.cross_entropy(x, c, weight=t.ones(3))",
    "F.cross_entropy(x, c, label_smoothing=1.5)", "F.cross_entropy(x[0, 0], c[0])",
    "F.cross_entropy(x, x, ignore_index=1)", "F.cross_entropy(x, c.reshape(5, 1))", "F.nll_loss(x, x)",
    "F.nll_loss(x, c - 9)", "F.mse_loss(x, x[:, :3])", "F.mse_loss(c, c)", "F.mse_loss(x, 0)",
    "F.l1_loss(x, x, reduction='max')", "F.binary_cross_entropy(x, x[0])", "F.binary_cross_entropy(x - 3, x)",
    "F.binary_cross_entropy_with_logits(x, x[0])", "F.binary_cross_entropy(x.sigmoid(), c)",
    "F.huber_loss(x, x, delta=0)", "F.smooth_l1_loss(x, x, beta=-1)", "F.gaussian_nll_loss(x, x, x[:, 0] - 9)",
    "F.gaussian_nll_loss(x, x, t.ones(3))", "F.multi_margin_loss(x, c, p=3)", "nn.TripletMarginLoss(margin=-1)",
    "F.triplet_margin_loss(x, x, x[0])", "F.margin_ranking_loss(x, x[0], x)", "F.cosine_embedding_loss(x, x, x)",
    "F.multilabel_margin_loss(x, c)", "nn.MultiMarginLoss(p=3)", "nn.BCELoss()(x)", "F.ctc_loss(x, c, (5,), (9,))",
    "F.poisson_nll_loss(x, x, reduction='x')", "F.kl_div(x, x, reduction='x')",
]  # fmt: skip


@pytest.mark.parametrize(("source", "inputs"), LOSSES, ids=[source for source, _ in LOSSES])
def test_value_and_gradient_of_each_reduction(front, source, inputs):
    for reduction in ("", ", reduction='sum'", ", reduction='none'", ", reduction='mean'"):
        compare_call(front, source % reduction, *inputs())


@pytest.mark.parametrize(("source", "inputs"), DISTANCES, ids=[source for source, _ in DISTANCES])
def test_distances(front, source, inputs):
    compare_call(front, source, *inputs())


@pytest.mark.parametrize(("source", "inputs"), MODULES, ids=[source for source, _ in MODULES])
def test_modules(front, source, inputs):
    compare_module(front, source, *inputs())


@pytest.mark.parametrize("source", REFUSED)
def test_the_class_of_an_error(front, source):
    compare_error(front, source, x=wave(5, 4), c=classes(5, below=4))


TWICE = [
    "F.mse_loss(x, y)",
    "F.smooth_l1_loss(x, y, beta=0.4)",
    "F.huber_loss(x, y)",
    "F.binary_cross_entropy_with_logits(x, y)",
    "F.binary_cross_entropy(x.sigmoid(), y)",
    "F.cross_entropy(x, y.softmax(-1))",
    "F.kl_div(x, y, reduction='sum')",
    "F.cosine_embedding_loss(x, y, t.ones(5))",
    "F.triplet_margin_loss(x, y, x * y)",
]  # fmt: skip


@pytest.mark.parametrize("source", TWICE)
def test_the_gradient_of_a_gradient(front, source):
    first = "t.autograd.grad(%s ** 2, x, create_graph=True)[0]" % source
    x, y = wave(5, 4, phase=2), wave(5, 4, grad=False).abs()
    compare_call(front, "t.autograd.grad((%s * x.sin()).sum(), x)" % first, x, y, rtol=1e-4, atol=1e-6)


def test_the_names_of_losses_on_the_tape(front):
    for source in ["F.mse_loss(x, y)", "F.l1_loss(x, y)", "F.cross_entropy(x, c)", "F.nll_loss(x, c)", *TWICE[1:5]]:
        names = []
        for t in (torch, front):
            x = t.ones(5, 4, requires_grad=True)
            given = {"F": t.nn.functional, "t": t, "x": x, "y": x.detach() * 0.5, "c": t.arange(5) % 4}
            names.append(type(eval(source, given).grad_fn).__name__)
        assert names[0] == names[1], source
