import { defineConfig } from "vitest/config";

// Real time and real devices: a machine that stalls for seconds fails a test that is right. What fails twice is wrong.
const serial = { retry: 1, fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 } as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts", "native/test/**/*.test.ts"],
          exclude: [
            "**/*.slow.test.ts",
            ...[
              "test/netns/**",
              "test/interop/**",
              "test/browser/**",
              "test/prometheus/**",
              "test/systemd/**",
              "test/package/**",
              "**/node_modules/**",
            ],
          ],
          testTimeout: 60_000,
        },
      },
      { test: { name: "netns", include: ["test/netns/**/*.test.ts"], exclude: ["**/*.slow.test.ts"], ...serial } },
      { test: { name: "interop", include: ["test/interop/**/*.test.ts"], exclude: ["**/*.slow.test.ts"], ...serial } },
      {
        test: { name: "systemd", include: ["test/systemd/**/*.test.ts"], ...serial, retry: 0, hookTimeout: 1_200_000 },
      },
      { test: { name: "prometheus", include: ["test/prometheus/**/*.test.ts"], ...serial, testTimeout: 300_000 } },
      {
        test: { name: "package", include: ["test/package/**/*.test.ts"], ...serial, retry: 0, hookTimeout: 1_200_000 },
      },
      { test: { name: "browser", include: ["test/browser/**/*.test.ts"], ...serial } },
      { test: { name: "slow", include: ["test/**/*.slow.test.ts"], ...serial, testTimeout: 1_200_000 } },
    ],
  },
});
