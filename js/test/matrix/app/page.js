import { embed } from "./embed.js";

globalThis.embed = embed;
globalThis.ready = true;
