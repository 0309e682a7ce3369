import fc from "fast-check";
import { expect, test } from "vitest";
import { quote } from "../../src/config/errors.js";

test("quoted text is short, printable and on one line, whatever it was", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      const quoted = quote(text);
      expect(quoted).toMatch(/^"[\x20-\x7e]*"$/);
      expect(quoted.length).toBeLessThan(6 * 64 + 8);
    }),
  );
});

test("quoted text is otherwise as it was", () => {
  expect(quote("10.0.0.0/33")).toBe('"10.0.0.0/33"');
  expect(quote("a\x1b[31m\u2028\x7fb")).toBe('"a\\u001b[31m\\u2028\\u007fb"');
  expect(quote("x".repeat(65))).toBe(`"${"x".repeat(64)}..."`);
});
