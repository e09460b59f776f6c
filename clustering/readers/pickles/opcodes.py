"""The opcodes of pickle protocols 0 to 5: each moves placeholder data on the machine's stack, or is refused.

Source: CPython's Lib/pickletools.py. Unknown opcodes end the reading.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from clustering.readers.cursor import Cursor
from clustering.readers.limits import Limits
from clustering.readers.pickles.builders import MisuseError
from clustering.readers.pickles.machine import Machine
from clustering.readers.pickles.values import Global, Instance

Handler = Callable[[Machine], None]

_INT4 = struct.Struct("<i")
_UINT2 = struct.Struct("<H")
_UINT4 = struct.Struct("<I")
_UINT8 = struct.Struct("<Q")
_FLOAT8 = struct.Struct(">d")
_STOP = 0x2E


def interpret(cursor: Cursor, limits: Limits) -> tuple[Any, Machine]:
    """Runs one pickle from the cursor to its STOP; the value as placeholder data, and the machine for its remarks.

    Raises:
        ReaderError: when the stream is no pickle, damaged, or beyond the limits.
    """
    machine = Machine(cursor, limits)
    handlers, most = _HANDLERS, limits.operations
    try:
        while (code := cursor.byte()) != _STOP:
            handler = handlers[code]
            if handler is None:
                raise cursor.fail(f"no pickle: unknown opcode 0x{code:02x}")
            handler(machine)
            machine.operations += 1
            if machine.operations > most:
                machine.charge(0)
        return machine.pop(), machine
    except MisuseError as error:
        raise cursor.fail(f"damaged pickle: {error}") from None
    except (IndexError, KeyError, ValueError, TypeError, struct.error, OverflowError) as error:
        raise cursor.fail(f"damaged pickle: {type(error).__name__}") from None


def _sized(layout: struct.Struct) -> Callable[[Machine], int]:
    return lambda machine: int(machine.cursor.unpack(layout)[0])


_u1: Callable[[Machine], int] = lambda machine: machine.cursor.byte()  # noqa: E731 - one of a row of readers
_u2, _u4, _u8, _i4 = _sized(_UINT2), _sized(_UINT4), _sized(_UINT8), _sized(_INT4)


def _constant(value: Any) -> Handler:
    return lambda machine: machine.push(value)


def _number(read: Callable[[Machine], int]) -> Handler:
    return lambda machine: machine.push(read(machine))


def _text(read: Callable[[Machine], int], *, binary: bool = False) -> Handler:
    return lambda machine: machine.text(read(machine), binary=binary)


def _get(read: Callable[[Machine], int]) -> Handler:
    return lambda machine: machine.push(machine.memo[read(machine)])


def _put(read: Callable[[Machine], int]) -> Handler:
    def put(machine: Machine) -> None:
        number = read(machine)
        if not 0 <= number < 1 << 32:
            raise MisuseError("a memo number out of range")
        machine.memo[number] = machine.top()

    return put


def _line_number(machine: Machine) -> int:
    text = machine.line()
    if len(text) > 600:
        raise MisuseError("a whole number of many digits")
    return int(text.rstrip("L"))


def _int_line(machine: Machine) -> None:
    text = machine.line()
    machine.push({"00": False, "01": True}[text] if text in {"00", "01"} else int(text[:600]))


def _float_line(machine: Machine) -> None:
    machine.push(float(machine.line()))


def _tuple(count: int) -> Handler:
    def build(machine: Machine) -> None:
        values = [machine.pop() for _ in range(count)]
        machine.push(tuple(reversed(values)))

    return build


def _dict_since_mark(machine: Machine) -> None:
    built: dict[Any, Any] = {}
    machine.set_items(built, machine.since_mark())
    machine.push(built)


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items(machine.top(), [key, value])


def _set_items(machine: Machine) -> None:
    pairs = machine.since_mark()
    machine.set_items(machine.top(), pairs)


def _append(machine: Machine) -> None:
    value = machine.pop()
    machine.extend([value])


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.name(module, name)


def _global_line(machine: Machine) -> None:
    module = machine.line()
    machine.name(module, machine.line())


def _instance_line(machine: Machine) -> None:
    arguments = tuple(machine.since_mark())
    _global_line(machine)
    machine.call(machine.pop(), arguments)


def _object(machine: Machine) -> None:
    maker, *arguments = machine.since_mark()
    machine.call(maker, tuple(arguments))


def _reduce(machine: Machine) -> None:
    arguments, maker = machine.pop(), machine.pop()
    machine.call(maker, arguments)


def _new_object_with_keywords(machine: Machine) -> None:
    keywords, arguments, maker = machine.pop(), machine.pop(), machine.pop()
    machine.push(Instance(maker, (arguments, keywords)))


def _extension(read: Callable[[Machine], int]) -> Handler:
    # The extension registry belongs to the process that reads; what the number stands for cannot be known.
    return lambda machine: machine.push(Global("copyreg", f"extension_{read(machine)}"))


def _frame(machine: Machine) -> None:
    _u8(machine)  # a hint for buffering only


def _no_buffer(machine: Machine) -> None:
    machine.push(Instance(Global("pickle", "buffer"), ()))


def _handlers() -> tuple[Handler | None, ...]:
    table: dict[bytes, Handler] = {
        b"(": lambda m: m.marks.append(len(m.stack)),
        b"0": Machine.discard,
        b"1": lambda m: m.since_mark().clear(),
        b"2": lambda m: m.push(m.top()),
        b"F": _float_line,
        b"I": _int_line,
        b"J": _number(_i4),
        b"K": _number(_u1),
        b"L": lambda m: m.push(_line_number(m)),
        b"M": _number(_u2),
        b"N": _constant(None),
        b"P": lambda m: m.persistent(m.line()),
        b"Q": lambda m: m.persistent(m.pop()),
        b"R": _reduce,
        b"S": Machine.line_text,
        b"T": _text(_i4),
        b"U": _text(_u1),
        b"V": Machine.line_text,
        b"X": _text(_u4),
        b"a": _append,
        b"b": Machine.build,
        b"c": _global_line,
        b"d": _dict_since_mark,
        b"}": lambda m: m.push({}),
        b"e": lambda m: m.extend(m.since_mark()),
        b"g": _get(_line_number),
        b"h": _get(_u1),
        b"i": _instance_line,
        b"j": _get(_u4),
        b"l": lambda m: m.push(m.since_mark()),
        b"]": lambda m: m.push([]),
        b"o": _object,
        b"p": _put(_line_number),
        b"q": _put(_u1),
        b"r": _put(_u4),
        b"s": _set_item,
        b"t": lambda m: m.push(tuple(m.since_mark())),
        b")": _constant(()),
        b"u": _set_items,
        b"G": lambda m: m.push(m.cursor.unpack(_FLOAT8)[0]),
        b"\x80": lambda m: _protocol(m.cursor),
        b"\x81": _reduce,  # cls.__new__(cls, *args): for placeholders the same as a call
        b"\x82": _extension(_u1),
        b"\x83": _extension(_u2),
        b"\x84": _extension(_i4),
        b"\x85": _tuple(1),
        b"\x86": _tuple(2),
        b"\x87": _tuple(3),
        b"\x88": _constant(True),
        b"\x89": _constant(False),
        b"\x8a": lambda m: m.number(_u1(m)),
        b"\x8b": lambda m: m.number(_i4(m)),
        b"B": _text(_u4, binary=True),
        b"C": _text(_u1, binary=True),
        b"\x8c": _text(_u1),
        b"\x8d": _text(_u8),
        b"\x8e": _text(_u8, binary=True),
        b"\x8f": lambda m: m.push([]),  # a set; as a list, since its members may not be hashable here
        b"\x90": lambda m: m.extend(m.since_mark()),
        b"\x91": lambda m: m.push(m.since_mark()),
        b"\x92": _new_object_with_keywords,
        b"\x93": _stack_global,
        b"\x94": lambda m: m.memo.__setitem__(len(m.memo), m.top()),
        b"\x95": _frame,
        b"\x96": _text(_u8, binary=True),
        b"\x97": _no_buffer,
        b"\x98": lambda _: None,
    }
    handlers: list[Handler | None] = [None] * 256
    for code, handler in table.items():
        handlers[code[0]] = handler
    return tuple(handlers)


def _protocol(cursor: Cursor) -> None:
    version = cursor.byte()
    if version > 5:
        raise cursor.fail(f"pickle protocol {version} is unknown")


_HANDLERS = _handlers()
