"""Bulk encoding on a local Ray cluster against one process: `cargo xtask bench scale`,
or with texts of one's own, one a line, and their number: `bench scale TEXTS.txt 4000`.

Texts are repeated and varied, written to 16 Parquet shards, and encoded by two
actors of one CPU each; in one run an actor is killed in the middle. Prints JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import ray

import multivec
import multivec.ray

SHARDS = 16


def texts(source: Path, count: int) -> list[str]:
    """Passages of the source, numbered so that no two are equal."""
    lines = [line for line in source.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [f"{line} ({at})" for at, line in zip(range(count), itertools.cycle(lines))]


def write(passages: list[str], folder: Path) -> None:
    folder.mkdir(parents=True)
    for shard in range(SHARDS):
        table = pa.table(
            {"id": range(shard, len(passages), SHARDS), "text": passages[shard::SHARDS]}
        )
        pq.write_table(table, folder / f"part-{shard:02}.parquet")


def plain(model: str, source: Path, target: Path) -> float:
    """Encodes all shards in this process, on two cores; seconds."""
    encode = multivec.Encode(model, threads=2)
    encode.load()
    target.mkdir()
    start = time.perf_counter()
    for shard in sorted(source.iterdir()):
        pq.write_table(encode(pq.read_table(shard)), target / shard.name)
    return time.perf_counter() - start


class Watch(threading.Thread):
    """The largest resident memory of an actor; kills one when told to."""

    def __init__(self, kill_after: float | None) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.killed = False
        self._kill_after = kill_after
        self._over = threading.Event()

    def run(self) -> None:
        start = None
        while not self._over.wait(0.2):
            actors = [one for one in psutil.process_iter(["cmdline"]) if is_actor(one)]
            for actor in actors:
                try:
                    self.peak = max(self.peak, actor.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
            if actors and start is None:
                start = time.monotonic()
            due = start is not None and self._kill_after is not None
            if due and not self.killed and time.monotonic() - start > self._kill_after and actors:
                os.kill(actors[0].pid, signal.SIGKILL)
                self.killed = True

    def end(self) -> None:
        self._over.set()
        self.join()


def is_actor(process: psutil.Process) -> bool:
    command = " ".join(process.info["cmdline"] or [])
    return "MapWorker" in command and "Encode" in command


def clustered(model: str, source: Path, target: Path, kill_after: float | None) -> dict[str, Any]:
    watch = Watch(kill_after)
    watch.start()
    start = time.perf_counter()
    found = multivec.ray.encode(
        ray.data.read_parquet(str(source)), model, column="text", concurrency=2
    )
    found.write_parquet(str(target))
    seconds = time.perf_counter() - start
    watch.end()
    return {"seconds": seconds, "actor_peak_bytes": watch.peak, "killed": watch.killed}


def compare(one: Path, other: Path, count: int) -> None:
    """Fails unless both have all rows once, bit for bit the same."""
    first, second = (pq.read_table(folder).sort_by("id") for folder in (one, other))
    for table in (first, second):
        assert table["id"].to_pylist() == list(range(count)), "rows are missing or doubled"
    values = [flat(table) for table in (first, second)]
    assert np.array_equal(values[0][1], values[1][1]), "texts differ in length"
    assert np.array_equal(values[0][0].view(np.uint32), values[1][0].view(np.uint32)), "bits differ"


def rates(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Texts a second, start-up apart: the slopes of seconds over texts."""
    counts = [run["texts"] for run in runs]
    slopes = {}
    for kind in ("alone_seconds", "seconds"):
        slope, start = np.polyfit(counts, [run[kind] for run in runs], 1)
        slopes[kind] = (1 / slope, start)
    alone, clustered = slopes["alone_seconds"], slopes["seconds"]
    return {
        "alone_texts_a_second": alone[0],
        "cluster_texts_a_second": clustered[0],
        "cluster_start_seconds": clustered[1],
        "cluster_to_alone": clustered[0] / alone[0],
    }


def flat(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    column = table["embedding"].combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    lengths = np.diff(column.offsets.to_numpy())
    return column.flatten().flatten().to_numpy(), lengths


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("texts", type=Path)
    parser.add_argument("--count", type=int, required=True)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="multivec-scale-"))
    results: dict[str, Any] = {"count": arguments.count, "runs": []}
    try:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        for share in (4, 2, 1):
            count = arguments.count // share
            source = folder / f"texts-{count}"
            write(texts(arguments.texts, count), source)
            alone = folder / f"alone-{count}"
            cluster = folder / f"cluster-{count}"
            seconds = plain(arguments.model, source, alone)
            run = clustered(arguments.model, source, cluster, None)
            compare(alone, cluster, count)
            results["runs"].append({"texts": count, "alone_seconds": seconds, **run})
            shutil.rmtree(cluster)
            if share == 1:
                killed = clustered(arguments.model, source, cluster, run["seconds"] / 2)
                compare(alone, cluster, count)
                results["killed"] = killed
            shutil.rmtree(alone)
        results.update(rates(results["runs"]))
    finally:
        ray.shutdown()
        shutil.rmtree(folder)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
