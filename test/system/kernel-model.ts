// A model of what the kernel does with the lines that longhaul gives to ip(8), its surprises included: secondary addresses go with their
// primary, IPv4 routes with the last IPv4 address, IPv6 knows an address once. It refuses what the kernel refuses.
import { familyOf, lengthOf, MAIN_TABLE, type NetworkState } from "../../src/system/network-state.js";
import type { Action, Step } from "../../src/system/network-steps.js";

export class KernelModel {
  readonly addresses: string[] = [];
  readonly routes = new Map<string, number>();
  readonly rules = new Set<string>();
  readonly promotesSecondaries: boolean;
  mtu: number;
  isUp = false;
  filter: string | undefined;
  dns = "null";

  constructor(mtu: number, promotesSecondaries: boolean) {
    this.mtu = mtu;
    this.promotesSecondaries = promotesSecondaries;
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) {
      try {
        this.perform(step.action);
      } catch (error) {
        if (step.mayBeDone !== true || !/there is no/.test(String(error))) throw error;
      }
    }
  }

  perform(action: Action): void {
    switch (action.kind) {
      case "ip":
        this.#ip(action.family, action.line.split(" "));
        return;
      case "nft":
        this.filter = action.script.startsWith("delete") ? undefined : action.script;
        return;
      case "resolvconf":
        this.dns = JSON.stringify(action.dns ?? null);
        return;
      case "sysctl":
        return;
    }
  }

  /** What there is, in an order of its own, to compare. */
  facts(): object {
    return {
      addresses: [...this.addresses].sort(),
      routes: [...this.routes.keys()].sort(),
      rules: [...this.rules].sort(),
      mtu: this.mtu,
      isUp: this.isUp,
      filter: this.filter,
      dns: this.dns,
    };
  }

  /** As inForce() reads it. */
  inForce(wanted: NetworkState): NetworkState {
    return {
      ...wanted,
      mtu: this.mtu,
      isUp: this.isUp,
      addresses: wanted.addresses.filter((address) => this.addresses.includes(address)),
      routes: wanted.routes.filter(({ prefix, table }) => this.routes.has(`${prefix} ${table}`)),
    };
  }

  #ip(family: 4 | 6, words: string[]): void {
    const [object, verb, value] = words;
    if (object === "link") {
      if (words[4] === "mtu") this.mtu = Number(words[5]);
      else this.isUp = words[4] === "up";
    } else if (object === "address") {
      this.#address(family, verb as string, value as string);
    } else if (object === "route") {
      const table = words.includes("table") ? words[words.indexOf("table") + 1] : String(MAIN_TABLE);
      this.#set(this.routes, verb as string, `${value} ${table}`);
    } else {
      this.#set(this.rules, verb as string, `${family} ${words.slice(2).join(" ")}`);
    }
  }

  #set(into: Map<string, number> | Set<string>, verb: string, key: string): void {
    if (verb === "add" && into.has(key)) throw new Error(`${key} exists`);
    if (verb === "del" && !into.delete(key)) throw new Error(`there is no ${key}`);
    if (verb === "add" && into instanceof Map) {
      if (!this.isUp) throw new Error(`route ${key} over an interface that is down`);
      into.set(key, 1);
    } else if (verb === "add") (into as Set<string>).add(key);
  }

  #address(family: 4 | 6, verb: string, address: string): void {
    const clash = this.addresses.some((other) =>
      family === 4 ? other === address : hostOf(other) === hostOf(address),
    );
    if (verb === "add" && clash) throw new Error(`${address} exists`);
    if (verb !== "del") {
      if (!clash) this.addresses.push(address);
      return;
    }
    const at = this.addresses.indexOf(address);
    if (at < 0) throw new Error(`there is no ${address}`);
    const isPrimary = !this.addresses
      .slice(0, at)
      .some((other) => familyOf(other) === 4 && sharesNetwork(other, address));
    this.addresses.splice(at, 1);
    if (family === 6) return;
    if (isPrimary && !this.promotesSecondaries) {
      const secondaries = this.addresses.filter((other) => familyOf(other) === 4 && sharesNetwork(other, address));
      for (const other of secondaries) this.addresses.splice(this.addresses.indexOf(other), 1);
    }
    if (this.addresses.some((other) => familyOf(other) === 4)) return;
    for (const key of [...this.routes.keys()]) if (familyOf(key) === 4) this.routes.delete(key);
  }
}

/** Of the addresses and prefixes that the tests use. */
function sharesNetwork(a: string, b: string): boolean {
  const network = (text: string): string => {
    const bytes = hostOf(text).split(".").map(Number);
    const bits = bytes.map((byte) => byte.toString(2).padStart(8, "0")).join("");
    return `${bits.slice(0, lengthOf(text))}/${lengthOf(text)}`;
  };
  return network(a) === network(b);
}

function hostOf(address: string): string {
  return address.slice(0, -`/${lengthOf(address)}`.length);
}
