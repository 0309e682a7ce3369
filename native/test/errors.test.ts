import { expect, test } from "vitest";
import { adviceFor, errnoCode, SystemCallError } from "../errors.js";

test("an error names the call, the errno and what to do", () => {
  const error = new SystemCallError("open /dev/net/tun", 1, "run as root");
  expect(error.message).toBe("open /dev/net/tun: EPERM (operation not permitted): run as root");
  expect(error).toMatchObject({ syscall: "open /dev/net/tun", errno: 1, code: "EPERM", advice: "run as root" });
  expect(error).toBeInstanceOf(Error);
});

test("without advice the message ends with the errno", () => {
  expect(new SystemCallError("bind", 98, "").message).toBe("bind: EADDRINUSE (address already in use)");
});

test.each([
  [11, "EAGAIN"],
  [77, "EBADFD"],
  [74, "EBADMSG"],
  [4711, "errno 4711"],
])("errno %i is %s", (errno, code) => {
  expect(errnoCode(errno)).toBe(code);
});

test("advice is looked up by call and code, and names its subject", () => {
  const table = { bind: { EADDRINUSE: "%s is taken", "*": "no luck with %s" } };
  expect(adviceFor(table, "bind", 98, "port 1")).toBe("port 1 is taken");
  expect(adviceFor(table, "bind", 1, "port 1")).toBe("no luck with port 1");
  expect(adviceFor(table, "listen", 98, "port 1")).toBe("");
});
