"""Options of loading and encoding, as the native module reads them."""

from __future__ import annotations

import json
from typing import Any, Literal, Optional, TypedDict

from . import _runtime

Precision = Literal["fp32", "fp16", "bf16", "int8", "int4"]
Engine = Literal["auto", "onnxruntime", "tract"]
Provider = Literal[
    "cpu",
    "auto",
    "cuda",
    "tensorrt",
    "coreml",
    "directml",
    "migraphx",
    "rocm",
    "openvino",
    "xnnpack",
]


class EncodeOptions(TypedDict, total=False):
    """Options of encoding. Those that are left out are the model's own.

    All of them can be given when a model is loaded and in each call, but
    ``normalize``, which the loaded graph has or has not.
    """

    #: Most tokens of a query, including special tokens and marker.
    query_length: Optional[int]
    #: Most tokens of a document, including special tokens and marker.
    document_length: Optional[int]
    #: Whether queries are expanded with mask tokens.
    query_expansion: Optional[bool]
    #: What happens to longer texts.
    truncation: Literal["truncate", "error"]
    #: Whether vectors are scaled to unit length.
    normalize: Optional[bool]
    #: Pools the rows of documents to about one in this many.
    pool_factor: Optional[int]
    #: Rows at the start of a document that are not pooled (1).
    protected_tokens: int
    #: Columns of dense vectors that are kept, for models trained so.
    dimensions: Optional[int]
    #: The name of the prompt for all texts.
    prompt_name: Optional[str]
    #: Most texts of a batch.
    batch_size: Optional[int]
    #: Most tokens of a batch, including padding.
    batch_tokens: Optional[int]


class LoadOptions(EncodeOptions, total=False):
    """Options of loading."""

    #: The precision to load; INT8 on CPUs if the model has it or its weights are
    #: in safetensors, else FP32.
    precision: Optional[Precision]
    #: The hardware path of ONNX Runtime (``"cpu"``). One that cannot be used is an
    #: error; ``"auto"`` takes the best that gives the CPU's vectors, or the CPU.
    provider: Provider
    #: Index of the provider's device (0).
    device: int
    #: What runs the graph (``"auto"``: ONNX Runtime if its library is found, else
    #: tract).
    engine: Engine
    #: Cores to use; all that the process may use.
    threads: Optional[int]
    #: Whether graphs are fused, and checked against the original (``True``).
    optimize: bool
    #: Whether the fused graph is timed beside the original one when it is loaded for
    #: the first time, so that the faster one runs (``True``).
    measure: bool
    #: The file of weights to load, by its path in the folder.
    file: Optional[str]
    #: Where fused graphs are kept; ``multivec`` in the user's cache folder.
    cache_dir: Optional[str]
    #: The ONNX Runtime library; that of the package ``onnxruntime``.
    library: Optional[str]
    #: Branch, tag or commit of a model of a hub.
    revision: Optional[str]
    #: The hub's token; that of the usual places.
    token: Optional[str]
    #: The hub's address; ``HF_ENDPOINT``, or huggingface.co.
    endpoint: Optional[str]
    #: The hub's cache; the one of Hugging Face's libraries.
    hub_cache_dir: Optional[str]
    #: Whether only the cache is used (``False``).
    offline: bool


_ENCODE = frozenset(EncodeOptions.__annotations__)
_LOAD = frozenset(LoadOptions.__annotations__)


def check(given: dict[str, Any], *, loading: bool) -> None:
    """Refuses options that do not exist."""
    known = _LOAD if loading else _ENCODE
    for name in given:
        if name not in known:
            raise TypeError(f"unknown option `{name}`: expected one of {', '.join(sorted(known))}")


def encode(given: dict[str, Any]) -> dict[str, Any]:
    """The native module's options of encoding."""
    found: dict[str, Any] = {
        name: given[name]
        for name in ("query_length", "document_length", "dimensions", "truncation")
        if given.get(name) is not None
    }
    switch = {True: "on", False: "off"}
    if given.get("query_expansion") is not None:
        found["query_expansion"] = switch[bool(given["query_expansion"])]
    if given.get("normalize") is not None:
        found["normalization"] = {True: "l2", False: "off"}[bool(given["normalize"])]
    if given.get("prompt_name") is not None:
        found["prompt"] = given["prompt_name"]
    if given.get("pool_factor") is not None:
        found["pooling"] = {
            "factor": given["pool_factor"],
            "protected_tokens": given.get("protected_tokens", 1),
        }
    if given.get("batch_tokens") is not None:
        found["batch_limit"] = {"tokens": given["batch_tokens"]}
    elif given.get("batch_size") is not None:
        found["batch_limit"] = {"texts": given["batch_size"]}
    return found


def to_json(given: dict[str, Any]) -> str:
    """The options of a call, for the native module."""
    return json.dumps(encode(given))


def load(given: dict[str, Any]) -> str:
    """The options of loading, for the native module."""
    switch = {True: "on", False: "off"}
    found: dict[str, Any] = {
        name: given[name]
        for name in (
            "precision",
            "provider",
            "device",
            "engine",
            "file",
            "cache_dir",
            "library",
            "revision",
            "token",
            "endpoint",
            "hub_cache_dir",
        )
        if given.get(name) is not None
    }
    if given.get("threads") is not None:
        found["cores"] = given["threads"]
    for name in ("optimize", "measure", "offline"):
        if given.get(name) is not None:
            found[name] = switch[bool(given[name])]
    if "library" not in found and found.get("engine") != "tract":
        library = _runtime.library()
        if library is not None:
            found["library"] = library
    found["encode"] = encode(given)
    return json.dumps(found)
