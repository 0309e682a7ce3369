// Memory that the addon was given keeps its place: nothing detaches or resizes a buffer. SECURITY.md relies on it.

import { expect, test } from "vitest";
import { projectFiles, readProjectFile } from "./project.js";

const MOVES =
  /\bstructuredClone\s*\(|\bpostMessage\s*\(|\.transfer(ToFixedLength)?\s*\(|\bmaxByteLength\b|\.resize\s*\(/;

const findings = (text: string): string[] => text.split("\n").filter((line) => MOVES.test(line));

test("the pattern finds what would move memory", () => {
  const bad = [
    "structuredClone(b, { transfer: [b] });",
    "worker.postMessage(b, [b]);",
    "b.transfer();",
    "b.resize(0);",
  ];
  expect(findings(bad.join("\n"))).toEqual(bad);
  expect(findings("new ArrayBuffer(8, { maxByteLength: 16 })")).toHaveLength(1);
  expect(findings("batch.clear(); tun.readBatch(batch);")).toEqual([]);
});

test("no source of the daemon or of the package moves memory", () => {
  const files = projectFiles().filter((path) => /^(src\/.*|native\/[^/]*)\.ts$/.test(path));
  expect(files.length).toBeGreaterThan(100);
  expect(files.flatMap((path) => findings(readProjectFile(path)).map((line) => `${path}: ${line.trim()}`))).toEqual([]);
});
