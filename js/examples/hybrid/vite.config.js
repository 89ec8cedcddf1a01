import { defineConfig } from "vite";
import { common, demoModel } from "../support/vite.js";

export default defineConfig({ ...common, plugins: [demoModel] });
