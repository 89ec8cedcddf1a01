// Builds the WebAssembly modules of the npm package,
// `js/wasm/{base,relaxed,threads}`: `node wasm/build.mjs`. Needs Rust by
// rustup, with the component `rust-src`, which it adds where it is missing;
// takes wasm-opt from the npm package `binaryen` in `js/node_modules`. Safe to
// run again: cargo does only what is left to do. With `--print-sizes` it
// measures what is there.

import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
const output = join(root, 'js/wasm');
const tools = join(target, 'tools');
const triple = 'wasm32-unknown-unknown';

// A module with one instruction that an engine does not know fails to load as
// a whole, so that relaxed SIMD takes a module of its own, and so do threads.
const variants = {
  base: { features: '+simd128' },
  relaxed: { features: '+simd128,+relaxed-simd' },
  threads: {
    features: '+simd128,+relaxed-simd,+atomics,+bulk-memory,+mutable-globals',
    // Instances share a memory that is made outside of them, and each sets up
    // the thread-local storage of its thread.
    link: ['--shared-memory', '--import-memory', '--max-memory=4294967296', '--export=__wasm_init_tls',
      '--export=__tls_size', '--export=__tls_align', '--export=__tls_base'],
    // The standard library comes without atomics. To build it is the one
    // thing here that Rust's stable compiler does not offer by itself.
    cargo: ['-Z', 'build-std=std,panic_abort'],
    env: { RUSTC_BOOTSTRAP: '1' },
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

// The sources of the standard library.
async function rustSources() {
  const sysroot = String(execFileSync('rustc', ['--print', 'sysroot'], { cwd: root })).trim();
  const library = join(sysroot, 'lib/rustlib/src/rust/library/Cargo.lock');
  if (existsSync(library)) return;
  console.log('adding the component rust-src');
  try {
    await run('rustup', ['component', 'add', 'rust-src']);
  } catch (cause) {
    throw new Error(`${library}: expected the sources of Rust's standard library, found none; \`rustup component add rust-src\` gets them`, { cause });
  }
}

function rustFlags({ features, link = [] }) {
  const home = process.env.CARGO_HOME ?? join(homedir(), '.cargo');
  return [
    `-Ctarget-feature=${features}`,
    ...link.map((option) => `-Clink-arg=${option}`),
    // Messages of panics name source files, but not where they were built.
    `--remap-path-prefix=${join(home, 'registry/src')}=registry`,
    `--remap-path-prefix=${root.replace(/[/\\]$/, '')}=multivec`,
  ];
}

async function build(variant, bindgen) {
  const prefix = `${variant}: `;
  const settings = variants[variant];
  console.log(`${prefix}building with ${settings.features}`);
  // The variants are built at the same time, because much of the work can use
  // one core only; each has a folder, because Cargo locks its own.
  const own = join(target, 'wasm', variant);
  await run(
    'cargo',
    // The manifest names no crate type, and this is the one place that asks
    // for a module: Cargo has no link-time optimization for a library that is
    // made for Rust as well.
    ['rustc', '--locked', '--package', 'multivec-wasm', '--lib', '--crate-type', 'cdylib',
      '--target', triple, '--profile', 'wasm-release', '--target-dir', own, ...(settings.cargo ?? [])],
    { env: { ...settings.env, CARGO_ENCODED_RUSTFLAGS: rustFlags(settings).join('\x1f') }, prefix },
  );
  // A failed step must not leave half a package: everything is made aside and
  // moved in place at the end.
  const aside = join(own, 'package');
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside, { recursive: true });
  const module = join(own, triple, 'wasm-release', 'multivec_wasm.wasm');
  await run(bindgen, ['--target', 'web', '--remove-name-section', '--out-dir', aside, module], { prefix });
  await optimize(join(aside, 'multivec_wasm_bg.wasm'), settings.optimize ?? [], prefix);
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

function printSizes() {
  for (const variant of Object.keys(variants)) {
    const bytes = readFileSync(join(output, variant, 'multivec_wasm_bg.wasm'));
    const brotli = brotliCompressSync(bytes).length;
    console.log(`${variant}: ${bytes.length} bytes, ${brotli} with brotli`);
  }
}

if (!process.argv.includes('--print-sizes')) {
  await rustSources();
  const bindgen = await wasmBindgen();
  const built = await Promise.all(Object.keys(variants).map((variant) => build(variant, bindgen)));
  const [base, relaxed, threads] = built;
  const glue = (folder) => readFileSync(join(folder, 'multivec_wasm.js'));
  if (!glue(base).equals(glue(relaxed))) {
    throw new Error('the JavaScript of `base` and `relaxed`: expected the same, found differences');
  }
  rmSync(output, { recursive: true, force: true });
  cpSync(base, join(output, 'base'), { recursive: true });
  // The JavaScript beside the base module serves both.
  const module = 'multivec_wasm_bg.wasm';
  cpSync(join(relaxed, module), join(output, 'relaxed', module));
  cpSync(threads, join(output, 'threads'), { recursive: true });
}
printSizes();
