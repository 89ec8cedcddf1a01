// Whole models in the cache.

import { EncoderError } from "../errors.js";
import { openCache } from "./cache.js";
import { nameOf } from "./hub.js";
import { type CachedModelOptions, checkPrecision } from "./options.js";
import { Records, recordName, unfinished } from "./record.js";
import { understand } from "./source.js";

/** @internal Whether the cache has all files of a model. */
export async function isModelCached(source: string | URL, options: CachedModelOptions): Promise<boolean> {
  const { records, name } = await recordOf(source, options);
  return (await records.complete(recordName(name, options.precision))) !== undefined;
}

/** @internal Removes a model from the cache, in one precision or all. */
export async function deleteModel(source: string | URL, options: CachedModelOptions): Promise<void> {
  const { records, name } = await recordOf(source, options);
  const { precision } = options;
  const names = precision === undefined ? ([undefined, "int8", "fp32"] as const) : [precision];
  await records.remove(names.map((one) => recordName(name, one)).flatMap((one) => [one, unfinished(one)]));
}

async function recordOf(
  source: string | URL,
  options: CachedModelOptions,
): Promise<{ records: Records; name: string }> {
  checkPrecision(options.precision);
  const from = await understand(source, options);
  const records = new Records(await openCache(options.cache));
  if (from.type === "hub") return { records, name: nameOf(from.model) };
  if (from.type === "folder" && from.address.type === "web") return { records, name: from.address.url.href };
  throw new EncoderError("invalid_input", "the model: expected the id or address of a model, whose files are cached");
}
