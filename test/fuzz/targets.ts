// Every fuzz target in TypeScript. Those in C++ are native/test/*_fuzz.cc.

import { answersTarget } from "./answers-target.js";
import { configTarget } from "./config-target.js";
import { deviceTarget } from "./device-target.js";
import { httpTarget } from "./http-target.js";
import type { FuzzTarget } from "./target.js";
import { uapiTarget } from "./uapi-target.js";
import { valuesTarget } from "./values-target.js";

export const fuzzTargets: readonly FuzzTarget[] = [
  configTarget,
  uapiTarget,
  valuesTarget,
  deviceTarget,
  httpTarget,
  answersTarget,
];
