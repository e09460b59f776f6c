"""The published DARA (arXiv 2310.01642) as a baseline, in our own implementation and on our graphs.

Features: how often each pair of layer kinds is connected (2-grams), and how often each layer occurs with its parameters
(kind, sizes, bias). Classifier: a network of 512, 256 and 128 units, one for each question (model type, class, task).

Two things differ from the paper. Its graphs come from traced forward passes over loaded weights, ours from headers, so
layers without parameters (activations, additions) are not there; the kinds of layers are told with the help of tensor
names. And counts are taken as `log(1 + n)` and standardised, without which the network does not train on models of 500
layers beside models of 50: a kindness to the baseline.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clustering.graphs.model import model_graph
from clustering.tensors import TensorListing

if TYPE_CHECKING:
    import networkx as nx

HIDDEN = (512, 256, 128)
"""Units of the hidden layers, as published."""
FEATURES = 4_096
"""Features kept: those that most training graphs have. The corpus has 100,000 layers with their sizes, most of them in
one graph only."""
EPOCHS = 60
BATCH = 64
RATE = 1e-3


def graph_features(graph: nx.DiGraph[int]) -> Counter[str]:
    """Counts of connected pairs of kinds and of layers with their parameters."""
    nodes = graph.nodes
    found = Counter(f"{nodes[a]['kind']}>{nodes[b]['kind']}" for a, b in graph.edges)
    for _, layer in nodes(data=True):
        sizes = "x".join(map(str, layer["shape"]))
        found[f"{layer['kind']}({sizes}){'+b' if layer['has_bias'] else ''}"] += 1
    return found


def listing_features(listing: TensorListing) -> Counter[str]:
    """The features of a listing's graph."""
    return graph_features(model_graph(listing))


@dataclass(slots=True)
class Vectors:
    """Counts as rows of numbers; what was not in the training graphs is left out."""

    columns: dict[str, int] = field(default_factory=dict)
    mean: Any = None
    scale: Any = None

    def fit(self, bags: Sequence[Counter[str]]) -> NDArray[np.float32]:
        """Choose the columns and standardise."""
        graphs = Counter(name for bag in bags for name in bag)
        kept = sorted(graphs, key=lambda name: (-graphs[name], name))[:FEATURES]
        self.columns = {name: number for number, name in enumerate(kept)}
        rows = self._rows(bags)
        self.mean, self.scale = rows.mean(0), rows.std(0) + 1e-3
        return np.asarray((rows - self.mean) / self.scale, dtype=np.float32)

    def transform(self, bags: Sequence[Counter[str]]) -> NDArray[np.float32]:
        """Rows of further graphs; a value is cut at ten deviations."""
        return np.asarray(np.clip((self._rows(bags) - self.mean) / self.scale, -10, 10), dtype=np.float32)

    def _rows(self, bags: Sequence[Counter[str]]) -> NDArray[np.float32]:
        rows = np.zeros((len(bags), len(self.columns)), dtype=np.float32)
        for row, bag in zip(rows, bags, strict=True):
            for name, count in bag.items():
                column = self.columns.get(name)
                if column is not None:
                    row[column] = np.log1p(count)
        return rows


def train_and_predict(
    shown: NDArray[np.float32], labels: Sequence[str], asked: NDArray[np.float32], *, seed: int = 0
) -> list[str]:
    """Train the network on rows with labels and answer for further rows; the same seed gives the same. Needs torch."""
    import torch
    from torch import nn

    names = sorted(set(labels))
    numbers = {name: number for number, name in enumerate(names)}
    torch.set_num_threads(
        1
    )  # networks this small gain nothing from two, and threads that wait for each other lose tenfold
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    width = shown.shape[1]
    for units in HIDDEN:
        layers += [nn.Linear(width, units), nn.ReLU()]
        width = units
    network = nn.Sequential(*layers, nn.Linear(width, len(names)))
    rows, truth = torch.from_numpy(shown), torch.tensor([numbers[label] for label in labels])
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        total = 0.0
        for batch in torch.randperm(len(rows)).split(BATCH):
            loss = nn.functional.cross_entropy(network(rows[batch]), truth[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(batch)
        if total / len(rows) < 1e-3:  # nothing left to learn
            break
    with torch.no_grad():
        return [names[int(number)] for number in network(torch.from_numpy(asked)).argmax(1)]
