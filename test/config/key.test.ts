import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/errors.js";
import { formatBase64Key, formatHexKey, isZeroKey, parseBase64Key, parseHexKey } from "../../src/config/key.js";

const key32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

function parseHexText(text: string): Uint8Array {
  const bytes = Buffer.from(`before${text}behind`, "latin1");
  return parseHexKey(bytes, 6, 6 + text.length);
}

describe("base64 keys", () => {
  test("what is written is read back", () => {
    fc.assert(
      fc.property(key32, (key) => {
        expect(parseBase64Key(formatBase64Key(key))).toEqual(key);
      }),
    );
  });

  test.each([
    ["empty", ""],
    ["43 characters", "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk"],
    ["45 characters", "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=="],
    ["without padding", "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmkA"],
    ["two padding characters", "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBm=="],
    ["bits behind the 256th", "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBml="],
    ["URL alphabet", "YAnz5TF-lXXJte14tji3zlMNq_hd2rYUIgJBgB3fBmk="],
    ["white space in front", " YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBm="],
    ["line end behind", "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n"],
    ["hexadecimal", "6009f3e5317e9575c9b5ed78b638b7ce530dabe85ddab614220241801ddf0669"],
  ])("refused: %s", (_, text) => {
    expect(() => parseBase64Key(text)).toThrow(ConfigError);
  });

  test("every last character but the sixteen canonical ones is refused", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const accepted = [...alphabet].filter((last) => {
      try {
        parseBase64Key(`YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBm${last}=`);
        return true;
      } catch {
        return false;
      }
    });
    expect(accepted).toEqual([...alphabet].filter((_, i) => i % 4 === 0));
  });
});

describe("hexadecimal keys", () => {
  test("what is written is read back, in either case", () => {
    fc.assert(
      fc.property(key32, (key) => {
        expect(parseHexText(formatHexKey(key))).toEqual(key);
        expect(parseHexText(formatHexKey(key).toUpperCase())).toEqual(key);
      }),
    );
  });

  test.each([
    "",
    "aa",
    "a".repeat(63),
    "a".repeat(65),
    `${"a".repeat(63)}g`,
    `${"a".repeat(63)} `,
    `0x${"a".repeat(62)}`,
  ])("refused: %j", (text) => {
    expect(() => parseHexText(text)).toThrow(ConfigError);
  });
});

test("no message repeats a key", () => {
  const secret = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBm";
  for (const attempt of [() => parseBase64Key(secret, "private key"), () => parseHexText(secret)]) {
    try {
      attempt();
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: "ERR_KEY" });
      expect((error as Error).message).toMatch(/key: 42 characters instead of (44|64); write /);
      expect((error as Error).message).not.toContain(secret.slice(0, 8));
    }
  }
});

test("a zero key is one whose 32 bytes are all zero", () => {
  expect(isZeroKey(new Uint8Array(32))).toBe(true);
  fc.assert(
    fc.property(fc.nat(31), fc.integer({ min: 1, max: 255 }), (at, value) => {
      expect(isZeroKey(new Uint8Array(32).fill(value, at, at + 1))).toBe(false);
    }),
  );
});
