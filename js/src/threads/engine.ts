// How an engine and its helper threads start to share an instance.

import { toEncoderError } from "../engine/failure.js";
import { type ErrorData, fromData, toData } from "../errors.js";
import { instantiate } from "../glue-threads.js";
import type { ThreadsModule } from "../wasm.js";

/** The one message to a helper. */
interface Share {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
}

/** Its one answer. */
type Answer = { failed?: ErrorData };

/** @internal Lets every helper join an instance; resolves when all have. */
export async function shareOut(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  ports: readonly MessagePort[],
): Promise<void> {
  await Promise.all(
    ports.map(
      (port) =>
        new Promise<void>((resolve, reject) => {
          port.onmessage = ({ data }: MessageEvent<Answer>) => {
            port.close();
            if (data.failed === undefined) resolve();
            else reject(fromData(data.failed));
          };
          port.postMessage({ module, memory } satisfies Share);
        }),
    ),
  );
}

/** @internal Lends this thread, for the rest of its life, to the engine behind a port. */
export function lend(port: MessagePort): void {
  port.onmessage = ({ data }: MessageEvent<Share>) => void join(port, data);
}

async function join(port: MessagePort, { module, memory }: Share): Promise<void> {
  const answer = (answer: Answer) => port.postMessage(answer);
  let instance: ThreadsModule;
  try {
    instance = await instantiate(module, memory);
    instance.enlist();
  } catch (error) {
    return answer({ failed: toData(toEncoderError(error)) });
  }
  // The last message: the engine has closed its port after it.
  answer({});
  try {
    instance.help();
  } catch {
    // The call that waits for this thread throws the error.
    instance.reportFailure();
  }
}
