// What every daemon answers on its control socket, however it was started. Read-only; the orders are the service's.

import { statusRoutes } from "../metrics/routes.js";
import { answerJson, ControlRoutes } from "./control-server.js";
import type { Gateway } from "./gateway.js";
import { gatewayStatus } from "./gateway-status.js";

/** @returns `routes` with the GET routes. Whatever wants to be read of a daemon adds its own here. */
export function controlRoutes(gateway: Gateway, routes = new ControlRoutes()): ControlRoutes {
  routes.get("/", (_request, response) =>
    answerJson(response, 200, { interface: gateway.interfaceName(), pid: process.pid, routes: routes.list() }),
  );
  for (const [path, handler] of statusRoutes(gatewayStatus(gateway))) routes.get(path, handler);
  return routes;
}
