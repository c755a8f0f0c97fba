"""The algorithms as one writes them in PyTorch, for want of a library that has them."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

BLOCK_VALUES = 1 << 28  # of a block's rows times clusters: 1 GiB


def _torch(tf32: bool) -> Any:
    torch = import_module("torch")
    torch.backends.cuda.matmul.allow_tf32 = tf32
    return torch


def lloyd(x: Any, start: Any, iterations: int, *, tf32: bool, one_hot: bool) -> Any:
    """Centres after Lloyd iterations; sums by ``index_add_``, or by a product with a matrix of
    zeros and ones, which is faster for few clusters."""
    torch = _torch(tf32)
    centres, clusters = start.clone(), torch.arange(len(start), device=x.device)
    rows = max(1, BLOCK_VALUES // len(start))
    for _ in range(iterations):
        sums, counts = torch.zeros_like(centres), torch.zeros_like(clusters)
        squares = (centres**2).sum(1)
        for block in x.split(rows):
            labels = torch.addmm(squares, block, centres.T, alpha=-2).argmin(1)
            counts += torch.bincount(labels, minlength=len(centres))
            if one_hot:
                sums += (labels[:, None] == clusters).to(x.dtype).T @ block
            else:
                sums.index_add_(0, labels, block)
        means = sums / counts.clamp(min=1)[:, None]
        centres = torch.where(counts[:, None] > 0, means, centres)
    return centres


def plus_plus(x: Any, clusters: int) -> Any:
    """Greedy k-means++ with 2 + ln k candidates a round."""
    torch = _torch(False)
    trials = 2 + int(math.log(clusters))
    squares = (x**2).sum(1)
    centres = x[torch.randint(len(x), (1,), device=x.device)]
    nearest = ((x - centres) ** 2).sum(1)
    while len(centres) < clusters:
        sums = nearest.cumsum(0, dtype=torch.float64)
        draws = torch.rand(trials, device=x.device, dtype=torch.float64) * sums[-1]
        candidates = x[torch.searchsorted(sums, draws).clamp(max=len(x) - 1)]
        gaps = squares[:, None] + (candidates**2).sum(1) - 2 * x @ candidates.T
        gaps = torch.minimum(gaps.clamp(min=0), nearest[:, None])
        best = gaps.sum(0).argmin()
        nearest, centres = gaps[:, best], torch.cat([centres, candidates[best, None]])
    return centres


def silhouette(x: Any, labels: Any, clusters: int) -> float:
    """Mean silhouette from all distances, in blocks of rows."""
    torch = _torch(False)
    member = torch.nn.functional.one_hot(labels.long(), clusters).to(x.dtype)
    sizes = member.sum(0)
    total = 0.0
    step = max(1, BLOCK_VALUES // len(x))
    for first in range(0, len(x), step):
        own = labels[first : first + step].long()[:, None]
        sums = torch.cdist(x[first : first + step], x) @ member
        inside = sums.gather(1, own)[:, 0] / (sizes[own[:, 0]] - 1).clamp(min=1)
        means = (sums / sizes).scatter(1, own, math.inf)
        outside = means.min(1).values
        total += float(((outside - inside) / torch.maximum(inside, outside)).sum())
    return total / len(x)


def covariance(x: Any) -> Any:
    """Of the columns, summed in float32."""
    torch = _torch(False)
    centred = x - x.mean(0)
    return torch.mm(centred.T, centred) / (len(x) - 1)
