// Rows of comma-separated values, RFC 4180; also with semicolons or tabs.

/** Code units that are looked at to find the separator. */
const SAMPLE = 10_000;

/** A section for each row, its fields between bars. */
export function readCsv(text, name) {
  const separator = separatorOf(text.slice(0, SAMPLE));
  const sections = [];
  for (const [at, row] of rows(text, separator).entries()) {
    const fields = row.map((field) => field.trim()).filter((field) => field !== "");
    if (fields.length > 0) sections.push({ title: `${name}, row ${at + 1}`, text: fields.join(" | "), whole: true });
  }
  return sections;
}

/** Of the usual separators the one that gives the first row most fields. */
function separatorOf(sample) {
  const fields = (separator) => rows(sample, separator)[0]?.length ?? 0;
  return [",", ";", "\t"].reduce((best, one) => (fields(one) > fields(best) ? one : best));
}

function rows(text, separator) {
  // A field in quotes, with quotes doubled, or one without; then what ends it.
  const field = new RegExp(`(?:"([^"]*(?:""[^"]*)*)"|([^${separator}\\r\\n]*))(${separator}|\\r\\n|\\n|\\r|$)`, "y");
  const found = [];
  let row = [];
  while (field.lastIndex < text.length) {
    // Always matches: what is no proper field in quotes is one without.
    const [, quoted, plain, ending] = field.exec(text);
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (ending === separator) continue;
    found.push(row);
    row = [];
  }
  if (row.length > 0) found.push(row);
  return found;
}
