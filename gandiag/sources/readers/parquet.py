"""Encoded images in a column of Parquet files, as Hugging Face stores data sets, and their classes beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.core.errors import InputError, MissingExtraError, shown
from gandiag.core.files import check_ratio
from gandiag.core.protocols import Source
from gandiag.sources.archive import archive_source
from gandiag.sources.choice import choose
from gandiag.sources.encoded import checked_size
from gandiag.sources.formats import File, Reader, SourceOptions
from gandiag.sources.labels_file import LabelsFile
from gandiag.sources.spool import Spool

MAGIC = b"PAR1"
IMAGES = ("image", "img", "images", "jpg", "png", "picture", "pixel_values")
LABELS = ("label", "labels", "fine_label", "class", "cls", "target", "y")
ROWS = 256  # read at a time
BATCH = 2**26  # bytes that they may take


@dataclass(frozen=True)
class ParquetPart:
    """The images of one file; they are kept outside of it, since a table gives no row alone."""

    spool: Spool
    names: Sequence[str]
    labels: LabelsFile | None

    def read(self, index: int) -> bytes:
        return self.spool.read(index)


def _part(file: File, path: Path, title: str) -> ParquetPart:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(f"reading {shown(path)}", "pyarrow", "parquet") from error
    try:
        with pyarrow.parquet.ParquetFile(path, memory_map=False) as table:
            schema = table.schema_arrow
            columns = [name for name, kind in zip(schema.names, schema.types, strict=True) if _holds_images(kind)]
            column = choose(file, columns or schema.names, preferred=IMAGES, others=() if columns else LABELS)
            if column not in columns:
                kind = shown(schema.field(column).type)
                raise InputError(f"the column {shown(column)} of {shown(title)} is of {kind}, expected encoded images")
            label = next((each for each in LABELS if each in schema.names and _is_whole(schema.field(each).type)), None)
            size = path.stat().st_size
            sizes = _group_sizes(table.metadata)
            check_ratio(sum(sizes), size, title)
            spool, classes = Spool(title), list[int]()
            wanted = [column] if label is None else [column, label]
            # No value is larger than its group of rows, and any may be as large.
            rows = max(1, min(ROWS, BATCH // max([1, *sizes])))
            for batch in table.iter_batches(batch_size=rows, columns=wanted, use_threads=False):
                for content in _contents(batch.column(column), title, len(spool)):
                    spool.append(content)
                # A value that stands in a dictionary once may be in every row.
                check_ratio(spool.size, size, title)
                if label is not None:
                    classes += [-1 if each is None else int(each) for each in batch.column(label).to_pylist()]
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{shown(title)} is a damaged Parquet file, or one that was cut short ({reason})") from error
    labelled = label is not None and all(each >= 0 for each in classes)
    return ParquetPart(spool, [f"{row:09d}" for row in range(len(spool))], LabelsFile(classes) if labelled else None)


def _contents(values: Any, title: str, first: int) -> Iterator[bytes]:
    for row, value in enumerate(values.to_pylist(), start=first):
        content = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(content, bytes):
            message = f"row {row} of {shown(title)} holds no image"
            raise InputError(f"{message}: the file names files beside it, or has gaps; store the images in it")
        checked_size(len(content), f"{title}:{row}")
        yield content


def _group_sizes(metadata: Any) -> list[int]:
    """Unpacked bytes of each group of rows.

    The columns of a group say more, but Arrow aborts the process where a damaged file has fewer of them than it says.
    """
    return [int(metadata.row_group(group).total_byte_size) for group in range(metadata.num_row_groups)]


def _holds_images(kind: Any) -> bool:
    import pyarrow.types as kinds

    if kinds.is_struct(kind):
        inside = {kind.field(index).name: kind.field(index).type for index in range(kind.num_fields)}
        return "bytes" in inside and _is_binary(inside["bytes"])
    return _is_binary(kind)


def _is_binary(kind: Any) -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_binary(kind) or kinds.is_large_binary(kind))


def _is_whole(kind: Any) -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_integer(kind))


def _open(file: File, options: SourceOptions) -> Source:
    titles = [file.title] if len(file.parts) == 1 else [str(path) for path in file.parts]
    parts = [_part(file, path, title) for path, title in zip(file.parts, titles, strict=True)]
    return archive_source(file, parts, options)


READER = Reader("a Parquet file", lambda file: file.head.startswith(MAGIC), _open, keyed=True, joined=True)
