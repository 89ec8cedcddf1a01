import { relaxedSimd, simd } from "wasm-feature-detect";

/**
 * What the platform's WebAssembly can do. Bundled into the package: a bare
 * import would need an import map in pages without a bundler, and import maps
 * do not reach workers.
 *
 * @internal
 */
export const features: {
  simd(): Promise<boolean>;
  relaxedSimd(): Promise<boolean>;
} = { simd, relaxedSimd };
