/** What Vite asks of a plugin, as far as this one needs it. */
export interface VitePlugin {
  name: string;
  config(): { optimizeDeps: { exclude: string[] } };
}

/**
 * A plugin for Vite's development server, so that it serves the package from
 * where it is installed. The package runs without it; then the server before
 * Vite 8 is asked once where the worker is.
 */
export default function multivec(): VitePlugin {
  return { name: "multivec", config: () => ({ optimizeDeps: { exclude: ["multivec"] } }) };
}
