"""Encoding on Ray Data: a pool of actors, each with the model loaded once.

>>> import ray, multivec.ray
>>> texts = ray.data.read_parquet("texts/")
>>> found = multivec.ray.encode(texts, "org/model", column="text", concurrency=8)
>>> found.write_parquet("embeddings/")
"""

from __future__ import annotations

import os
from typing import Any, Union

from ._model import Task, missing
from .batches import Dtype
from .batches import Encode as _Encode


class Encode(_Encode):
    """A class for ``Dataset.map_batches`` with ``batch_format="pyarrow"``.

    The model is loaded when the actor starts, and uses as many threads as the actor
    has CPUs, unless ``threads`` says otherwise.
    """

    def __init__(self, model: str | os.PathLike[str], **arguments: Any) -> None:
        """As :class:`multivec.Encode`, with the same arguments."""
        if arguments.get("threads") is None:
            arguments["threads"] = _cpus()
        super().__init__(model, **arguments)
        # Now rather than with the first rows, so that a model that does not load
        # fails the job at once.
        self.load()


def encode(
    dataset: Any,
    model: str | os.PathLike[str],
    *,
    column: str = "text",
    task: Task = "document",
    output: str = "embedding",
    dtype: Dtype = "float32",
    truncated: str | None = "truncated",
    concurrency: Union[int, tuple[int, int]] = 1,
    num_cpus: float = 1,
    batch_size: int = 256,
    block_rows: int = 256,
    ray_options: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Adds embeddings to a dataset, lazily as Ray's own methods.

    Blocks are read, encoded and written one by one: memory does not depend on the
    size of the dataset. A block that is lost with its actor is encoded again, to the
    same embeddings.

    Args:
        dataset: A ``ray.data.Dataset`` with a column of texts.
        model: A folder that all workers have, or the id of a model on a hub.
        column: The column of texts. All columns are kept.
        task: Whether they are queries or documents.
        output: The column of embeddings.
        dtype: Of their numbers.
        truncated: A column that says which texts were cut off; ``None`` for none.
        concurrency: Actors, or the least and the most of them.
        num_cpus: CPUs of each actor: its threads. Where all actors together would
            leave no CPU for Ray's own tasks, which read and write, they reserve a
            little less, with as many threads.
        batch_size: Most rows of a batch.
        block_rows: Most rows of a block of texts: what an actor takes at a time, and
            what is encoded again when it is lost.
        ray_options: Other arguments of ``Dataset.map_batches``.
        **options: Those of loading, see :class:`multivec.LoadOptions`.

    Returns:
        A ``ray.data.Dataset``.
    """
    arguments: dict[str, Any] = {
        "column": column,
        "task": task,
        "output": output,
        "dtype": dtype,
        "truncated": truncated,
        "rows": batch_size,
        **options,
    }
    if arguments.get("threads") is None:
        arguments["threads"] = max(1, int(num_cpus))
    actors = concurrency if isinstance(concurrency, int) else concurrency[1]
    # Readers make few large blocks of many small files; an actor takes whole blocks.
    dataset = dataset.repartition(target_num_rows_per_block=block_rows)
    return dataset.map_batches(
        Encode,
        fn_constructor_args=(os.fspath(model),),
        fn_constructor_kwargs=arguments,
        batch_format="pyarrow",
        batch_size=batch_size,
        compute=_pool(concurrency),
        num_cpus=_reserved(num_cpus, actors),
        zero_copy_batch=True,
        **(ray_options or {}),
    )


def _pool(concurrency: Union[int, tuple[int, int]]) -> Any:
    from ray.data import ActorPoolStrategy

    if isinstance(concurrency, int):
        return ActorPoolStrategy(size=concurrency)
    least, most = concurrency
    return ActorPoolStrategy(min_size=least, max_size=most)


def _reserved(num_cpus: float, actors: int) -> float:
    """The CPUs that each actor reserves. A job whose actors reserve all that the
    cluster has would wait for its own reads for ever."""
    try:
        import ray
    except ImportError:
        missing("ray", "Ray Data")
    if not ray.is_initialized():
        ray.init()
    resources: Any = ray.cluster_resources()  # type: ignore[no-untyped-call]
    total = float(resources.get("CPU", 0))
    wanted = num_cpus * actors
    # More than there are is for a cluster that grows.
    if wanted > total or total - wanted >= 1:
        return num_cpus
    return max(total - 1, 0) / actors


def _cpus() -> int | None:
    """The CPUs of the actor that this runs in; ``None`` for all that there are."""
    try:
        import ray
    except ImportError:
        missing("ray", "Ray Data")
    if not ray.is_initialized():
        return None
    context: Any = ray.get_runtime_context()
    assigned = context.get_assigned_resources().get("CPU")
    return None if assigned is None else max(1, int(assigned))
