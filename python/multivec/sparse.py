"""Encoders with a weight for each of a few tokens of the vocabulary."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple, Union

import numpy as np
import numpy.typing as npt

from ._arrow import single
from ._model import Model, ShowProgress, Task
from ._options import EncodeOptions
from ._texts import Texts, readable
from ._typing import Unpack
from .embedding import FloatArray


class SparseEmbedding(NamedTuple):
    """The tokens of the vocabulary with a weight above 0."""

    #: Ids of tokens, ascending.
    indices: npt.NDArray[np.uint32]
    #: The weight of each.
    values: FloatArray

    def top_k(self, k: int) -> SparseEmbedding:
        """The ``k`` largest weights, sorted by index."""
        chosen = np.sort(np.argsort(-self.values, kind="stable")[:k])
        return SparseEmbedding(self.indices[chosen], self.values[chosen])

    def dot(self, other: SparseEmbedding) -> float:
        """The dot product of two embeddings."""
        _, one, two = np.intersect1d(
            self.indices, other.indices, assume_unique=True, return_indices=True
        )
        return float(np.dot(self.values[one], other.values[two]))


class SparseEncoder(Model):
    """An encoder such as SPLADE."""

    KIND: ClassVar[str | None] = "sparse"

    def encode_query(
        self,
        texts: Union[str, Texts],
        *,
        output: Literal["numpy", "arrow"] = "numpy",
        show_progress_bar: ShowProgress = None,
        **options: Unpack[EncodeOptions],
    ) -> Any:
        """Encodes queries.

        Args:
            texts: One text, or several. A null gives ``None``.
            output: ``arrow`` for an array of structs of ``indices`` and ``values``.
            show_progress_bar: ``True`` for a bar, or a function.
            **options: See :class:`multivec.EncodeOptions`.

        Returns:
            A :class:`SparseEmbedding` for one text, a list of them for several.

        Raises:
            EncoderError: If the engine fails.
            KeyboardInterrupt: Between two batches.
        """
        return self._embed(texts, "query", output, show_progress_bar, options)

    def encode_document(
        self,
        texts: Union[str, Texts],
        *,
        output: Literal["numpy", "arrow"] = "numpy",
        show_progress_bar: ShowProgress = None,
        **options: Unpack[EncodeOptions],
    ) -> Any:
        """Encodes documents, as :meth:`encode_query`."""
        return self._embed(texts, "document", output, show_progress_bar, options)

    def _embed(
        self,
        texts: Union[str, Texts],
        task: Task,
        output: str,
        progress: ShowProgress,
        options: EncodeOptions,
    ) -> Any:
        is_one = isinstance(texts, str)
        found = self._encode([texts] if is_one else readable(texts), task, options, progress)
        if output == "arrow":
            return single(found.take_arrow("embedding", "float32"))
        present = [truncated is not None for truncated in found.truncated()]
        indices, values, offsets = found.take_sparse()
        embeddings = [
            SparseEmbedding(indices[start:end], values[start:end]) if there else None
            for there, start, end in zip(present, offsets, offsets[1:])
        ]
        return embeddings[0] if is_one else embeddings

    def decode(self, embedding: SparseEmbedding) -> list[tuple[str, float]]:
        """The spelling and the weight of each token, the largest first."""
        spellings = self._native.spellings([int(one) for one in embedding.indices])
        pairs = zip(spellings, (float(one) for one in embedding.values))
        return sorted(pairs, key=lambda pair: -pair[1])
