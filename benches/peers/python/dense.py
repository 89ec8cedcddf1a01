"""Dense embeddings of multivec beside other libraries, in turns: `cargo xtask bench
dense`.

    python dense.py MODEL CORPUS.txt OUTPUT.json [--threads N] [--quick]

MODEL is what `dense_model.py` writes. Each library has a process of its own and is
timed inside it, on the same graphs and texts. Embeddings are compared with those of
the first library in FP32 before anything is timed.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from dense_encoders import ENCODERS
from tokenizers import Tokenizer
from turns import Library, in_turns, installed, table, threads_title, write

#: Texts, and tokens of each.
SHAPES = [(64, 24), (32, 128), (16, 300), (1, 24)]
ROUNDS = 9
#: The least cosine with the embeddings in FP32.
LEAST = {"FP32": 0.99999, "INT8": 0.95, "INT8 of the weights": 0.99}


def texts_of(tokenizer, words, count, tokens):
    """Texts of about so many tokens, special ones among them."""
    texts, at = [], 0
    for _ in range(count):
        text = []
        while len(tokenizer.encode(" ".join(text)).ids) < tokens:
            text.append(words[at % len(words)])
            at += 1
        texts.append(" ".join(text[:-1]))
    return texts


def unit(vectors):
    vectors = np.asarray(vectors)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def compare(libraries, texts):
    for library in libraries:
        library.ask(texts=texts)
    vectors = {library.name: unit(library.ask(vectors=None)["vectors"]) for library in libraries}
    expected = next(found for name, found in vectors.items() if name.endswith("FP32"))
    for name, found in vectors.items():
        cosine = (found * expected).sum(axis=1).mean()
        # Written so that a NaN is refused too.
        if not cosine >= LEAST[name.partition(", ")[2]]:
            raise SystemExit(f"{name}: the mean cosine with FP32 is {cosine:.5f}")
        print(f"{name}: mean cosine {cosine:.5f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    rounds = 3 if arguments.quick else ROUNDS
    names, missing = installed({name: package for name, (package, _) in ENCODERS.items()})
    script = Path(__file__).with_name("dense_encoders.py")
    libraries = [Library(script, name, arguments.threads) for name in names]
    for library in libraries:
        library.ask(open=str(arguments.model))
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    words = arguments.corpus.read_text(encoding="utf-8").split()
    found = []
    for count, tokens in SHAPES:
        texts = texts_of(tokenizer, words, count, tokens)
        compare(libraries, texts[:8])
        for library in libraries:
            library.ask(texts=texts)
        found.append(in_turns(libraries, rounds))
        for name, times in found[-1].items():
            print(f"{count} x {tokens}, {name}: {np.median(times):.2f} ms", flush=True)
    for library in libraries:
        library.close()
    columns = [f"{count} × {tokens}" for count, tokens in SHAPES]  # noqa: RUF001
    one = table(threads_title(arguments.threads), columns, found, rounds)
    write(arguments.output, [one], missing, arguments.quick)


if __name__ == "__main__":
    main()
