/**
 * Redacts a log line by line, and what a line alone does not show: a private key that spans lines, and a value on the line
 * after its name.
 */
import { isCredentialName } from "./credential_name.ts";
import { isHarmlessValue } from "./credential_value.ts";
import { MASK, redactText, UNSEEN } from "./redact_text.ts";

const TIMESTAMP = /^\d{4}-\d\d-\d\dT[\d:.]{1,24}(?:Z|[+-]\d\d:\d\d) /;

/** Redacts a log, line by line, with or without the kubelet's timestamps. */
export interface LogRedactor {
  /** One line without its line break; a private key that spans lines is masked in all of them. */
  line(line: string): string;
}

/**
 * A redactor for the lines of one container, in their order. A private key is recognized by its first line, and, where
 * the log starts in its midst, by full lines of base64.
 */
export function createLogRedactor(): LogRedactor {
  const keys = new PrivateKeys();
  const names = new WaitingNames();
  const secrets = new PrintedSecrets();
  return {
    line(line) {
      // A field can hold a million line breaks.
      if (line.trim() === "") return names.masked("") ?? line;
      const stamp = TIMESTAMP.exec(line.slice(0, 48))?.[0] ?? "";
      const text = line.slice(stamp.length);
      // Without its colours, which would hide both.
      const bare = text.replace(UNSEEN, "").trimEnd();
      const masked = keys.masked(bare) ?? names.masked(bare) ?? secrets.masked(bare);
      return stamp + redactText(masked ?? text);
    },
  };
}

const KEY_BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
const KEY_END = /-----END [A-Z0-9 ]{0,40}-----/;
const KEY_HEADER = /^(?:Proc-Type|DEK-Info|Version|Comment|Hash): /;
const KEY_BODY = /^[A-Za-z0-9+/]{1,16384}={0,2}$/;
/** Part of a key in quotes or with a logger's fields around it. */
const KEY_PART =
  /(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{40,16384}={0,2}|[A-Za-z0-9+/]{4,16384}={1,2}(?=["'`\\]|\s*$))(?![A-Za-z0-9+/=])/;
/** Some write a key on one line. */
const longestKeyLine = 16_400;
/** Characters of a full line of a key: PEM's, base64's of old, and OpenSSH's. */
const fullLines = [64, 70, 76];
const HEXADECIMAL = /^[0-9a-f]*$/i;

class PrivateKeys {
  #inKey = false;

  /** The line with what belongs to a key masked; undefined where nothing does. */
  masked(text: string): string | undefined {
    const begin = KEY_BEGIN.exec(text);
    if (begin !== null) {
      this.#inKey = !KEY_END.test(text.slice(begin.index));
      return text;
    }
    const end = KEY_END.exec(text);
    if (this.#inKey && end !== null) {
      this.#inKey = false;
      return MASK + text.slice(end.index + end[0].length);
    }
    const last = text.slice(-longestKeyLine).replace(/^.*[\s"'|:>]/, "");
    const isWhole = last.length === text.trim().length;
    // A logger's prefix may stand before each line of the key.
    const body = KEY_BODY.test(last) && (last.length >= 24 || isWhole);
    const full = isWhole && fullLines.includes(last.length) && !HEXADECIMAL.test(last) &&
      /[a-z]/.test(last) && /[A-Z]/.test(last) && KEY_BODY.test(last);
    if (this.#inKey ? body : full) {
      this.#inKey = true;
      return text.slice(0, text.length - last.length) + MASK;
    }
    if (this.#inKey && text.length <= longestKeyLine && KEY_PART.test(text)) {
      return text.replace(KEY_PART, MASK);
    }
    if (!this.#inKey || text.trim() === "" || KEY_HEADER.test(text)) return undefined;
    this.#inKey = false;
    return undefined;
  }
}

/** A name, and nothing after it but the sign that its value follows. */
const NAME_ALONE =
  /^[\s\-"'{,]{0,256}([A-Za-z_][\w. -]{1,63})(?:\\{0,7}["'])?[ \t]{0,64}(?::|=>?)[ \t]{0,64}([|>][+-]?\d?[+-]?|\\)?$/;
/** A name at the end of a sentence: `use the following password to proceed:`. */
const ANNOUNCED = /\b(?:passw(?:or)?d|passphrase|token|secret|api key)\b[^:=]{0,80}:$/i;
const FLAG_ALONE = /(?:^|[\s"'])(--[A-Za-z][\w.-]{1,63})["']?,?[ \t]{0,8}\\?$/;
const PAIR_NAME =
  /^[\s\-"'{]{0,256}(?:name|key)["']?[ \t]{0,8}[:=][ \t]{0,8}["']?([A-Za-z_][\w.-]{1,127})["']?,?$/i;
const PAIR_VALUE = /^([\s"']{0,256}value["']?[ \t]{0,8}[:=][ \t]{0,8}["']?)([^\s"'][^"'\r\n]{0,65536})/i;
const TOKEN = /^(\s{0,256}(?:- )?["'`]?)([^\s"'`]{4,4096})(["'`]?[,;)\]}]{0,3})$/;
/** What follows the name of a credential and is none: another name, an exception's class, a path. */
const NO_VALUE = /^(?:[A-Za-z_][\w.-]{0,63}[:=]|(?:[\w$]+\.)+[A-Z][\w$]*:?$|(?:\/[\w.-]+){2,}$|\*{3})/;
/** Empty lines that may stand between a name and its value. */
const emptyLines = 2;

type Wait =
  | { readonly for: "token" | "announced"; empty: number }
  | { readonly for: "block"; readonly deeperThan: number }
  | { readonly for: "pair" };

class WaitingNames {
  #wait: Wait | undefined;

  /** The line with the value masked whose name was on the one before; undefined where there is none. */
  masked(text: string): string | undefined {
    const wait = this.#wait;
    if (text.trim() === "") {
      if (wait?.for === "pair" || (wait !== undefined && "empty" in wait && ++wait.empty > emptyLines)) {
        this.#wait = undefined;
      }
      return undefined;
    }
    const masked = wait === undefined ? undefined : maskedFor(wait, text);
    if (wait?.for !== "block" || masked === undefined) {
      this.#wait = masked === undefined ? waitAfter(text) : undefined;
    }
    return masked;
  }
}

function waitAfter(text: string): Wait | undefined {
  if (text.length > 1024) return undefined;
  const pair = PAIR_NAME.exec(text)?.[1];
  if (pair !== undefined) return isCredentialName(pair) ? { for: "pair" } : undefined;
  const alone = NAME_ALONE.exec(text);
  if (alone !== null && !/\s/.test(alone[1] ?? "") && isCredentialName(alone[1] ?? "")) {
    return /^[|>]/.test(alone[2] ?? "")
      ? { for: "block", deeperThan: indentOf(text) }
      : { for: "token", empty: 0 };
  }
  const flag = FLAG_ALONE.exec(text)?.[1];
  if (flag !== undefined && isCredentialName(flag)) return { for: "token", empty: 0 };
  return ANNOUNCED.test(text.slice(-256)) ? { for: "announced", empty: 0 } : undefined;
}

function maskedFor(wait: Wait, text: string): string | undefined {
  if (wait.for === "block") {
    const indent = indentOf(text);
    return indent > wait.deeperThan ? text.slice(0, indent) + MASK : undefined;
  }
  if (wait.for === "pair") {
    const [, before, value = ""] = PAIR_VALUE.exec(text) ?? [];
    return before === undefined || isHarmlessValue(value)
      ? undefined
      : before + MASK + text.slice(before.length + value.length);
  }
  const [, before, value = "", after] = TOKEN.exec(text) ?? [];
  if (before === undefined || NO_VALUE.test(value) || isHarmlessValue(value)) return undefined;
  if (wait.for === "announced" && (value.length < 8 || !/\d/.test(value))) return undefined;
  return before + MASK + after;
}

const KIND = /^[ \t-]{0,64}kind:[ \t]{1,8}(\w{1,64})[ \t]{0,64}$/;
const DATA = /^([ \t]{0,256})(data|stringData):[ \t]{0,64}$/;
const DATUM = /^([ \t]{1,256}["']?[\w.-]{1,253}["']?:[ \t]{1,8})([^ \t].{0,65536})$/;
const BASE64 =
  /^(?:[A-Za-z0-9+/]{4}){1,16384}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$|^[A-Za-z0-9+/]{2,3}={1,2}$/;

/** Values of a Secret that was printed as YAML, in which its kind follows its data. */
class PrintedSecrets {
  #isSecret = false;
  #below: { readonly indent: number; readonly plain: boolean } | undefined;

  /** The line with its value masked; undefined where it belongs to no Secret. */
  masked(text: string): string | undefined {
    const [, indent = "", part] = DATA.exec(text.slice(0, 512)) ?? [];
    if (part !== undefined) {
      this.#below = { indent: indent.length, plain: part === "stringData" };
      return undefined;
    }
    const kind = KIND.exec(text.slice(0, 256))?.[1];
    if (kind !== undefined || text.startsWith("---")) this.#isSecret = kind?.endsWith("Secret") === true;
    if (this.#below === undefined || text.trim() === "") return undefined;
    if (indentOf(text) <= this.#below.indent) {
      this.#below = undefined;
      return undefined;
    }
    const [, before, value = ""] = DATUM.exec(text) ?? [];
    if (before === undefined) {
      return this.#below.plain || this.#isSecret || isLongText(text.trim()) ? maskAll(text) : undefined;
    }
    const isSecret = this.#below.plain || this.#isSecret || isText(value);
    return isSecret && !isHarmlessValue(value) ? before + MASK : undefined;
  }
}

function maskAll(text: string): string {
  return text.slice(0, indentOf(text)) + MASK;
}

/** Whether it is a text in base64, which a word of a ConfigMap is not. */
function isText(value: string): boolean {
  return BASE64.test(value) && /^[\t\n\r\x20-\x7e]+$/.test(atob(value));
}

/** In a block scalar, where a ConfigMap may have a word on a line. */
function isLongText(line: string): boolean {
  return (line.length >= 16 || line.endsWith("=")) && isText(line);
}

function indentOf(text: string): number {
  return text.length - text.trimStart().length;
}
