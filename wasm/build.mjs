// Builds the WebAssembly modules of the npm package,
// `js/wasm/{base,relaxed,threads}`: `node wasm/build.mjs`, or one of them,
// `--only base`. Needs Rust by rustup, adds the target
// wasm32-unknown-unknown and the component rust-src where they are missing,
// and takes wasm-opt from the npm package `binaryen` in `js/node_modules`.
// Safe to run again: cargo does only what is left to do. With `--dev` modules
// are built for tests: in less time, larger, and slower.
// With `--print-sizes` it only measures what is there.

import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { brotliCompressSync } from 'node:zlib';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
const output = join(root, 'js/wasm');
const tools = join(target, 'tools');
const triple = 'wasm32-unknown-unknown';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    dev: { type: 'boolean', default: false },
    'print-sizes': { type: 'boolean', default: false },
  },
});
const profile = options.dev ? 'wasm-test' : 'wasm-release';

// A module with one instruction that an engine does not know fails to load as
// a whole, so that relaxed SIMD takes a module of its own, and so do threads.
const variants = {
  // `base` and `relaxed` share a folder, and all of their dependencies in it:
  // the kernels alone use relaxed instructions.
  base: { folder: 'plain', features: '+simd128' },
  relaxed: {
    folder: 'plain',
    features: '+simd128',
    cargo: [
      '-Z', 'profile-rustflags',
      '--config', `profile.${profile}.package.multivec-kernels.rustflags = ["-Ctarget-feature=+relaxed-simd"]`,
    ],
  },
  threads: {
    folder: 'threads',
    buildsStd: true,
    features: '+simd128,+relaxed-simd,+atomics,+bulk-memory,+mutable-globals',
    // Instances share a memory that is made outside of them, and each sets up
    // the thread-local storage of its thread.
    link: ['--shared-memory', '--import-memory', '--max-memory=4294967296', '--export=__wasm_init_tls',
      '--export=__tls_size', '--export=__tls_align', '--export=__tls_base'],
    // The standard library comes without atomics.
    cargo: ['-Z', 'build-std=std,panic_abort'],
    optimize: ['--enable-threads'],
  },
};

/** Runs a program to its end; lines of output begin with the variant. */
function run(command, args, { env = {}, prefix = '' } = {}) {
  const child = spawn(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => console.log(prefix + line));
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${prefix}${command} ${args[0]}: expected success, found ${signal ?? code}`));
    });
  });
}

// The version that the library is pinned to; the tool has to be the same.
async function wasmBindgen() {
  const manifest = readFileSync(join(root, 'Cargo.toml'), 'utf8');
  const version = manifest.match(/^wasm-bindgen = "=(.*)"$/m)[1];
  const program = join(tools, 'bin', 'wasm-bindgen');
  const found = existsSync(program) ? String(execFileSync(program, ['--version'])).trim() : '';
  if (found !== `wasm-bindgen ${version}`) {
    console.log(`installing wasm-bindgen ${version} into ${tools}`);
    const install = ['install', '--root', tools, `wasm-bindgen-cli@${version}`];
    try {
      await run('cargo', [...install, '--locked']);
    } catch {
      // Mirrors may lack a version that its lock file names.
      console.log('retrying with the newest versions of its dependencies');
      await run('cargo', install);
    }
  }
  return program;
}

// The standard library: compiled for `base` and `relaxed`, in source for `threads`.
async function standardLibrary(names) {
  let sysroot;
  try {
    sysroot = String(execFileSync('rustc', ['--print', 'sysroot'], { cwd: root })).trim();
  } catch (cause) {
    throw new Error('rustc: expected Rust, found none; https://rustup.rs installs it', { cause });
  }
  const rustlib = join(sysroot, 'lib/rustlib');
  if (names.some((name) => !variants[name].buildsStd)) {
    await addWithRustup(join(rustlib, triple, 'lib'), 'target', triple);
  }
  if (names.some((name) => variants[name].buildsStd)) {
    await addWithRustup(join(rustlib, 'src/rust/library/Cargo.lock'), 'component', 'rust-src');
  }
}

async function addWithRustup(path, kind, name) {
  if (existsSync(path)) return;
  console.log(`adding the ${kind} ${name}`);
  try {
    await run('rustup', [kind, 'add', name]);
  } catch (cause) {
    const reason = cause.code === 'ENOENT' ? 'rustup is not installed (https://rustup.rs)' : cause.message;
    throw new Error(`${path}: expected Rust's ${kind} ${name}, found none; \`rustup ${kind} add ${name}\` failed: ${reason}`, { cause });
  }
}

function rustFlags({ features, link = [] }) {
  const flags = [`-Ctarget-feature=${features}`, ...link.map((option) => `-Clink-arg=${option}`)];
  // With no others, so that tests of the crates use the same dependencies.
  if (options.dev) return flags;
  const home = process.env.CARGO_HOME ?? join(homedir(), '.cargo');
  return [
    ...flags,
    // LLVM's strength reduction of loops moves every address by itself, so that no
    // offset becomes part of the instruction that loads.
    '-Cllvm-args=-disable-lsr',
    // Messages of panics name source files, but not where they were built.
    `--remap-path-prefix=${join(home, 'registry/src')}=registry`,
    `--remap-path-prefix=${root.replace(/[/\\]$/, '')}=multivec`,
  ];
}

// Folders are built in at the same time, because much of the work can use one
// core only; a folder has one build at a time, because Cargo locks it. Without
// optimization most of the work is shared.
const folderOf = ({ folder }) => (options.dev ? 'test' : folder);
const busy = {};
function inTurn(folder, work) {
  busy[folder] = (busy[folder] ?? Promise.resolve()).then(work);
  return busy[folder];
}

async function compile(variant, aside) {
  const prefix = `${variant}: `;
  const settings = variants[variant];
  console.log(`${prefix}building`);
  const folder = join(target, 'wasm', folderOf(settings));
  await run(
    'cargo',
    // The manifest names no crate type, and this is the one place that asks
    // for a module: Cargo has no link-time optimization for a library that is
    // made for Rust as well.
    ['rustc', '--locked', '--package', 'multivec-wasm', '--lib', '--crate-type', 'cdylib',
      '--target', triple, '--profile', profile, '--target-dir', folder,
      ...(options.dev ? ['--features', 'as-tests'] : []), ...(settings.cargo ?? [])],
    {
      env: {
        // Flags of a single crate and a standard library of our own are what
        // Rust's stable compiler does not offer by itself. Set for all, since
        // some crates are built anew where it differs.
        RUSTC_BOOTSTRAP: '1',
        CARGO_ENCODED_RUSTFLAGS: rustFlags(settings).join('\x1f'),
      },
      prefix,
    },
  );
  // The next build in this folder replaces it.
  const module = join(aside, 'multivec_wasm.wasm');
  copyFileSync(join(folder, triple, profile, 'multivec_wasm.wasm'), module);
  return module;
}

async function build(variant, bindgen) {
  const prefix = `${variant}: `;
  const settings = variants[variant];
  // A failed step must not leave half a package: everything is made aside and
  // moved in place at the end.
  const aside = join(target, 'wasm/packages', variant);
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside, { recursive: true });
  const module = await inTurn(folderOf(settings), () => compile(variant, aside));
  await run(bindgen, ['--target', 'web', '--remove-name-section', '--out-dir', aside, module], { prefix });
  rmSync(module);
  if (!options.dev) await optimize(join(aside, 'multivec_wasm_bg.wasm'), settings.optimize ?? [], prefix);
  return aside;
}

async function optimize(module, options, prefix) {
  const program = join(root, 'js/node_modules/binaryen/bin/wasm-opt');
  if (!existsSync(program)) {
    throw new Error(`${program}: expected wasm-opt, found none; run \`npm ci\` in js/`);
  }
  const before = readFileSync(module).length;
  const optimized = `${module}.opt`;
  // Higher levels take two to three times as long, for files that are a little
  // smaller, but larger with brotli. Of their passes, folding does the most for
  // its time: 57 KB.
  await run(process.execPath, [
    program, '-O1', '--code-folding', '--enable-simd', '--enable-relaxed-simd', '--enable-bulk-memory',
    '--enable-bulk-memory-opt', '--enable-call-indirect-overlong',
    '--enable-sign-ext', '--enable-mutable-globals', '--enable-nontrapping-float-to-int',
    '--enable-reference-types', '--enable-multivalue', ...options, module, '-o', optimized,
  ], { prefix });
  renameSync(optimized, module);
  console.log(`${prefix}wasm-opt: ${before} to ${readFileSync(module).length} bytes`);
}

function printSizes(names) {
  for (const variant of names) {
    const bytes = readFileSync(join(output, variant, 'multivec_wasm_bg.wasm'));
    const brotli = brotliCompressSync(bytes).length;
    console.log(`${variant}: ${bytes.length} bytes, ${brotli} with brotli`);
  }
}

const names = options.only === undefined ? Object.keys(variants) : [options.only];
if (!Object.hasOwn(variants, names[0])) {
  throw new Error(`--only: expected ${Object.keys(variants).join(', ')}, found ${names[0]}`);
}

if (!options['print-sizes']) {
  await standardLibrary(names);
  const bindgen = await wasmBindgen();
  const folders = await Promise.all(names.map((variant) => build(variant, bindgen)));
  const built = Object.fromEntries(names.map((variant, at) => [variant, folders[at]]));
  const glue = (folder) => readFileSync(join(folder, 'multivec_wasm.js'));
  if (built.base && built.relaxed && !glue(built.base).equals(glue(built.relaxed))) {
    throw new Error('the JavaScript of `base` and `relaxed`: expected the same, found differences');
  }
  if (options.only === undefined) rmSync(output, { recursive: true, force: true });
  const module = 'multivec_wasm_bg.wasm';
  for (const [variant, folder] of Object.entries(built)) {
    const into = join(output, variant);
    rmSync(into, { recursive: true, force: true });
    // The JavaScript beside the base module serves `relaxed` as well.
    const from = variant === 'relaxed' ? join(folder, module) : folder;
    cpSync(from, variant === 'relaxed' ? join(into, module) : into, { recursive: true });
    writeFileSync(join(into, 'profile'), profile);
  }
}
// Compressing those for tests takes a minute each, and says nothing.
if (!options.dev) printSizes(names);
