// What the plugins for bundlers share: the package's files that its code
// refers to by address.

/** The folder `dist` of the package, as bundlers spell paths. */
const DIST = decodeURI(new URL("../", import.meta.url).pathname).replace(/^\/([a-z]:)/i, "$1");

const ADDRESS = /new URL\("(\.[^"]+)", import\.meta\.url\)/g;

/** @internal Whether a module is one of the package's. */
export function isOwn(id: string): boolean {
  return id.replaceAll("\\", "/").startsWith(DIST);
}

/** @internal Code with each address of a file replaced by an expression; `path` is absolute. */
export function replaceAddresses(code: string, id: string, replace: (path: string) => string): string {
  const folder = id.replaceAll("\\", "/").replace(/[^/]*$/, "");
  return code.replace(ADDRESS, (_, address: string) => replace(resolve(folder, address)));
}

function resolve(folder: string, address: string): string {
  const parts: string[] = [];
  for (const part of (folder + address).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
