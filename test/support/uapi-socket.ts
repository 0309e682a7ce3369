// The UAPI socket as raw bytes, so that tests do not depend on the client under test. Reached from outside the host.
import { existsSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import type { Host } from "../../src/demo/lab.js";

/** Where the socket file of an interface is, seen from here. */
export function socketPath(host: Host, name = "wg0"): string {
  return host.path(`/run/wireguard/${name}.sock`);
}

export function hasSocket(host: Host, name = "wg0"): boolean {
  return existsSync(socketPath(host, name));
}

/** Opens a connection. */
export function dialUapi(host: Host, name = "wg0"): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath(host, name), () => resolve(socket));
    socket.on("error", reject);
  });
}

/** Sends one operation and returns the whole answer, up to its blank line. Errors: when the daemon closes before that. */
export async function askUapi(host: Host, request: string, name = "wg0"): Promise<string> {
  const socket = await dialUapi(host, name);
  try {
    return await new Promise((resolve, reject) => {
      let answer = "";
      socket.setEncoding("latin1").on("data", (text: string) => {
        answer += text;
        if (answer.endsWith("\n\n")) resolve(answer);
      });
      socket.on("close", () => reject(new Error(`the daemon closed after ${JSON.stringify(answer)}`)));
      socket.write(request);
    });
  } finally {
    socket.destroy();
  }
}
