// All environments. Each has what a user has to do (`needs`), and checks itself.

import bundlers from "./environments/bundlers.mjs";
import pages from "./environments/pages.mjs";
import runtimes from "./environments/runtimes.mjs";
import vite from "./environments/vite.mjs";

/**
 * @typedef {object} Environment
 * @property {string} name
 * @property {string} version
 * @property {string} where what is tried
 * @property {string} needs what a user has to do
 * @property {boolean} [isFast] whether the test command tries it
 * @property {(scope: "fast" | "all") => Promise<void>} check what the test command has time for, or all
 */

/** @type {Environment[]} */
export const environments = [...vite, ...bundlers, ...pages, ...runtimes];
