"""Libraries that make dense embeddings, each served by a process of its own.

    python dense_encoders.py NAME THREADS

reads one JSON object a line: `{"open": FOLDER}` loads a model, `{"texts": [...]}`
sets texts; `{"run": null}` encodes them once and gives the seconds; `{"vectors":
null}` gives the embeddings.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from turns import seconds, serve

GRAPHS = {"fp32": "onnx/model.onnx", "int8": "onnx/model_quint8_avx2.onnx"}
WEIGHTS = "model.safetensors"


def multivec(precision, file):
    def load(folder, threads):
        import multivec as library

        encoder = library.DenseEncoder(
            str(folder), precision=precision, file=file, threads=threads
        )
        return lambda texts: encoder.encode_document(texts)

    return load


def fastembed(precision):
    """The model as one of a user's own."""

    def load(folder, threads):
        from fastembed import TextEmbedding
        from fastembed.common.model_description import ModelSource, PoolingType

        TextEmbedding.add_custom_model(
            model="bench/model",
            pooling=PoolingType.MEAN,
            normalization=True,
            sources=ModelSource(hf="bench/model"),
            dim=384,
            model_file=GRAPHS[precision],
        )
        model = TextEmbedding("bench/model", specific_model_path=str(folder), threads=threads)
        return lambda texts: list(model.embed(texts))

    return load


def embed_anything(precision):
    """The model from a cache of the hub, without any network."""

    def load(folder, _):
        home = TemporaryDirectory()
        repository = Path(home.name) / "hub/models--bench--model"
        (repository / "refs").mkdir(parents=True)
        (repository / "snapshots").mkdir()
        (repository / "refs/main").write_text("0" * 40, encoding="utf-8")
        (repository / "snapshots" / ("0" * 40)).symlink_to(folder.resolve())
        os.environ["HF_HOME"] = home.name
        from embed_anything import EmbeddingModel, TextEmbedConfig, WhichModel, embed_query

        model = EmbeddingModel.from_pretrained_onnx(
            WhichModel.Bert, hf_model_id="bench/model", path_in_repo=GRAPHS[precision]
        )

        def run(texts):
            config = TextEmbedConfig(batch_size=min(32, len(texts)))
            return [one.embedding for one in embed_query(texts, model, config)]

        run.cache = home
        return run

    return load


def sentence_transformers(folder, threads):
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(str(folder), device="cpu")
    return lambda texts: model.encode(texts, normalize_embeddings=True)


#: What is imported, and how it is used.
ENCODERS = {
    "multivec, INT8": ("multivec", multivec("int8", GRAPHS["int8"])),
    # Quantized when it is loaded, as by default.
    "multivec, INT8 of the weights": ("multivec", multivec("int8", WEIGHTS)),
    "multivec, FP32": ("multivec", multivec("fp32", GRAPHS["fp32"])),
    "fastembed, INT8": ("fastembed", fastembed("int8")),
    "fastembed, FP32": ("fastembed", fastembed("fp32")),
    "EmbedAnything, INT8": ("embed_anything", embed_anything("int8")),
    "EmbedAnything, FP32": ("embed_anything", embed_anything("fp32")),
    "sentence-transformers, FP32": ("sentence_transformers", sentence_transformers),
}


def main(name, threads):
    # Not every library can be told how many to use.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    _, load = ENCODERS[name]
    encode = texts = None

    def answer(request):
        nonlocal encode, texts
        if "open" in request:
            encode = load(Path(request["open"]), threads)
            return {}
        if "texts" in request:
            texts = request["texts"]
            return {}
        if "run" in request:
            return {"seconds": seconds(encode, texts)}
        return {"vectors": np.asarray(encode(texts), dtype=np.float64).tolist()}

    serve(answer)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
