from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering.quantization.logical import logical
from clustering.quantization.registry import SCHEMES
from clustering.tensors import Tensor, TensorListing

Rows = dict[str, tuple[str, tuple[int, ...]]]


def listing(rows: Rows, *, names_only: bool = False) -> TensorListing:
    tensors = tuple(
        Tensor(name, () if names_only else shape, "" if names_only else dtype) for name, (dtype, shape) in rows.items()
    )
    return TensorListing(tensors, "safetensors", names_only=names_only)


def rows(found: TensorListing) -> Rows:
    return {tensor.name: (tensor.dtype, tensor.shape) for tensor in found.tensors}


NORM: Rows = {"model.layers.0.input_layernorm.weight": ("F16", (128,)), "model.norm.weight": ("F16", (128,))}
Q = "model.layers.0.self_attn.q_proj"
DOWN = "model.layers.0.mlp.down_proj"

CASES = {
    "gptq": (
        {
            f"{DOWN}.g_idx": ("I32", (512,)),
            f"{DOWN}.qweight": ("I32", (64, 128)),
            f"{DOWN}.qzeros": ("I32", (4, 16)),
            f"{DOWN}.scales": ("F16", (4, 128)),
            f"{DOWN}.bias": ("F16", (128,)),
        },
        None,
        {f"{DOWN}.weight": ("I4", (128, 512)), f"{DOWN}.bias": ("F16", (128,))},
        "gptq",
        4,
    ),
    "gptq of 3 bits": (
        {f"{Q}.qweight": ("I32", (12, 128)), f"{Q}.qzeros": ("I32", (1, 12)), f"{Q}.scales": ("F16", (1, 128))},
        {"quantization_config": {"bits": 3, "quant_method": "gptq"}},
        {f"{Q}.weight": ("I3", (128, 128))},
        "gptq",
        3,
    ),
    "gptq whose config says 4 and whose zeros say 8": (
        {f"{Q}.qweight": ("I32", (32, 128)), f"{Q}.qzeros": ("I32", (1, 32)), f"{Q}.scales": ("F16", (1, 128))},
        {"quantization_config": {"bits": 4, "quant_method": "awq"}},
        {f"{Q}.weight": ("I8", (128, 128))},
        "gptq",
        8,
    ),
    "awq": (
        {
            f"{DOWN}.qweight": ("I32", (512, 16)),
            f"{DOWN}.qzeros": ("I32", (4, 16)),
            f"{DOWN}.scales": ("F16", (4, 128)),
        },
        {"quantization_config": {"bits": 4, "quant_method": "awq"}},
        {f"{DOWN}.weight": ("I4", (128, 512))},
        "awq",
        4,
    ),
    "awq, vectors": (
        {
            f"{DOWN}.qweight": ("I32", (128, 64)),
            f"{DOWN}.qzeros": ("I32", (128, 1)),
            f"{DOWN}.scales": ("F16", (128, 8)),
        },
        {"quantization_config": {"bits": 4}},
        {f"{DOWN}.weight": ("I4", (128, 512))},
        "awq",
        4,
    ),
    "marlin": (
        {f"{DOWN}.B": ("I32", (32, 256)), f"{DOWN}.s": ("F16", (4, 128)), f"{DOWN}.workspace": ("I32", (16,))},
        None,
        {f"{DOWN}.weight": ("I4", (128, 512))},
        "gptq",
        4,
    ),
    "bitsandbytes 4 bit": (
        {
            f"{Q}.weight": ("U8", (128 * 256 // 2, 1)),
            f"{Q}.weight.absmax": ("U8", (512,)),
            f"{Q}.weight.quant_map": ("F32", (16,)),
            f"{Q}.weight.nested_absmax": ("F32", (2,)),
            f"{Q}.weight.nested_quant_map": ("F32", (256,)),
            f"{Q}.weight.quant_state.bitsandbytes__nf4": ("U8", (110,)),
        },
        None,
        {f"{Q}.weight": ("NF4", (256, 128))},
        "bitsandbytes",
        4,
    ),
    "bitsandbytes 4 bit, towards the stream": (
        {
            f"{DOWN}.weight": ("U8", (128 * 512 // 2, 1)),
            f"{DOWN}.weight.absmax": ("F32", (1024,)),
            f"{DOWN}.weight.quant_map": ("F32", (16,)),
            f"{DOWN}.weight.quant_state.bitsandbytes__fp4": ("U8", (90,)),
        },
        None,
        {f"{DOWN}.weight": ("F4", (128, 512))},
        "bitsandbytes",
        4,
    ),
    "bitsandbytes 4 bit with a bias": (
        {f"{Q}.bias": ("F16", (96,)), f"{Q}.weight": ("U8", (96 * 128 // 2, 1)), f"{Q}.weight.absmax": ("F32", (96,))},
        None,
        {f"{Q}.bias": ("F16", (96,)), f"{Q}.weight": ("NF4", (96, 128))},
        "bitsandbytes",
        4,
    ),
    "bitsandbytes 8 bit": (
        {f"{Q}.SCB": ("F32", (256,)), f"{Q}.weight": ("I8", (256, 128)), f"{Q}.weight_format": ("U8", ())},
        None,
        {f"{Q}.weight": ("I8", (256, 128))},
        "bitsandbytes",
        8,
    ),
    "compressed-tensors": (
        {
            f"{DOWN}.weight_packed": ("I32", (128, 64)),
            f"{DOWN}.weight_scale": ("BF16", (128, 4)),
            f"{DOWN}.weight_shape": ("I64", (2,)),
        },
        {
            "quantization_config": {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 4}}},
            }
        },
        {f"{DOWN}.weight": ("I4", (128, 512))},
        "compressed-tensors",
        4,
    ),
    "compressed-tensors of 8 bits without a config": (
        {
            f"{Q}.weight_packed": ("I32", (256, 32)),
            f"{Q}.weight_scale": ("BF16", (256, 1)),
            f"{Q}.weight_shape": ("I64", (2,)),
        },
        None,
        {f"{Q}.weight": ("I8", (256, 128))},
        "compressed-tensors",
        8,
    ),
    "compressed-tensors nvfp4": (
        {
            f"{DOWN}.weight_packed": ("U8", (128, 256)),
            f"{DOWN}.weight_scale": ("F8_E4M3", (128, 32)),
            f"{DOWN}.weight_global_scale": ("F32", (1,)),
            f"{DOWN}.input_global_scale": ("F32", (1,)),
        },
        None,
        {f"{DOWN}.weight": ("F4", (128, 512))},
        "compressed-tensors",
        4,
    ),
    "modelopt nvfp4": (
        {
            f"{DOWN}.weight": ("U8", (128, 256)),
            f"{DOWN}.weight_scale": ("F8_E4M3", (128, 32)),
            f"{DOWN}.weight_scale_2": ("F32", ()),
            f"{DOWN}.input_scale": ("F32", ()),
        },
        None,
        {f"{DOWN}.weight": ("F4", (128, 512))},
        "nvfp4",
        4,
    ),
    "fp8 in blocks": (
        {f"{DOWN}.weight": ("F8_E4M3", (128, 512)), f"{DOWN}.weight_scale_inv": ("F32", (1, 4))},
        {"quantization_config": {"quant_method": "fp8"}},
        {f"{DOWN}.weight": ("F8_E4M3", (128, 512))},
        "fp8",
        8,
    ),
    "fp8 with caches": (
        {
            f"{Q}.weight": ("F8_E4M3", (256, 128)),
            f"{Q}.weight_scale": ("F32", (1,)),
            f"{Q}.input_scale": ("F32", (1,)),
            "model.layers.0.self_attn.k_scale": ("F32", ()),
        },
        None,
        {f"{Q}.weight": ("F8_E4M3", (256, 128))},
        "fp8",
        8,
    ),
    "fp8 experts": (
        {
            "model.layers.0.mlp.experts.gate_up_proj": ("F8_E4M3", (4, 128, 64)),
            "model.layers.0.mlp.experts.gate_up_proj_scale_inv": ("F32", (4, 1, 1)),
        },
        None,
        {"model.layers.0.mlp.experts.gate_up_proj": ("F8_E4M3", (4, 128, 64))},
        "fp8",
        8,
    ),
    "int8": (
        {
            f"{Q}.weight": ("I8", (256, 128)),
            f"{Q}.weight_scale": ("F32", (256, 1)),
            f"{Q}.weight_zero_point": ("I8", (256, 1)),
        },
        {"quantization_config": {"quant_method": "compressed-tensors"}},
        {f"{Q}.weight": ("I8", (256, 128))},
        "compressed-tensors",
        8,
    ),
    "mxfp4": (
        {
            "model.layers.0.mlp.experts.down_proj_bias": ("BF16", (4, 128)),
            "model.layers.0.mlp.experts.down_proj_blocks": ("U8", (4, 128, 3, 16)),
            "model.layers.0.mlp.experts.down_proj_scales": ("U8", (4, 128, 3)),
        },
        None,
        {
            "model.layers.0.mlp.experts.down_proj_bias": ("BF16", (4, 128)),
            "model.layers.0.mlp.experts.down_proj": ("F4", (4, 96, 128)),
        },
        "mxfp4",
        4,
    ),
    "mlx": (
        {
            f"{DOWN}.biases": ("F16", (128, 8)),
            f"{DOWN}.scales": ("F16", (128, 8)),
            f"{DOWN}.weight": ("U32", (128, 64)),
        },
        {"quantization": {"group_size": 64, "bits": 4}},
        {f"{DOWN}.weight": ("I4", (128, 512))},
        "mlx",
        4,
    ),
    "mlx of mixed widths": (
        {
            f"{DOWN}.biases": ("F16", (128, 4)),
            f"{DOWN}.scales": ("F16", (128, 4)),
            f"{DOWN}.weight": ("U32", (128, 96)),
        },
        {"quantization": {"group_size": 128, "bits": 4}},
        {f"{DOWN}.weight": ("I6", (128, 512))},
        "mlx",
        6,
    ),
    "mlx without a config": (
        {f"{Q}.biases": ("F16", (256, 4)), f"{Q}.scales": ("F16", (256, 4)), f"{Q}.weight": ("U32", (256, 32))},
        None,
        {f"{Q}.weight": ("I8", (256, 128))},
        "mlx",
        8,
    ),
    "hqq": (
        {
            f"{Q}.W_q": ("U8", (256, 64)),
            f"{Q}.scale": ("F16", (512, 1)),
            f"{Q}.zero": ("F16", (512, 1)),
            f"{Q}.nbits": ("I64", ()),
            f"{Q}.shape": ("I64", (2,)),
            f"{Q}.group_size": ("I64", ()),
        },
        None,
        {f"{Q}.weight": ("I4", (256, 128))},
        "hqq",
        4,
    ),
    "aqlm": (
        {
            f"{DOWN}.codebooks": ("F16", (1, 65_536, 1, 8)),
            f"{DOWN}.codes": ("I16", (128, 64, 1)),
            f"{DOWN}.scales": ("F16", (128, 1, 1, 1)),
        },
        None,
        {f"{DOWN}.weight": ("I2", (128, 512))},
        "aqlm",
        2,
    ),
    "exl2": (
        {
            f"{DOWN}.q_groups": ("I16", (8,)),
            f"{DOWN}.q_invperm": ("I16", (512,)),
            f"{DOWN}.q_scale": ("I32", (4, 16)),
            f"{DOWN}.q_scale_max": ("F16", (4,)),
            f"{DOWN}.q_weight": ("I32", (64, 128)),
        },
        None,
        {f"{DOWN}.weight": ("I4", (128, 512))},
        "exl2",
        4,
    ),
    "exl3": (
        {f"{DOWN}.suh": ("F16", (512,)), f"{DOWN}.svh": ("F16", (128,)), f"{DOWN}.trellis": ("I16", (32, 8, 48))},
        None,
        {f"{DOWN}.weight": ("I3", (128, 512))},
        "exl3",
        3,
    ),
    "quip": (
        {
            f"{DOWN}.Qidxs": ("I16", (128, 64)),
            f"{DOWN}.SU": ("F16", (512,)),
            f"{DOWN}.SV": ("F16", (128,)),
            f"{DOWN}.Wscale": ("F32", ()),
            f"{DOWN}.codebook_id": ("I64", ()),
        },
        None,
        {f"{DOWN}.weight": ("I2", (128, 512))},
        "quip",
        2,
    ),
    "eetq": (
        {f"{DOWN}.weight": ("I8", (512, 128)), f"{DOWN}.weight_scales": ("F16", (128,))},
        {"quantization_config": {"quant_method": "eetq"}},
        {f"{DOWN}.weight": ("I8", (128, 512))},
        "eetq",
        8,
    ),
    "quanto": (
        {
            f"{Q}.weight._data": ("I8", (256, 128)),
            f"{Q}.weight._scale": ("F32", (256, 1)),
            f"{Q}.input_scale": ("F32", ()),
            f"{Q}.output_scale": ("F32", ()),
        },
        None,
        {f"{Q}.weight": ("I8", (256, 128))},
        "quanto",
        8,
    ),
    "bitnet": (
        {f"{Q}.weight": ("U8", (64, 128)), f"{Q}.weight_scale": ("BF16", (1,))},
        {"quantization_config": {"quant_method": "bitnet"}},
        {f"{Q}.weight": ("I2", (256, 128))},
        "bitnet",
        2,
    ),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_packed_layers(name):
    packed, config, expected, method, bits = CASES[name]
    found = logical(listing({**NORM, **packed}), config)
    assert rows(found) == {**NORM, **expected}
    assert found.quantization is not None
    assert (found.quantization.method, found.quantization.bits) == (method, bits)
    assert found.quantization.source


@pytest.mark.parametrize("name", sorted(CASES))
def test_applying_it_twice_changes_nothing(name):
    packed, config, *_ = CASES[name]
    once = logical(listing({**NORM, **packed}), config)
    assert logical(once, config) is once


@pytest.mark.parametrize("name", sorted(CASES))
def test_counts_are_those_of_the_logical_weights(name):
    """What a naive count gets wrong by two to eight times."""
    packed, config, expected, *_ = CASES[name]
    found = logical(listing(packed | NORM), config)
    wanted = sum(Tensor("", shape, "").elements for _, shape in {**NORM, **expected}.values())
    assert sum(tensor.elements for tensor in found.tensors) == wanted


@pytest.mark.parametrize(
    "plain",
    [
        {f"{Q}.weight": ("F16", (128, 128)), f"{Q}.bias": ("F16", (128,))},
        {"block.scales": ("F32", (4, 4)), "block.weight": ("F32", (4, 4))},
        {"norm.scale": ("F32", (4,)), "x.codes": ("I64", (4, 4, 4))},
        {"a.qweight": ("F32", (4, 4))},
        {"table.weight": ("I8", (4, 4))},
        {"m.weight": ("U8", (4, 1))},
        {"logit_scale": ("F32", ()), "a.input_scale": ("F32", ()), "a.weight": ("F32", (4, 4))},
        {"A.B": ("F32", (4, 4)), "A.s": ("F32", (4,))},
        {"down_blocks": ("F32", (4, 4, 4)), "down_scales": ("F32", (4, 4))},
        {"gate_proj": ("F32", (4, 4)), "gate_proj_scale": ("F32", (4,))},
    ],
)
def test_plain_models_stay_as_they_are(plain):
    before = listing(plain)
    config = {"quantization_config": {"quant_method": "gptq", "bits": 4}}
    assert logical(before, config) is before
    assert logical(before) is before


def test_an_unknown_hidden_size_gives_a_flat_shape():
    found = logical(listing({"x.weight": ("U8", (60, 1)), "x.weight.absmax": ("F32", (2,))}))
    assert rows(found) == {"x.weight": ("NF4", (120,))}


def test_order_and_shared_storage_are_kept():
    tensors = (
        Tensor("a.weight", (2,), "F32"),
        Tensor("b.SCB", (4,), "F32"),
        Tensor("b.weight", (4, 2), "I8", 8, "f", "s#1"),
        Tensor("c.weight", (2,), "F32"),
    )
    found = logical(TensorListing(tensors, "safetensors"))
    assert [tensor.name for tensor in found.tensors] == ["a.weight", "b.weight", "c.weight"]
    assert (found.tensors[1].storage, found.tensors[1].file, found.tensors[1].nbytes) == ("s#1", "f", 8)


@pytest.mark.parametrize(
    ("packed", "expected", "method"),
    [
        ((".qweight", ".qzeros", ".scales", ".g_idx"), ".weight", "gptq"),
        ((".qweight", ".qzeros", ".scales"), ".weight", "awq"),
        ((".weight", ".scales", ".biases"), ".weight", "mlx"),
        ((".weight", ".weight_scale_inv"), ".weight", "fp8"),
        ((".weight", ".weight.absmax", ".weight.quant_map"), ".weight", "bitsandbytes"),
        ((".weight_packed", ".weight_scale", ".weight_shape"), ".weight", "compressed-tensors"),
        (("_blocks", "_scales"), "", "mxfp4"),
    ],
)
def test_names_alone(packed, expected, method):
    found = logical(listing({f"{Q}{end}": ("", ()) for end in packed} | {"lm_head.weight": ("", ())}, names_only=True))
    assert [tensor.name for tensor in found.tensors] == [Q + expected, "lm_head.weight"]
    assert found.quantization.method == method


def test_plain_names_alone():
    before = listing({"a.weight": ("", ()), "a.bias": ("", ()), "b.scales": ("", ())}, names_only=True)
    assert logical(before) is before


ENDS = sorted({scheme.trigger for scheme in SCHEMES} | {end for scheme in SCHEMES for end in scheme.companions})
DTYPES = ["I32", "U32", "U8", "I8", "F16", "F32", "I16", "F8_E4M3", "F8_E8M0"]
SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 8, 16, 32, 64, 128]), max_size=4).map(tuple)
SETTINGS = st.dictionaries(
    st.sampled_from(["bits", "group_size", "nbits", "num_bits", "quant_method", "config_groups", "quant_config"]),
    st.one_of(
        st.integers(-5, 10_000),
        st.text(max_size=5),
        st.none(),
        st.floats(),
        st.lists(st.integers()),
        st.dictionaries(st.text(max_size=3), st.integers()),
    ),
)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["a", "m.layers.0.q_proj"]), st.sampled_from(ENDS)).map("".join),
        st.tuples(st.sampled_from(DTYPES), SHAPES),
        max_size=8,
    ),
    SETTINGS,
    st.booleans(),
)
def test_any_shapes_give_sane_shapes(packed, settings, names_only):
    found = logical(listing(packed, names_only=names_only), {"quantization_config": settings})
    assert len(found.tensors) <= len(packed)
    for tensor in found.tensors:
        assert all(type(size) is int and size >= 0 for size in tensor.shape)
    assert logical(found) is found or found.quantization is None
