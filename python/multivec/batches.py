"""Encoding of Arrow batches, for engines that call a function on each.

:class:`Encode` adds a column of embeddings to tables of ``pyarrow``. It needs no
engine, serves Daft and Spark, and is what :mod:`multivec.ray` runs.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from . import _native
from ._arrow import pythonic
from ._model import Model, Task, missing
from ._options import LoadOptions
from ._typing import Unpack
from .errors import EncoderError
from .loading import load

#: Of the numbers of embeddings. ``int8`` has a scale for each row, in another
#: column with ``_scale`` at the end of its name; ``bits`` the signs of columns.
Dtype = Literal["float32", "float16", "int8", "bits"]


class Encode:
    """Adds embeddings to tables: one that is called with a table returns it with a
    column more.

    The model is loaded at the first call in a process, once for all threads, and
    not pickled. The same rows give the same embeddings, however they are batched,
    with models in INT8.

    >>> encode = Encode("models/minilm-colbert", column="text")
    >>> table = encode(pyarrow.table({"text": ["Bees make honey."]}))
    >>> table.column_names
    ['text', 'embedding', 'truncated']
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        column: str = "text",
        task: Task = "document",
        output: str = "embedding",
        dtype: Dtype = "float32",
        truncated: str | None = "truncated",
        rows: int = 256,
        **options: Unpack[LoadOptions],
    ) -> None:
        """Says what is encoded.

        Args:
            model: A folder, or the id of a model on a hub, which each process
                must reach.
            column: The column of texts.
            task: Whether they are queries or documents.
            output: The column of embeddings.
            dtype: Of their numbers.
            truncated: A column that says which texts were cut off; ``None`` for
                none.
            rows: Most rows that are encoded at a time: what bounds the memory.
            **options: Those of loading, see :class:`multivec.LoadOptions`;
                ``measure`` is off here, so that all processes run one form.
        """
        if rows < 1:
            raise EncoderError(f"option `rows`: expected 1 or more, found {rows}", "invalid_option")
        self._model = os.fspath(model)
        self._column = column
        self._task: Task = task
        self._output = output
        self._dtype: Dtype = dtype
        self._truncated = truncated
        self._rows = rows
        # Processes that choose by their own times could choose differently, and
        # then the last bits of their vectors would differ.
        self._options: dict[str, Any] = {"measure": False, **options}
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._encoder: Model | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in self.__dict__.items()
            if name not in ("_lock", "_encoder")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    @property
    def encoder(self) -> Model:
        """The model, which is loaded now if it was not."""
        return self.load()

    def load(self) -> Model:
        """Loads the model, unless it was loaded, and gives it."""
        with self._lock:
            if self._encoder is None:
                self._encoder = load(self._model, **self._options)
            return self._encoder

    def __call__(self, batch: Any) -> Any:
        """Encodes a table or a record batch, and gives one of the same kind.

        Raises:
            EncoderError: If the column is missing, is not of strings, or one of the
                name of the output is there already, and as the model's methods.
        """
        pa = _pyarrow()
        is_batch = isinstance(batch, pa.RecordBatch)
        table = pa.Table.from_batches([batch]) if is_batch else batch
        if not isinstance(table, pa.Table):
            raise TypeError(
                f"expected a pyarrow.Table or RecordBatch, found {type(batch).__name__}"
            )
        self._check(table.column_names)
        parts = [
            self._columns(table.column(self._column).slice(start, self._rows))
            for start in range(0, max(table.num_rows, 1), self._rows)
        ]
        for at, (name, _) in enumerate(parts[0]):
            chunks = [part[at][1] for part in parts]
            table = table.append_column(name, pa.chunked_array(chunks))
        if not is_batch:
            return table
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)

    def map(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Encodes an iterator of batches, such as Spark's ``mapInArrow`` gives; each
        is cut to at most ``rows`` rows."""
        for batch in batches:
            for start in range(0, batch.num_rows, self._rows):
                yield self(batch.slice(start, self._rows))

    def _check(self, names: list[str]) -> None:
        if self._column not in names:
            raise EncoderError(
                f"column `{self._column}`: expected one of {', '.join(names)}", "invalid_input"
            )
        for name in (self._output, f"{self._output}_scale", self._truncated):
            if name in names:
                raise EncoderError(
                    f"column `{name}`: expected a new name for an output, found one of the input",
                    "invalid_input",
                )

    def _columns(self, texts: Any) -> list[tuple[str, Any]]:
        pa = _pyarrow()
        found: _native.Embeddings = self.encoder._encode(texts, self._task, {}, None)
        truncated = found.truncated()
        columns = [
            (name, pythonic(array)) for name, array in found.take_arrow(self._output, self._dtype)
        ]
        if self._truncated is not None:
            columns.append((self._truncated, pa.array(truncated, pa.bool_())))
        return columns


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
    except ImportError:
        missing("pyarrow", "tables")
    return pa
