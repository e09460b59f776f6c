"""The tensors of a listing as columns: shapes and types once each, and objects only where one is asked for.

Whoever looks at tensors one by one finds a sequence of `Tensor`; whoever counts works on the columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from clustering.patterns import Patterns, coded, patterns_of
from clustering.tensors import Tensor

Shape = tuple[int, ...]
_UNKNOWN = -1
_T = TypeVar("_T")


def _one_table(parts: Iterable[tuple[Sequence[_T], NDArray[np.int32]]]) -> tuple[list[_T], NDArray[np.int32]]:
    """Columns of coded values as one."""
    table: dict[_T, int] = {}
    numbers = [
        np.array([table.setdefault(value, len(table)) for value in values], dtype=np.int32)[of] for values, of in parts
    ]
    return list(table), np.concatenate(numbers)


def _with(
    column: tuple[Sequence[_T], NDArray[np.int32]], rows: Sequence[int], values: Sequence[_T]
) -> tuple[list[_T], NDArray[np.int32]]:
    """A column of coded values with others in some rows."""
    table = {value: number for number, value in enumerate(column[0])}
    of = column[1].copy()
    of[rows] = [table.setdefault(value, len(table)) for value in values]
    return list(table), of


def appearing(numbers: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each different number stands first, ascending, and how often it occurs."""
    _, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order], counts[order]


class Rows(Sequence[_T]):
    """A sequence that makes its objects when they are asked for; equal to any sequence of equal ones."""

    __slots__ = ()

    def row(self, number: int) -> _T:
        """The object of a row; numbers are not negative."""
        raise NotImplementedError

    @overload
    def __getitem__(self, row: int) -> _T: ...
    @overload
    def __getitem__(self, row: slice) -> tuple[_T, ...]: ...
    def __getitem__(self, row: int | slice) -> _T | tuple[_T, ...]:
        rows = range(len(self))[row]
        return tuple(map(self.row, rows)) if isinstance(rows, range) else self.row(rows)

    def __iter__(self) -> Iterator[_T]:
        return map(self.row, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Sequence) and tuple(self) == tuple(other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"


class NamedRows(Rows[_T]):
    """Rows with names, and what the names are made of."""

    def __init__(self, names: Sequence[str], patterns: Patterns | None) -> None:
        """Takes the names, and their patterns where they are known."""
        self.names = names
        if patterns is not None:
            self.patterns = patterns

    @cached_property
    def patterns(self) -> Patterns:
        """What the names are made of."""
        return patterns_of(self.names)

    def _taken(self, rows: NDArray[Any]) -> tuple[list[str], Patterns | None]:
        """Names of some of the rows, and their patterns where those of all are known."""
        names = self.names
        known = self.patterns.take(rows) if "patterns" in self.__dict__ else None
        return [names[row] for row in rows.tolist()], known

    def __len__(self) -> int:
        return len(self.names)


class Columns(NamedRows[Tensor]):
    """Tensors in stored order; immutable."""

    def __init__(
        self,
        names: Sequence[str],
        shapes: tuple[Sequence[Shape], NDArray[np.int32]],
        dtypes: tuple[Sequence[str], NDArray[np.int32]],
        files: tuple[Sequence[str], NDArray[np.int32]],
        nbytes: NDArray[np.int64],
        begins: NDArray[np.int64] | None = None,
        storages: Sequence[str | None] | None = None,
        patterns: Patterns | None = None,
    ) -> None:
        """Takes the columns.

        Args:
            names: as stored.
            shapes: different shapes, and the number of each tensor's.
            dtypes: the same for types.
            files: the same for files.
            nbytes: bytes on disk, -1 where unknown.
            begins: where the data begins in its file, which makes the identity of the storage; or `storages`.
            storages: identities of the storages, where they are something else.
            patterns: of the names, where they are known.
        """
        super().__init__(names, patterns)
        self.shapes, self.shape_of = shapes
        self.dtypes, self.dtype_of = dtypes
        self.files, self.file_of = files
        self.nbytes = nbytes
        self.begins = begins
        self.storages = storages

    @classmethod
    def of(cls, tensors: Sequence[Tensor]) -> Columns:
        """The columns of any tensors."""
        if isinstance(tensors, Columns):
            return tensors
        return cls(
            [tensor.name for tensor in tensors],
            coded([tensor.shape for tensor in tensors]),
            coded([tensor.dtype for tensor in tensors]),
            coded([tensor.file for tensor in tensors]),
            np.array([_UNKNOWN if t.nbytes is None else min(t.nbytes, 1 << 62) for t in tensors], dtype=np.int64),
            storages=[tensor.storage for tensor in tensors],
        )

    @classmethod
    def joined(cls, parts: Sequence[Columns]) -> Columns:
        """The tensors of several files, one after the other; they all tell where their data begins, or none does."""
        placed = all(part.begins is not None for part in parts)
        storages = [part.storage(row) for part in parts for row in range(len(part))] if not placed else None
        return cls(
            [name for part in parts for name in part.names],
            _one_table([(part.shapes, part.shape_of) for part in parts]),
            _one_table([(part.dtypes, part.dtype_of) for part in parts]),
            _one_table([(part.files, part.file_of) for part in parts]),
            np.concatenate([part.nbytes for part in parts]),
            np.concatenate([part.begins for part in parts if part.begins is not None]) if placed else None,
            storages,
        )

    def take(self, rows: NDArray[Any]) -> Columns:
        """Some of the tensors, in any order."""
        names, patterns = self._taken(rows)
        storages = self.storages
        return Columns(
            names,
            (self.shapes, self.shape_of[rows]),
            (self.dtypes, self.dtype_of[rows]),
            (self.files, self.file_of[rows]),
            self.nbytes[rows],
            None if self.begins is None else self.begins[rows],
            None if storages is None else [storages[row] for row in rows.tolist()],
            patterns,
        )

    def changed(self, tensors: Mapping[int, Tensor]) -> Columns:
        """With other names, shapes and types in some rows; bytes, files and storages stay."""
        if not tensors:
            return self
        names = list(self.names)
        for row, tensor in tensors.items():
            names[row] = tensor.name
        rows = list(tensors)
        return Columns(
            names,
            _with((self.shapes, self.shape_of), rows, [tensor.shape for tensor in tensors.values()]),
            _with((self.dtypes, self.dtype_of), rows, [tensor.dtype for tensor in tensors.values()]),
            (self.files, self.file_of),
            self.nbytes,
            self.begins,
            self.storages,
        )

    @property
    def ends(self) -> NDArray[np.int64]:
        """Where the data ends in its file, for a listing that tells where it begins."""
        if self.begins is None:
            raise ValueError("these tensors have no places in a file")
        return self.begins + self.nbytes

    def by_name(self) -> Columns:
        """Sorted by name as texts."""
        if self.names == sorted(self.names):
            return self
        return self.take(np.array(sorted(range(len(self)), key=self.names.__getitem__), dtype=np.int64))

    def further_names(self) -> NDArray[np.bool_]:
        """Which tensors are further names of a storage that stands before them, bool (tensors,)."""
        if self.begins is None:
            keys: Iterable[Any] = self.storages or ()
        else:
            # two ranges that begin at one place of a file are one range, or have no bytes
            keys = np.where(self.nbytes > 0, self.file_of.astype(np.int64) << 48 | self.begins, _UNKNOWN)
            ordered = np.sort(keys)
            if not ((ordered[1:] == ordered[:-1]) & (ordered[1:] != _UNKNOWN)).any():
                return np.zeros(len(self), dtype=np.bool_)
            keys = [None if key == _UNKNOWN else key for key in keys.tolist()]
        seen: set[Any] = {None}
        further = np.zeros(len(self), dtype=np.bool_)
        for row, key in enumerate(keys):
            further[row] = key in seen and key is not None
            seen.add(key)
        return further

    def storage(self, row: int) -> str | None:
        """Identity of a tensor's storage; None where nothing tells, or nothing is stored."""
        if self.begins is None:
            return self.storages[row] if self.storages is not None else None
        begin, length = int(self.begins[row]), int(self.nbytes[row])
        return f"{self.files[self.file_of[row]]}#{begin}:{begin + length}" if length > 0 else None

    def row(self, number: int) -> Tensor:
        """One tensor; numbers are not negative."""
        nbytes = int(self.nbytes[number])
        return Tensor(
            self.names[number],
            self.shapes[self.shape_of[number]],
            self.dtypes[self.dtype_of[number]],
            None if nbytes == _UNKNOWN else nbytes,
            self.files[self.file_of[number]],
            self.storage(number),
        )
