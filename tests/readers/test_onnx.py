from __future__ import annotations

import pytest

from clustering.errors import ReaderError
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer, Counted
from clustering.readers.onnx import OnnxReader


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def piece(field: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def tensor(
    name: str, sizes: list[int], kind: int = 1, *, packed: bool = False, data: int = 0, external: bool = False
) -> bytes:
    dims = piece(1, b"".join(map(varint, sizes))) if packed else b"".join(number(1, size) for size in sizes)
    return (
        dims
        + number(2, kind)
        + piece(8, name)
        + (piece(9, bytes(data)) if data else b"")
        + (number(14, 1) if external else b"")
    )


def node(kind: str, name: str, inputs: list[str], outputs: tuple[str, ...] = ("y",), **numbers: int) -> bytes:
    attributes = b"".join(piece(5, piece(1, key) + number(3, value)) for key, value in numbers.items())
    return (
        b"".join(piece(1, i) for i in inputs)
        + b"".join(piece(2, o) for o in outputs)
        + piece(3, name)
        + piece(4, kind)
        + attributes
    )


def model(nodes: list[bytes], tensors: list[bytes]) -> bytes:
    graph = b"".join(piece(1, n) for n in nodes) + piece(2, "main") + b"".join(piece(5, t) for t in tensors)
    graph += piece(11, piece(1, "input_ids")) + piece(12, piece(1, "logits"))
    return number(1, 8) + piece(2, "pytorch") + piece(7, graph) + piece(8, number(2, 17))


def rows(listing):
    return [(t.name, t.shape, t.dtype) for t in listing.tensors]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("external", [True, False])
def test_initializers(read, packed, external):
    data = model(
        [],
        [
            tensor("a.weight", [3, 4], packed=packed, data=48, external=external),
            tensor("b", [], 10),
            tensor("s", [2], 8),
        ],
    )
    listing = read(OnnxReader, data)
    assert rows(listing) == [("a.weight", (3, 4), "F32"), ("b", (), "F16")]
    assert listing.metadata["inputs"] == ["input_ids"]
    assert listing.metadata["outputs"] == ["logits"]


def test_folded_weights_get_their_module_and_direction_back(read):
    nodes = [
        node("MatMul", "/encoder/layer.0/query/MatMul", ["x", "onnx::MatMul_12"]),
        node("Add", "/encoder/layer.0/query/Add", ["encoder.layer.0.query.bias", "y"]),
        node("MatMul", "/head/MatMul_1", ["x", "named.weight"]),
        node("MatMul", "MatMul_7", ["x", "onnx::MatMul_13"]),
        node("MatMul", "/a/MatMul", ["x", "onnx::MatMul_14"]),
        node("MatMul", "/b/MatMul", ["x", "onnx::MatMul_14"]),
    ]
    tensors = [
        tensor("encoder.layer.0.query.bias", [6]),
        tensor("onnx::MatMul_12", [4, 6]),
        tensor("named.weight", [6, 9]),
        tensor("onnx::MatMul_13", [1, 2]),
        tensor("onnx::MatMul_14", [1, 2]),
    ]
    listing = read(OnnxReader, model(nodes, tensors))
    assert rows(listing) == [
        ("encoder.layer.0.query.bias", (6,), "F32"),
        ("encoder.layer.0.query.weight", (6, 4), "F32"),
        ("named.weight", (6, 9), "F32"),  # not anonymous: left as it is
        ("onnx::MatMul_13", (1, 2), "F32"),  # its node has no module
        ("onnx::MatMul_14", (1, 2), "F32"),  # used twice: whose is it?
    ]
    assert listing.metadata["operators"] == {"Add": 1, "MatMul": 5}
    assert listing.metadata["renamed"] == 1


def test_dynamic_quantization(read):
    nodes = [
        node(
            "MatMulInteger",
            "/a/query/MatMul_quant",
            ["xq", "onnx::MatMul_5_quantized", "xz", "onnx::MatMul_5_zero_point"],
        )
    ]
    tensors = [
        tensor("onnx::MatMul_5_quantized", [4, 6], 3),
        tensor("onnx::MatMul_5_scale", []),
        tensor("onnx::MatMul_5_zero_point", [], 3),
    ]
    listing = read(OnnxReader, model(nodes, tensors))
    assert rows(listing) == [("a.query.weight", (6, 4), "I8")]
    assert (listing.quantization.method, listing.quantization.bits) == ("onnx", 8)


def test_four_bit_blocks(read):
    nodes = [
        node(
            "MatMulNBits",
            "/model/layers.0/q_proj/MatMul_Q4",
            ["x", "w_Q4", "w_scales", "w_zp"],
            K=64,
            N=32,
            bits=4,
            block_size=32,
        )
    ]
    tensors = [tensor("w_Q4", [32, 2, 16], 2), tensor("w_scales", [64]), tensor("w_zp", [32], 2), tensor("norm", [64])]
    listing = read(OnnxReader, model(nodes, tensors))
    assert rows(listing) == [("w_Q4", (32, 64), "I4"), ("norm", (64,), "F32")]
    assert listing.quantization.bits == 4


def test_a_scale_of_a_plain_model_stays(read):
    listing = read(OnnxReader, model([node("Mul", "m", ["x", "layer_scale"])], [tensor("layer_scale", [4])]))
    assert rows(listing) == [("layer_scale", (4,), "F32")]
    assert listing.quantization is None


def test_data_is_skipped():
    source = Counted(Buffer(model([], [tensor(f"w{n}", [100_000], data=400_000) for n in range(20)])))
    assert len(OnnxReader().read(source, Limits()).tensors) == 20
    assert source.bytes_read < 400_000


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not an ONNX"),
        (b"\x0b", "Protocol Buffers"),
        (b"hello world", "Buffers|early|longer"),
        (piece(7, b"")[:-1] + b"\xff\xff\xff\xff\x7f", "early|longer"),
        (piece(7, b"") + piece(7, b""), "more than one"),
        (model([], [tensor("a", [-1])]), "-1"),
        (model([], [tensor("a", [1 << 40, 1 << 40])]), "larger than any"),
        (model([], [tensor("a", [1] * 60)]), "dimensions"),
        (model([], [tensor("a", [1] * 400, packed=True)]), "dimensions"),
        (model([], [tensor("a", [1]), tensor("a", [1])]), "twice"),
        (model([], [tensor("n" * 70_000, [1])]), "name of 70000"),
        (model([node("Relu", "r", ["x"])], []), "no constant"),
    ],
)
def test_damaged_models_are_refused(read, data, words):
    with pytest.raises(ReaderError, match=words):
        read(OnnxReader, data)


def test_every_truncation_inside_the_graph_is_refused():
    data = model([node("MatMul", "/a/MatMul", ["x", "w"])], [tensor("w", [2, 3], data=24)])
    for length in range(len(data) - len(piece(8, number(2, 17)))):
        with pytest.raises(ReaderError):
            OnnxReader().read(Buffer(data[:length]), Limits())


@pytest.mark.graph
@pytest.mark.filterwarnings("ignore")
def test_an_exported_module(tmp_path, read):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(10, 8)
            self.layers = torch.nn.ModuleList([torch.nn.Linear(8, 8 + n) for n in range(1)])
            self.norm = torch.nn.LayerNorm(8)

        def forward(self, ids):
            hidden = self.norm(self.embed(ids))
            return self.layers[0](hidden)

    model = Model().eval()
    torch.onnx.export(model, (torch.zeros(1, 3, dtype=torch.long),), str(tmp_path / "m.onnx"), dynamo=False)
    listing = read(OnnxReader, (tmp_path / "m.onnx").read_bytes())
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert {tensor.name: tensor.shape for tensor in listing.tensors} == expected


def test_kernels_and_biases_of_convolutions_get_the_name_of_their_module(read):
    nodes = [
        node("Conv", "/stem/conv/Conv", ["x", "onnx::Conv_5", "stem.conv.bias"]),
        node("ConvTranspose", "/up/layer/layer.0/ConvTranspose", ["y", "val_3"]),
    ]
    tensors = [tensor("onnx::Conv_5", [8, 3, 3, 3]), tensor("stem.conv.bias", [8]), tensor("val_3", [8, 4, 2, 2])]
    listing = read(OnnxReader, model(nodes, tensors))
    assert rows(listing) == [
        ("stem.conv.weight", (8, 3, 3, 3), "F32"),
        ("stem.conv.bias", (8,), "F32"),
        ("up.layer.0.weight", (8, 4, 2, 2), "F32"),
    ]


def test_vectors_of_a_norm_in_single_steps(read):
    nodes = [
        node("Mul", "/layers.0/norm/Mul_1", ["x", "onnx::Mul_4"]),
        node("Mul", "/conv/layer_norm/Mul", ["x", "onnx::Mul_5"]),
        node("Add", "/conv/layer_norm/Add", ["y", "onnx::Add_6"]),
        node("Mul", "/attention/Mul", ["z", "onnx::Mul_7"]),
        node("Add", "/embeddings/Add", ["z", "onnx::Add_8"]),
    ]
    sizes = {
        "onnx::Mul_4": [8],
        "onnx::Mul_5": [4, 1],
        "onnx::Add_6": [4, 1],
        "onnx::Mul_7": [1],
        "onnx::Add_8": [6, 8],
    }
    assert rows(read(OnnxReader, model(nodes, [tensor(*item) for item in sizes.items()]))) == [
        ("layers.0.norm.weight", (8,), "F32"),
        ("conv.layer_norm.weight", (4,), "F32"),
        ("conv.layer_norm.bias", (4,), "F32"),
        ("onnx::Mul_7", (1,), "F32"),
        ("onnx::Add_8", (6, 8), "F32"),
    ], "a factor and a table of positions are no vectors of a norm"


def test_two_constants_that_would_have_one_name_keep_theirs(read):
    nodes = [
        node("MatMul", "/head/attention/MatMul", ["x", "onnx::MatMul_1"]),
        node("MatMul", "/head/attention/MatMul_1", ["x", "onnx::MatMul_2"]),
    ]
    listing = read(OnnxReader, model(nodes, [tensor(f"onnx::MatMul_{n}", [3, 5]) for n in (1, 2)]))
    assert [t.name for t in listing.tensors] == ["onnx::MatMul_1", "onnx::MatMul_2"]


def test_a_norm_folded_into_a_convolution_comes_back(read):
    nodes = [node("Conv", "/stem/conv/Conv", ["x", "onnx::Conv_5", "onnx::Conv_6"])]
    listing = read(OnnxReader, model(nodes, [tensor("onnx::Conv_5", [8, 3, 3, 3]), tensor("onnx::Conv_6", [8])]))
    assert rows(listing)[0] == ("stem.conv.weight", (8, 3, 3, 3), "F32")
    assert [(t.name.rpartition(".")[2], t.shape) for t in listing.tensors[1:]] == [
        (last, (8,)) for last in ("weight", "bias", "running_mean", "running_var")
    ]
    nameless = [node("Conv", "Conv_1", ["x", "onnx::Conv_5", "onnx::Conv_6"])]
    listing = read(OnnxReader, model(nameless, [tensor("onnx::Conv_5", [8, 3, 3, 3]), tensor("onnx::Conv_6", [8])]))
    assert [t.name for t in listing.tensors] == ["onnx::Conv_5", "onnx::Conv_6"], "no module, so nothing is known of it"


def test_a_layer_that_is_used_again_keeps_one_name(read):
    nodes = [
        node("Identity", "", ["onnx::MatMul_1"], ("onnx::MatMul_2",)),
        node("MatMul", "/layer/query/MatMul", ["x", "onnx::MatMul_1"]),
        node("MatMul", "/layer/query_1/MatMul", ["y", "onnx::MatMul_2"]),
    ]
    assert rows(read(OnnxReader, model(nodes, [tensor("onnx::MatMul_1", [3, 5])]))) == [
        ("layer.query.weight", (5, 3), "F32")
    ]
    nodes[2] = node("MatMul", "/layer/key/MatMul", ["y", "onnx::MatMul_2"])
    assert rows(read(OnnxReader, model(nodes, [tensor("onnx::MatMul_1", [3, 5])]))) == [
        ("onnx::MatMul_1", (3, 5), "F32")
    ], "two layers of one matrix: neither name is right"


def test_equal_vectors_are_parameters_of_their_own_and_equal_matrices_one(read):
    nodes = [
        node("Identity", "", ["a.bias"], ("b.bias",)),
        node("Identity", "", ["b.bias"], ("c.bias",)),
        node("Identity", "", ["wte.weight"], ("lm_head.weight",)),
        node("Identity", "", ["a.bias"], ("/decoder/Identity_output_0",)),
        node("Identity", "", ["a.bias"], ("a.bias_out",)),
    ]
    listing = read(OnnxReader, model(nodes, [tensor("a.bias", [4]), tensor("wte.weight", [9, 4])]))
    assert rows(listing) == [
        ("a.bias", (4,), "F32"),
        ("wte.weight", (9, 4), "F32"),
        ("b.bias", (4,), "F32"),
        ("c.bias", (4,), "F32"),
    ]


def test_what_the_exporter_computed_is_no_parameter(read):
    computed = [tensor("/encoder/rotary/Constant_3_output_0", [1, 16, 4]), tensor("/Constant_output_0", [4, 4])]
    near = tensor("/encoder/Constants_output_0", [2, 2])
    listing = read(OnnxReader, model([], [tensor("a.weight", [2, 3]), *computed, near]))
    assert [t.name for t in listing.tensors] == ["a.weight", "/encoder/Constants_output_0"]
    assert len(read(OnnxReader, model([], computed)).tensors) == 2, "a file of nothing else holds its weights so"
