r"""Makes PyLate's form of a ColBERT model from its exported FP32 graph, so that
PyLate can be measured beside the encoders that run the graph.

    python3 -m venv venv && venv/bin/pip install pylate==1.6.0 onnx
    venv/bin/python benches/peers/python/pylate_model.py ONNX_DIR OUTPUT_DIR

ONNX_DIR has `model.onnx` (a BertModel as `pylate-onnx-export` writes it),
`onnx_config.json` and `tokenizer.json`. OUTPUT_DIR must not be there yet, and
appears when it is whole: where ONNX_DIR has `reference.json` and
`reference.safetensors`, when PyLate gives the same embeddings from it.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np

# Of each token's embedding to the reference.
LEAST_COSINE = 0.9999
SETTINGS = (
    "query_prefix",
    "document_prefix",
    "query_length",
    "document_length",
    "do_query_expansion",
    "attend_to_expansion_tokens",
    "skiplist_words",
)


def weights(path):
    """The graph's weights, by the names that they have in PyTorch."""
    import onnx
    from onnx.numpy_helper import to_array

    graph = onnx.load(str(path)).graph
    found = {tensor.name: to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        # Of equal tensors the exporter keeps one, and names the others so.
        if node.op_type == "Identity" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    for node in graph.node:
        # It transposes a linear layer's weight and drops its name; the node's is
        # `/bert/encoder/layer.0/output/dense/MatMul`.
        if node.op_type == "MatMul" and node.input[1] in found:
            layer = node.name.removesuffix("/MatMul").strip("/").replace("/", ".")
            found[f"{layer}.weight"] = found[node.input[1]].T
    return {name: value for name, value in found.items() if not name.startswith("onnx::")}


def bert(found, heads):
    """The encoder with these weights; its sizes are those of the weights."""
    import torch
    from transformers import BertConfig, BertModel

    own = {name.removeprefix("bert."): value for name, value in found.items() if "bert." in name}
    tables = [f"embeddings.{of}_embeddings.weight" for of in ("word", "position", "token_type")]
    intermediate = "encoder.layer.{}.intermediate.dense.weight"
    missing = [name for name in [*tables, intermediate.format(0)] if name not in own]
    if missing:
        raise SystemExit(f"model.onnx: expected the weights of a BertModel, found no {missing}")
    words, positions, types = (own[name].shape for name in tables)
    config = BertConfig(
        vocab_size=words[0],
        hidden_size=words[1],
        max_position_embeddings=positions[0],
        type_vocab_size=types[0],
        num_hidden_layers=sum(intermediate.format(at) in own for at in range(len(own))),
        intermediate_size=own[intermediate.format(0)].shape[0],
        num_attention_heads=heads,
    )
    if config.hidden_size % heads:
        raise SystemExit(f"--heads: expected a divisor of {config.hidden_size}, found {heads}")
    model = BertModel(config)
    state = {name: torch.from_numpy(value.copy()) for name, value in own.items()}
    try:
        missing, unknown = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise SystemExit(f"model.onnx: {error}") from error
    # The pooler is no part of the graph: nothing reads its output.
    missing = [name for name in missing if not name.startswith("pooler.")]
    if missing or unknown:
        raise SystemExit(f"model.onnx: weights missing: {missing}, not known: {unknown}")
    return model


def build(source, config, heads, folder):
    """Writes the model as PyLate does."""
    import torch
    from pylate import models
    from transformers import PreTrainedTokenizerFast

    found = weights(source / "model.onnx")
    projection = found.get("linear.weight")
    if projection is None:
        raise SystemExit("model.onnx: expected a node /linear/MatMul with the projection")
    encoder = folder / "encoder"
    bert(found, heads).save_pretrained(encoder)
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
    PreTrainedTokenizerFast(
        tokenizer_file=str(source / "tokenizer.json"), model_max_length=512, **names
    ).save_pretrained(encoder)
    model = models.ColBERT(
        str(encoder),
        device="cpu",
        embedding_size=projection.shape[0],
        **{key: config[key] for key in SETTINGS},
    )
    for kind in ("query_prefix_id", "document_prefix_id"):
        if getattr(model, kind) != config[kind]:
            raise SystemExit(f"{kind}: expected {config[kind]}, found {getattr(model, kind)}")
    model[1].linear.weight.data = torch.from_numpy(projection.copy())
    model.save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def check(folder, source):
    """Refuses a model whose embeddings are not those of the reference."""
    from pylate import models
    from safetensors.numpy import load_file

    reference = json.loads((source / "reference.json").read_text(encoding="utf-8"))
    expected = load_file(source / "reference.safetensors")
    model = models.ColBERT(str(folder), device="cpu")
    least, count = 1.0, 0
    for kind in ("queries", "documents"):
        texts = [entry["text"] for entry in reference[kind]]
        found = model.encode(texts, is_query=kind == "queries", show_progress_bar=False)
        for at, rows in enumerate(found):
            name, wanted = f"{kind}.{at}", expected[f"{kind}.{at}"]
            if rows.shape != wanted.shape:
                raise SystemExit(f"{name}: expected shape {wanted.shape}, found {rows.shape}")
            if len(rows) == 0:
                continue
            norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted, axis=1)
            cosine = float(((rows * wanted).sum(axis=1) / norms).min())
            # Written so that a NaN is refused too.
            if not cosine >= LEAST_COSINE:
                raise SystemExit(f"{name}: expected cosines from {LEAST_COSINE}, found {cosine}")
            least, count = min(least, cosine), count + len(rows)
    print(f"the same as the reference: {count} tokens, least cosine {least:.7f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("source", type=Path, metavar="ONNX_DIR")
    parser.add_argument("output", type=Path, metavar="OUTPUT_DIR")
    parser.add_argument("--heads", type=int, default=12, help="attention heads (12)")
    arguments = parser.parse_args()
    # Absolute, since PyLate looks for others on the network first.
    source, output = arguments.source.resolve(), arguments.output.resolve()
    if output.exists():
        raise SystemExit(f"{output}: expected a folder to be made, it is there already")
    for name in ("model.onnx", "onnx_config.json", "tokenizer.json"):
        if not (source / name).is_file():
            raise SystemExit(f"{source}: expected {name}, found none")
    config = json.loads((source / "onnx_config.json").read_text(encoding="utf-8"))
    if config["model_class"] != "BertModel":
        raise SystemExit(f"model_class: expected BertModel, found {config['model_class']}")

    part = output.with_name(f"{output.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        model = build(source, config, arguments.heads, part)
        if all((source / f"reference.{kind}").is_file() for kind in ("json", "safetensors")):
            check(model, source)
        else:
            print(f"{source} has no references: the model was not compared with anything")
        model.rename(output)
    finally:
        shutil.rmtree(part)
    print(output)


if __name__ == "__main__":
    main()
