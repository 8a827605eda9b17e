"""What a Parquet file says of its layout, written by hand: what no library would write."""

from __future__ import annotations

import pyarrow as pa
import pytest

from featurestore.format.parquet_layout import read_layout
from featurestore.format.tables import read_table
from featurestore.format.thrift import read_struct
from schemas.errors import StoreDamagedError
from tests.hostile.parquet import Struct, data_page

PAGE = data_page(9, 72, bytes(72))


def column(**changes: int) -> Struct:
    """Metadata of a column of 9 numbers, uncompressed, that begins behind the magic number."""
    values = {"codec": 0, "values": 9, "stored": len(PAGE), "start": 4, **changes}
    return (
        Struct()
        .i32(1, 2)
        .i32(4, values["codec"])
        .i64(5, values["values"])
        .i64(6, 72)
        .i64(7, values["stored"])
        .i64(9, values["start"])
    )


def file(chunk: Struct | None = None, rows: int = 9, groups: int = 1, group_rows: int = 9) -> bytes:
    """A file of one column and ``groups`` row groups, all of the same chunk."""
    chunk = chunk or Struct().struct(3, column())
    group = Struct().structs(1, [chunk]).i64(2, 72).i64(3, group_rows)
    footer = (
        Struct().i32(1, 2).structs(2, [Struct().text(4, b"root")]).i64(3, rows).structs(4, [group] * groups)
    )
    encoded = footer.encode()
    return b"PAR1" + PAGE + encoded + len(encoded).to_bytes(4, "little") + b"PAR1"


def longer_footer(data: bytes) -> bytes:
    """One byte more in the footer than its struct takes."""
    size = int.from_bytes(data[-8:-4], "little")
    return data[:-8] + b"\0" + (size + 1).to_bytes(4, "little") + b"PAR1"


def test_values_in_the_footer_are_those_in_the_pages() -> None:
    """Else Arrow would stop, or go on, elsewhere than what was checked."""
    schema = pa.schema([pa.field("n", pa.int64(), nullable=False)])
    with pytest.raises(StoreDamagedError, match="announces 9 values for 9 rows"):
        read_table(file(Struct().struct(3, column(values=8))), "x", schema, 9)


def test_a_plain_file_is_understood() -> None:
    layout = read_layout(file(), 1)
    ((chunk,),) = layout.columns
    (page,) = chunk.pages()
    assert (layout.rows, chunk.rows, chunk.count) == (9, 9, 9)
    assert (page.dictionary, page.count, page.size) == (False, 9, 72)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (file(Struct().text(1, b"/etc/passwd").struct(3, column())), "in another file"),
        (file(Struct().struct(3, column()).struct(8, Struct())), "encrypted"),
        (file(Struct().i64(2, 4)), "encrypted or in another file"),
        (file(Struct().struct(3, column(codec=1))), "codec 1"),
        (file(Struct().struct(3, column(start=0))), "outside the file"),
        (file(Struct().struct(3, column(start=10**6))), "outside the file"),
        (file(Struct().struct(3, column(stored=2**62))), "outside the file"),
        (file(Struct().struct(3, column(values=-1))), "has -1 as a count"),
        (file(rows=10), "do not add up to 10 rows"),
        (file(rows=18, groups=2, group_rows=-9), "has -9 as a count"),
        (file(rows=2**62, group_rows=2**62, groups=3), "do not add up"),
        (longer_footer(file()), "has fields that no table needs"),
        (file().replace(b"PAR1", b"PARE"), "not a Parquet file"),
    ],
)
def test_what_no_table_needs_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_layout(data, 1)


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (column(stored=len(PAGE) - 1), "runs past the end"),
        (column(stored=len(PAGE) + 1), "."),
        (column(start=5, stored=len(PAGE) - 1), "."),
    ],
)
def test_pages_must_fill_their_column(chunk: Struct, message: str) -> None:
    ((found,),) = read_layout(file(Struct().struct(3, chunk)), 1).columns
    with pytest.raises(ValueError, match=message):
        list(found.pages())


@pytest.mark.parametrize(
    "data",
    [
        b"\x05\x04\x02\x00",  # a field whose number is spelt out: readers differ in its width
        b"\xf5\x02\xf5\x02\xf5\x02\x00",  # field 45
        b"\x15\x80\x00\x00",  # nought in two bytes
        b"\x15\xff\xff\xff\xff\xff\x01\x00",  # an integer of 35 bits for one of 32
        b"\x1b\x00",  # a map
        b"\x19\xfc\xff\xff\xff\xff\x0f",  # a list of four thousand million structs
        b"\x18\xff\x01",  # bytes that are not there
        b"\x1c" * 20,  # twenty structs in one another
        b"\x15",
        b"",
    ],
)
def test_thrift_that_two_readers_could_understand_differently_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="its metadata"):
        read_struct(memoryview(data))
