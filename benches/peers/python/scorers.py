"""Libraries that score multi-vectors, each served by a process of its own.

    python scorers.py NAME THREADS

reads one JSON object a line: `{"open": FILE, "query": FILE}` maps documents,
`[documents, rows, columns]` in 32-bit floats, and a query, `[rows, columns]`;
`{"run": null}` scores all documents once and gives the seconds; `{"scores": null}`
gives the scores in the order of the documents.
"""

import sys

import numpy as np
from turns import seconds, serve


def multivec(dtype):
    """A corpus in that precision, searched for the best ten."""

    def load(documents, threads):
        import multivec as library

        count, rows, dim = documents.shape
        offsets = np.arange(count + 1, dtype=np.int64) * rows
        corpus = library.Corpus((documents.reshape(-1, dim), offsets), dtype=dtype)

        def run(query):
            return corpus.search(query, 10, threads=threads)

        def scores(query):
            found = np.full(count, np.nan)
            for hit in corpus.search(query, count, threads=threads):
                found[hit.index] = hit.score
            return found

        return run, scores

    return load


def multivec_arrays(documents, threads):
    """Arrays of numpy, one a document, read in place."""
    import multivec as library

    arrays = list(documents)

    def run(query):
        return library.max_sim(query, arrays, threads=threads)

    return run, run


def maxsim(name):
    """maxsim-cpu, and what was made of it."""

    def load(documents, _):
        library = __import__(name)

        def run(query):
            return library.maxsim_scores(query, documents)

        return run, run

    return load


def with_numpy(documents, _):
    count, rows, dim = documents.shape
    flat = documents.reshape(-1, dim)

    def run(query):
        return (flat @ query.T).reshape(count, rows, -1).max(axis=1).sum(axis=1)

    return run, run


def pylate(documents, threads):
    import torch
    from pylate import rank

    torch.set_num_threads(threads)
    tensors = list(torch.from_numpy(documents))
    ids = list(range(len(tensors)))

    def run(query):
        with torch.inference_mode():
            return rank.rerank(
                documents_ids=[ids],
                queries_embeddings=[torch.from_numpy(query)],
                documents_embeddings=[tensors],
            )[0]

    def scores(query):
        found = np.full(len(ids), np.nan)
        for hit in run(query):
            found[hit["id"]] = hit["score"]
        return found

    return run, scores


#: What is imported, and how it is used.
SCORERS = {
    "multivec.max_sim": ("multivec", multivec_arrays),
    "multivec.Corpus, float32": ("multivec", multivec("float32")),
    "multivec.Corpus, float16": ("multivec", multivec("float16")),
    "multivec.Corpus, int8": ("multivec", multivec("int8")),
    "multivec.Corpus, bits": ("multivec", multivec("bits")),
    "maxsim-cpu": ("maxsim_cpu", maxsim("maxsim_cpu")),
    "fast-maxsim": ("fast_maxsim", maxsim("fast_maxsim")),
    "numpy": ("numpy", with_numpy),
    "PyLate, rank.rerank": ("pylate", pylate),
}


def main(name, threads):
    _, load = SCORERS[name]
    run = scores = query = None

    def answer(request):
        nonlocal run, scores, query
        if "open" in request:
            documents = np.load(request["open"], mmap_mode="c").view(np.ndarray)
            query = np.load(request["query"])
            run, scores = load(documents, threads)
            return {}
        if "run" in request:
            return {"seconds": seconds(run, query)}
        return {"scores": [float(score) for score in scores(query)]}

    serve(answer)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
