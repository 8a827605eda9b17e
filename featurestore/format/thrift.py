"""Untrusted structs in Thrift's compact protocol, the encoding of Parquet metadata.

The parser is stricter than the protocol so that no two readers can interpret the bytes differently: field
numbers increase and never repeat, numbers fit their type and use the shortest encoding, and there are no maps
or sets.

Format: Apache Thrift, ``doc/specs/thrift-compact-protocol.md``.
"""

from __future__ import annotations

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 12
_BITS = {_I16: 16, _I32: 32, _I64: 64}

_MOST_FIELDS = 32
_MOST_DEPTH = 8

Struct = dict[int, object]
"""Field number → value: an integer, bytes, a list of one kind, or another struct."""


def read_struct(data: memoryview, start: int = 0) -> tuple[Struct, int]:
    """Parse the struct at ``start``; returns it and its end. Raises :class:`ValueError` if invalid."""
    reader = _StructReader(data, start)
    return reader.struct(0), reader.position


def natural(fields: Struct, number: int) -> int:
    """The value of a count field. Raises :class:`ValueError` if it is missing, negative or not a number."""
    value = fields.get(number)
    if type(value) is not int or value < 0:
        raise ValueError(f"its metadata has {value!r} as a count")
    return value


class _StructReader:
    def __init__(self, data: memoryview, position: int) -> None:
        self._data = data
        self.position = position

    def struct(self, depth: int) -> Struct:
        fields: Struct = {}
        number = 0
        if depth == _MOST_DEPTH:
            raise ValueError("its metadata is nested too deeply")
        while head := self._byte():
            step, kind = divmod(head, 16)  # step 0: the number follows, in a width that readers disagree on
            number += step
            if not step or number > _MOST_FIELDS:
                raise ValueError("its metadata has a field that no table needs")
            fields[number] = kind == _TRUE if kind in {_TRUE, _FALSE} else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> object:
        if kind in _BITS:
            value = self._varint(_BITS[kind])
            return (value >> 1) ^ -(value & 1)
        if kind == _BINARY:
            return self._bytes(self._varint(32))
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind == _LIST:
            return self._list(depth)
        if kind in {_BYTE, _TRUE, _FALSE}:
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        raise ValueError(f"its metadata has a value of kind {kind}")

    def _list(self, depth: int) -> list[object]:
        count, kind = divmod(self._byte(), 16)
        if count == 15:
            count = self._varint(32)
        if count > len(self._data) - self.position or depth == _MOST_DEPTH:
            raise ValueError("its metadata has a list that runs past the end")
        return [self._value(kind, depth + 1) for _ in range(count)]

    def _byte(self) -> int:
        if self.position >= len(self._data):
            raise ValueError("its metadata is cut off")
        self.position += 1
        return self._data[self.position - 1]

    def _bytes(self, count: int) -> bytes:
        if count > len(self._data) - self.position:
            raise ValueError("its metadata is cut off")
        self.position += count
        return bytes(self._data[self.position - count : self.position])

    def _varint(self, bits: int) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
            if shift >= bits:
                raise ValueError("its metadata has a number out of range")
        if value >> bits or (byte == 0 and shift > 7):
            raise ValueError("its metadata has a number out of range")
        return value
