// Markdown as plain text, a section for each heading.

/** Sections with the heading as their title. */
export function readMarkdown(text, name) {
  const sections = [];
  let title = name;
  let lines = [];
  let fence;
  const end = () => {
    sections.push({ title, text: lines.join("\n") });
    lines = [];
  };
  for (const line of withoutFrontMatter(text).split("\n")) {
    const [, marker] = /^\s*(`{3,}|~{3,})/.exec(line) ?? [];
    if (fence === undefined && marker !== undefined) fence = marker;
    else if (fence !== undefined && marker?.startsWith(fence)) fence = undefined;
    else if (fence !== undefined) lines.push(line);
    else {
      const [, heading] = /^ {0,3}#{1,6}\s+(.*?)\s*#*\s*$/.exec(line) ?? [];
      // A line of `=` or `-` makes a heading of the line before.
      const isUnderlined = /^ {0,3}(=+|-{2,})\s*$/.test(line) && (lines.at(-1) ?? "").trim() !== "";
      if (heading === undefined && !isUnderlined) {
        lines.push(inline(block(line)));
        continue;
      }
      const found = isUnderlined ? lines.pop() : inline(heading);
      end();
      title = `${name}, ${found.trim()}`;
    }
  }
  end();
  return sections.filter((section) => section.text.trim() !== "");
}

const withoutFrontMatter = (text) => text.replace(/^---\n[\s\S]*?\n(---|\.\.\.)(\n|$)/, "");

/** A line without what makes it a list, a quotation, a rule or a row of a table. */
function block(line) {
  if (/^[\s|:-]*$/.test(line) || /^\s*([*_]\s*){3,}$/.test(line)) return "";
  const plain = line.replace(/^\s*(>\s?)+/, "").replace(/^\s*([-*+]|\d+[.)])\s+(\[[ xX]\]\s+)?/, "");
  return plain.replace(/^\s*\|(.*)\|\s*$/, "$1");
}

function inline(line) {
  return line
    .replaceAll(/!?\[([^\]]*)\]\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+["'(][^)]*)?\)/g, "$1")
    .replaceAll(/\[([^\]]+)\]\[[^\]]*\]/g, "$1")
    .replaceAll(/<!--.*?-->|<\/?[a-zA-Z][^<>]*>/g, "")
    .replaceAll(/(\*\*|__|~~)(?=\S)(.+?)(?<=\S)\1/g, "$2")
    .replaceAll(/(?<![\p{L}\p{N}*_])([*_])(?=\S)(.+?)(?<=\S)\1(?![\p{L}\p{N}*_])/gu, "$2")
    .replaceAll(/(`+)(.+?)\1/g, "$2");
}
