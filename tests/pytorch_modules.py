# SPDX-License-Identifier: Apache-2.0
"""Modules that tests/test_from_pytorch.py saves: whoever loads a pickle imports them from here."""

import torch
from torch import nn


class Block(nn.Module):
    """The block with names of its own, and bias and scale of two shapes."""

    def __init__(self, activation=torch.sigmoid, **conv):
        super().__init__()
        self.first = nn.Conv2d(4, 8, 3, **conv)
        self.shift = nn.Parameter(torch.randn(8, 1, 1))
        self.factor = nn.Parameter(torch.randn(8))
        self.last = nn.GroupNorm(2, 8, eps=1e-3)
        nn.init.normal_(self.last.weight)
        nn.init.normal_(self.last.bias)
        self.activation = activation

    def forward(self, x):
        v = (self.shift + self.first(x)) * self.factor.view(1, -1, 1, 1)
        return self.last(self.activation(v))


class Scripted(nn.Module):
    """The block with the names of the file format."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3, padding=1)
        self.bias = nn.Parameter(torch.randn(8, 1, 1))
        self.scale = nn.Parameter(torch.randn(8, 1, 1))
        self.group_norm = nn.GroupNorm(2, 8)

    def forward(self, x):
        return self.group_norm(torch.sigmoid((self.conv(x) + self.bias) * self.scale))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.GroupNorm(2, 8)

    def forward(self, x):
        return self.norm(torch.sigmoid(self.conv(x) + x))
