"""Arrow arrays as users expect them."""

from __future__ import annotations

from typing import Any


def pythonic(array: Any) -> Any:
    """An array of ``pyarrow`` where that is installed, else the object as it is,
    with the PyCapsule interface."""
    try:
        import pyarrow as pa
    except ImportError:
        return array
    return pa.array(array)


def single(columns: list[tuple[str, Any]]) -> Any:
    """The only array of those that the native module gives."""
    ((_, array),) = columns
    return pythonic(array)
