"""Encoders with a vector for each text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Union

import numpy as np

from ._arrow import single
from ._model import Model, ShowProgress, Task
from ._options import EncodeOptions
from ._texts import Texts, readable
from ._typing import Unpack
from .embedding import FloatArray


class DenseEncoder(Model):
    """An encoder with one vector for each text."""

    KIND: ClassVar[str | None] = "dense"

    def encode_query(
        self,
        texts: Union[str, Texts],
        *,
        output: Literal["numpy", "arrow"] = "numpy",
        dtype: Literal["float32", "float16"] = "float32",
        show_progress_bar: ShowProgress = None,
        **options: Unpack[EncodeOptions],
    ) -> Any:
        """Encodes queries, with the prompt that the model has for them.

        Args:
            texts: One text, or several. In numpy the row of a null is NaN.
            output: ``arrow`` for a ``FixedSizeList`` array.
            dtype: Of the numbers.
            show_progress_bar: ``True`` for a bar, or a function.
            **options: See :class:`multivec.EncodeOptions`.

        Returns:
            ``[dim]`` for one text, ``[texts, dim]`` for several.

        Raises:
            EncoderError: If the engine fails.
            KeyboardInterrupt: Between two batches.
        """
        return self._embed(texts, "query", output, dtype, show_progress_bar, options)

    def encode_document(
        self,
        texts: Union[str, Texts],
        *,
        output: Literal["numpy", "arrow"] = "numpy",
        dtype: Literal["float32", "float16"] = "float32",
        show_progress_bar: ShowProgress = None,
        **options: Unpack[EncodeOptions],
    ) -> Any:
        """Encodes documents, as :meth:`encode_query`."""
        return self._embed(texts, "document", output, dtype, show_progress_bar, options)

    def _embed(
        self,
        texts: Union[str, Texts],
        task: Task,
        output: str,
        dtype: str,
        progress: ShowProgress,
        options: EncodeOptions,
    ) -> Any:
        is_one = isinstance(texts, str)
        found = self._encode([texts] if is_one else readable(texts), task, options, progress)
        if output == "arrow":
            return single(found.take_arrow("embedding", dtype))
        matrix = found.take_matrix().astype(dtype, copy=False)
        return matrix[0] if is_one else matrix

    def similarity(self, embeddings1: Any, embeddings2: Any) -> FloatArray:
        """How similar vectors are by the model's own function, ``[first, second]``;
        larger is more similar."""
        first = np.atleast_2d(np.asarray(embeddings1, np.float32))
        second = np.atleast_2d(np.asarray(embeddings2, np.float32))
        function = self._native.similarity_function()
        if function == "cosine":
            first, second = _unit(first), _unit(second)
        if function in ("cosine", "dot"):
            return np.asarray(first @ second.T, np.float32)
        order = 1 if function == "manhattan" else 2
        found = [-np.linalg.norm(second - one, ord=order, axis=1) for one in first]
        return np.asarray(found, np.float32)

    def rank(
        self, query: Union[str, FloatArray], documents: Union[Sequence[str], FloatArray]
    ) -> list[tuple[int, float]]:
        """Positions and scores of documents, the best first. Either can be given as
        text, or as vectors."""
        vector = self.encode_query(query) if isinstance(query, str) else query
        rows = documents if isinstance(documents, np.ndarray) else self.encode_document(documents)
        scores = self.similarity(vector, rows)[0]
        order = np.argsort(-scores, kind="stable")
        return [(int(at), float(scores[at])) for at in order]


def _unit(vectors: FloatArray) -> FloatArray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)
