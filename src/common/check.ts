/** `--check`: the backend's own word, and what this program's own settings would make of a start. Writes to stdout. */
import { checkHint } from "./check_hint.ts";
import type { AuditLog } from "./audit.ts";
import { commandLine } from "./client_configuration.ts";
import type { Environment } from "./env.ts";
import type { HttpFront } from "./http/serve.ts";
import { type CheckResult, type Say, worst } from "./check_result.ts";
import type { Backend, Program } from "./program.ts";
import { secretFilesToClose } from "./secret_files.ts";
import { ended } from "./sentence.ts";
import { settingsLine } from "./settings_line.ts";
import { plural } from "./units.ts";

/** What is checked. */
export interface Checked {
  readonly backend: Backend;
  /** What `--http` would serve. */
  readonly http: HttpFront | undefined;
  /** Tokens in the file that is named though nothing is served over HTTP. */
  readonly tokens: number | undefined;
  /** An issuer is named, though nothing is served over HTTP. */
  readonly issuerIsIdle: boolean;
  readonly audit: AuditLog;
  /** What was read of the environment while it could be. */
  readonly known: KnownSettings;
}

/** What the environment says, which is given up before the backend is asked. */
export interface KnownSettings {
  readonly settings: string;
  /** How a client starts the program. */
  readonly start: string;
  /** What is to be said of files that others can read or write. */
  readonly openFiles: readonly string[];
}

/** Reads what only the environment and the files know. */
export function knownSettings(program: Program, environment: Environment): KnownSettings {
  return {
    settings: settingsLine(program, environment),
    // A client starts programs in a folder of its own: with another path than this it finds none.
    start: program.sample === undefined
      ? `A client starts it as ${commandLine(program)}; --print-config prints what to paste.`
      : "For a client, deno task demo ends with what to paste.",
    openFiles: secretFilesToClose(program, environment),
  };
}

/** Says what was found; what the program could not work with makes it `down`. */
export async function check(checked: Checked, say: Say): Promise<CheckResult> {
  const { backend, http, tokens, issuerIsIdle, audit, known } = checked;
  const results: CheckResult[] = [await backend.check(say)];
  if (http !== undefined) results.push(await http.check(say));
  if (tokens !== undefined) {
    say(`The token file accepts ${plural(tokens, "token")}; only --http requires one.`);
  }
  if (issuerIsIdle) say("MCP_OAUTH_ISSUER was not contacted: --http --check does that.");
  if (audit.problem !== undefined) {
    say(ended(`Each call would be refused: ${audit.problem.message}`));
    const hint = checkHint(audit.problem);
    if (hint !== undefined) say(hint);
    results.push("down");
  }
  for (const line of known.openFiles) {
    say(line);
    results.push("wanting");
  }
  const result = worst(results);
  if (result === "well") say("All is well.");
  say(known.settings);
  say(known.start);
  return result;
}
