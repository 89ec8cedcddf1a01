"""What encoders of all kinds have in common."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, NoReturn, Union

from . import _native, _options, _runtime
from ._texts import Texts, readable
from ._typing import Self, Unpack
from .embedding import Fingerprint, TokenizedText
from .errors import EncoderError

Task = Literal["query", "document"]

#: ``True`` for a progress bar (with the package ``tqdm``), or a function that is
#: called with the texts done and the texts of the call.
ShowProgress = Union[bool, Callable[[int, int], object], None]


class Model:
    """A loaded model. Safe to use from many threads at once.

    A model belongs to the process that loaded it: in a fork of it, calls raise an
    :class:`EncoderError` with the code ``"forked"``. Pickling a model pickles how
    it was loaded, and loads it again.
    """

    #: The kind of models that the class takes; any where it is ``None``.
    KIND: ClassVar[str | None] = None

    def __init__(
        self, model: str | os.PathLike[str], **options: Unpack[_options.LoadOptions]
    ) -> None:
        """Loads a model.

        Args:
            model: A folder, or the id of a model on a hub: ``org/name`` or
                ``org/name@revision``. A folder of that name comes first.
            **options: See :class:`multivec.LoadOptions`.

        Raises:
            EncoderError: If files are missing or contradict each other, if the
                model is of another kind, or if the engine cannot run it.
            TypeError: For an unknown option.
        """
        given: dict[str, Any] = dict(options)
        native = load_native(model, given)
        if self.KIND is not None and native.kind() != self.KIND:
            raise EncoderError(
                f"{os.fspath(model)}: expected a {self.KIND} model, found a {native.kind()} model",
                "model_mismatch",
            )
        self._set(native, os.fspath(model), given)

    def _set(self, native: _native.Model, name: str, given: dict[str, Any]) -> None:
        self._native = native
        self._name = name
        self._given = given
        facts = self.info
        if given.get("engine", "auto") == "auto" and facts["engine"].startswith("tract"):
            warnings.warn(
                "running on tract, since the library of ONNX Runtime was not found: install the "
                "package `onnxruntime`, or name the file with `library`",
                RuntimeWarning,
                stacklevel=3,
            )

    @classmethod
    def _of(cls, native: _native.Model, name: str, given: dict[str, Any]) -> Self:
        found = cls.__new__(cls)
        found._set(native, name, given)
        return found

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        return _reload, (type(self), self._name, self._given)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r}, dim={self.dim})"

    @property
    def info(self) -> Mapping[str, Any]:
        """What the model is and how it runs, as ``multivec info`` prints it."""
        facts: dict[str, Any] = json.loads(self._native.facts())
        facts["model"] = facts["model"] or self._name
        return facts

    @property
    def kind(self) -> str:
        """``multi-vector``, ``dense``, ``sparse`` or ``cross-encoder``."""
        return self._native.kind()

    @property
    def dim(self) -> int:
        """Columns of a vector, or labels of a cross-encoder."""
        return self._native.dim()

    def get_embedding_dimension(self) -> int:
        """:attr:`dim`, by the name that sentence-transformers has for it."""
        return self.dim

    @property
    def fingerprint(self) -> Fingerprint:
        """Identity of the embedding space, to be stored with vectors."""
        return Fingerprint(*self._native.fingerprint())

    def check_space(self, stored: str) -> None:
        """Refuses vectors of another space.

        Raises:
            EncoderError: With the code ``"fingerprint_mismatch"``.
        """
        self._native.check_space(stored)

    def tokens(
        self, texts: str | Texts, task: Task = "document", **options: Unpack[_options.EncodeOptions]
    ) -> Any:
        """Tokenizes texts as they are before they are encoded.

        Returns:
            A :class:`TokenizedText`, or a list of them, ``None`` for a null.
        """
        given = self._merged(options)
        if isinstance(texts, str):
            (found,) = self._native.tokenize([texts], task, given)
            return TokenizedText.of(found) if found else None
        found_all = self._native.tokenize(readable(texts), task, given)
        return [one if one is None else TokenizedText.of(one) for one in found_all]

    def _merged(self, options: Mapping[str, Any]) -> str:
        call = dict(options)
        _options.check(call, loading=False)
        if call.get("normalize") is None:
            call.pop("normalize", None)
        return _options.to_json({**self._given, **call})

    def _encode(
        self, texts: Any, task: Task, options: Mapping[str, Any], progress: ShowProgress
    ) -> _native.Embeddings:
        with Progress(progress) as report:
            return self._native.encode(texts, task, self._merged(options), report)


def load_native(model: str | os.PathLike[str], given: dict[str, Any]) -> _native.Model:
    """Loads a model of any kind."""
    _options.check(given, loading=True)
    _runtime.disable_telemetry()
    return _native.Model.load(os.fspath(model), _options.load(given))


def _reload(kind: type[Any], name: str, given: dict[str, Any]) -> Any:
    return kind(name, **given)


class Progress:
    """Reports progress to a function, or on a bar."""

    def __init__(self, wanted: ShowProgress) -> None:
        self._wanted = wanted
        self._bar: Any = None

    def __enter__(self) -> Callable[[int, int], object] | None:
        if self._wanted is True:
            self._bar = _tqdm()(unit="text", desc="Encoding")
            return self._update
        return self._wanted if callable(self._wanted) else None

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _update(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)


def _tqdm() -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        missing("tqdm", "a progress bar")
    return tqdm


def missing(package: str, purpose: str) -> NoReturn:
    """Raises the error for an optional package that is not installed."""
    raise EncoderError(
        f"{purpose}: expected the package `{package}`, found none: `pip install {package}`",
        "missing_package",
    ) from None
