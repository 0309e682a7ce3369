// Secrets have memory of their own, outside of V8's heap.
import { expect, test } from "vitest";
import { Identity } from "../../../src/core/noise/identity.js";
import { createPrimitives } from "../../../src/core/noise/primitives.js";
import { secretBytes, secretCopy, secretWords } from "../../../src/core/noise/secret-bytes.js";

/** V8 keeps typed arrays up to this inside its heap: v8's typed_array_max_size_in_heap. */
const IN_HEAP_BYTES_MAX = 64;

test("no two share a byte, all are zero, words are aligned", () => {
  const views = Array.from({ length: 2_000 }, (_, i) =>
    i % 3 === 0 ? secretWords(1 + (i % 16)) : secretBytes(i % 65),
  );
  for (const [i, view] of views.entries()) {
    expect(view.every((value) => value === 0)).toBe(true);
    view.fill((i % 250) + 1);
  }
  for (const [i, view] of views.entries()) expect(view.every((value) => value === (i % 250) + 1)).toBe(true);
});

test("a copy is another's bytes at another place, and an identity keeps its key outside of the heap", async () => {
  const source = secretBytes(32).fill(7);
  const copy = secretCopy(source);
  source.fill(0);
  expect(copy).toEqual(new Uint8Array(32).fill(7));
  const { privateKey } = new Identity(await createPrimitives(), copy);
  for (const secret of [copy, privateKey]) expect(secret.buffer.byteLength).toBeGreaterThan(IN_HEAP_BYTES_MAX);
});
