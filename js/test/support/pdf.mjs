// Small PDFs.

const STANDARD = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>";
// Its characters are found by one of Adobe's tables, which no PDF holds.
const CHINESE = `<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [
<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light
/CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >>
/FontDescriptor << /Type /FontDescriptor /FontName /STSong-Light /Flags 4 /FontBBox [0 0 1000 1000]
/ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >> >> ] >>`;

/**
 * A PDF of pages, each a list of lines of Latin text, an empty one for a gap
 * between paragraphs, or `{ chinese }`.
 */
export function pdf(pages) {
  const objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", STANDARD, CHINESE];
  const kids = pages.map((lines) => {
    const shown = lines.map((line) => `${font(line)} ${string(line)} Tj 0 -14 Td`).join("\n");
    const stream = `BT 72 720 Td\n${shown}\nET`;
    objects.push(`<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`);
    const resources = "<< /Font << /F1 3 0 R /F2 4 0 R >> >>";
    const content = objects.length;
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources ${resources} /Contents ${content} 0 R >>`,
    );
    return `${objects.length} 0 R`;
  });
  objects[1] = `<< /Type /Pages /Kids [${kids.join(" ")}] /Count ${kids.length} >>`;
  let file = "%PDF-1.7\n";
  const offsets = objects.map((object, at) => {
    const offset = file.length;
    file += `${at + 1} 0 obj\n${object}\nendobj\n`;
    return `${String(offset).padStart(10, "0")} 00000 n \n`;
  });
  const start = file.length;
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${offsets.join("")}`;
  file += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`;
  return Buffer.from(file, "latin1");
}

const font = (line) => (line.chinese === undefined ? "/F1 11 Tf" : "/F2 11 Tf");

function string(line) {
  if (line.chinese === undefined) return `(${line.replaceAll(/[\\()]/g, "\\$&")})`;
  return `<${Buffer.from(line.chinese, "utf16le").swap16().toString("hex")}>`;
}
