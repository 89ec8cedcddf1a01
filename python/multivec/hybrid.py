"""Encoders that give dense, sparse and multi-vectors in one pass."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Union

from ._model import Model, ShowProgress, Task
from ._options import EncodeOptions
from ._texts import Texts, readable
from ._typing import Unpack
from .embedding import FloatArray
from .sparse import SparseEmbedding


class HybridEmbedding(NamedTuple):
    """What a model of several kinds gives for a text."""

    #: ``[dim]``.
    dense: FloatArray
    sparse: SparseEmbedding
    #: ``[tokens, dim]``.
    multi_vector: FloatArray


class HybridEncoder(Model):
    """An encoder such as BGE-M3."""

    KIND: ClassVar[str | None] = "hybrid"

    def encode_query(
        self,
        texts: Union[str, Texts],
        *,
        show_progress_bar: ShowProgress = None,
        **options: Unpack[EncodeOptions],
    ) -> Any:
        """Encodes queries.

        Args:
            texts: One text, or several. A null gives ``None``.
            show_progress_bar: ``True`` for a bar, or a function.
            **options: See :class:`multivec.EncodeOptions`.

        Returns:
            A :class:`HybridEmbedding` for one text, a list of them for several.

        Raises:
            EncoderError: If the engine fails.
            KeyboardInterrupt: Between two batches.
        """
        return self._embed(texts, "query", show_progress_bar, options)

    def encode_document(
        self,
        texts: Union[str, Texts],
        *,
        show_progress_bar: ShowProgress = None,
        **options: Unpack[EncodeOptions],
    ) -> Any:
        """Encodes documents, as :meth:`encode_query`."""
        return self._embed(texts, "document", show_progress_bar, options)

    def _embed(
        self,
        texts: Union[str, Texts],
        task: Task,
        progress: ShowProgress,
        options: EncodeOptions,
    ) -> Any:
        is_one = isinstance(texts, str)
        found = self._encode([texts] if is_one else readable(texts), task, options, progress)
        embeddings = [
            one and HybridEmbedding(one[0], SparseEmbedding(one[1], one[2]), one[3])
            for one in found.take_hybrid()
        ]
        return embeddings[0] if is_one else embeddings
