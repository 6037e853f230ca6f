"""torch.utils.data: datasets, samplers and DataLoader."""

from __future__ import annotations

from ... import table
from .collate import default_collate, default_convert
from .dataloader import DataLoader, _DatasetKind, get_worker_info
from .dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from .distributed import DistributedSampler
from .sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from .workers import WorkerInfo

__all__ = [
    "BatchSampler", "ChainDataset", "ConcatDataset", "DataLoader", "Dataset", "DistributedSampler", "IterableDataset",
    "RandomSampler", "Sampler", "SequentialSampler", "StackDataset", "Subset", "SubsetRandomSampler", "TensorDataset",
    "WeightedRandomSampler", "WorkerInfo", "_DatasetKind", "default_collate", "default_convert", "get_worker_info",
    "random_split",
]  # fmt: skip
LIMITED = {"DataLoader": "num_workers: their parts run in this process, one batch at a time, with the same numbers"}
_PIPES = "IterDataPipe", "MapDataPipe", "DataChunk", "DFIterDataPipe", "functional_datapipe"
ABSENT = dict.fromkeys(_PIPES, "write a Dataset or an IterableDataset")


def __getattr__(name: str):
    """The sentence on a name that is not here."""
    return table.missing(__name__, name)
