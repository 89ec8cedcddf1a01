"""The error of this package."""

from __future__ import annotations


class EncoderError(Exception):
    """Anything that fails in a model, its files or the engine.

    Wrong types of arguments raise :class:`TypeError` instead.

    Attributes:
        code: What failed, such as ``"missing_file"``: one of the codes of the
            Rust crate (``Error::code``), or one of Python's own: ``"forked"``
            for a model used in a fork of the process that loaded it,
            ``"missing_package"`` for an optional package that is needed.
            Codes are stable, messages may be reworded.
    """

    code: str

    def __init__(self, message: str, code: str = "invalid_input") -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[EncoderError], tuple[str, str]]:
        return type(self), (str(self), self.code)
