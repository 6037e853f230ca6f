"""Modules with PyTorch's names."""

from ...nn import Embedding, Linear
from .module import Module
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter
