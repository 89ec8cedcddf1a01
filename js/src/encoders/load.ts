import type { ModelSource } from "../loading/source.js";
import { CrossEncoder } from "./cross.js";
import { DenseEncoder } from "./dense.js";
import { HybridEncoder } from "./hybrid.js";
import { MultiVectorEncoder } from "./multi-vector.js";
import { SparseEncoder } from "./sparse.js";
import { type LoadOptions, start } from "./start.js";

/** An encoder of any kind, which its property `kind` tells. */
export type AnyEncoder = MultiVectorEncoder | DenseEncoder | SparseEncoder | CrossEncoder | HybridEncoder;

/**
 * Loads a model as the kind of encoder that it is.
 *
 * @throws EncoderError as {@link MultiVectorEncoder.load}
 */
export async function load(source: ModelSource, options: LoadOptions = {}): Promise<AnyEncoder> {
  const loaded = await start(source, options);
  switch (loaded.info.kind) {
    case "multi-vector":
      return MultiVectorEncoder.of(loaded);
    case "dense":
      return DenseEncoder.of(loaded);
    case "sparse":
      return SparseEncoder.of(loaded);
    case "cross-encoder":
      return CrossEncoder.of(loaded);
    case "hybrid":
      return HybridEncoder.of(loaded);
  }
}
