import { createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { EndFacts } from "../../src/field/end-facts.js";
import { askFarEnd, checkFacts, type Serving, serveFarEnd } from "../../src/field/far-end.js";
import { FarEndError } from "../../src/field/probes.js";

const HERE = "127.0.0.1";
const open: Array<Serving | Server> = [];

afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

const facts: EndFacts = {
  ...{ hostname: "lisbon", interfaceName: "wg0", mtu: 1_420, tunDrops: 1, socketDrops: 2, anySocketDrops: 3 },
  ...{ socketBufferBytes: null, tcpReceiveBytes: 4, tcpSendBytes: 5, congestionControl: "cubic", cores: 6 },
  ...{ busySeconds: 7.5, totalSeconds: 8, daemon: null, outside: null, refused: { malformed: 1 } },
};

/** A port whose successor is free too, as far as can be told. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, HERE);
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port - 1;
}

function status(port: number, path: string, method = "GET"): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: HERE, port, path, method, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on("error", reject);
  });
}

test("the facts of one end arrive at the other as they are, and nothing else is served", async () => {
  const port = await freePort();
  open.push(await serveFarEnd(HERE, port, false, async () => facts));
  expect(await askFarEnd(HERE, port)).toEqual(facts);
  expect(await status(port + 1, "/")).toBe(404);
  expect(await status(port + 1, "/facts", "POST")).toBe(404);
});

test("an end that cannot read its facts says so; one that is not there is null", async () => {
  const port = await freePort();
  expect(await askFarEnd(HERE, port)).toBeNull();
  open.push(await serveFarEnd(HERE, port, false, () => Promise.reject(new Error("no daemon"))));
  expect(await status(port + 1, "/facts")).toBe(503);
});

test("something else that answers there is not believed", async () => {
  const port = await freePort();
  const other = createServer((_request, response) => response.end("<html>"));
  open.push(other);
  await new Promise<void>((resolve) => other.listen(port + 1, HERE, resolve));
  await expect(askFarEnd(HERE, port)).rejects.toThrow(FarEndError);
});

test("facts whose names are no text, or missing, are not believed", () => {
  expect(checkFacts({ ...facts, outside: { device: "eth0", mtu: 1 } }).outside?.device).toBe("eth0");
  for (const device of [undefined, 5, ["eth0"], null]) {
    expect(() => checkFacts({ ...facts, outside: { device, mtu: 1 } })).toThrow(TypeError);
  }
});
