"""Products and linear algebra beside PyTorch: values, gradients, errors."""

import pytest
import torch

from .expressions import complaint, lines

pytestmark = pytest.mark.fast

PRODUCTS = """
T.mm(g(2, 3), g(3, 4)), T.bmm(g(2, 3, 4), g(2, 4, 1)), T.mv(g(2, 3), g(3)), T.dot(g(3), g(3)), T.outer(g(2), g(3))
T.matmul(g(2, 1, 3, 4), g(5, 4, 2)), g(3) @ g(3, 2), T.inner(g(2, 3), g(4, 3)), T.vdot(g(2), g(2)), i(2, 3) @ i(3, 2)
T.mm(f(2, 3), f(2, 3))
T.mm(f(2), f(2, 3))
T.mm(f(2, 2), i(2, 2))
T.bmm(f(2, 3, 4), f(3, 4, 1))
T.dot(f(2), f(3))
T.addmm(g(4), g(2, 3), g(3, 4), beta=0.5, alpha=2.0), T.addmv(g(2), g(2, 3), g(3)), T.addr(g(2, 3), g(2), g(3))
T.baddbmm(g(1, 2), g(3, 2, 4), g(3, 4, 2))
T.addbmm(g(2, 2), g(3, 2, 4), g(3, 4, 2)), T.addmm(i(2, 2), i(2, 2), i(2, 2))
x = f(2, 2); x.addmm_(f(2, 3), f(3, 2), beta=0); x
T.addmm(f(3), f(2, 2), f(2, 2))
T.tensordot(g(2, 3, 4), g(3, 4, 5)), T.tensordot(g(2, 3), g(3, 2), ([0], [1])), T.tensordot(g(2), g(3), 0)
T.tensordot(f(2, 3), f(2, 3), 1)
T.kron(g(2, 2), g(3)), T.cross(g(2, 3), g(2, 3), dim=1)
T.linalg.cross(g(2, 3), g(1, 3)), T.chain_matmul(g(2, 3), g(3, 4), g(4, 1))
T.linalg.multi_dot([g(3), g(3, 4), g(4)]), T.linalg.vecdot(g(2, 3), g(2, 3))
T.bilinear(g(4, 2), g(4, 3), g(5, 2, 3), g(5))
T.einsum("ij,jk->ik", g(2, 3), g(3, 4)), T.einsum("bij,bjk->bik", g(2, 3, 4), g(2, 4, 2)), T.einsum("ij->ji", g(2, 3))
T.einsum("ii->i", g(3, 3)), T.einsum("ii", g(3, 3))
T.einsum("ij,ij->", g(2, 3), g(2, 3)), T.einsum("i,j->ij", g(2), g(3))
T.einsum("...ij,...jk->...ik", g(2, 1, 2, 3), g(5, 3, 2)), T.einsum("bn,anm,bm->ba", g(2, 3), g(4, 3, 5), g(2, 5))
T.einsum("bhqd,bhkd->bhqk", g(1, 2, 3, 4), g(1, 2, 5, 4)), T.einsum("ba", g(2, 3)), T.einsum("i...->...", g(2, 3))
T.einsum(g(2, 3), [0, 1], g(3, 4), [1, 2], [0, 2])
T.einsum(g(2, 3), [..., 0], [0, ...]), T.einsum("ij,jk", [g(2, 3), g(3, 2)])
T.einsum("iij,jkk->ik", g(2, 2, 3), g(3, 4, 4))
T.einsum("ij,kj->ik", g(2, 1), g(3, 4)), T.einsum(" i j , j -> i ", g(2, 3), g(3))
T.einsum("ij,jk->il", f(2, 3), f(3, 4))
T.einsum("ij", f(2))
T.einsum("ij,jk", f(2, 3), f(4, 5))
T.einsum("i1", f(2, 3))
"""
NORMS = """
T.norm(g(3, 4)), g(3, 4).norm(dim=1), g(3, 4).norm(1), g(3, 4).norm(p=3, dim=0, keepdim=True), g(3).norm(float("inf"))
T.linalg.vector_norm(g(3, 4), 0.5, 1), T.linalg.norm(g(3, 4))
T.linalg.norm(g(3), -math.inf), T.linalg.vector_norm(g(4), 0)
T.linalg.matrix_norm(g(3, 4)), T.linalg.matrix_norm(g(2, 3, 4), 1)
T.linalg.norm(g(3, 3), 2), T.linalg.norm(g(3, 4), "nuc")
x = T.zeros(3, requires_grad=True); y = x.norm(); y.backward(); x.grad
T.norm(i(3))
T.linalg.matrix_norm(f(3))
T.linalg.norm(f(2, 2), "foo")
T.cdist(g(4, 3), g(5, 3)), T.cdist(g(4, 3), g(5, 3), p=1.0)
T.cdist(g(30, 3, dtype="float64"), g(2, 3, dtype="float64")), T.cdist(f(2, 3), f(2, 3), p=math.inf)
T.pdist(g(5, 3)), T.dist(g(3), g(3), 3), T.pairwise_distance(g(4, 3), g(4, 3)), T.cosine_similarity(g(4, 3), g(4, 3))
x = g(3, 2); T.cdist(x, x)
T.cov(g(3, 5)), T.corrcoef(g(3, 5)), T.cov(g(4)), T.cov(g(2, 4), correction=0, fweights=T.tensor([1, 2, 1, 3]))
T.renorm(g(3, 4), 2, 0, 1.0)
"""
MATRICES = """
A = g(3, 3) + 3 * T.eye(3); T.linalg.det(A), T.linalg.inv(A), T.linalg.slogdet(A), T.logdet(A @ A.T)
A = g(2, 3, 3) + 3 * T.eye(3); T.linalg.solve(A, g(2, 3, 2)), T.linalg.solve(A, g(2, 3)), T.inverse(A), T.det(A)
A = g(3, 3, dtype="float64") + 3 * T.eye(3); T.linalg.solve(A, g(3, 2, dtype="float64"), left=True), A.inverse()
A = g(3, 3) + 3 * T.eye(3); T.linalg.solve(A, g(2, 3), left=False)
A = g(3, 3); B = A @ A.T + T.eye(3); T.linalg.cholesky(B), T.cholesky(B, upper=True)
A = g(3, 3); B = A @ A.T + T.eye(3); T.cholesky_inverse(T.linalg.cholesky(B))
A = g(3, 3); L = T.linalg.cholesky(A @ A.T + T.eye(3)); T.cholesky_solve(g(3, 2), L)
T.linalg.qr(g(4, 3)), T.linalg.qr(g(3, 5)), T.linalg.qr(f(4, 2), "complete")
T.linalg.qr(f(3, 2), "r").R, T.qr(f(3, 3))
T.linalg.solve_triangular(g(3, 3) + 3 * T.eye(3), g(3, 2), upper=True), T.triangular_solve(f(3, 1), f(3, 3)).solution
T.linalg.solve_triangular(g(3, 3) + 3 * T.eye(3), g(2, 3), upper=False, left=False, unitriangular=True)
T.linalg.lu(g(3, 3)), T.linalg.lu(g(2, 4)), T.linalg.lu_factor(f(3, 3)), T.lu_unpack(*T.linalg.lu_factor(f(4, 2)))
LU, p = T.linalg.lu_factor(f(3, 3)); T.linalg.lu_solve(LU, p, f(3, 2))
A = g(3, 3); T.linalg.eigvalsh(A + A.T), T.linalg.svdvals(g(3, 4))
A = g(3, 3); T.linalg.matrix_rank(f(3, 2)), T.linalg.cond(f(3, 3))
A = g(4, 4); w, V = T.linalg.eigh(A + A.T); (V * w) @ V.T, V.abs()
U, S, Vh = T.linalg.svd(g(4, 3), full_matrices=False); U @ T.diag(S) @ Vh, S, (U.T @ U).diagonal()
U, S, Vh = T.linalg.svd(f(4, 2)); U.shape, Vh.shape, (U.T @ U).round(decimals=3), T.svd(f(2, 3)).S
T.linalg.pinv(g(4, 3)), T.pinverse(g(2, 3)), T.linalg.lstsq(g(4, 2), g(4, 3)).solution
T.linalg.pinv(T.ones(2, 2, requires_grad=True))
T.linalg.matrix_power(g(3, 3), 3), T.matrix_power(g(2, 2) + T.eye(2), -2)
T.linalg.matrix_exp(g(3, 3)), T.matrix_exp(f(2, 2) * 9)
T.linalg.tensorsolve(T.eye(6).reshape(2, 3, 6), f(2, 3))
T.linalg.tensorinv(T.eye(6).reshape(2, 3, 6), 2), T.linalg.vander(f(3))
T.linalg.inv(T.ones(2, 2))
T.linalg.solve(T.zeros(2, 2), f(2))
T.linalg.cholesky(-T.eye(2))
T.linalg.cholesky_ex(-T.eye(2)).info, T.linalg.inv_ex(T.ones(2, 2)).info
T.linalg.det(f(2, 3))
T.linalg.inv(i(2, 2))
T.linalg.qr(f(3))
A = T.ones(2, 2, requires_grad=True); T.linalg.det(A).backward(); A.grad
T.linalg.det(T.zeros(0, 0)), T.linalg.inv(T.zeros(0, 3, 3)).shape
repr(T.linalg.slogdet(T.eye(2))), T.linalg.qr(T.eye(2)).Q.dtype
"""


@pytest.mark.parametrize("text", [PRODUCTS, NORMS, MATRICES], ids=["products", "norms", "matrices"])
def test_programs_give_pytorchs_results(front, text):
    assert not list(filter(None, [complaint(front, line) for line in lines(text)]))


def test_large_matrices_are_factored(front):
    torch.manual_seed(0)
    A = torch.randn(120, 120, dtype=torch.float64)
    ours = front.tensor(A.numpy())
    Q, R = front.linalg.qr(ours)
    assert torch.allclose(torch.tensor(Q.tolist()).double(), torch.linalg.qr(A).Q, atol=1e-6)
    assert torch.allclose(
        torch.tensor(front.linalg.svdvals(ours).tolist()).double(), torch.linalg.svdvals(A), atol=1e-5
    )
    w = torch.linalg.eigvalsh(A + A.T)
    assert torch.allclose(torch.tensor(front.linalg.eigvalsh(ours + ours.T).tolist()).double(), w, atol=1e-5)


def test_names_that_are_not_here_say_what_to_use(front):
    with pytest.raises(AttributeError, match="eigh"):
        front.linalg.eig  # noqa: B018
