import { expect, test } from "vitest";
import { ConfigError } from "../../src/config/errors.js";
import { parseInterfaceName } from "../../src/config/interface-name.js";

test.each(["w", "wg0", "office-a", "A_b=c+d.e-1", "123456789012345", "...", "-x"])("accepted: %j", (name) => {
  expect(parseInterfaceName(name)).toBe(name);
});

test.each([
  ["", "empty"],
  [".", "a directory"],
  ["..", "a directory"],
  ["../wg0", "a character that is not allowed"],
  ["wg/0", "a character that is not allowed"],
  ["wg 0", "a character that is not allowed"],
  ["wg0\n", "a character that is not allowed"],
  ["wg:0", "a character that is not allowed"],
  ["wg%d", "a character that is not allowed"],
  ["büro", "a character that is not allowed"],
  ["1234567890123456", "16 characters"],
])("refused: %j, %s", (name, problem) => {
  expect(() => parseInterfaceName(name)).toThrow(ConfigError);
  expect(() => parseInterfaceName(name)).toThrow(`: ${problem}; write 1 to 15 of the characters`);
});
