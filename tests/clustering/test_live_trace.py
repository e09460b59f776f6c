"""Operators of a forward pass without data: what flows where, and one clear error where nothing can be traced."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from clustering.live.inputs import candidate_inputs  # noqa: E402  # after the optional libraries
from clustering.live.listing import LiveModelError, module_from_config  # noqa: E402
from clustering.live.trace import TraceLimits, operator_graph  # noqa: E402

pytestmark = pytest.mark.graph

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 99}


class Residual(torch.nn.Module):
    """Two branches that meet."""

    def __init__(self) -> None:
        super().__init__()
        self.up = torch.nn.Linear(4, 8)
        self.act = torch.nn.ReLU()
        self.down = torch.nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(self.act(self.up(x * 2)))


def traced() -> nx.DiGraph:
    return operator_graph(Residual(), {"x": torch.zeros(3, 4, device="meta")})


def test_operators_are_told_with_their_module_their_parameters_and_what_flows() -> None:
    graph = traced()
    rows = [(data["op"], data["path"], data["kind"]) for _, data in graph.nodes(data=True)]
    assert rows == [
        ("aten.mul", "", "Residual"),
        ("aten.addmm", "up", "Linear"),
        ("aten.relu", "act", "ReLU"),
        ("aten.addmm", "down", "Linear"),
        ("aten.add", "", "Residual"),
    ]
    assert list(graph.edges(data="relation")) == [(n, n + 1, "flow") for n in range(4)]
    assert set(graph.nodes[1]["parameters"]) == {"up.weight", "up.bias"}
    assert graph.nodes[4]["shape"] == (3, 4)


def test_a_forward_pass_computes_nothing_and_leaves_the_module_alone() -> None:
    module = Residual()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    operator_graph(module, {"x": torch.zeros(3, 4, device="meta")})
    after = module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert not module.up._forward_hooks
    assert not module.up._forward_pre_hooks
    assert module(torch.ones(3, 4)).shape == (3, 4)


def test_the_same_model_gives_the_same_graph() -> None:
    one, other = traced(), traced()
    assert list(one.nodes(data=True)) == list(other.nodes(data=True))
    assert list(one.edges) == list(other.edges)


@pytest.mark.parametrize(
    ("config", "operator", "per_layer"),
    [
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"], **TINY}, "aten.gelu", 1),
        ({"model_type": "llama", "architectures": ["LlamaForCausalLM"], **TINY}, "aten.silu", 1),
        ({"model_type": "vit", "architectures": ["ViTModel"], **TINY}, "aten._softmax", 1),
        ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "d_model": 32, "num_layers": 2,
          "d_ff": 64, "num_heads": 2, "d_kv": 16, "vocab_size": 99}, "aten._softmax", 3),
        ({"model_type": "mixtral", "architectures": ["MixtralForCausalLM"], **TINY, "num_local_experts": 3,
          "num_key_value_heads": 1}, "aten.topk", 1),
    ],
    ids=lambda value: value.get("model_type") if isinstance(value, dict) else str(value),
)  # fmt: skip
def test_models_are_traced_from_their_configuration(config: dict[str, object], operator: str, per_layer: int) -> None:
    graph = operator_graph(module_from_config(config))
    counts = Counter(data["op"] for _, data in graph.nodes(data=True))
    extra = 1 if config["architectures"] == ["BertForMaskedLM"] else 0  # the head has an activation of its own
    assert counts[operator] == 2 * per_layer + extra
    assert nx.is_directed_acyclic_graph(graph)
    last = max(graph)
    assert len(nx.ancestors(graph, last)) > len(graph) // 2, "most operators lead to the result"


def test_what_looks_at_values_is_one_clear_error() -> None:
    class Looks(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if bool((x > 0).all()) else -x

    with pytest.raises(LiveModelError, match="no forward pass could be traced") as caught:
        operator_graph(Looks(), {"x": torch.zeros(2, device="meta")})
    assert "\n" not in str(caught.value)


def test_limits_hold() -> None:
    class Endless(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            while True:
                x = x + 1

    given = {"x": torch.zeros(2, device="meta")}
    with pytest.raises(LiveModelError, match="more than 100 operators"):
        operator_graph(Endless(), given, limits=TraceLimits(operators=100))
    with pytest.raises(LiveModelError, match=r"more than 0\.2 s"):
        operator_graph(Endless(), given, limits=TraceLimits(seconds=0.2, operators=10**9))


def test_unknown_inputs_are_one_clear_error() -> None:
    class Strange(torch.nn.Module):
        def forward(self, mystery: torch.Tensor) -> torch.Tensor:
            return mystery

    assert list(candidate_inputs(Strange())) == []
    with pytest.raises(LiveModelError, match="no inputs are known"):
        operator_graph(Strange())
