// Gateways that are services of a booted machine, as an admin sees them.
import { setTimeout as sleep } from "node:timers/promises";
import { buildOffices, type ServiceOffice, type ServiceOffices } from "../support/offices.js";
import { debianTree, Installation, Machine } from "./machine.js";

export const UNIT = "longhaul@hq.service";

/** A gateway as an admin sees it. */
export class ServiceMachine {
  readonly office: ServiceOffice;
  readonly machine: Machine;

  constructor(office: ServiceOffice, machine: Machine) {
    this.office = office;
    this.machine = machine;
  }

  pid(): Promise<string> {
    return this.machine.property(UNIT, "MainPID");
  }

  ip(...words: string[]): Promise<string> {
    return this.machine.run("ip", ...words);
  }

  /** Everything that ip(8) tells of the interface, as long as it is the same one. */
  async network(): Promise<string> {
    const link = await this.ip("-o", "link", "show", "hq");
    const addresses = await this.ip("-o", "address", "show", "dev", "hq");
    const routes = await this.ip("route", "show", "dev", "hq");
    return `${link.replace(/ (qlen|state) \S+/g, "")}${addresses.replace(/valid_lft.*/g, "")}${routes}`;
  }

  /** Listens to the kernel: what of the interface was taken away meanwhile. */
  async watchLosses(): Promise<{ end(): Promise<string[]> }> {
    const monitor = this.machine.start("ip", "-o", "monitor", "link", "address", "route");
    await sleep(300);
    return {
      end: async () => {
        await sleep(300);
        await monitor.stop("SIGTERM");
        return monitor.stdout.split("\n").filter((line) => /Deleted/.test(line) && /\bhq\b/.test(line));
      },
    };
  }
}

/** Two offices whose gateways are booted machines with longhaul installed; no service runs yet. */
export interface ServicePair {
  readonly offices: ServiceOffices;
  readonly left: ServiceMachine;
  readonly right: ServiceMachine;
  close(): Promise<void>;
}

export async function bootServicePair(): Promise<ServicePair> {
  const tree = debianTree();
  const installation = new Installation();
  const offices = await buildOffices();
  const machines: Machine[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(machines.map((machine) => machine.close()));
    await offices.lab.close();
    installation.remove();
  };
  const boot = async (office: ServiceOffice): Promise<ServiceMachine> => {
    const machine = await Machine.boot(office.gateway, tree, installation);
    machines.push(machine);
    await machine.run("systemd-sysusers");
    await machine.run("systemd-tmpfiles", "--create", "longhaul.conf");
    return new ServiceMachine(office, machine);
  };
  try {
    const [left, right] = await Promise.all([boot(offices.left), boot(offices.right)]);
    return { offices, left, right, close };
  } catch (error) {
    await close();
    throw error;
  }
}
