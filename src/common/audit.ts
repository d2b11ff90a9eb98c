/** The audit log: one JSON line per call, written before the answer leaves. Speaks to stderr or to one file. */
import { CallError, type CallErrorKind, StartError } from "./errors.ts";
import { fileProblem, UnsuitableFileError } from "./file_problem.ts";
import { flushStderr, writeStderr } from "./log.ts";
import { maskSecrets } from "./secrets_mask.ts";

/** What is written of one call. */
export interface AuditRecord {
  /** `stdio`, `loopback`, or the name of the token or the OAuth subject that called. */
  readonly client: string;
  /** What the client says of itself, which nobody checked. */
  readonly clientInfo: string | undefined;
  readonly tool: string;
  readonly arguments: unknown;
  readonly outcome: "ok" | CallErrorKind | "defect";
  readonly rows: number;
  /** Bytes of the answer's text. */
  readonly bytes: number;
  readonly durationMs: number;
}

/** Where the records go. */
export interface AuditLog {
  /** Throws {@linkcode CallError} when the record can't be written: then the answer must not leave. */
  write(record: AuditRecord): void;
  /** Waits until the records so far are out, for a moment where somebody else must take them. */
  readonly settled?: () => Promise<void>;
  /** Why no record can ever be written. */
  readonly problem?: CallError;
  close(): void;
}

/** Milliseconds that an answer waits for whoever reads stderr. */
const stderrMs = 250;

/** Characters of one call's arguments that are kept; the rest is counted. */
const argumentLimit = 16_384;

/** Opens the audit log that `AUDIT_LOG` names: `stderr`, or a file to append to; `program` is its short name. */
export function openAuditLog(destination: string, program: string): AuditLog {
  if (destination === "stderr") {
    return {
      write: (record) => writeStderr(auditLine(record, new Date())),
      settled: () => flushStderr(stderrMs),
      close: () => {},
    };
  }
  // Nobody means a file of that name.
  if (["stdout", "-"].includes(destination)) {
    throw new StartError("AUDIT_LOG must be stderr or a file: the answers go to standard output");
  }
  if (["off", "none", "false", "0"].includes(destination)) {
    throw new StartError("AUDIT_LOG must be stderr or a file: the audit log can't be turned off");
  }
  let file: Deno.FsFile;
  let endsInLine: boolean;
  try {
    endsInLine = endsWithNewline(destination);
    file = Deno.openSync(destination, { append: true, create: true, write: true, mode: 0o600 });
  } catch (error) {
    if (error instanceof StartError) throw error;
    // A missing permission never ends the process: each call says which one.
    if (error instanceof Deno.errors.NotCapable) return unwritable(program, error);
    const why = fileProblem(error, { variable: "AUDIT_LOG", path: destination, use: "write" });
    throw new StartError(`AUDIT_LOG names a file that cannot be opened for appending: ${why}`, {
      cause: error,
    });
  }
  return appendTo(file, () => new Date(), !endsInLine);
}

/** Whether the next record can begin at once; looks at what is there before it is opened, as a pipe would block. */
function endsWithNewline(path: string): boolean {
  let existing: Deno.FileInfo;
  try {
    existing = Deno.statSync(path);
  } catch {
    return true;
  }
  if (existing.isDirectory) throw new UnsuitableFileError("it is a folder");
  if (existing.isFifo === true) throw new StartError("AUDIT_LOG must name a regular file");
  if (!existing.isFile || existing.size === 0) return true;
  try {
    using file = Deno.openSync(path, { read: true });
    file.seekSync(-1, Deno.SeekMode.End);
    const last = new Uint8Array(1);
    file.readSync(last);
    return last[0] === 10;
  } catch {
    return false;
  }
}

/** An audit log that this program may not write. */
function unwritable(program: string, cause: Error): AuditLog {
  const problem = new CallError("unavailable", "Cannot answer as the audit log can't be written", {
    hint:
      `an operator must build this program with deno task compile:${program} --write=FILE, or start it from source ` +
      "with --allow-write=FILE, FILE as AUDIT_LOG names it",
    cause,
  });
  const write = () => {
    throw problem;
  };
  return { write, problem, close: () => {} };
}

/** Appends records to an open file. A record that was written in part is ended before the next one begins. */
export function appendTo(
  file: Pick<Deno.FsFile, "writeSync" | "close">,
  now: () => Date,
  partial = false,
): AuditLog {
  const encoder = new TextEncoder();
  return {
    write(record) {
      let bytes = encoder.encode(`${partial ? "\n" : ""}${auditLine(record, now())}\n`);
      try {
        while (bytes.length > 0) {
          const written = file.writeSync(bytes);
          partial = true;
          bytes = bytes.subarray(written);
        }
        partial = false;
      } catch (error) {
        throw new CallError("unavailable", "Cannot answer as the audit log can't be written", {
          hint: "The operator of this server must make room for the file that AUDIT_LOG names",
          cause: error,
        });
      }
    },
    close: () => file.close(),
  };
}

function auditLine(record: AuditRecord, time: Date): string {
  return JSON.stringify({
    type: "audit",
    time: time.toISOString(),
    client: record.client,
    client_info: record.clientInfo,
    tool: maskSecrets(record.tool),
    arguments: auditedArguments(record.arguments),
    outcome: record.outcome,
    rows: record.rows,
    bytes: record.bytes,
    duration_ms: Math.round(record.durationMs * 10) / 10,
  });
}

/** The arguments with secrets masked; what is larger than the limit becomes its beginning and its size. */
function auditedArguments(value: unknown): unknown {
  const masked = maskStrings(value, 0);
  const text = JSON.stringify(masked) ?? "null";
  return text.length <= argumentLimit
    ? masked
    : { cut: text.slice(0, argumentLimit), characters: JSON.stringify(value).length };
}

/** Arguments of these names hold a secret whatever it looks like. */
const secretName = /passw|secret|token|api_?key|credential|authorization/i;

function masked(value: unknown): unknown {
  return value === null || typeof value === "boolean" ? value : "***";
}

function maskStrings(value: unknown, depth: number): unknown {
  if (typeof value === "string") {
    const kept = value.length <= 2 * argumentLimit ? value : value.slice(0, 2 * argumentLimit);
    const note = kept === value ? "" : `… (${value.length} characters)`;
    return maskSecrets(kept) + note;
  }
  if (value === null || typeof value !== "object") return value;
  if (depth >= 32) return "…";
  if (Array.isArray(value)) return value.slice(0, 1_000).map((item) => maskStrings(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).slice(0, 1_000).map((
      [key, item],
    ) => [
      maskSecrets(key.slice(0, 256)),
      secretName.test(key) ? masked(item) : maskStrings(item, depth + 1),
    ]),
  );
}
