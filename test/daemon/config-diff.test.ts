// What a reload tells the device: by examples, and by any running device and any file against a device that takes the updates one by one.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type GatewayConfig, type PeerConfig, peerUpdateOf } from "../../src/config/gateway-config.js";
import { formatPrefix, parsePrefix } from "../../src/config/prefix.js";
import type { DeviceSnapshot, DeviceUpdate, EndpointAddress, PeerUpdate } from "../../src/core/device/update.js";
import { type DiffInput, describeUpdate, deviceDiff } from "../../src/daemon/config-diff.js";

const text = { kind: "text" } as const;
const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const endpoint = (last: number): EndpointAddress => ({
  family: 4,
  bytes: Uint8Array.of(192, 0, 2, last),
  port: 51_820,
  scopeId: 0,
});

interface PeerSketch {
  readonly id: number;
  readonly prefixes: readonly string[];
  readonly endpoint?: number | undefined;
  readonly presharedKey?: number | undefined;
  readonly keepaliveS?: number | undefined;
}

function peer({ id, prefixes, endpoint: last, presharedKey, keepaliveS }: PeerSketch): PeerConfig {
  return {
    publicKey: key(id),
    presharedKey: presharedKey === undefined ? undefined : { bytes: key(presharedKey), origin: text },
    allowedIps: prefixes.map((prefix) => parsePrefix(prefix)),
    endpoint: last === undefined ? undefined : { kind: "address", address: endpoint(last) },
    persistentKeepaliveS: keepaliveS,
    friendlyName: undefined,
  };
}

function config(peers: readonly PeerSketch[], listenPort = 51_820, privateKey = 1): GatewayConfig {
  return {
    interfaceName: "hq",
    interface: {
      privateKey: { bytes: key(privateKey), origin: text },
      addresses: [],
      listenPort,
      fwmark: undefined,
      mtu: undefined,
      dns: { servers: [], search: [] },
      table: "auto",
      hooks: { preUp: [], postUp: [], preDown: [], postDown: [] },
      saveConfig: false,
    },
    peers: peers.map(peer),
    daemon: { metrics: undefined, logLevel: undefined, aead: undefined, stateDirectory: undefined },
  };
}

/** Without a pause. */
function diffAtOnce(
  ...[previous, live, next, mark]: [DiffInput["previous"], DeviceSnapshot, GatewayConfig, number]
): DeviceUpdate {
  return drained(deviceDiff({ previous, live, next, mark }));
}

function drained<T>(work: Generator<void, T, void>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** Takes updates as a device does, and looks after every one whether a prefix that should stay is away. */
class DeviceModel {
  readonly peers = new Map<
    number,
    { prefixes: Set<string>; endpoint?: number; presharedKey: number; keepaliveS: number }
  >();

  static running(config: GatewayConfig): DeviceModel {
    const model = new DeviceModel();
    for (const one of config.peers) model.take(peerUpdateOf(one));
    return model;
  }

  take(update: PeerUpdate): void {
    const id = update.publicKey[0] as number;
    if (update.remove === true) {
      this.peers.delete(id);
      return;
    }
    const known = this.peers.get(id) ?? { prefixes: new Set<string>(), presharedKey: 0, keepaliveS: 0 };
    this.peers.set(id, known);
    if (update.presharedKey !== undefined) known.presharedKey = update.presharedKey[0] as number;
    if (update.persistentKeepaliveS !== undefined) known.keepaliveS = update.persistentKeepaliveS;
    if (update.endpoint !== undefined) known.endpoint = update.endpoint.bytes[3] as number;
    if (update.replaceAllowedIps === true) known.prefixes.clear();
    for (const { prefix, remove } of update.allowedIps) {
      const name = formatPrefix(prefix);
      if (remove) known.prefixes.delete(name);
      else {
        for (const other of this.peers.values()) other.prefixes.delete(name);
        known.prefixes.add(name);
      }
    }
  }

  owners(): Map<string, number> {
    return new Map(
      [...this.peers].flatMap(([id, { prefixes }]) => [...prefixes].map((prefix) => [prefix, id] as const)),
    );
  }

  snapshot(listenPort = 51_820): DeviceSnapshot {
    const peers = [...this.peers].map(([id, state]) => ({
      publicKey: key(id),
      presharedKey: key(state.presharedKey),
      endpoint: state.endpoint === undefined ? undefined : endpoint(state.endpoint),
      persistentKeepaliveS: state.keepaliveS,
      lastHandshakeMs: 0,
      receivedBytes: 0,
      sentBytes: 0,
      allowedIps: [...state.prefixes].map((prefix) => parsePrefix(prefix)),
    }));
    return { privateKey: key(1), listenPort, fwmark: 0, peers };
  }

  facts(): unknown {
    const entries = [...this.peers].map(([id, { prefixes, presharedKey, keepaliveS }]) => ({
      id,
      prefixes: [...prefixes].sort(),
      presharedKey,
      keepaliveS,
    }));
    return entries.sort((a, b) => a.id - b.id);
  }
}

const oslo = { id: 2, prefixes: ["10.2.0.0/16"], endpoint: 2, keepaliveS: 25 };
const lisbon = { id: 3, prefixes: ["10.3.0.0/16", "10.4.0.0/16"], presharedKey: 9 };
const lines = (update: DeviceUpdate): string[] => drained(describeUpdate(update, () => undefined));
const oslosKey = Buffer.from(key(2)).toString("base64");

describe("a reload tells the device", () => {
  const before = config([oslo, lisbon]);
  const live = (): DeviceModel => DeviceModel.running(before);
  const diff = (next: GatewayConfig, device = live()): DeviceUpdate => diffAtOnce(before, device.snapshot(), next, 0);

  test("nothing when nothing changed, where a peer roamed to included", () => {
    const device = live();
    device.take({ publicKey: key(2), endpoint: endpoint(77), allowedIps: [] });
    expect(diff(before, device)).toEqual({ peers: [] });
  });

  test("a new endpoint, even if the peer is elsewhere by now", () => {
    const update = diff(config([{ ...oslo, endpoint: 8 }, lisbon]));
    expect(update.peers).toEqual([{ publicKey: key(2), endpoint: endpoint(8), allowedIps: [] }]);
    expect(lines(update)).toEqual([`peer ${oslosKey}: endpoint as in the file`]);
  });

  test("that a setting is gone", () => {
    const update = diff(
      config([
        { ...oslo, keepaliveS: undefined },
        { ...lisbon, presharedKey: undefined },
      ]),
    );
    expect(update.peers).toEqual([
      { publicKey: key(2), persistentKeepaliveS: 0, allowedIps: [] },
      { publicKey: key(3), presharedKey: key(0), allowedIps: [] },
    ]);
    expect(lines(update)[0]).toBe(`peer ${oslosKey}: persistent keepalive off`);
  });

  test("of a prefix that moves from one peer to another only where it goes", () => {
    const update = diff(
      config([
        { ...oslo, prefixes: ["10.2.0.0/16", "10.4.0.0/16"] },
        { ...lisbon, prefixes: ["10.3.0.0/16"] },
      ]),
    );
    expect(update.peers).toHaveLength(1);
    expect(lines(update)).toEqual([`peer ${oslosKey}: allowed-ips + 10.4.0.0/16`]);
  });

  test("of the port and the key only when they differ; a port the kernel chose stays", () => {
    expect(diff(config([oslo, lisbon], 7_777)).listenPort).toBe(7_777);
    expect(diff(config([oslo, lisbon], 0)).listenPort).toBe(0);
    const chosen = config([oslo, lisbon], 0);
    expect(diffAtOnce(chosen, live().snapshot(40_000), chosen, 0)).toEqual({ peers: [] });
    expect(diff(config([oslo, lisbon], 51_820, 5)).privateKey).toEqual(key(5));
    expect(diffAtOnce(before, live().snapshot(), before, 51_820)).toEqual({ fwmark: 51_820, peers: [] });
  });

  test("nothing of a private key that a hook has handed over", () => {
    const byHook = config([oslo, lisbon], 51_820, 0);
    const privateKey = { ...byHook.interface.privateKey, origin: { kind: "hook" } as const };
    const next = { ...byHook, interface: { ...byHook.interface, privateKey } };
    expect(diff(next)).toEqual({ peers: [] });
  });

  test("that peers which are not in the file go, also those that wg(8) added", () => {
    const device = live();
    device.take({ publicKey: key(7), allowedIps: [] });
    expect(diff(config([lisbon]), device).peers).toEqual([
      { publicKey: key(2), remove: true, allowedIps: [] },
      { publicKey: key(7), remove: true, allowedIps: [] },
    ]);
  });
});

const sketches: fc.Arbitrary<PeerSketch[]> = fc
  .uniqueArray(
    fc.record({
      id: fc.integer({ min: 2, max: 6 }),
      prefixes: fc.uniqueArray(fc.constantFrom("10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "fd02::/64", "0.0.0.0/0")),
      endpoint: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      presharedKey: fc.option(fc.constantFrom(8, 9), { nil: undefined }),
      keepaliveS: fc.option(fc.constantFrom(0, 25), { nil: undefined }),
    }),
    { selector: ({ id }) => id },
  )
  .map((peers) => {
    const taken = new Set<string>();
    return peers.map((one) => ({
      ...one,
      prefixes: one.prefixes.filter((prefix) => !taken.has(prefix) && taken.add(prefix)),
    }));
  });

test("any device becomes what any file says, one update at a time, and no prefix is ever without an owner in between", () => {
  fc.assert(
    fc.property(sketches, sketches, (from, to) => {
      const [before, next] = [config(from), config(to)];
      const device = DeviceModel.running(before);
      const staying = [...device.owners().keys()].filter((prefix) =>
        to.some(({ prefixes }) => prefixes.includes(prefix)),
      );
      for (const update of diffAtOnce(before, device.snapshot(), next, 0).peers) {
        device.take(update);
        for (const prefix of staying) expect(device.owners().has(prefix)).toBe(true);
      }
      expect(device.facts()).toEqual(DeviceModel.running(next).facts());
      expect(diffAtOnce(next, device.snapshot(), next, 0)).toEqual({ peers: [] });
    }),
  );
});
