// The weights of graphs that are in other files.

/** @internal A file that is read in parts. */
export interface LargeFile {
  path: string;
  bytes: Uint8Array | Blob;
}

/** @internal The paths of files that a graph names, and the graph's own bytes, which were lent. */
export interface External {
  files: string[];
  bytes: Uint8Array | Blob;
}

/** @internal How a graph is read, and how another file is got: `undefined` if there is none. */
export interface Reading {
  planner: { external(graph: LargeFile): Promise<External> };
  get(path: string): Promise<LargeFile | undefined>;
}

/**
 * @internal The files of weights, and those that a graph among them names. What is not there
 * is left out: the engine says which tensor it holds.
 */
export async function withExternal(
  weights: string,
  held: readonly LargeFile[],
  { planner, get }: Reading,
): Promise<LargeFile[]> {
  const graph = held.find(({ path }) => path === weights && path.endsWith(".onnx"));
  if (graph === undefined) return [...held];
  const { files, bytes } = await planner.external(graph);
  const others = held.filter((file) => file !== graph);
  const missing = files.filter((name) => isInside(name) && !others.some(({ path }) => path === name));
  const found = await Promise.all(missing.map(get));
  return [{ path: graph.path, bytes }, ...others, ...found.filter((file) => file !== undefined)];
}

// A graph may name any file, but its model is this folder.
function isInside(path: string): boolean {
  return !/^([/\\]|[a-z][a-z0-9+.-]*:)/i.test(path) && !path.split(/[/\\]/).includes("..");
}
