"""Exact nearest-neighbour search by cosine, in blocks that fit any memory, and the vote of the neighbours."""

import torch
from torch import Tensor

_QUERIES_AT_ONCE = 1024
_MEMORY_AT_ONCE = 1 << 17


def nearest(queries: Tensor, memory: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Largest inner products of each query with a memory; cosines when the rows of both have unit length.

    Parameters
    ----------
    queries : (n, channels) float32
    memory : (m, channels) float32, or float16 to halve it
    count : int
        How many are wanted; all of the memory when it holds fewer.

    Returns
    -------
    products : (n, count) float32
        Descending.
    index : (n, count) int64
        Rows of the memory.

    Examples
    --------
    >>> nearest(torch.tensor([[1.0, 0.0]]), torch.eye(2), 1)
    (tensor([[1.]]), tensor([[0]]))
    """
    count = min(count, len(memory))
    found = [_nearest_of_block(block, memory, count) for block in torch.split(queries, _QUERIES_AT_ONCE)]
    products, index = zip(*found, strict=True)
    return torch.cat(products), torch.cat(index)


def vote(queries: Tensor, memory: Tensor, labels: Tensor, neighbours: int, temperature: float) -> Tensor:
    """Soft labels of queries: the mean of their neighbours', weighted by ``softmax(cosine / temperature)``.

    Parameters
    ----------
    queries : (n, channels)
        Of unit length.
    memory : (m, channels)
        Of unit length.
    labels : (m, K)
        Soft labels of the memory.
    neighbours : int
    temperature : float

    Returns
    -------
    (n, K)

    Examples
    --------
    >>> vote(torch.tensor([[1.0, 0.0]]), torch.eye(2), torch.eye(2), neighbours=1, temperature=0.1)
    tensor([[1., 0.]])
    """
    votes = []
    for block in torch.split(queries, _QUERIES_AT_ONCE):
        cosine, index = nearest(block, memory, neighbours)
        weights = (cosine / temperature).softmax(dim=1)
        votes.append((weights[..., None] * labels[index].float()).sum(1))
    return torch.cat(votes)


def _nearest_of_block(queries: Tensor, memory: Tensor, count: int) -> tuple[Tensor, Tensor]:
    products, index = queries.new_empty(len(queries), 0), torch.empty(len(queries), 0, dtype=torch.long)
    index = index.to(queries.device)
    for start in range(0, len(memory), _MEMORY_AT_ONCE):
        part = memory[start : start + _MEMORY_AT_ONCE].to(queries.device, queries.dtype)
        best, row = (queries @ part.T).topk(min(count, len(part)), dim=1)
        products, index = torch.cat([products, best], 1), torch.cat([index, row + start], 1)
        products, kept = products.topk(min(count, products.shape[1]), dim=1)
        index = index.gather(1, kept)
    return products, index
