// Counts the WebAssembly memory of whatever engine is loaded after it: each
// memory is either made through the constructor or exported by an instance.

const memories = new Set();

const { Memory } = WebAssembly;
WebAssembly.Memory = class extends Memory {
  constructor(descriptor) {
    super(descriptor);
    memories.add(this);
  }
};

for (const name of ["instantiate", "instantiateStreaming"]) {
  const original = WebAssembly[name];
  WebAssembly[name] = async (...args) => {
    const made = await original(...args);
    const { exports } = made.instance ?? made;
    for (const exported of Object.values(exports)) {
      if (exported instanceof Memory) memories.add(exported);
    }
    return made;
  };
}

/** Bytes of all memories that are there. */
export function memoryBytes() {
  return [...memories].reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
}
