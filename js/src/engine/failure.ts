// Turns what WebAssembly throws into errors of the package.

import { EncoderError, type EncoderErrorCode, messageOf } from "../errors.js";

/** @internal Runs a call of WebAssembly; whatever it throws becomes an `EncoderError`. */
export function guard<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw toEncoderError(error);
  }
}

/** @internal Ignores errors: after a panic, freeing fails too. */
export function quietly(run: () => void): void {
  try {
    run();
  } catch {
    // Nothing is left to free.
  }
}

/** @internal */
export function disposed(what = "the encoder"): EncoderError {
  return new EncoderError("disposed", `${what} was disposed`);
}

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
