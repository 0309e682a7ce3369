// The other end of the control socket: what `longhaul reload`, `down` and their like ask the running daemon with.

import { request } from "node:http";
import { CONTROL_DIRECTORY, controlPath } from "./control-server.js";

/** No daemon answers for this interface: exit status 4. */
export class NotRunningError extends Error {
  override readonly name = "NotRunningError";
  readonly code = "ERR_NOT_RUNNING";
}

export interface ControlAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * Asks the daemon of an interface. An answer may take as long as the hooks of the interface do.
 * Errors: NotRunningError; a system error, explained, when the socket may not be opened.
 */
export function askControl(
  name: string,
  method: "GET" | "POST",
  path: string,
  directory = CONTROL_DIRECTORY,
): Promise<ControlAnswer> {
  const socketPath = controlPath(name, directory);
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", reject);
    });
    asked.on("error", (error: NodeJS.ErrnoException) => reject(explain(error, name, socketPath)));
    asked.end();
  });
}

function explain(error: NodeJS.ErrnoException, name: string, socketPath: string): Error {
  switch (error.code) {
    case "ENOENT":
    case "ECONNREFUSED":
      return new NotRunningError(`${name} is not running: nothing answers at ${socketPath}`);
    case "EACCES":
    case "EPERM":
      return new Error(`${socketPath} may not be opened by this user: run as root, or as the daemon's user`);
    case "ECONNRESET":
      return new Error(`the daemon of ${name} ended before it answered; its log says why`);
    default:
      return error;
  }
}
