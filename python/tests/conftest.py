"""Models and references, which the tests of all engines share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import multivec

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"

#: Most that a number may differ from the reference.
TOLERANCE = 1e-5


@dataclass
class Reference:
    """Texts and what the original library gives for them."""

    folder: Path
    queries: list[str]
    documents: list[str]
    tensors: dict[str, np.ndarray]

    @classmethod
    def read(cls, folder: Path) -> Reference:
        facts = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
        text = lambda one: one if isinstance(one, str) else one["text"]  # noqa: E731
        return cls(
            folder,
            [text(one) for one in facts["queries"]],
            [text(one) for one in facts["documents"]],
            load_file(folder / "reference.safetensors"),
        )

    def expected(self, task: str) -> list[np.ndarray]:
        key = {"query": "queries", "document": "documents"}[task]
        count = len(getattr(self, key))
        return [self.tensors[f"{key}.{at}"] for at in range(count)]


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fused graphs are kept in a folder of this run."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session")
def reference() -> Callable[[str], Reference]:
    """References by the folder of their fixture."""
    return lambda name: Reference.read(FIXTURES / name)


@pytest.fixture(scope="session")
def tiny() -> multivec.Encoder:
    """A small model with random weights, in FP32."""
    return multivec.Encoder(FIXTURES / "tiny-bert", precision="fp32")


@pytest.fixture(scope="session")
def demo_folder() -> Path:
    return ROOT / "models" / "minilm-colbert"


@pytest.fixture(scope="session")
def demo(demo_folder: Path) -> multivec.Encoder:
    """The demo model, in INT8."""
    return multivec.Encoder(demo_folder)


def assert_close(found: Any, expected: Any, tolerance: float = TOLERANCE) -> None:
    """Equal shapes, and numbers within the tolerance; never an empty comparison."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    if expected.size:
        assert np.abs(found - expected).max() <= tolerance


def assert_all_close(found: list[Any], expected: list[Any]) -> None:
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected):
        assert_close(one, other)
