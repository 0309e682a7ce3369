// Reads the lines of a configuration file into a draft: sections, keys, and every mistake put into its place. All of a file is
// read, whatever is wrong with it; the first mistake of a line is told.

import type { ConfigDraft, ConfigSurroundings, PeerDraft } from "./config-draft.js";
import {
  type ConfigKey,
  configKeys,
  findKey,
  findSection,
  keyKeys,
  keyNames,
  type SectionName,
  sectionNames,
} from "./config-keys.js";
import { type ConfigLine, LineKind, type Span } from "./config-lines.js";
import { daemonSetters, interfaceSetters, peerSetters, type Setter } from "./config-settings.js";
import { ConfigError, ConfigErrorCode } from "./errors.js";
import { hidden, looksSecret, quoteUnlessSecret } from "./secret-text.js";
import { suggest } from "./suggest.js";

const FRIENDLY_NAME_LENGTH_MAX = 128;
/** Characters of a key that are too many to be shown. */
const FRAGMENT_LENGTH = 12;
const pathKeys: ReadonlySet<string> = new Set(["PrivateKeyFile", "PresharedKeyFile", "StateDirectory"]);
/** Of wg(8) this one alone, and all of wg-quick(8), say nothing when nothing stands behind the equals sign. */
const mayBeEmpty = ({ name, owner }: ConfigKey): boolean => owner === "wg-quick" || name === "AllowedIPs";

export class ConfigReader {
  readonly #draft: ConfigDraft;
  /** Of the section that is read; undefined: none was begun, or an unknown one. */
  #section: SectionName | undefined;
  #isUnknownSection = false;
  readonly #setters: Readonly<Record<SectionName, Readonly<Record<string, Setter>>>>;
  /** Line by key, of those that may stand only once in this section. */
  #seen = new Map<string, number>();
  #peer: PeerDraft | undefined;
  #daemonLine = 0;

  constructor(draft: ConfigDraft, around: ConfigSurroundings) {
    this.#draft = draft;
    const each = (part: Span, set: (text: string) => void): void => this.#try(part, "value", () => set(part.text()));
    this.#setters = {
      Interface: interfaceSetters(draft, around, each),
      Peer: peerSetters(draft, around, each),
      Daemon: daemonSetters(draft, each),
    };
  }

  read(line: ConfigLine): void {
    switch (line.kind) {
      case LineKind.Section:
        this.#try(line.content, "section", () => this.#startSection(line.content));
        break;
      case LineKind.Setting:
        this.#readSetting(line);
        break;
      case LineKind.FriendlyName:
        this.#readFriendlyName(line.content);
        break;
      default:
        this.#try(line.content, "line", () => this.#refuseLine(line.content));
    }
  }

  /** Runs `action` for what stands at `at`; what it throws becomes a problem there. */
  #try(at: Span, what: string, action: () => void): void {
    try {
      if (!at.isUtf8()) throw problem(`${what}: bytes that are no UTF-8`, "the file in UTF-8");
      action();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#draft.errors.push(at.problem(messageOf(error, at, what)));
    }
  }

  #startSection(content: Span): void {
    const text = content.text();
    const exact = findSection(text);
    const name = exact ?? suggest(text.replace(/[[\]\s]/g, ""), sectionNames); //  its lines are read as what was meant
    this.#seen = new Map();
    this.#peer = undefined;
    this.#section = name;
    this.#isUnknownSection = name === undefined;
    switch (name) {
      case "Interface":
        this.#onlyOnce("[Interface]", this.#draft.section?.line);
        this.#draft.section = content;
        break;
      case "Peer":
        this.#peer = { section: content, publicKeyFailed: false, allowedIps: [] };
        this.#draft.peers.push(this.#peer);
        break;
      case "Daemon":
        this.#onlyOnce("[Daemon]", this.#daemonLine || undefined);
        this.#daemonLine = content.line;
        break;
    }
    if (exact === undefined) throw unknownSection(text, name);
  }

  #onlyOnce(section: string, line: number | undefined): void {
    if (line !== undefined)
      throw problem(`second ${section}, the first is in line ${line}`, "everything into the first");
  }

  #readSetting({ content, key, value }: ConfigLine): void {
    let known: ConfigKey | undefined;
    this.#try(key.isEmpty ? content : key, "key", () => {
      known = this.#knownKey(key, value, content);
    });
    if (known === undefined) return;
    const { name, section } = known;
    const set = this.#setters[section][name] as Setter;
    if (value.isEmpty) {
      this.#readEmpty(known, key);
      return;
    }
    if (keyKeys.has(name)) this.#trySecret(value, set);
    else this.#try(value, name, () => set(value));
  }

  /** @returns undefined when there is nothing more to say of the line. */
  #knownKey(key: Span, value: Span, content: Span): ConfigKey | undefined {
    if (this.#isUnknownSection) return undefined;
    const text = key.text();
    if (this.#section === undefined)
      throw problem(`key ${quoteUnlessSecret(text)} outside of any section`, "[Interface] above it");
    const known = findKey(this.#section, text);
    if (known === undefined && value.isEmpty && text.length >= FRAGMENT_LENGTH) {
      //  Base64 ends in an equals sign: the second line of a key that was broken in two looks like this.
      throw problem(`line ${hidden(content.text())} is no setting`, "Key = value");
    }
    if (known === undefined) throw this.#unknownKey(text, this.#section);
    if (known.repeats) return known;
    const line = this.#seen.get(known.name);
    if (line !== undefined)
      throw problem(`second ${known.name} in this section, the first is in line ${line}`, "it once");
    this.#seen.set(known.name, key.line);
    return known;
  }

  #unknownKey(text: string, section: SectionName): ConfigError {
    if (text === "") return problem("nothing before the equals sign", "Key = value");
    const elsewhere = configKeys.find((key) => key.name.toLowerCase() === text.toLowerCase());
    if (elsewhere !== undefined) {
      return problem(`${elsewhere.name} is no key of [${section}]`, `it in [${elsewhere.section}]`);
    }
    const name = `unknown key ${quoteUnlessSecret(text)} in [${section}]`;
    const meant = suggest(text, keyNames(section));
    if (meant === undefined) return problem(name, `one of ${keyNames(section).join(", ")}`);
    this.#keyFailed(meant);
    return didYouMean(name, meant);
  }

  /** What was meant to be a key is not missed as well. */
  #keyFailed(name: string): void {
    if (name.startsWith("PrivateKey")) this.#draft.privateKeyFailed = true;
    if (name === "PublicKey" && this.#peer !== undefined) this.#peer.publicKeyFailed = true;
  }

  /** The value is not looked at as text; its place and length are all that a message may tell. */
  #trySecret(value: Span, set: Setter): void {
    try {
      set(value);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#draft.errors.push(value.problem(error.message));
    }
  }

  #readEmpty(known: ConfigKey, key: Span): void {
    const { name } = known;
    if (mayBeEmpty(known)) {
      this.#draft.warnings.push(key.problem(`${name} has no value and says nothing; write one, or leave it out`));
    } else {
      this.#draft.errors.push(key.problem(`${name} has no value; write one, or leave it out`));
    }
    this.#keyFailed(name);
  }

  #refuseLine(content: Span): void {
    const text = content.text();
    if (/^(;|\/\/)/.test(text))
      throw problem(`line ${quoteUnlessSecret(text)} is no setting`, "# in front of a comment");
    const [word = ""] = text.split(/\s/);
    const known = configKeys.find((key) => key.name.toLowerCase() === word.toLowerCase());
    if (known !== undefined) this.#keyFailed(known.name);
    if (known !== undefined) throw problem(`${known.name} without an equals sign`, `${known.name} = value`);
    throw problem(`line ${quoteUnlessSecret(text)} is no setting`, "Key = value, [Section], or # and a comment");
  }

  #readFriendlyName(name: Span): void {
    const warn = (message: string): void => void this.#draft.warnings.push(name.problem(message));
    if (this.#peer === undefined) {
      warn("friendly_name outside of a [Peer] names nothing; write it below the [Peer] that it is for");
      return;
    }
    if (!name.isUtf8()) warn("friendly_name has bytes that are no UTF-8, which become question marks; write UTF-8");
    const text = name.text().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "");
    if (text === "") return;
    if (text.length > FRIENDLY_NAME_LENGTH_MAX) {
      warn(`friendly_name is cut to ${FRIENDLY_NAME_LENGTH_MAX} characters; write a shorter one`);
    }
    const earlier = this.#peer.friendlyName;
    if (earlier !== undefined) {
      warn(`second friendly_name of this peer, the first is in line ${earlier.span.line}; the last one counts`);
    }
    this.#peer.friendlyName = { value: [...text].slice(0, FRIENDLY_NAME_LENGTH_MAX).join(""), span: name };
  }
}

function unknownSection(text: string, meant: SectionName | undefined): ConfigError {
  const name = `unknown section ${quoteUnlessSecret(text)}`;
  return meant === undefined ? problem(name, "[Interface], [Peer] or [Daemon]") : didYouMean(name, `[${meant}]`);
}

function didYouMean(what: string, meant: string): ConfigError {
  return new ConfigError(ConfigErrorCode.File, what, meant, `did you mean ${meant}?`);
}

/** A text that could be a key is not repeated, whatever was expected in its place. */
function messageOf(error: ConfigError, at: Span, what: string): string {
  if (what === "key" || what === "line" || what === "section") return error.message;
  const text = at.text();
  const isPath = pathKeys.has(what) && /^\.{0,2}\//.test(text) && !/^[A-Za-z0-9+/]{42,44}=?$/.test(text);
  const isSecret = isPath ? text.split("/").some(looksSecret) : looksSecret(text);
  if (!isSecret) return error.message;
  return `${what} ${hidden(text)}; write ${error.expected}`;
}

function problem(what: string, expected: string): ConfigError {
  return new ConfigError(ConfigErrorCode.File, what, expected);
}
