import { relaxedSimd, simd } from "wasm-feature-detect";

/**
 * WebAssembly features of the platform. The build bundles the dependency: a
 * bare import would need an import map in pages without a bundler, and import
 * maps do not apply to workers.
 *
 * @internal
 */
export const features: {
  simd(): Promise<boolean>;
  relaxedSimd(): Promise<boolean>;
} = { simd, relaxedSimd };
