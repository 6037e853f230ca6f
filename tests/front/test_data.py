"""Datasets, samplers and DataLoader: PyTorch's samples, orders, batches and errors for one seed."""

import collections
import random
import warnings

import numpy as np
import pytest
import torch
import torch.utils.data as reference

import tinygpt.torch as tt
import tinygpt.torch.utils.data as ours
from tinygpt import tensor
from tinygpt.torch.utils.data.distributed import DistributedSampler

pytestmark = [pytest.mark.fast, pytest.mark.filterwarnings("ignore")]
Pair = collections.namedtuple("Pair", "a b")


class Theirs:
    data, tensor, manual_seed, Generator, randint = (
        reference, staticmethod(torch.tensor), staticmethod(torch.manual_seed), torch.Generator, torch.randint,
    )  # fmt: skip
    initial_seed = staticmethod(torch.initial_seed)


class Mine:
    data, tensor, manual_seed, Generator = ours, staticmethod(tensor), staticmethod(tt.manual_seed), tt.Generator
    randint, initial_seed = staticmethod(tt.randint), staticmethod(tt.initial_seed)


def plain(value):
    """Tensors as (dtype, nested lists), containers by class and item."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if hasattr(value, "is_contiguous"):
        return str(value.dtype), value.tolist()
    if isinstance(value, collections.abc.Mapping):
        return type(value).__name__, {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(v) for v in value]
    return value


def same(call):
    """Both modules give the same value, or the same error."""
    found = []
    for side in (Theirs, Mine):
        side.manual_seed(7)
        random.seed(7)
        np.random.seed(7)
        try:
            found.append(plain(call(side)))
        except Exception as error:
            found.append((type(error).__name__, str(error)))
    assert found[1] == found[0]
    return found[0]


def squares(side, n=10):
    return side.data.TensorDataset(side.tensor([[i * 1.0, i * i] for i in range(n)]), side.tensor(list(range(n))))


def numbers_of(side, n=10):
    class Numbers(side.data.Dataset):
        def __len__(self):
            return n

        def __getitem__(self, i):
            if i >= n:
                raise IndexError
            return {"x": side.tensor([i, 2 * i]), "name": "n%d" % i, "part": (i, i / 2), "a": np.full(2, i)}

    return Numbers()


def stream_of(side, n=10, draw=False):
    class Stream(side.data.IterableDataset):
        def __iter__(self):
            info = side.data.get_worker_info()
            first, step = (0, 1) if info is None else (info.id, info.num_workers)
            for i in range(first, n, step):
                drawn = [side.randint(1000, (1,)).item(), random.random(), float(np.random.rand())] if draw else []
                yield (i, *drawn)

        def __len__(self):
            return n

    return Stream()


DATASETS = {
    "tensors": lambda s: squares(s)[3],
    "tensors of two lengths": lambda s: s.data.TensorDataset(s.tensor([1]), s.tensor([1, 2])),
    "subset": lambda s: [s.data.Subset(squares(s), [4, 2])[i] for i in (0, 1)],
    "concat": lambda s: [(squares(s, 3) + squares(s, 4))[i] for i in (0, 2, 3, 6, -1)],
    "concat, behind its end": lambda s: (squares(s, 3) + squares(s, 4))[-8],
    "concat, empty": lambda s: s.data.ConcatDataset([]),
    "stack": lambda s: (s.data.StackDataset(squares(s), squares(s))[1], len(s.data.StackDataset(squares(s)))),
    "stack by key": lambda s: s.data.StackDataset(a=squares(s), b=squares(s)).__getitems__([1, 2]),
    "stack, empty": lambda s: s.data.StackDataset(),
    "stack, two lengths": lambda s: s.data.StackDataset(squares(s), squares(s, 3)),
    "chain": lambda s: list(stream_of(s, 3) + stream_of(s, 2)),
    "chain, length": lambda s: len(stream_of(s, 3) + stream_of(s, 2)),
    "split": lambda s: [p.indices for p in s.data.random_split(squares(s), [7, 3])],
    "split in fractions": lambda s: [p.indices for p in s.data.random_split(squares(s, 11), [0.5, 0.3, 0.2])],
    "split of a generator": lambda s: [
        p.indices for p in s.data.random_split(squares(s), [5, 5], s.Generator().manual_seed(3))
    ],
    "split, another sum": lambda s: s.data.random_split(squares(s), [5, 6]),
    "no getitem": lambda s: s.data.Dataset()[0],
}  # fmt: skip
SAMPLERS = {
    "sequential": lambda s: list(s.data.SequentialSampler(squares(s))),
    "random": lambda s: list(s.data.RandomSampler(squares(s))),
    "random, twice": lambda s: [list(r) for r in [s.data.RandomSampler(squares(s))] for _ in range(2)],
    "random, more": lambda s: list(s.data.RandomSampler(squares(s), num_samples=23)),
    "with replacement": lambda s: list(s.data.RandomSampler(squares(s), True, 70)),
    "with replacement, 64": lambda s: [
        list(s.data.RandomSampler(squares(s), True, 64, g)) for g in [s.Generator().manual_seed(1)] for _ in range(2)
    ],
    "of a generator": lambda s: list(s.data.RandomSampler(squares(s), generator=s.Generator().manual_seed(5))),
    "subset": lambda s: list(s.data.SubsetRandomSampler([5, 6, 9, 2])),
    "weighted": lambda s: list(s.data.WeightedRandomSampler([0.1, 0.7, 0.2, 2.0], 12)),
    "weighted, each once": lambda s: list(s.data.WeightedRandomSampler([0.1, 0.7, 0.2, 2.0], 4, False)),
    "batches": lambda s: list(s.data.BatchSampler(range(7), 3, False)),
    "batches, whole": lambda s: [list(b) + [len(b)] for b in [s.data.BatchSampler(range(7), 3, True)]],
    "no sample": lambda s: s.data.RandomSampler([], num_samples=0),
    "no boolean": lambda s: s.data.RandomSampler([1], replacement=2),
    "no batch": lambda s: s.data.BatchSampler([1], 0, False),
    "weights of two dimensions": lambda s: s.data.WeightedRandomSampler([[1.0]], 2),
}  # fmt: skip
LOADERS = {
    "plain": lambda s: list(s.data.DataLoader(squares(s))),
    "batches": lambda s: list(s.data.DataLoader(squares(s), 4)),
    "batches, whole": lambda s: list(s.data.DataLoader(squares(s), 4, drop_last=True)),
    "shuffled": lambda s: [list(d) for d in [s.data.DataLoader(squares(s), 4, shuffle=True)] for _ in range(3)],
    "shuffled, then drawn": lambda s: (
        list(s.data.DataLoader(squares(s), 4, shuffle=True)), s.randint(10**9, (2,)).tolist(),
    ),
    "in order, then drawn": lambda s: (list(s.data.DataLoader(squares(s), 4)), s.randint(10**9, (2,)).tolist()),
    "of a generator": lambda s: list(
        s.data.DataLoader(squares(s), 3, shuffle=True, generator=s.Generator().manual_seed(11))
    ),
    "of a subset": lambda s: list(s.data.DataLoader(s.data.Subset(squares(s), [7, 1, 2]), 2)),
    "dicts": lambda s: list(s.data.DataLoader(numbers_of(s), 4)),
    "no batches": lambda s: list(s.data.DataLoader(numbers_of(s), None)),
    "a sampler": lambda s: list(s.data.DataLoader(squares(s), 2, sampler=[3, 1, 4, 1, 5])),
    "a batch sampler": lambda s: list(s.data.DataLoader(squares(s), batch_sampler=[[1, 2], [0]])),
    "own collate": lambda s: list(s.data.DataLoader(squares(s), 4, collate_fn=len)),
    "a stream": lambda s: list(s.data.DataLoader(stream_of(s), 4)),
    "a stream, whole": lambda s: (list(s.data.DataLoader(stream_of(s), 4, drop_last=True))),
    "a stream, no batches": lambda s: list(s.data.DataLoader(stream_of(s), None)),
    "a list": lambda s: list(s.data.DataLoader([1, 2, 3, 4, 5], 2)),
    "lengths": lambda s: [
        len(s.data.DataLoader(squares(s), 4)), len(s.data.DataLoader(squares(s), 4, drop_last=True)),
        len(s.data.DataLoader(stream_of(s), 4)),
    ],
    "one batch": lambda s: next(iter(s.data.DataLoader(squares(s), 3, shuffle=True))),
    "shuffled stream": lambda s: s.data.DataLoader(stream_of(s), shuffle=True),
    "sampler and shuffle": lambda s: s.data.DataLoader(squares(s), sampler=[1], shuffle=True),
    "batch_sampler and batch_size": lambda s: s.data.DataLoader(squares(s), 2, batch_sampler=[[1]]),
    "drop_last alone": lambda s: s.data.DataLoader(squares(s), None, drop_last=True),
    "workers below 0": lambda s: s.data.DataLoader(squares(s), num_workers=-1),
    "prefetch without workers": lambda s: s.data.DataLoader(squares(s), prefetch_factor=2),
    "persistent without workers": lambda s: s.data.DataLoader(squares(s), persistent_workers=True),
    "a fixed attribute": lambda s: setattr(s.data.DataLoader(squares(s)), "batch_size", 3),
    "samples of two sizes": lambda s: list(s.data.DataLoader([[1], [1, 2]], 2)),
}  # fmt: skip
COLLATED = {
    "ints": [1, 2], "bools": [True, False], "floats": [1.5, 2.0], "texts": ["a", "b"], "bytes": [b"a"],
    "pairs": [Pair(1, "x"), Pair(2, "y")], "lists": [[1, 2.5], [3, 4.5]], "tuples": [(1, (2, "a")), (3, (4, "b"))],
    "dicts": [{"a": 1, "b": [2]}, {"a": 3, "b": [4]}], "arrays": [np.arange(3), np.arange(3)],
    "scalars": [np.float32(1), np.float32(2)], "ordered": [collections.OrderedDict(a=1.0)], "sets": [{1}, {2}],
    "none": [None], "uint8": [np.zeros(2, dtype=np.uint8)], "text arrays": [np.array(["a"])],
}  # fmt: skip


@pytest.mark.parametrize("name", DATASETS)
def test_datasets(name):
    same(DATASETS[name])


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers(name):
    same(SAMPLERS[name])


@pytest.mark.parametrize("name", LOADERS)
def test_loaders(name):
    same(LOADERS[name])


@pytest.mark.parametrize("name", COLLATED)
def test_collate_and_convert(name):
    same(lambda side: side.data.default_collate(COLLATED[name]))
    same(lambda side: side.data.default_convert(COLLATED[name]))


@pytest.mark.parametrize("shuffle", [True, None])
@pytest.mark.parametrize("persistent", [False, True])
def test_workers_have_the_numbers_of_processes(shuffle, persistent):
    def call(side):
        dataset = numbers_of(side) if shuffle else stream_of(side, 9, draw=True)
        loader = side.data.DataLoader(
            dataset, 2, shuffle=shuffle, num_workers=2, persistent_workers=persistent, collate_fn=list,
            worker_init_fn=lambda i: random.random(),
        )  # fmt: skip
        batches = [list(loader) for _ in range(2)]
        return batches, side.randint(10**9, (2,)).tolist(), side.initial_seed()

    same(call)


def test_workers_are_said_once():
    from tinygpt.torch.utils.data import workers

    workers._said = False
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            list(ours.DataLoader([1, 2], num_workers=2))
    assert [str(w.message) for w in caught] == [
        "DataLoader(num_workers=2): TinyGPT has no other processes; the workers' parts run in this one, with the same "
        "numbers"
    ]
    assert ours.get_worker_info() is None


@pytest.mark.parametrize("settings", [{}, {"drop_last": True}, {"shuffle": False}, {"seed": 3}])
def test_a_share_of_a_dataset(settings):
    for rank in range(3):
        want = reference.distributed.DistributedSampler(range(10), 3, rank, **settings)
        got = DistributedSampler(range(10), 3, rank, **settings)
        for epoch in range(2):
            want.set_epoch(epoch)
            got.set_epoch(epoch)
            assert list(got) == list(want) and len(got) == len(want)
    with pytest.raises(RuntimeError, match="Requires distributed package"):
        DistributedSampler(range(10))
