"""Shapes beside PyTorch: views, what is written through them, copies in another order, errors."""

import pytest

from .expressions import complaint, lines

pytestmark = pytest.mark.fast

VIEWS = """
T.reshape(g(2, 6), (3, -1)), T.reshape(g(2, 3), [6])
x = g(2, 3); x.view(-1), x.view(3, 2), x.view((6, 1)), x.reshape(1, -1)
f(2, 3).t().view(6)
f(2, 3).view(-1, -1)
f(2, 3).view(4, -1)
f(4).view(T.int32), f(4).view(T.int64), i(2).view(T.float32).shape
f(3).view(T.int64)
T.flatten(g(2, 3, 4), 1), g(2, 3, 4).flatten(0, 1), g().flatten()
f(2, 3).flatten(1, 0)
g(2, 6).unflatten(1, (3, -1)), T.unflatten(g(6), 0, [2, 3])
f(6).unflatten(0, (4, -1))
g(1, 2, 1).squeeze(), g(1, 2, 1).squeeze(0), g(1, 2, 1).squeeze((0, 2)), g(1, 2, 1).squeeze(dim=1)
f(1, 2).squeeze((0, 0))
g(2, 3).unsqueeze(-1), T.unsqueeze(g(2), 0)
f(2).unsqueeze(3)
T.permute(g(2, 3, 4), (2, 0, 1)), g(2, 3, 4).permute(-1, 0, 1)
f(2, 3).permute(0)
f(2, 3).permute(0, 0)
f(2, 3).permute(0, 2)
T.transpose(g(2, 3), 0, 1), g(2, 3).T, g(2, 3).mT, g(2, 3).t(), g(2, 3).swapaxes(0, 1), g(2, 3).H, g(2, 3).adjoint()
f(2, 2, 2).H
T.movedim(g(2, 3, 4), 0, -1), T.moveaxis(g(2, 3, 4), (0, 1), (1, 2))
f(2, 3).movedim((0, 1), 0)
g(3, 1).expand(2, 3, 4), g(3, 1).expand(-1, 2), T.broadcast_to(g(3), (2, 3)), g(1, 3).expand_as(f(2, 3))
f(3).expand(2)
T.broadcast_tensors(g(2, 1), g(3)), T.broadcast_shapes((2, 1), (3,), 3)
T.atleast_1d(f()), T.atleast_2d(f(3)), T.atleast_3d(f(3), f(2, 2))
g(5).split(2), T.split(g(5, 2), [1, 4]), g(2, 4).split(3, 1)
f(5).split([1, 2])
g(5).chunk(2), T.chunk(g(2, 6), 4, 1)
T.tensor_split(g(7), 3), T.tensor_split(g(7), (2, 5)), T.tensor_split(g(2, 7), [-2, 9], dim=1)
T.hsplit(g(2, 4), 2), T.vsplit(g(4, 2), [1]), T.dsplit(g(1, 2, 4), 2)
f(2, 3).hsplit(2)
T.unbind(g(3, 2)), g(3, 2).unbind(1), T.unbind(f(0, 2))
T.unbind(f())
T.diagonal(g(3, 4), 1), g(2, 3, 4).diagonal(-1, 1, 2), g(2, 3, 4).diagonal(5, 0, 2)
f(2, 2).diagonal(0, 1, 1)
g(7).unfold(0, 3, 2), g(2, 5).unfold(1, 2, 1), g().unfold(0, 1, 1)
f(3).unfold(0, 4, 1)
g(12).as_strided((2, 3), (3, 1), 2), g(6).as_strided((3, 2), (1, 1)), g(2, 3).t().as_strided((2,), (2,))
f(4).as_strided((3, 3), (2, 1))
f(4).as_strided((2,), (-1,))
x = f(2, 3); x.t().stride(), x[1:].storage_offset(), x.stride(0), x.t().is_contiguous(), x.nelement(), x.ndimension()
x = f(2, 3); x.element_size(), x.nbytes, x.bool().element_size(), x.data_ptr() == x[0].data_ptr(), x.itemsize
x = f(2, 3); x.is_cuda, x.is_cpu, x.is_sparse, x.is_meta, x.get_device(), x.sum_to_size(1, 3), x.is_shared()
x = f(2, 3); x.size(), x.size(-1), x.shape, tuple(x.shape), x.dim()
f(2).size(1)
f(2, 3).contiguous(memory_format=T.contiguous_format), f(2).clone(memory_format=T.preserve_format)
T.view_copy(g(4), (2, 2)), T.diagonal_copy(g(2, 2)), T.narrow_copy(g(4), 0, 1, 2)
"""
IN_PLACE = """
x = g(2, 3) * 2; x.t_(); x
x = g(1, 3) * 2; x.squeeze_(0); x.unsqueeze_(-1); x
x = g(2, 3, 4) * 2; x.transpose_(0, 2); x.swapaxes_(0, 1); x
x = g(2, 3); x.t_()
x = f(3, 3); x.fill_diagonal_(2.0)
x = f(7, 3); x.fill_diagonal_(2, wrap=True)
x = f(4); x.resize_(2, 2)
x = f(2); v = x._version; x.unsqueeze_(0); x._version - v
x = g(2, 3) * 1; y = x.t(); y[0] = 5.0; x
x = g(2, 3) * 1; y = x.diagonal(); y.mul_(3.0); x
x = g(6) * 1; y = x.as_strided((2, 2), (3, 1)); y.add_(1.0); x
x = g(6) * 1; y = x.unfold(0, 2, 2); y[1] = 0.0; x
x = g(2, 3) * 1; a, b = x.unbind(); a.mul_(2.0)
x = f(2, 3); a, b = x.unbind(); a.mul_(2.0); x
x = f(3).expand(2, 3); x.add_(1)
x = g(3, 3) * 1; x.tril_(); x
x = g(3, 4) * 1; x.triu_(1); x
"""
COPIES = """
T.cat([g(2, 3), g(1, 3)]), T.cat((g(2), i(3))), T.concat([g(1, 2), g(1, 3)], dim=1), T.cat([f(0), f(2, 2)])
T.cat([g(2), g(2, dtype="float64")])
T.cat([f(2), f(2, 2)])
T.cat([])
T.cat(f(2))
T.stack([g(2), g(2)], -1), T.hstack([g(2), g(3)]), T.vstack([g(3), g(2, 3)]), T.dstack([g(2), g(2)])
T.column_stack([g(2), g(2, 3)]), T.hstack([g(), g()])
T.stack([f(2), f(3)])
T.block_diag(g(2, 2), g(3), g())
g(2, 3).repeat(2, 1, 2), g(3).repeat(2), f(2, 3).repeat(0, 1)
f(2, 3).repeat(2)
T.tile(g(2, 3), (2,)), g(2).tile((2, 2))
g(3).repeat_interleave(2), T.repeat_interleave(g(2, 3), T.tensor([1, 0, 2]), dim=1)
T.repeat_interleave(T.tensor([2, 0, 1]))
f(2).repeat_interleave(-1)
f(2).repeat_interleave(T.tensor([1, 2, 3]))
g(2, 3).flip(0), g(2, 3).flip((0, 1)), T.flip(g(2, 3), [-1]), T.fliplr(g(2, 3)), T.flipud(g(3))
f(2).flip(0, 0)
T.rot90(g(2, 3)), T.rot90(g(2, 3), -1), T.rot90(g(2, 3), 2), T.rot90(g(2, 3, 2), 3, [1, 2])
g(5).roll(2), g(2, 3).roll(-1), T.roll(g(2, 3), (1, -1), (0, 1))
f(2, 3).roll((1, 2))
T.tril(g(3, 4)), T.triu(g(3, 4), -1), T.tril(i(2, 3, 3), 1), T.triu(b(3, 3))
T.tril_indices(3, 4), T.triu_indices(3, 3, 1), T.tril_indices(0, 2), T.tril_indices(2, 2, -5)
T.diag(g(3)), T.diag(g(3, 4), 1), T.diag_embed(g(2, 3))
T.diag_embed(g(3), -1, 1, 0), T.diagflat(g(2, 2)), T.trace(g(3, 4))
f(2, 2, 2).diag()
T.meshgrid(g(2), g(3), indexing="ij"), T.meshgrid(f(2), f(3), indexing="xy")
T.meshgrid(f(2), i(2))
T.cartesian_prod(g(2), g(3)), T.combinations(g(4)), T.combinations(f(3), 2, True), T.combinations(f(3), 4)
f(2, 1, 2, 1, 3, 1, 2, 1).permute(7, 0, 2, 4, 6, 1, 3, 5) + 1
x = g(2, 2, 2, 2, 2, 2, 2, 2); x.permute(7, 1, 5, 3, 6, 2, 0, 4).contiguous()
x = g(2, 2, 2, 2, 2, 2, 2, 2); x.permute(1, 3, 5, 7, 0, 2, 4, 6) * 2 + x
x = g(2, 2, 2, 2, 2, 2, 2, 2) * 1; y = x.permute(7, 1, 5, 3, 6, 2, 0, 4); y += f(2, 1, 2, 1, 2, 1, 2, 1); y.sum((0, 2))
"""


@pytest.mark.parametrize("text", [VIEWS, IN_PLACE, COPIES], ids=["views", "in_place", "copies"])
def test_programs_give_pytorchs_results(front, text):
    assert not list(filter(None, [complaint(front, line) for line in lines(text)]))


def test_a_memory_format_that_is_not_the_dense_one_is_refused(front):
    with pytest.raises(NotImplementedError, match="channels_last"):
        front.ones(1, 2, 2, 2).contiguous(memory_format=front.channels_last)
