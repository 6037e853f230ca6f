"""A state_dict file that TinyGPT wrote for PyTorch, read back as a checkpoint: the weights under
PyTorch's names, and in the metadata the model's settings (docs/format.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from .checkpoint_file import FORMAT_VERSION
from .safetensors_file import CheckpointError, View, parse_json

SETTINGS = "tinygpt_model"  # the metadata that such a file has
BYTES = '{"kind": "bytes"}'
HEAD, EMBEDDING = "lm_head.weight", "tok_emb.weight"


def is_weights(metadata: Mapping[str, str]) -> bool:
    """Whether it is such a file and no checkpoint."""
    return metadata.get("format") != "tinygpt" and SETTINGS in metadata


def as_checkpoint(metadata: Mapping[str, str], views: Mapping[str, View]) -> tuple[dict[str, str], dict[str, View]]:
    """(metadata, views) of the checkpoint that has these weights and nothing else. A tied LM head,
    which a state_dict repeats, is left out. CheckpointError where it differs from the embedding.

    The values are not checked here: they are read as a checkpoint's are.
    """
    config = parse_json(metadata[SETTINGS], "model settings")
    settings = cast("dict[str, Any]", config if isinstance(config, dict) else {})
    weights = dict(views)
    if settings.get("tie_embeddings") and HEAD in weights and EMBEDDING in weights:
        if weights[HEAD].data != weights[EMBEDDING].data:
            raise CheckpointError(
                "the file's %s differs from %s, but its settings tie the two; save it with tie_embeddings=False"
                % (HEAD, EMBEDDING)
            )
        del weights[HEAD]
    written = {
        "format": "tinygpt",
        "format_version": str(FORMAT_VERSION),
        "model": metadata[SETTINGS],
        "tokenizer": metadata.get("tinygpt_tokenizer", BYTES if settings.get("vocab_size") == 256 else "null"),
        "step": metadata.get("tinygpt_step", "0"),
        "history": "[]",
        **dict.fromkeys(("train", "random", "data", "optimizer"), "null"),
    }
    return written, {"model." + name: view for name, view in weights.items()}
