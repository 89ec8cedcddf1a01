import { answer } from "./answer.js";

globalThis.onconnect = ({ ports: [port] }) => {
  port.onmessage = async ({ data }) => port.postMessage(await answer(data));
};
