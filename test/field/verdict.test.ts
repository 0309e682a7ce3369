import { describe, expect, test } from "vitest";
import type { EndFacts } from "../../src/field/end-facts.js";
import { checkFacts } from "../../src/field/far-end.js";
import { type DirectionSurvey, type HostLoad, loadBetween, type Survey } from "../../src/field/survey.js";
import { surveyText } from "../../src/field/survey-text.js";
import { judge, type Limit } from "../../src/field/verdict.js";

const MIB = 1 << 20;

function end(hostname: string, some: Partial<EndFacts> = {}): EndFacts {
  return {
    ...{
      hostname,
      interfaceName: "wg0",
      mtu: 1_420,
      tunDrops: 0,
      socketDrops: 0,
      anySocketDrops: 0,
      socketBufferBytes: 14 * MIB,
    },
    ...{ tcpReceiveBytes: 64 * MIB, tcpSendBytes: 64 * MIB, congestionControl: "cubic", cores: 4 },
    ...{ busySeconds: 0, totalSeconds: 0, daemon: { runSeconds: 0, waitSeconds: 0 }, outside: null, refused: null },
    ...some,
  };
}

function load(some: Partial<HostLoad> = {}): HostLoad {
  const quiet = {
    tunDrops: 0,
    socketDrops: 0,
    anySocketDrops: 0,
    busyShare: 0.3,
    daemonRunShare: 0.4,
    daemonWaitShare: 0.01,
  };
  return { seconds: 10, ...quiet, refused: null, ...some };
}

function way(some: Partial<DirectionSurvey> = {}): DirectionSurvey {
  return {
    ...{ oneStream: 900e6, manyStreams: 930e6, retransmits: 0, underlay: null, loss: 0, lossPackets: 5_000 },
    ...{ sender: load(), receiver: load(), probeDrops: 0 },
    ...some,
  };
}

function survey(some: Partial<Survey> = {}): Survey {
  return {
    ...{ address: "10.9.0.2", streams: 8, roundTripMs: 80, underlayRoundTripMs: 79, loadedRoundTripMs: 120 },
    ...{ longestPacket: null, near: end("berlin"), far: end("lisbon"), forward: way(), backward: way() },
    ...some,
  };
}

function limitsOf(some: Partial<Survey>): Array<[Limit, string]> {
  return judge(survey(some)).map(({ limit, host }) => [limit, host]);
}

describe("the verdict", () => {
  test("nothing in the way: the line", () => {
    expect(limitsOf({})).toEqual([["line", "neither host"]]);
    expect(judge(survey({ far: null }))[0]!.sentence).toContain("not known");
  });

  test("TCP buffers: of the receiver or the sender, whichever is the smaller", () => {
    const slow = way({ oneStream: 12e6, manyStreams: 96e6 });
    const small = { near: end("berlin"), far: end("lisbon", { tcpReceiveBytes: 262_144 }) };
    expect(limitsOf({ ...small, forward: slow })).toEqual([["tcp-receive-buffer", "lisbon (there)"]]);
    const [finding] = judge(survey({ ...small, forward: slow }));
    const bytes = Number(/(\d+)"$/.exec(finding!.command!)?.[1]);
    expect(bytes).toBeGreaterThanOrEqual((96e6 * 0.08) / 8);
    const sender = end("berlin", { tcpSendBytes: 131_072 });
    expect(limitsOf({ near: sender, forward: slow })).toEqual([["tcp-send-buffer", "berlin (here)"]]);
    expect(limitsOf({ near: sender, backward: slow })).toEqual([["line", "neither host"]]); // it only receives there
  });

  test("a slow stream with large buffers is not the buffers' fault", () => {
    expect(limitsOf({ forward: way({ oneStream: 12e6, manyStreams: 96e6 }) })).toEqual([["line", "neither host"]]);
  });

  test("a full socket at the receiver; its command only where the buffer is small", () => {
    const forward = way({ receiver: load({ socketDrops: 500 }) });
    const small = judge(survey({ forward, far: end("lisbon", { socketBufferBytes: 212_992 }) }));
    expect(small[0]).toMatchObject({ limit: "socket-buffer", host: "lisbon (there)" });
    expect(small[0]!.command).toContain("net.core.rmem_max");
    expect(judge(survey({ forward }))[0]).toMatchObject({ limit: "socket-buffer", command: null });
  });

  test("a full interface queue at the sender", () => {
    expect(limitsOf({ backward: way({ sender: load({ tunDrops: 99 }) }) })).toEqual([
      ["interface-queue", "lisbon (there)"],
    ]);
  });

  test("loss on the path, less what the hosts themselves dropped", () => {
    expect(limitsOf({ forward: way({ loss: 0.01 }) })).toEqual([["path-loss", "berlin (here)"]]);
    expect(limitsOf({ forward: way({ loss: 0.01, probeDrops: 50 }) })).toEqual([["line", "neither host"]]);
    expect(judge(survey({ forward: way({ loss: 0.01 }) }))[0]!.sentence).toContain("1.7 Mbit/s"); // 1.22 MSS / (RTT √p)
  });

  test("processors: taken by others, or all of one used", () => {
    const starved = way({ receiver: load({ daemonRunShare: 0.5, daemonWaitShare: 0.45 }) });
    expect(limitsOf({ forward: starved })).toEqual([["daemon-starved", "lisbon (there)"]]);
    const idle = way({ receiver: load({ daemonRunShare: 0.2, daemonWaitShare: 0.3 }) });
    expect(limitsOf({ forward: idle })).toEqual([["line", "neither host"]]);
    const full = way({ sender: load({ daemonRunShare: 0.97 }) });
    expect(limitsOf({ forward: full })).toEqual([["processor", "berlin (here)"]]);
  });

  test("packets that vanish come first, whatever else there is", () => {
    const findings = judge(survey({ longestPacket: 1_332, forward: null, backward: null }));
    expect(findings).toMatchObject([{ limit: "mtu-black-hole", command: "ip link set dev wg0 mtu 1332" }]);
  });

  test("what hides others comes first; offloads are advice behind the limit, and said once", () => {
    const outside = { device: "eth0", mtu: 1_500, offloads: { "rx-udp-gro-forwarding": false } };
    const bad = { loss: 0.02, sender: load({ tunDrops: 50 }), receiver: load({ daemonRunShare: 1 }) };
    const found = limitsOf({ near: end("berlin", { outside }), forward: way(bad) });
    expect(found.map(([limit]) => limit)).toEqual(["processor", "interface-queue", "path-loss", "offload"]);
    expect(limitsOf({ near: end("berlin", { outside }) }).map(([limit]) => limit)).toEqual(["line", "offload"]);
  });
});

test("the text says rates, product, drops, and what to type where", () => {
  const measured = survey({ forward: way({ receiver: load({ socketDrops: 500, refused: { socket_overflow: 7 } }) }) });
  const text = surveyText(measured, judge(measured));
  expect(text).toContain("berlin (here) → lisbon (there): one stream 900 Mbit/s, 8 streams 930 Mbit/s");
  expect(text).toContain("bandwidth-delay product 8.9 MiB");
  expect(text).toContain("at UDP sockets 500, socket_overflow 7");
  expect(text).toMatch(/What limits this link now:\nOn lisbon \(there\) longhaul's UDP socket was full/);
  const vanished = survey({ longestPacket: 1_332, forward: null, backward: null });
  expect(surveyText(vanished, judge(vanished))).toContain("  on both hosts: ip link set dev wg0 mtu 1332\n");
});

describe("facts", () => {
  test("of two moments make a load", () => {
    const before = end("a", { tunDrops: 1, busySeconds: 10, totalSeconds: 100, refused: { malformed: 1 } });
    const after = end("a", {
      ...{
        tunDrops: 4,
        socketDrops: 2,
        anySocketDrops: 3,
        busySeconds: 30,
        totalSeconds: 140,
        refused: { malformed: 1, send_failed: 2 },
      },
      daemon: { runSeconds: 5, waitSeconds: 1 },
    });
    expect(loadBetween(before, after)).toEqual({
      ...{
        seconds: 10,
        tunDrops: 3,
        socketDrops: 2,
        anySocketDrops: 3,
        busyShare: 0.5,
        daemonRunShare: 0.5,
        daemonWaitShare: 0.1,
      },
      refused: { send_failed: 2 },
    });
    expect(loadBetween(null, after)).toBeNull();
  });

  test("from another host are not believed to be anything else", () => {
    expect(checkFacts(JSON.parse(JSON.stringify(end("lisbon"))))).toEqual(end("lisbon"));
    const bad: unknown[] = [
      ...[null, {}, [], "x", { ...end("a"), hostname: "\u001b[2Jx" }, { ...end("a"), mtu: "1420" }],
      ...[
        { ...end("a"), refused: { "\u001b[31m": 1 } },
        { ...end("a"), daemon: { runSeconds: null } },
      ],
      { ...end("a"), interfaceName: "wg0 && reboot" },
      { ...end("a"), outside: { device: "$(reboot)\n", mtu: 1, offloads: {} } },
    ];
    for (const value of bad) expect(() => checkFacts(value)).toThrow();
  });
});
