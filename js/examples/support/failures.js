// What went wrong, for people.

const SENTENCES = {
  network: "The server does not answer. Is this device offline?",
  http: "The server answers with an error.",
  not_a_model: "The server sent something else than the model.",
  integrity: "The model arrived damaged.",
  missing_file: "A file of the model is missing.",
  out_of_memory: "There is not enough memory. Closing other tabs may help.",
  unsupported: "This browser lacks something that the model needs.",
  worker: "The worker that runs the model does not start, or was ended.",
  panicked: "The model's engine failed.",
};

/** One sentence for an error, and its own message as the details. */
export function explain(error) {
  const details = error instanceof Error ? error.message : String(error);
  const sentence = error?.sentence ?? SENTENCES[error?.code] ?? "Something failed.";
  return { sentence, details: details === sentence ? "" : details };
}
