"""PyLate's names: a model for code that was written for PyLate.

>>> from multivec.pylate import ColBERT
>>> model = ColBERT("models/minilm-colbert")
>>> embeddings = model.encode(["Bees make honey."], is_query=False)

Embeddings are those of PyLate's ``models.ColBERT``, and work in its
``indexes`` and ``rank``.
"""

from __future__ import annotations

import os
from typing import Any, Literal, Union

import numpy as np

from ._model import ShowProgress, missing
from ._options import EncodeOptions
from .encoder import MultiVectorEncoder
from .errors import EncoderError


class ColBERT:
    """PyLate's ``models.ColBERT``, run by multivec."""

    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str],
        device: str | None = None,
        *,
        do_query_expansion: bool | None = None,
        **options: Any,
    ) -> None:
        """Loads a model.

        Args:
            model_name_or_path: A folder, or the id of a model on a hub.
            device: ``cpu`` (the default), ``cuda`` or ``cuda:N``.
            do_query_expansion: As PyLate's.
            **options: Those of :class:`multivec.MultiVectorEncoder`.
        """
        if device is not None:
            name, _, index = device.partition(":")
            if name not in ("cpu", "cuda"):
                raise _invalid("device", "`cpu` or `cuda`", device)
            options["provider"] = "cuda" if name == "cuda" else "cpu"
            options["device"] = int(index or 0)
        if do_query_expansion is not None:
            options["query_expansion"] = do_query_expansion
        self._encoder = MultiVectorEncoder(model_name_or_path, **options)

    @property
    def encoder(self) -> MultiVectorEncoder:
        """The encoder behind it."""
        return self._encoder

    @property
    def query_length(self) -> int:
        """Most tokens of a query."""
        return int(self._encoder.info["query_length"])

    @property
    def document_length(self) -> int:
        """Most tokens of a document."""
        return int(self._encoder.info["document_length"])

    def get_sentence_embedding_dimension(self) -> int:
        """Columns of a vector."""
        return self._encoder.dim

    def encode(
        self,
        sentences: Union[str, list[str], list[list[str]]],
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int | None = None,
        show_progress_bar: ShowProgress = None,
        precision: Literal["float32"] = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        padding: bool = False,
        device: str | None = None,
        normalize_embeddings: bool = True,
        is_query: bool = True,
        pool_factor: int = 1,
        protected_tokens: int = 1,
        output_value: Literal["token_embeddings"] = "token_embeddings",
    ) -> Any:
        """Encodes texts, as PyLate does.

        Args:
            sentences: A text, a list of them, or a list of lists.
            prompt_name: The name of one of the model's prompts.
            prompt: Not supported; must be ``None``.
            batch_size: Most texts of a batch; by default, batches are as large as
                the engine is fastest with.
            show_progress_bar: ``True`` for a bar, or a function.
            precision: ``float32``.
            convert_to_numpy: Arrays of numpy; tensors of torch otherwise.
            convert_to_tensor: Tensors of torch.
            padding: Pads all to the longest with zeros, ``[1, tokens, dim]`` each.
            device: Not supported here; must be ``None``, or that of loading.
            normalize_embeddings: As the model was loaded; see ``normalize``.
            is_query: Queries, or documents.
            pool_factor: Pools documents to about one row in this many.
            protected_tokens: Rows at the start that are not pooled.
            output_value: ``token_embeddings``.

        Returns:
            ``[tokens, dim]`` for a text, lists of them for lists.

        Raises:
            EncoderError: For an argument that is not supported, with the code
                ``"invalid_option"``, and as :meth:`MultiVectorEncoder.encode`.
        """
        for name, expected, found in (
            ("precision", "float32", precision),
            ("output_value", "token_embeddings", output_value),
            ("prompt", None, prompt),
        ):
            if found != expected:
                raise _invalid(name, f"`{expected}`", found)
        del device  # Models stay where they were loaded.
        options: EncodeOptions = {"batch_size": batch_size, "normalize": normalize_embeddings}
        if prompt_name is not None:
            options["prompt_name"] = prompt_name
        if pool_factor != 1 and not is_query:
            options["pool_factor"] = pool_factor
            options["protected_tokens"] = protected_tokens
        as_tensors = convert_to_tensor or not convert_to_numpy
        if isinstance(sentences, str):
            (found,) = self._encode([sentences], is_query, show_progress_bar, options, padding)
            return _tensor(found) if as_tensors else found
        if sentences and isinstance(sentences[0], list):
            return [
                self.encode(
                    batch,
                    prompt_name=prompt_name,
                    batch_size=batch_size,
                    show_progress_bar=show_progress_bar,
                    convert_to_numpy=not as_tensors,
                    padding=padding,
                    normalize_embeddings=normalize_embeddings,
                    is_query=is_query,
                    pool_factor=pool_factor,
                    protected_tokens=protected_tokens,
                )
                for batch in sentences
            ]
        all_found = self._encode(sentences, is_query, show_progress_bar, options, padding)
        return [_tensor(one) for one in all_found] if as_tensors else all_found

    def _encode(
        self,
        texts: list[Any],
        is_query: bool,
        progress: ShowProgress,
        options: EncodeOptions,
        padding: bool,
    ) -> list[Any]:
        task: Literal["query", "document"] = "query" if is_query else "document"
        found = self._encoder.encode(texts, task=task, show_progress_bar=progress, **options)
        if not padding:
            return list(found)
        longest = max((len(one) for one in found), default=0)
        padded = (np.pad(one, ((0, longest - len(one)), (0, 0))) for one in found)
        return [one[None] for one in padded]


def _invalid(option: str, expected: str, found: object) -> EncoderError:
    return EncoderError(f"option `{option}`: expected {expected}, found {found}", "invalid_option")


def _tensor(array: Any) -> Any:
    try:
        import torch
    except ImportError:
        missing("torch", "tensors")
    return torch.from_numpy(array)
