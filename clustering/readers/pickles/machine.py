"""The state of the pickle interpreter: a stack, a memo, and what may be done with them.

Nothing here imports, calls or instantiates what a pickle names: values are placeholder data (`values.py`), calls are
looked up in the allow-list (`builders.py`) or recorded. Every step costs constant time and memory, or is charged for.
"""

from __future__ import annotations

from typing import Any

from clustering.readers.cursor import Cursor
from clustering.readers.limits import Limits
from clustering.readers.messages import no_weights, printable
from clustering.readers.pickles.builders import BUILDERS, KNOWN_INERT, MisuseError
from clustering.readers.pickles.dtypes import STORAGE_DTYPES, TORCH_DTYPES
from clustering.readers.pickles.values import Blob, ElementType, Global, Instance, Storage, TensorRecord

LONGEST_TEXT = 2_048
"""Texts and bytes beyond are skipped: no tensor name is longer."""
LONGEST_LINE = 65_536
LONGEST_NUMBER = 256
"""Bytes of a whole number."""
MOST_ARGUMENTS = 64
FOREIGN_KEPT = 200
"""Names outside the allow-list that are remembered."""


class Machine:
    """One run of the interpreter.

    Attributes:
        cursor: the stream.
        stack: values; a mark is remembered as a height.
        memo: values by number.
        foreign: globals outside the allow-list that the stream names, in order of appearance.
        operations: steps so far.
    """

    __slots__ = ("_kept", "_limits", "cursor", "foreign", "marks", "memo", "operations", "stack")

    def __init__(self, cursor: Cursor, limits: Limits) -> None:
        self.cursor = cursor
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.foreign: dict[str, None] = {}
        self.operations = 0
        self._kept = 0
        self._limits = limits

    def charge(self, steps: int) -> None:
        """Counts steps.

        Raises:
            ReaderError: when there are too many.
        """
        self.operations += steps
        if self.operations > self._limits.operations:
            raise self.cursor.fail(f"pickle of more than {self._limits.operations} steps")

    # stack

    def push(self, value: Any) -> None:
        """Puts a value on the stack."""
        self.stack.append(value)

    def pop(self) -> Any:
        """Takes the top value; never one below the last mark."""
        if self.marks and self.marks[-1] >= len(self.stack):
            raise MisuseError("takes more from the stack than there is")
        return self.stack.pop()

    def top(self) -> Any:
        """The top value, left where it is."""
        if self.marks and self.marks[-1] >= len(self.stack):
            raise MisuseError("takes more from the stack than there is")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        """Takes everything above the last mark, and the mark."""
        at = self.marks.pop()
        taken = self.stack[at:]
        del self.stack[at:]
        return taken

    def discard(self) -> None:
        """Drops the top value or mark."""
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()

    # leaves of the stream

    def text(self, length: int, *, binary: bool = False) -> None:
        """Pushes a text or bytes of the stream, or a `Blob` for a long one, which is skipped."""
        if length > LONGEST_TEXT:
            self.cursor.skip(length)
            self.push(Blob(length))
            return
        if length < 0:
            raise MisuseError("a text of negative length")
        self._kept += length
        if self._kept > self._limits.header_bytes:
            raise self.cursor.fail(f"more than {self._limits.header_bytes} bytes of texts")
        raw = self.cursor.take(length)
        self.push(raw if binary else raw.decode("utf-8", "surrogatepass"))

    def number(self, length: int) -> None:
        """Pushes a little-endian whole number."""
        if not 0 <= length <= LONGEST_NUMBER:
            raise MisuseError(f"a whole number of {length} bytes")
        self.push(int.from_bytes(self.cursor.take(length), "little", signed=True))

    def line(self) -> str:
        """The rest of the line."""
        return self.cursor.line(LONGEST_LINE).decode("utf-8", "replace")

    def line_text(self) -> None:
        """Pushes the rest of the line as a text; quotes around it are dropped, escapes stay as they are."""
        text = self.line()
        if len(text) > LONGEST_TEXT:
            self.push(Blob(len(text)))
            return
        self._kept += len(text)
        if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
            text = text[1:-1]
        self.push(text)

    # names and calls

    def name(self, module: Any, name: Any) -> None:
        """Pushes the placeholder of something that unpickling would import."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise MisuseError("names an import by something that is no text")
        self.push(self._resolve(module, name))

    def _resolve(self, module: str, name: str) -> Any:
        if module.startswith("joblib."):
            # Its arrays lie between the opcodes, with lengths that only the arrays' types tell.
            raise no_weights(self.cursor.source.label, "a joblib file, whose arrays are not read")
        if module == "torch" and name in TORCH_DTYPES:
            return ElementType(TORCH_DTYPES[name])
        key = (module, name)
        known = (
            module.startswith("__torch__")
            or key in BUILDERS
            or key in KNOWN_INERT
            or (module.startswith("torch") and name in STORAGE_DTYPES)
        )
        if not known and len(self.foreign) < FOREIGN_KEPT:
            self.foreign.setdefault(printable(f"{module}.{name}", 200))
        return Global(module, name)

    def call(self, maker: Any, arguments: Any) -> None:
        """Pushes what an allow-listed call means, or a record that there was a call."""
        if isinstance(maker, Global) and isinstance(arguments, tuple) and len(arguments) <= MOST_ARGUMENTS:
            builder = BUILDERS.get((maker.module, maker.name))
            if builder is not None:
                # A builder may copy its arguments: a memoised list of a million entries must not be copied for free.
                self.charge(sum(len(item) for item in arguments if isinstance(item, (list, tuple, dict))))
                self.push(builder(arguments))
                return
        self.push(Instance(maker, arguments))

    def persistent(self, identity: Any) -> None:
        """Pushes a storage: torch's ids are ('storage', class, key, place, elements, ...) or ('module', class, ...)."""
        if isinstance(identity, tuple) and len(identity) >= 5 and identity[0] == "storage":
            kind, key, elements = identity[1], identity[2], identity[4]
            if isinstance(key, (str, int)) and type(elements) is int and not isinstance(key, bool):
                dtype = STORAGE_DTYPES.get(kind.name) if isinstance(kind, Global) else None
                dtype = kind.dtype if isinstance(kind, ElementType) else dtype
                self.push(Storage(printable(str(key), 64), dtype, elements))
                return
            raise MisuseError("a storage without key or length")
        if isinstance(identity, tuple) and len(identity) >= 2 and identity[0] == "module":
            self.push(identity[1])
            return
        self.push(Instance(Global("pickle", "persistent_id"), ()))

    # building

    def set_items(self, target: Any, pairs: list[Any]) -> None:
        """Sets keys and values, alternating in `pairs`, on a mapping."""
        if isinstance(target, Instance):
            if target.items is None:
                target.items = {}
            into = target.items
        elif isinstance(target, dict):
            into = target
        else:
            raise MisuseError("sets an item on something that has none")
        if len(pairs) % 2:
            raise MisuseError("a key without a value")
        for at in range(0, len(pairs), 2):
            key = pairs[at]
            into[key if _safe_key(key) else _OwnKey()] = pairs[at + 1]

    def extend(self, values: list[Any]) -> None:
        """Appends to the list on top."""
        target = self.top()
        if isinstance(target, list):
            target.extend(values)
        elif not isinstance(target, Instance):
            raise MisuseError("appends to something that is no list")

    def build(self) -> None:
        """Gives the value on top its state."""
        state = self.pop()
        target = self.top()
        if isinstance(target, Instance):
            target.state = state
        elif isinstance(target, TensorRecord) and target.shape is None and isinstance(state, tuple) and len(state) > 3:
            shape, kind = state[1], state[2]
            if not isinstance(shape, tuple) or len(shape) > MOST_ARGUMENTS or any(type(n) is not int for n in shape):
                raise MisuseError("an array's shape is not a list of whole numbers")
            target.shape = shape
            target.dtype = kind.dtype if isinstance(kind, ElementType) else None


class _OwnKey:
    """Stands for a key that is not safe to hash; each is its own."""

    __slots__ = ()


def _safe_key(key: Any) -> bool:
    """Whether hashing costs constant time: nested tuples overflow the C stack, chosen whole numbers collide."""
    return key is None or isinstance(key, (str, bytes)) or (isinstance(key, int) and -(1 << 32) < key < 1 << 32)
