const first = (port) => new Promise((resolve) => (port.onmessage = ({ data }) => resolve(data)));

globalThis.api = {
  async shared(request) {
    const worker = new SharedWorker("./shared.js", { type: "module" });
    const { port } = worker;
    const answered = new Promise((resolve, reject) => {
      worker.onerror = (event) => reject(new Error(event.message || "the shared worker failed"));
      first(port).then(resolve);
    });
    port.postMessage(request);
    return answered;
  },
  async service(request) {
    const registration = await navigator.serviceWorker.register("./service.js", { type: "module" });
    const worker = registration.installing ?? registration.waiting ?? registration.active;
    if (worker.state !== "activated") {
      await new Promise((resolve) =>
        worker.addEventListener("statechange", () => worker.state === "activated" && resolve()),
      );
    }
    const { port1, port2 } = new MessageChannel();
    const answered = first(port1);
    worker.postMessage(request, [port2]);
    return answered;
  },
};
globalThis.ready = true;
