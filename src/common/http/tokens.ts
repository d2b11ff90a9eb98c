/**
 * The accepted bearer tokens: a file of `name:sha256hex` lines, read again when it changes. The tokens themselves are
 * nowhere: a line is enough to recognise one, and useless to whoever steals it.
 */
import { Buffer } from "node:buffer";
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { fileProblem, isFolder, UnsuitableFileError } from "../file_problem.ts";
import { isOutOfHandles } from "../file_handles.ts";
import { StartError } from "../errors.ts";
import type { Logger } from "../log.ts";

/** A token that is accepted; it is revoked when its line goes. */
interface AcceptedToken {
  readonly name: string;
  readonly hash: Uint8Array;
  readonly revocation: AbortController;
}

/** Who presented a token. */
export interface TokenHolder {
  readonly name: string;
  /** Aborts when the token is no longer accepted. */
  readonly revoked: AbortSignal;
}

/** A line of the file, or the file itself, that can't be read. The message holds nothing that the file holds. */
class TokenFileError extends Error {
  override readonly name = "TokenFileError";
}

const maxFileBytes = 1024 * 1024;
const pollMs = 1_000;
/** A file that is being written may be half there: it is looked at again before it counts as bad. */
const secondLookMs = 300;
const randomByteCount = 32;

const tokenLine = /^([A-Za-z0-9._-]{1,64}):([0-9A-Fa-f]{64})$/;
/** A token of {@linkcode newToken}, alone or behind its name. */
const ownToken = /^(?:[A-Za-z0-9._-]{1,64}:)?mcp_[A-Za-z0-9_-]{43}$/;

/** A new token, and the line for the file that `MCP_TOKENS_FILE` names. */
export function newToken(name: string): { readonly token: string; readonly line: string } {
  const token = `mcp_${randomBytes(randomByteCount).toString("base64url")}`;
  return { token, line: `${name}:${sha256(token).toString("hex")}` };
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}

/** Reads the file's text. Throws {@linkcode TokenFileError} with the number of the line that is wrong. */
function parseTokens(text: string): Map<string, Uint8Array> {
  const tokens = new Map<string, Uint8Array>();
  const seen = new Set<string>();
  for (const [at, whole] of text.replace(/^\uFEFF/, "").split(/\r?\n/).entries()) {
    const line = whole.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [, name, hex] = tokenLine.exec(line) ?? [];
    if (name === undefined || hex === undefined) {
      const hint = ownToken.test(line)
        ? ": it holds the token itself, where the second line that --new-token printed belongs"
        : "; --new-token NAME prints such a line, its second";
      throw new TokenFileError(`line ${at + 1} is not name:sha256hex${hint}`);
    }
    if (tokens.has(name)) {
      throw new TokenFileError(
        `line ${at + 1} has a name that another line has: give each token a name of its own`,
      );
    }
    if (seen.has(hex.toLowerCase())) {
      throw new TokenFileError(`line ${at + 1} has a token that another line has: take one of the two out`);
    }
    seen.add(hex.toLowerCase());
    tokens.set(name, Buffer.from(hex, "hex"));
  }
  if (tokens.size === 0) {
    throw new TokenFileError("it holds no token: add the second line that --new-token NAME prints");
  }
  return tokens;
}

/** The file, while the program runs. */
export class TokenFile {
  readonly #path: string;
  readonly #log: Logger;
  #tokens: readonly AcceptedToken[] = [];
  /** What the file held when it was last looked at; undefined when it could not be read. */
  #lastText: string | undefined;
  /** Which file, of which size and time, that was. */
  #lastState: string | undefined;
  /** Why nobody is accepted, while nobody is. */
  #complaint: string | undefined;
  #warnedOfMode: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  private constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  /** Reads the file for the first time. Throws {@linkcode StartError} when it is missing, bad or empty. */
  static async open(path: string, log: Logger): Promise<TokenFile> {
    const file = new TokenFile(path, log);
    try {
      const text = await file.#read();
      file.#accept(parseTokens(text), text);
    } catch (error) {
      throw new StartError(`MCP_TOKENS_FILE names a file that can't be used: ${explain(error, path)}`, {
        cause: error,
      });
    }
    file.#watch();
    return file;
  }

  /** How many tokens are accepted now. */
  get size(): number {
    return this.#tokens.length;
  }

  /** Whose token it is. The time it takes does not depend on which bytes are right. */
  holder(token: string): TokenHolder | undefined {
    const hash = sha256(token);
    let found: AcceptedToken | undefined;
    for (const candidate of this.#tokens) {
      if (timingSafeEqual(hash, candidate.hash)) found = candidate;
    }
    return found === undefined ? undefined : { name: found.name, revoked: found.revocation.signal };
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #read(): Promise<string> {
    const info = await Deno.stat(this.#path);
    if (info.isDirectory) throw new UnsuitableFileError("it is a folder");
    if (!info.isFile) throw new TokenFileError("it is not a regular file");
    if (info.size > maxFileBytes) throw new TokenFileError("it is larger than 1 MB");
    this.#warnOfMode(info.mode);
    const bytes = await Deno.readFile(this.#path);
    // As it was before: a change in between is seen as one.
    this.#lastState = stateOf(info);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw new TokenFileError("it is not UTF-8");
    }
  }

  /** Whether the file could not be opened for want of handles, and is the one that was read last. */
  async #isOutOfReach(error: unknown): Promise<boolean> {
    if (!isOutOfHandles(error)) return false;
    const info = await Deno.stat(this.#path).catch(() => undefined);
    return info !== undefined && stateOf(info) === this.#lastState;
  }

  #warnOfMode(mode: number | null): void {
    const others = mode === null ? 0 : mode & 0o022;
    if (others !== 0 && this.#warnedOfMode !== others) {
      this.#log.warn(
        "users other than its owner can write the file that MCP_TOKENS_FILE names, and so let themselves in",
        {
          mode: ((mode ?? 0) & 0o777).toString(8),
        },
      );
    }
    this.#warnedOfMode = others;
  }

  #watch(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#look(), pollMs);
  }

  async #look(isSecond = false): Promise<void> {
    try {
      const text = await this.#read();
      if (text !== this.#lastText || this.#complaint !== undefined) this.#accept(parseTokens(text), text);
      this.#watch();
    } catch (error) {
      if (this.#isClosed) return;
      if (this.#complaint === undefined && await this.#isOutOfReach(error)) return this.#watch();
      if (!isSecond && this.#complaint === undefined) {
        this.#timer = setTimeout(() => void this.#look(true), secondLookMs);
        return;
      }
      this.#acceptNobody(explain(error, this.#path));
      this.#watch();
    }
  }

  #accept(tokens: ReadonlyMap<string, Uint8Array>, text: string): void {
    const before = this.#tokens;
    const kept = (name: string, hash: Uint8Array) =>
      before.find((token) => token.name === name && timingSafeEqual(token.hash, hash));
    this.#tokens = [...tokens].map(([name, hash]) =>
      kept(name, hash) ?? { name, hash, revocation: new AbortController() }
    );
    if (this.#lastText !== undefined || this.#complaint !== undefined) {
      const names = { accepted: this.#tokens.length };
      if (this.#complaint === undefined) this.#log.info("the token file has changed", names);
      else this.#log.warn("the token file can be read again", names);
    }
    this.#complaint = undefined;
    this.#lastText = text;
    for (const token of before) if (!this.#tokens.includes(token)) token.revocation.abort();
  }

  #acceptNobody(complaint: string): void {
    const before = this.#tokens;
    this.#tokens = [];
    this.#lastText = undefined;
    if (this.#complaint === undefined) {
      this.#log.error("nobody is accepted, as the file that MCP_TOKENS_FILE names can't be used", {
        reason: complaint,
      });
    }
    this.#complaint = complaint;
    for (const token of before) token.revocation.abort();
  }
}

function stateOf({ dev, ino, size, mtime, ctime }: Deno.FileInfo): string {
  return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join();
}

function explain(error: unknown, path: string): string {
  if (error instanceof TokenFileError) return error.message;
  if (ownToken.test(path) || tokenLine.test(path)) {
    return "it is a token, and not a file's path; write the line that --new-token prints into a file";
  }
  return fileProblem(error, { variable: "MCP_TOKENS_FILE", path, use: "read", hasFolder: isFolder });
}
