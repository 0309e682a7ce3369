// docs/why.md against the code: the causes, and the faults that are said to be staged.
import { expect, test } from "vitest";
import { causeNames, causes } from "../../src/metrics/diagnosis-causes.js";
import { readProjectFile } from "./project.js";

const rows = [...readProjectFile("docs/why.md").matchAll(/^\| `([a-z_]+)` \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$/gm)];

test("docs/why.md has the causes that the code has, in order, in the same words", () => {
  expect(rows.map(([, name, title, seenBy, lasts]) => [name, title, seenBy, lasts])).toEqual(
    causeNames.map((name) => {
      const { title, seenBy, blocks } = causes[name];
      return [name, title, seenBy, blocks ? "nothing passes" : "slower or less"];
    }),
  );
});

test("what docs/why.md says is staged is, and what is not, is not", () => {
  const code = ["test/netns/why.test.ts", "test/support/fault-lab.ts"].map(readProjectFile).join("\n");
  for (const [, name, , , , staged] of rows) {
    const isStaged = new RegExp(`["\\s]${name}[":]`).test(code);
    expect([name, isStaged]).toEqual([name, staged !== "–"]);
  }
});
