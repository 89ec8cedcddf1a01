// Threads as the engine and the helpers themselves see them.

import { fromData, toData, type ErrorData } from "../errors.js";
import { toEncoderError } from "../engine/failure.js";
import { instantiate } from "../glue-threads.js";

/** What a helper is told, once. */
interface Share {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
}

/** What a helper answers, once. */
type Answer = { failed?: ErrorData };

/** @internal Lets every helper join an instance; returns when all are there. */
export async function shareOut(module: WebAssembly.Module, memory: WebAssembly.Memory, ports: readonly MessagePort[]): Promise<void> {
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

/** @internal Lends this thread for the rest of its life to the engine behind a port. */
export function lend(port: MessagePort): void {
  port.onmessage = ({ data }: MessageEvent<Share>) => void join(port, data);
}

async function join(port: MessagePort, { module, memory }: Share): Promise<void> {
  const answer = (answer: Answer) => port.postMessage(answer);
  let instance;
  try {
    instance = await instantiate(module, memory);
    instance.enlist();
  } catch (error) {
    return answer({ failed: toData(toEncoderError(error)) });
  }
  // The last message: from here on nobody listens.
  answer({});
  try {
    instance.help();
  } catch {
    // Whoever waits for this thread throws what is to be said.
    instance.reportFailure();
  }
}
