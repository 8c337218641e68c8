"""Arrays on disk: ``.npy`` files that are written in pieces and opened memory-mapped."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from rac.errors import DataError


class NpyWriter:
    """Writes a ``.npy`` file row by row, so that an array need not fit into memory.

    Args:
        path: The file.
        dtype: Type of the elements.
        columns: Number of columns of a matrix; None for a vector.
    """

    def __init__(self, path: Path, dtype: str, columns: int | None = None) -> None:
        self._path, self._dtype, self._columns = path, np.dtype(dtype), columns
        self.rows = 0
        self._handle: BinaryIO = path.open("wb")
        self._write_header()
        self._start = self._handle.tell()

    def _write_header(self) -> None:
        shape = (self.rows,) if self._columns is None else (self.rows, self._columns)
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._handle, header)

    def append(self, values: NDArray | Sequence) -> None:
        """Append rows (or elements, for a vector)."""
        block = np.ascontiguousarray(values, dtype=self._dtype)
        if self._columns is not None and block.shape[1:] != (self._columns,):
            raise ValueError(f"rows of {self._columns} columns expected, not {block.shape}")
        self.rows += len(block)
        self._handle.write(block.data)

    def close(self) -> None:
        """Write the final shape into the header, which numpy pads so that it keeps its length."""
        self._handle.seek(0)
        self._write_header()
        if self._handle.tell() != self._start:
            raise ValueError(f"the header of {self._path} changed its length")
        self._handle.close()

    def __enter__(self) -> NpyWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._handle.close()


# NumPy parses a header with `ast`, whose recursion counter CPython 3.11 shares between threads: two headers parsed at
# once can end in "AST constructor recursion depth mismatch".
_HEADER = threading.Lock()


def map_array(path: Path) -> NDArray:
    """Memory-map a ``.npy`` file read-only; several threads may do so at once.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no array.
    """
    with _HEADER:
        array: NDArray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def open_array(path: Path, dtype: str, dimensions: int = 1) -> NDArray:
    """Open a ``.npy`` file memory-mapped and read-only.

    Raises:
        DataError: if the file is missing, damaged or of another type.
    """
    try:
        array = map_array(path)
    except (OSError, ValueError) as error:
        raise DataError(path, f"is damaged or missing ({error}); build the index again") from error
    if array.dtype != np.dtype(dtype) or array.ndim != dimensions:
        raise DataError(
            path, f"holds {array.dtype} in {array.ndim} dimensions, not {dtype} in {dimensions}; build the index again"
        )
    return array
