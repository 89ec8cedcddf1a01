// Files as sections of text.

import { readCsv } from "./csv.js";
import { readMarkdown } from "./markdown.js";

/** Most bytes of a file. */
const LARGEST = 64e6;

/** A file that cannot be read; `sentence` says why to people. */
export class UnreadableError extends Error {
  constructor(sentence) {
    super(sentence);
    this.name = "UnreadableError";
    this.sentence = sentence;
  }
}

/** Sections `{ title, text }` of a file; `onProgress(page, pages)` for PDFs. */
export async function readFile(file, { signal, onProgress }) {
  if (file.size > LARGEST) throw new UnreadableError(`It has more than ${LARGEST / 1e6} MB.`);
  const start = new Uint8Array(await file.slice(0, 1024).arrayBuffer());
  if (new TextDecoder("latin1").decode(start).includes("%PDF-")) {
    const readPdf = await loadPdfReader();
    const sections = await readPdf(file, { signal, onProgress });
    if (sections.some(({ text }) => text.trim() !== "")) return sections;
    throw new UnreadableError("Its pages have no text: they are pictures, as from a scanner.");
  }
  const text = decode(new Uint8Array(await file.arrayBuffer()));
  if (text.includes("\0")) {
    throw new UnreadableError("It is not a text. Text, Markdown, CSV and PDF can be read.");
  }
  return readText(text, file.name);
}

/** Two megabytes with its worker, which most visitors do not need. */
async function loadPdfReader() {
  try {
    return (await import("./pdf.js")).readPdf;
  } catch (error) {
    throw Object.assign(error, {
      sentence: "The reader of PDFs did not load. Is this device offline? If it is not, reload the page.",
    });
  }
}

/** Sections of a text by the ending of its name. */
export function readText(text, name) {
  const lines = text.replaceAll(/\r\n?/g, "\n");
  if (/\.(md|markdown)$/i.test(name)) return readMarkdown(lines, name);
  if (/\.(csv|tsv)$/i.test(name)) return readCsv(lines, name);
  return [{ title: name, text: lines }];
}

/** Unicode by its byte order mark, else UTF-8, else what Windows has used for western Europe. */
function decode(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}
