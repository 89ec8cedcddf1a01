import { answer } from "./answer.js";

globalThis.onmessage = (event) =>
  event.waitUntil(answer(event.data).then((found) => event.ports[0].postMessage(found)));
