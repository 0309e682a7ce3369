// From state to state: by examples as an admin would type them, and by any two states against a model of the kernel.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bareNetwork, MAIN_TABLE, type NetworkState } from "../../src/system/network-state.js";
import { describeAction, mayTakeAlong, networkSteps, type Step } from "../../src/system/network-steps.js";
import { KernelModel } from "./kernel-model.js";

const bare = bareNetwork(1_420);
const office: NetworkState = {
  addresses: ["10.99.0.1/24", "fd99::1/64"],
  mtu: 1_420,
  isUp: true,
  routes: [
    { prefix: "192.168.20.0/24", table: MAIN_TABLE },
    { prefix: "fd20::/48", table: MAIN_TABLE },
  ],
};
const everything: NetworkState = {
  addresses: ["10.99.0.1/24"],
  mtu: 1_420,
  isUp: true,
  routes: [{ prefix: "0.0.0.0/0", table: 51_820 }],
  fullTunnel: { table: 51_820, preference: 32_764, families: [4] },
  hasFilter: true,
  dns: { servers: ["10.99.0.53"], search: ["example.org"] },
};
const words = (steps: readonly Step[]): string[] => steps.map(({ action }) => describeAction(action));

describe("as commands", () => {
  test("up: addresses, link, routes", () => {
    expect(words(networkSteps("hq", bare, office))).toEqual([
      "ip -4 address add 10.99.0.1/24 dev hq",
      "ip -6 address add fd99::1/64 dev hq",
      "ip -4 link set dev hq up",
      "ip -4 route add 192.168.20.0/24 dev hq proto 4",
      "ip -6 route add fd20::/48 dev hq proto 4",
    ]);
  });

  test("a full tunnel comes after all that it needs, and goes first", () => {
    expect(words(networkSteps("hq", bare, everything))).toEqual([
      "ip -4 address add 10.99.0.1/24 dev hq",
      "ip -4 link set dev hq up",
      "ip -4 route add 0.0.0.0/0 dev hq proto 4 table 51820",
      "nft add table inet longhaul-hq",
      "sysctl -w net.ipv4.conf.all.src_valid_mark=1",
      "ip -4 rule add pref 32764 table main suppress_prefixlength 0",
      "ip -4 rule add pref 32765 not fwmark 51820 table 51820",
      "resolvconf -a hq -m 0 -x (10.99.0.53 example.org)",
    ]);
    expect(words(networkSteps("hq", everything, bare))).toEqual([
      "resolvconf -d hq -f",
      "ip -4 rule del pref 32765 not fwmark 51820 table 51820",
      "ip -4 rule del pref 32764 table main suppress_prefixlength 0",
      "ip -4 route del 0.0.0.0/0 dev hq proto 4 table 51820",
      "ip -4 address del 10.99.0.1/24 dev hq",
      "ip -4 link set dev hq down",
      "nft delete table inet longhaul-hq",
    ]);
  });

  test("a reload with a peer more touches its route alone", () => {
    const more = { ...office, routes: [...office.routes, { prefix: "192.168.30.0/24", table: MAIN_TABLE }] };
    expect(words(networkSteps("hq", office, more))).toEqual(["ip -4 route add 192.168.30.0/24 dev hq proto 4"]);
    expect(words(networkSteps("hq", more, office))).toEqual(["ip -4 route del 192.168.30.0/24 dev hq proto 4"]);
    expect(networkSteps("hq", office, office)).toEqual([]);
  });

  test("the filter follows the addresses", () => {
    const moved = { ...everything, addresses: ["10.99.0.2/24"] };
    expect(words(networkSteps("hq", everything, moved))).toEqual([
      "ip -4 address add 10.99.0.2/24 dev hq",
      "ip -4 address del 10.99.0.1/24 dev hq",
      "nft add table inet longhaul-hq",
    ]);
  });
});

const addresses = fc.uniqueArray(
  fc.constantFrom("10.9.0.1/24", "10.9.0.2/24", "10.9.0.3/24", "10.8.0.1/24", "10.9.0.1/16", "192.0.2.7/32"),
  { maxLength: 4 },
);
const addresses6 = fc.uniqueArray(fc.constantFrom("fd09::1/64", "fd09::2/64", "fd09::1/48"), {
  maxLength: 2,
  selector: (address) => address.split("/")[0],
});
const routes = fc.uniqueArray(
  fc.record({
    prefix: fc.constantFrom("192.168.20.0/24", "192.168.30.0/24", "172.16.0.0/12", "fd20::/48", "fd30::/48"),
    table: fc.constantFrom(MAIN_TABLE, 100),
  }),
  { maxLength: 6, selector: ({ prefix, table }) => `${prefix} ${table}` },
);
const tunnels = fc.option(
  fc.record({
    table: fc.constantFrom(51_820, 51_821),
    preference: fc.constantFrom(32_764, 200),
    families: fc.constantFrom<readonly (4 | 6)[]>([4], [6], [4, 6]),
  }),
  { nil: undefined },
);
const states: fc.Arbitrary<NetworkState> = fc.record({
  addresses: fc.tuple(addresses, addresses6).map(([four, six]) => [...four, ...six]),
  mtu: fc.constantFrom(1_280, 1_420, 9_000),
  isUp: fc.constant(true),
  routes,
  fullTunnel: tunnels,
  hasFilter: fc.boolean(),
  dns: fc.option(fc.constantFrom({ servers: ["10.9.0.53"], search: [] }, { servers: ["fd09::53"], search: ["a"] }), {
    nil: undefined,
  }),
});

describe("any two states", () => {
  const reach = (from: NetworkState, promotes: boolean): KernelModel => {
    const model = new KernelModel(bare.mtu, promotes);
    model.run(networkSteps("hq", bare, from));
    return model;
  };

  test("the steps lead from the one to the other, and nothing that stays is ever away", () => {
    fc.assert(
      fc.property(states, states, fc.boolean(), (from, to, promotes) => {
        const model = reach(from, promotes);
        model.run(networkSteps("hq", from, to));
        if (mayTakeAlong(from, to)) model.run(networkSteps("hq", model.inForce(to), to));
        expect(model.facts()).toEqual(reach(to, promotes).facts());
      }),
    );
  });

  test("what fails midway is taken back to where it was", () => {
    fc.assert(
      fc.property(states, states, fc.boolean(), fc.nat(), (from, to, promotes, cut) => {
        const model = reach(from, promotes);
        const before = model.facts();
        const steps = networkSteps("hq", from, to);
        const done = steps.slice(0, steps.length === 0 ? 0 : cut % steps.length);
        model.run(done);
        for (const { undo } of [...done].reverse())
          if (undo !== undefined) model.run([{ action: undo, mayBeDone: true }]);
        model.run(networkSteps("hq", model.inForce(from), from));
        expect(model.facts()).toEqual(before);
      }),
    );
  });

  test("down leaves nothing", () => {
    fc.assert(
      fc.property(states, (from) => {
        const model = reach(from, true);
        model.run(networkSteps("hq", from, bare));
        expect(model.facts()).toEqual(new KernelModel(bare.mtu, true).facts());
      }),
    );
  });
});
