import { fstatSync, openSync } from "node:fs";
import { expect, test } from "vitest";
import { chooseStyle, formatLine } from "../../src/daemon/log-style.js";

const record = {
  level: 30,
  time: Date.UTC(2027, 0, 1, 12, 34, 56, 789),
  interface: "hq",
  pid: 7,
  msg: "handshake completed",
};

test("a line of each style", () => {
  const fields = { ...record, peer: "berlin (AbCdEfGh)", role: "initiator" };
  expect(formatLine(fields, "journal")).toBe('<6>handshake completed peer="berlin (AbCdEfGh)" role=initiator');
  expect(formatLine(fields, "plain")).toBe(
    '12:34:56.789 info  hq: handshake completed peer="berlin (AbCdEfGh)" role=initiator',
  );
  expect(formatLine({ ...record, level: 50 }, "colour")).toBe(
    "12:34:56.789 \u001b[31merror\u001b[0m hq: handshake completed",
  );
});

test.each([
  [20, 7],
  [30, 6],
  [50, 3],
])("level %d has syslog priority %d", (level, priority) => {
  expect(formatLine({ ...record, level }, "journal")).toMatch(new RegExp(`^<${priority}>`));
});

test("values of any kind stay in their place, whatever they hold", () => {
  const fields = {
    ...record,
    peer: 'x" role=fake\n<0>forged \u001b[2J',
    err: { type: "Error", message: "no such file", stack: "Error: no such file\n at" },
    offloads: { tso: true },
    none: null,
    count: 3,
  };
  expect(formatLine(fields, "journal")).toBe(
    '<6>handshake completed peer="x\\" role=fake\\n<0>forged \\u001b[2J" err="no such file" offloads="{\\"tso\\":true}" none=null count=3',
  );
  expect(formatLine({ ...record, msg: "two\nlines" }, "plain")).not.toMatch(/\n/);
});

test("the journal is known by its stream; anything that is no terminal gets JSON", () => {
  const fd = openSync("/dev/null", "w");
  const { dev, ino } = fstatSync(fd);
  expect(chooseStyle(fd, { JOURNAL_STREAM: `${dev}:${ino}` })).toBe("journal");
  expect(chooseStyle(fd, { JOURNAL_STREAM: `${dev}:${ino + 1}` })).toBe("json");
  expect(chooseStyle(fd, {})).toBe("json");
  expect(chooseStyle(1_000_000, { JOURNAL_STREAM: "1:1" })).toBe("json");
});
