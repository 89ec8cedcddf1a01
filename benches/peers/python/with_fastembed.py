"""fastembed as one of the encoders that the benchmark talks to, in its defaults.

It knows the ColBERT models of a list, with their marker tokens in its code, and
does not extend `token_type_ids` by the marker, so that BERT graphs which take
them fail. A subclass sets both right; all the rest is fastembed's own."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from answers import serve

FILES = {"int8": "model_int8.onnx", "fp32": "model.onnx"}


def load(request):
    import numpy
    from fastembed.common.model_description import DenseModelDescription, ModelSource
    from fastembed.late_interaction.colbert import Colbert

    directory = Path(request["model"])
    config = json.loads((directory / "onnx_config.json").read_text(encoding="utf-8"))
    tokens = json.loads((directory / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    content = {token["id"]: token["content"] for token in tokens}

    class Model(Colbert):
        QUERY_MARKER_TOKEN_ID = config["query_prefix_id"]
        DOCUMENT_MARKER_TOKEN_ID = config["document_prefix_id"]
        MASK_TOKEN = content[config["mask_token_id"]]
        MIN_QUERY_LENGTH = config["query_length"] - 1 if config["do_query_expansion"] else None

        @classmethod
        def _list_supported_models(cls):
            return [
                DenseModelDescription(
                    model=config["model_name"],
                    dim=config["embedding_dim"],
                    description="",
                    license="",
                    size_in_GB=0,
                    sources=ModelSource(hf=config["model_name"]),
                    model_file=FILES[request["precision"]],
                )
            ]

        def _preprocess_onnx_input(self, onnx_input, is_doc=True, **kwargs):
            onnx_input = super()._preprocess_onnx_input(onnx_input, is_doc, **kwargs)
            if "token_type_ids" in onnx_input:
                onnx_input["token_type_ids"] = numpy.zeros_like(onnx_input["input_ids"])
            return onnx_input

    # It wants a file more than there is; the graph is read where it is.
    with TemporaryDirectory() as folder:
        for file in ("tokenizer.json", FILES[request["precision"]]):
            (Path(folder) / file).symlink_to((directory / file).resolve())
        limits = {
            "model_max_length": config["document_length"],
            "pad_token": content[config["pad_token_id"]],
        }
        text = json.dumps(limits)
        (Path(folder) / "tokenizer_config.json").write_text(text, encoding="utf-8")
        model = Model(config["model_name"], specific_model_path=folder)

    def encode(kind, texts):
        return list(model.query_embed(texts) if kind == "query" else model.embed(texts))

    return encode


serve(load)
