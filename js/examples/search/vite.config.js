import { defineConfig } from "vite";
import { characterMaps, common, demoModel } from "../support/vite.js";

export default defineConfig({ ...common, plugins: [demoModel, characterMaps] });
