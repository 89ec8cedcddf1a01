// The text of a PDF, by pdf.js, which runs in a worker of its own.

import * as pdfjs from "pdfjs-dist/legacy/build/pdf.mjs";
import worker from "pdfjs-dist/legacy/build/pdf.worker.min.mjs?url";

pdfjs.GlobalWorkerOptions.workerSrc = worker;

const SENTENCES = {
  PasswordException: "It needs a password.",
  InvalidPDFException: "It is damaged, or no PDF.",
};

/** A section for each page. */
export async function readPdf(file, { signal, onProgress }) {
  const cMapUrl = new URL("./cmaps/", document.baseURI).href;
  const task = pdfjs.getDocument({ data: await file.arrayBuffer(), cMapUrl, cMapPacked: true });
  try {
    const pdf = await task.promise;
    const sections = [];
    for (let number = 1; number <= pdf.numPages; number += 1) {
      signal.throwIfAborted();
      onProgress(number, pdf.numPages);
      const page = await pdf.getPage(number);
      const { items } = await page.getTextContent();
      sections.push({ title: `${file.name}, page ${number}`, text: paragraphs(items) });
      page.cleanup();
    }
    return sections;
  } catch (error) {
    if (SENTENCES[error?.name] !== undefined) error.sentence = SENTENCES[error.name];
    throw error;
  } finally {
    await task.destroy();
  }
}

/** Lines of a page, with an empty one where the gap is wider than between lines. */
function paragraphs(items) {
  let text = "";
  let last;
  for (const { str, transform, height, hasEOL } of items) {
    if (str === undefined) continue;
    const top = transform[5];
    if (last !== undefined && text.endsWith("\n") && str.trim() !== "") {
      const gap = Math.abs(last.top - top);
      if (gap > 1.7 * Math.max(height, last.height)) text += "\n";
    }
    text += str;
    if (str.trim() !== "") last = { top, height };
    if (hasEOL) text += "\n";
  }
  // Dots that lead to page numbers; words that were divided at the end of a line.
  return text
    .replaceAll(/(?:\. ?){4,}/g, "… ")
    .replaceAll("\u00AD\n", "")
    .replaceAll(/(\p{Ll})-\n(\p{Ll})/gu, "$1$2");
}
