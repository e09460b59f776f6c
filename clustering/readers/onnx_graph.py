"""The parts of an ONNX model that describe its weights, walked by ranges; data is skipped.

Source: onnx/onnx.proto (field numbers below). The onnx library would load a model's data into memory as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from clustering.readers.cursor import Cursor
from clustering.readers.limits import Limits
from clustering.readers.protobuf import BYTES, FIXED32, FIXED64, VARINT, key, packed, signed

DTYPES = {
    1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 9: "BOOL", 10: "F16", 11: "F64", 12: "U32",
    13: "U64", 14: "C64", 15: "C128", 16: "BF16", 17: "F8_E4M3", 18: "F8_E4M3FNUZ", 19: "F8_E5M2", 20: "F8_E5M2FNUZ",
    21: "U4", 22: "I4", 23: "F4", 24: "F8_E8M0", 25: "U2", 26: "I2",
}  # fmt: skip
"""TensorProto.DataType; 8 is text."""
_SMALL = 4_096
_PER_TEXT = 64
"""Bytes of memory that a text takes beyond its characters."""
"""Longest text or list of sizes that is read; names are far shorter."""
_KEPT_INPUTS = 16

Handler = Callable[[int, int], None]
"""Gets a number, or the length of what comes next, and the wire type that tells which."""
Fields = dict[int, Handler]


@dataclass(slots=True)
class Initializer:
    """One constant tensor."""

    name: str = ""
    sizes: list[int] = field(default_factory=list)
    kind: int = 0
    external: bool = False


@dataclass(slots=True)
class Operation:
    """One node of the graph."""

    kind: str = ""
    name: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    """Attributes that are whole numbers."""


class Graph:
    """What a walk over one model found.

    Attributes:
        initializers: constant tensors, those of `Constant` nodes included.
        operations: nodes in execution order.
        inputs: names of the graph's inputs; old models list their weights here too.
        outputs: names of the graph's outputs.
        producer: the program that wrote it.
    """

    def __init__(self, cursor: Cursor, limits: Limits) -> None:
        self.initializers: list[Initializer] = []
        self.operations: list[Operation] = []
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self.producer = ""
        self.kinds: Counter[str] = Counter()
        self._cursor = cursor
        self._limits = limits
        self._steps = 0
        self._kept = 0
        self._graphs = 0
        self._walk(cursor.end, {2: self._producer, 7: self._graph})

    def _walk(self, end: int | None, wanted: Fields) -> None:
        """Goes over the fields up to `end`; wanted ones are handled, others skipped."""
        cursor = self._cursor
        while end is None or cursor.position < end:
            if end is None and not cursor.peek(1):
                return
            self._steps += 1
            if self._steps > self._limits.operations:
                raise cursor.fail("an ONNX graph with too many fields")
            number, wire = key(cursor)
            handler = wanted.get(number)
            if wire == BYTES:
                length = cursor.varint()
                stop = cursor.position + length
                if end is not None and stop > end:
                    raise cursor.fail("a field is longer than its message")
                if handler is not None:
                    handler(length, wire)
                if cursor.position > stop:
                    raise cursor.fail("a field is longer than its message")
                cursor.skip(stop - cursor.position)
            elif wire == VARINT:
                value = cursor.varint()
                if handler is not None:
                    handler(signed(value), wire)
            else:
                cursor.skip({FIXED64: 8, FIXED32: 4}[wire])

    def _text(self, length: int) -> str:
        self._kept += length + _PER_TEXT
        if length > _SMALL or self._kept > 2 * self._limits.header_bytes:
            raise self._cursor.fail(f"a name of {length} bytes, or too many of them")
        return self._cursor.take(length).decode("utf-8", "replace")

    def _producer(self, length: int, _: int) -> None:
        self.producer = self._text(length)

    def _graph(self, length: int, _: int) -> None:
        self._graphs += 1
        if self._graphs > 1:
            raise self._cursor.fail("more than one ONNX graph")
        self._walk(
            self._cursor.position + length,
            {1: self._operation, 5: self._initializer, 11: self._input, 12: self._output},
        )

    def _input(self, length: int, _: int) -> None:
        self._walk(self._cursor.position + length, {1: lambda size, _: self.inputs.append(self._text(size))})

    def _output(self, length: int, _: int) -> None:
        self._walk(self._cursor.position + length, {1: lambda size, _: self.outputs.append(self._text(size))})

    def _initializer(self, length: int, _: int) -> None:
        found = self._tensor(length)
        if found.kind in DTYPES:
            self._keep(found)

    def _keep(self, found: Initializer) -> None:
        self.initializers.append(found)
        if len(self.initializers) > self._limits.tensors:
            raise self._cursor.fail(f"more than {self._limits.tensors} tensors")

    def _tensor(self, length: int) -> Initializer:
        found = Initializer()

        def sizes(value: int, wire: int) -> None:
            if wire == VARINT:
                found.sizes.append(value)
            elif value <= 10 * self._limits.rank:
                raw = self._cursor.take(value)
                found.sizes.extend(packed(raw, self._cursor.source.label, self._limits.rank))
            if len(found.sizes) > self._limits.rank or (value > 10 * self._limits.rank and wire == BYTES):
                raise self._cursor.fail("a tensor with too many dimensions")

        def name(size: int, _: int) -> None:
            found.name = self._text(size)

        def kind(value: int, _: int) -> None:
            found.kind = value

        def place(value: int, _: int) -> None:
            found.external = value == 1

        self._walk(self._cursor.position + length, {1: sizes, 2: kind, 8: name, 14: place})
        return found

    def _operation(self, length: int, _: int) -> None:
        found = Operation()
        constants: list[Initializer] = []

        def kind(size: int, _: int) -> None:
            found.kind = self._text(size)

        def name(size: int, _: int) -> None:
            found.name = self._text(size)

        def source(size: int, _: int) -> None:
            text = self._text(size)
            if len(found.inputs) < _KEPT_INPUTS:
                found.inputs.append(text)

        def target(size: int, _: int) -> None:
            text = self._text(size)
            if len(found.outputs) < _KEPT_INPUTS:
                found.outputs.append(text)

        def attribute(size: int, _: int) -> None:
            self._attribute(size, found, constants)

        self._walk(self._cursor.position + length, {1: source, 2: target, 3: name, 4: kind, 5: attribute})
        self.operations.append(found)
        if len(self.operations) > self._limits.entries:
            raise self._cursor.fail(f"more than {self._limits.entries} nodes")
        self.kinds[found.kind] += 1
        if found.kind == "Constant" and found.outputs:
            for constant in constants:
                constant.name = found.outputs[0]
                if len(constant.sizes) > 1 and constant.kind in DTYPES:
                    self._keep(constant)

    def _attribute(self, length: int, operation: Operation, constants: list[Initializer]) -> None:
        name = ""

        def label(size: int, _: int) -> None:
            nonlocal name
            name = self._text(size)

        def number(value: int, _: int) -> None:
            if name and len(operation.numbers) < 32:
                operation.numbers[name] = value

        def tensor(size: int, _: int) -> None:
            if len(constants) < 4:
                constants.append(self._tensor(size))

        self._walk(self._cursor.position + length, {1: label, 3: number, 5: tensor})
