// Endpoints by name in virtual time: with a resolver and peers that do as the test says, and around a device of the simulator.
import { describe, expect, test } from "vitest";
import { parseEndpoint } from "../../src/config/endpoint.js";
import type { PeerConfig } from "../../src/config/gateway-config.js";
import { parseIpv4, parseIpv6 } from "../../src/config/ip-address.js";
import { PeerTime } from "../../src/core/device/peer.js";
import type { EndpointAddress } from "../../src/core/device/update.js";
import {
  EndpointNames,
  type EndpointNamesWorld,
  type HostAddress,
  type PeerStanding,
} from "../../src/daemon/endpoint-names.js";
import { parseAddress, type SimNode, World } from "../sim/world.js";

const NEVER = Number.NEGATIVE_INFINITY;

/** A resolver, a clock and a log that a test rules. */
class NamesWorld implements EndpointNamesWorld {
  time = 0;
  /** Addresses by host; an error's message where there are none. */
  readonly dns = new Map<string, string[] | string>();
  readonly asked: string[] = [];
  readonly events: string[] = [];
  readonly standings = new Map<string, { -readonly [K in keyof PeerStanding]: PeerStanding[K] }>();
  underWay = 0;
  underWayMax = 0;
  /** Look-ups wait until the test lets them go. */
  isHeld = false;
  #held: (() => void)[] = [];
  #timers: { atMs: number; callback: () => void }[] = [];

  async resolve(host: string): Promise<readonly HostAddress[]> {
    this.asked.push(host);
    this.underWayMax = Math.max(this.underWayMax, ++this.underWay);
    if (this.isHeld) await new Promise<void>((resolve) => this.#held.push(resolve));
    this.underWay--;
    const answer = this.dns.get(host) ?? "getaddrinfo EAI_AGAIN";
    if (typeof answer === "string") throw new Error(answer);
    return answer.map((text) => {
      const family = text.includes(":") ? 6 : 4;
      return { family, bytes: (family === 6 ? parseIpv6(text) : parseIpv4(text)) as Uint8Array };
    });
  }

  standing(publicKey: Uint8Array): PeerStanding | undefined {
    return this.standings.get(String(publicKey[0]));
  }

  setEndpoint(publicKey: Uint8Array, endpoint: EndpointAddress): void {
    this.standings.get(String(publicKey[0]))!.endpoint = endpoint;
  }

  nowMs(): number {
    return this.time;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.time + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  random(): number {
    return 0;
  }

  changed(publicKey: Uint8Array, host: string, endpoint: string): void {
    this.events.push(`${this.time / 1000} s: ${publicKey[0]} ${host} is ${endpoint}`);
  }

  failed(publicKey: Uint8Array, host: string, reason: string, isFirst: boolean): void {
    this.events.push(`${this.time / 1000} s: ${publicKey[0]} ${host} ${reason}${isFirst ? ", first" : ""}`);
  }

  get timers(): number {
    return this.#timers.length;
  }

  async release(): Promise<void> {
    for (const go of this.#held.splice(0)) go();
    await settle();
  }

  /** Lets time pass. @param meanwhile  called before each timer, and at the end */
  async pass(seconds: number, meanwhile: (time: number) => void = () => {}): Promise<void> {
    const end = this.time + seconds * 1000;
    await settle();
    for (;;) {
      const [next] = this.#timers.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.time = Math.max(this.time, next.atMs);
      meanwhile(this.time);
      next.callback();
      await settle();
    }
    this.time = end;
    meanwhile(end);
  }

  peer(number: number): { -readonly [K in keyof PeerStanding]: PeerStanding[K] } {
    const standing = { endpoint: undefined, handshakeMs: NEVER, initiationMs: NEVER };
    this.standings.set(String(number), standing);
    return standing;
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function peerAt(number: number, host: string, port = 51_820): PeerConfig {
  return {
    publicKey: new Uint8Array(32).fill(number),
    presharedKey: undefined,
    allowedIps: [],
    endpoint: { kind: "name", host, port },
    persistentKeepaliveS: undefined,
    friendlyName: undefined,
  };
}

const at = (text: string): EndpointAddress => parseEndpoint(text, () => 0);

describe("finding a name", () => {
  test("is set at once, and told once", async () => {
    const world = new NamesWorld();
    world.peer(1);
    world.dns.set("a.example", ["192.0.2.1"]);
    new EndpointNames(world).start([peerAt(1, "a.example")]);
    await world.pass(600);
    expect(world.events).toEqual(["0 s: 1 a.example is 192.0.2.1:51820"]);
    expect(world.standings.get("1")!.endpoint).toEqual(at("192.0.2.1:51820"));
  });

  test("without DNS it is tried again, less and less often, until there is an answer", async () => {
    const world = new NamesWorld();
    world.peer(1);
    new EndpointNames(world).start([peerAt(1, "a.example")]);
    await world.pass(200);
    const failures = world.events.map((event) => event.split(" ")[0]);
    expect(failures).toEqual(["0", "1", "3", "7", "15", "31", "63", "123", "183"]);
    expect(world.events.map((event) => event.endsWith("first"))).toEqual([true, ...Array(8).fill(false)]);
    world.dns.set("a.example", ["192.0.2.1"]);
    await world.pass(60);
    expect(world.events.at(-1)).toBe("243 s: 1 a.example is 192.0.2.1:51820");
  });

  test("peers with a numeric endpoint, or none, are nobody's business here", async () => {
    const world = new NamesWorld();
    const numeric = { ...peerAt(1, ""), endpoint: { kind: "address", address: at("192.0.2.1:1") } } as const;
    new EndpointNames(world).start([numeric, { ...peerAt(2, ""), endpoint: undefined }]);
    expect([world.timers, world.asked]).toEqual([0, []]);
  });

  test("can be waited for, for a while", async () => {
    const world = new NamesWorld();
    for (const number of [1, 2, 3]) world.peer(number);
    world.dns.set("a.example", ["192.0.2.1"]);
    const names = new EndpointNames(world);
    names.start([peerAt(1, "a.example"), peerAt(2, "b.example"), peerAt(3, "c.example")]);
    const outcomes: string[] = [];
    const wait = (numbers: readonly number[]): void =>
      void names
        .found((publicKey) => numbers.includes(publicKey[0]!), 10_000)
        .then((missing) => outcomes.push(`${world.time / 1000} s: ${numbers} without ${missing}`));
    for (const numbers of [[], [1], [1, 2], [2, 3]]) wait(numbers);
    await world.pass(2);
    expect(outcomes).toEqual(["0 s:  without ", "0 s: 1 without "]);
    world.dns.set("b.example", ["192.0.2.2"]);
    await world.pass(2);
    expect(outcomes.slice(2)).toEqual(["3 s: 1,2 without "]);
    await world.pass(20);
    expect(outcomes.slice(3)).toEqual(["10 s: 2,3 without c.example"]);
    wait([3]);
    names.stop();
    await world.pass(0);
    expect(outcomes.slice(4)).toEqual(["24 s: 3 without "]);
    expect(world.timers).toBe(0);
  });

  test("two look-ups at a time, and one for peers of the same name", async () => {
    const world = new NamesWorld();
    world.isHeld = true;
    const peers = Array.from({ length: 8 }, (_, i) => peerAt(i + 1, `${i >> 1}.example`));
    for (const { publicKey } of peers) world.peer(publicKey[0]!);
    for (let i = 0; i < 4; i++) world.dns.set(`${i}.example`, [`192.0.2.${i}`]);
    new EndpointNames(world).start(peers);
    await world.pass(0);
    expect(world.asked).toEqual(["0.example", "1.example"]);
    await world.release();
    await world.release();
    expect(world.asked).toHaveLength(4);
    expect(world.events).toHaveLength(8);
    expect(world.underWayMax).toBe(2);
  });
});

describe("following a name", () => {
  async function joined(): Promise<{ world: NamesWorld; names: EndpointNames }> {
    const world = new NamesWorld();
    const standing = world.peer(1);
    world.dns.set("a.example", ["192.0.2.1"]);
    const names = new EndpointNames(world);
    names.start([peerAt(1, "a.example")]);
    await world.pass(1);
    standing.handshakeMs = world.time;
    world.asked.length = 0;
    world.events.length = 0;
    return { world, names };
  }

  test("while handshakes are fresh nothing is looked up, and a roaming peer stays where it went", async () => {
    const { world } = await joined();
    const standing = world.standings.get("1")!;
    standing.endpoint = at("203.0.113.9:40000");
    world.dns.set("a.example", ["192.0.2.2"]);
    let renewedMs = 1_000;
    await world.pass(3_600, (time) => {
      if (time - renewedMs < 120_000) return;
      renewedMs = time;
      standing.handshakeMs = time;
    });
    expect(standing.endpoint).toEqual(at("203.0.113.9:40000"));
    expect([world.asked.length, world.events]).toEqual([0, []]);
  });

  test("a new address counts once the handshake is 135 s old, not before", async () => {
    const { world } = await joined();
    world.dns.set("a.example", ["192.0.2.2"]);
    await world.pass(134.9);
    expect(world.asked).toEqual([]);
    await world.pass(0.1);
    expect(world.events).toEqual(["136 s: 1 a.example is 192.0.2.2:51820"]);
  });

  test("a handshake that completes during the look-up wins", async () => {
    const { world } = await joined();
    world.dns.set("a.example", ["192.0.2.2"]);
    world.isHeld = true;
    await world.pass(140);
    expect(world.asked).toHaveLength(1);
    world.standings.get("1")!.handshakeMs = world.time;
    await world.release();
    expect(world.events).toEqual([]);
  });

  test("a reload with another name counts at once, one with the same changes nothing", async () => {
    const { world, names } = await joined();
    names.update([peerAt(1, "a.example")]);
    await world.pass(10);
    expect([world.asked, world.timers]).toEqual([[], 1]);
    world.dns.set("b.example", ["192.0.2.7"]);
    names.update([peerAt(1, "b.example")]);
    await world.pass(1);
    expect(world.events).toEqual(["11 s: 1 b.example is 192.0.2.7:51820"]);
  });

  test("a peer that calls before its name is found stays where it called from", async () => {
    const world = new NamesWorld();
    const standing = world.peer(1);
    new EndpointNames(world).start([peerAt(1, "a.example")]);
    await world.pass(5);
    Object.assign(standing, { handshakeMs: world.time, endpoint: at("203.0.113.9:40000") });
    world.dns.set("a.example", ["192.0.2.1"]);
    await world.pass(60);
    expect(standing.endpoint).toEqual(at("203.0.113.9:40000"));
  });

  test("after stop nothing is set, whatever is under way; a peer that went is passed over", async () => {
    const { world, names } = await joined();
    world.dns.set("a.example", ["192.0.2.2"]);
    world.isHeld = true;
    await world.pass(140);
    names.stop();
    await world.release();
    expect([world.events, world.timers]).toEqual([[], 0]);
    const other = await joined();
    other.world.standings.clear();
    await other.world.pass(1_000);
    expect(other.world.asked).toEqual([]);
  });
});

describe("several addresses", () => {
  test("the families take turns as long as nobody answers, and the first that answers stays", async () => {
    const world = new NamesWorld();
    const standing = world.peer(1);
    world.dns.set("a.example", ["2001:db8::1", "2001:db8::2", "192.0.2.1"]);
    new EndpointNames(world).start([peerAt(1, "a.example")]);
    await world.pass(35, (time) => {
      standing.initiationMs = time; //  it keeps trying
    });
    expect(world.events).toEqual([
      "0 s: 1 a.example is [2001:db8::1]:51820",
      "15 s: 1 a.example is 192.0.2.1:51820",
      "30 s: 1 a.example is [2001:db8::2]:51820",
    ]);
    standing.handshakeMs = world.time;
    await world.pass(100);
    expect(world.events).toHaveLength(3);
  });

  test("an address that nobody sent anything to is not given up", async () => {
    const world = new NamesWorld();
    world.peer(1);
    world.dns.set("a.example", ["192.0.2.1", "192.0.2.2"]);
    new EndpointNames(world).start([peerAt(1, "a.example")]);
    await world.pass(600);
    expect(world.events).toHaveLength(1);
  });
});

describe("around a device", () => {
  /** A resolver for one node of the simulator: its peers, the simulator's clock. */
  class SimNamesWorld extends NamesWorld {
    readonly node: SimNode;

    constructor(node: SimNode) {
      super();
      this.node = node;
      this.time = node.world.nowMs;
    }

    override standing(): PeerStanding | undefined {
      const [peer] = this.node.device.peers();
      const endpoint = this.node.device.snapshotPeer(peer!).endpoint;
      const [initiationMs, handshakeMs] = [peer!.times[PeerTime.HandshakeSent]!, peer!.times[PeerTime.HandshakeDone]!];
      return { endpoint, handshakeMs, initiationMs };
    }

    override setEndpoint(publicKey: Uint8Array, endpoint: EndpointAddress): void {
      this.node.device.configure({ peers: [{ publicKey, updateOnly: true, endpoint, allowedIps: [] }] }, this.time);
    }

    /** The simulator's time and that of the names pass together. */
    async both(seconds: number): Promise<void> {
      for (let i = 0; i < seconds; i++) {
        this.node.world.run(1_000);
        await this.pass(1);
      }
    }
  }

  test("a peer with a keepalive speaks as soon as its name is found", async () => {
    const world = await World.create();
    const [alice, bob] = [world.node("alice", "192.0.2.1:1001"), world.node("bob", "192.0.2.2:1002")];
    alice.peer(bob, { persistentKeepaliveS: 3_600 });
    bob.peer(alice, {});
    const names = new SimNamesWorld(alice);
    names.dns.set("bob.example", ["192.0.2.2"]);
    new EndpointNames(names).start([{ ...peerAt(0, "bob.example", 1002), publicKey: bob.publicKey }]);
    await names.both(2);
    expect(alice.log.filter((line) => line.includes("completed initiator"))).toHaveLength(1);
  });

  test("boot without DNS, a first address that is dead, and a peer that moves", async () => {
    const world = await World.create();
    const alice = world.node("alice", "192.0.2.1:1001");
    const bob = world.node("bob", "192.0.2.2:1002");
    alice.peer(bob, { persistentKeepaliveS: 25 });
    bob.peer(alice, {});
    const names = new SimNamesWorld(alice);
    new EndpointNames(names).start([{ ...peerAt(0, "bob.example", 1002), publicKey: bob.publicKey }]);
    await names.both(20);
    expect(world.tapped).toEqual([]);
    names.dns.set("bob.example", ["198.51.100.1", "192.0.2.2"]);
    await names.both(60);
    expect(alice.log.filter((line) => line.includes("completed initiator"))).toHaveLength(1);
    expect(names.standing()!.endpoint).toEqual(parseAddress("192.0.2.2:1002"));
    bob.address = "203.0.113.5:1002";
    names.dns.set("bob.example", ["203.0.113.5"]);
    await names.both(240);
    expect(names.standing()!.endpoint).toEqual(parseAddress("203.0.113.5:1002"));
    expect(alice.log.filter((line) => line.includes("completed initiator")).length).toBeGreaterThanOrEqual(2);
  });
});
