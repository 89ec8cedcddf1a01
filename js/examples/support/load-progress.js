const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

/**
 * What `onProgress` of `load` says, as one line for `count` models:
 * `loadProgress(show, count)(name)` is the callback for one of them, and
 * `show(text, share)` shows the line.
 */
export function loadProgress(show, count = 1) {
  const files = new Map();
  const models = new Set();
  const what = count === 1 ? "the model" : `${count} models`;
  return (model) =>
    ({ phase, file, path, loaded, total }) => {
      if (file !== "model" || !total) return;
      models.add(model);
      files.set(`${model}/${path}`, { loaded, total });
      const sum = (key) => [...files.values()].reduce((sum, one) => sum + one[key], 0);
      const [done, all] = [sum("loaded"), sum("total")];
      if (done === all && models.size === count) return show(`Starting ${what}`);
      const verb = phase === "network" ? "Downloading" : "Reading";
      // Models that have not begun are as large as the others, as far as is known.
      show(`${verb} ${what}: ${megabytes(done)} of ${megabytes(all)} MB`, ((done / all) * models.size) / count);
    };
}
