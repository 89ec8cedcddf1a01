// Turns what WebAssembly throws into errors of the package.

import { EncoderError, type EncoderErrorCode, messageOf } from "../errors.js";

/** @internal */
export function toEncoderError(error: unknown): EncoderError {
  if (error instanceof EncoderError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  // The module's own errors have a code of the union.
  if (typeof code === "string") return new EncoderError(code as EncoderErrorCode, messageOf(error), { cause: error });
  const memory = error instanceof RangeError && !/call stack/i.test(error.message);
  return new EncoderError(memory ? "out_of_memory" : "panicked", `the engine failed: ${messageOf(error)}`, {
    cause: error,
  });
}
