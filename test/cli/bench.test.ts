import { describe, expect, test } from "vitest";
import { bench } from "../../src/cli/bench.js";
import { UsageError } from "../../src/cli/output.js";

describe("longhaul bench", () => {
  test.each([
    [[]],
    [["10.0.0.1", "10.0.0.2"]],
    [["--serve", "10.0.0.1"]],
    [["10.0.0.1", "--seconds", "0"]],
    [["10.0.0.1", "--streams", "65"]],
    [["10.0.0.1", "--port", "65535"]],
    [["--unknown"]],
  ])("refuses %j before it does anything", async (words) => {
    await expect(bench(words)).rejects.toThrow(UsageError);
  });
});
