// transformers.js, as it comes, from ids to the output of the graph.

import { AutoModel, Tensor } from "/bundled/transformers.js";
import { graphOptions, setUp } from "./environment.js";
import { idsOf, keptRows, shapeOf } from "./tensors.js";

export async function load(model, { threads }) {
  setUp(threads);
  const loaded = await AutoModel.from_pretrained(model.name, graphOptions(model));
  return {
    prepare(texts) {
      const shape = shapeOf(texts);
      const tensor = (values) => new Tensor("int64", values, shape);
      const count = shape[0] * shape[1];
      return {
        input_ids: tensor(idsOf(texts)),
        attention_mask: tensor(new BigInt64Array(count).fill(1n)),
        ...(model.tokenTypes && { token_type_ids: tensor(new BigInt64Array(count)) }),
      };
    },
    run: (feeds) => loaded(feeds),
    vectors: (outputs, texts) => keptRows(Object.values(outputs)[0], texts),
  };
}
