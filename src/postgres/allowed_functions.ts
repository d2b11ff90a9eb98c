/**
 * `DB_ALLOW_FUNCTIONS`: functions and foreign tables that an operator vouches for by name, as `name`, `schema.name` or
 * `schema.name(argument types)`. What PostgreSQL or an extension brings and is known to act stays refused all the same.
 */
import { StartError } from "../common/errors.ts";
import { refusedReason } from "./functions.ts";
import { quoteIdentifier, unquoteIdentifier } from "./identifier.ts";

/** What stands allowed by name, each as {@linkcode key}. */
export type Allowed = ReadonlySet<string>;

/** One entry, its names as PostgreSQL reads them: folded to lower case (of ASCII) unless quoted. */
export interface AllowedEntry {
  readonly schema: string | undefined;
  readonly name: string;
  /** Argument types without blanks; undefined where all functions of the name are meant. */
  readonly types: string | undefined;
}

/** Allowed names as they are compared. */
export function allowedNames(names: readonly string[]): Allowed {
  return new Set(names.flatMap((name) => {
    const entry = readEntry(name);
    return entry === undefined ? [] : [key(entry.schema, entry.name, entry.types)];
  }));
}

/** Whether an object is allowed by name: its names as they are, not folded. */
export function isAllowed(
  allowed: Allowed,
  schema: string,
  name: string,
  argumentTypes?: string,
  { needsSchema = false } = {},
): boolean {
  if (allowed.size === 0) return false;
  const types = argumentTypes === undefined ? [] : [fold(argumentTypes)];
  return (needsSchema ? [schema] : [undefined, schema]).some((each) =>
    [undefined, ...types].some((type) => allowed.has(key(each, name, type)))
  );
}

/** What allows one function, or a foreign table, alone. */
export function allowHint(schema: string, name: string, argumentTypes?: string): string {
  const types = argumentTypes === undefined ? "" : `(${argumentTypes})`;
  return `A person who knows that it only reads can allow it: DB_ALLOW_FUNCTIONS=${quoted(schema)}.${
    quoted(name)
  }${types}`;
}

/** Throws {@linkcode StartError} for an entry that is no name, or names what no setting allows. */
export function requireAllowable(names: readonly string[]): void {
  for (const [at, text] of names.entries()) {
    const entry = readEntry(text);
    if (entry === undefined) {
      throw new StartError(
        `DB_ALLOW_FUNCTIONS must hold names, such as schema.name or schema.name(types), separated by commas: entry ${
          at + 1
        } is none`,
      );
    }
    const { schema = "pg_catalog", name, types } = entry;
    const reason = schema === "pg_catalog" ? refusedReason(name, argumentCount(types)) : undefined;
    if (reason !== undefined && reason.reads !== true) {
      throw new StartError(
        `DB_ALLOW_FUNCTIONS can't allow its entry ${at + 1}, as ${reason.because}: take it out${
          entry.schema === undefined ? ", or write the schema of a function of your own" : ""
        }`,
      );
    }
  }
}

/** `name`, `"Name"`, either after a schema, with types in parentheses or without; undefined for all else. */
export function readEntry(text: string): AllowedEntry | undefined {
  const match = ENTRY.exec(fold(text));
  if (match === null) return undefined;
  const [, schema, name = "", types] = match;
  return {
    schema: schema === undefined ? undefined : unquoteIdentifier(schema),
    name: unquoteIdentifier(name),
    types,
  };
}

const ENTRY = /^(?:("(?:[^"]|"")+"|[^".()]+)\.)?("(?:[^"]|"")+"|[^".()]+)(?:\((.*)\))?$/s;

/** Unambiguous, whatever is in the names. */
function key(schema: string | undefined, name: string, types: string | undefined): string {
  return JSON.stringify([schema ?? null, name, types ?? null]);
}

/** Without spaces and in lower case (of ASCII), except between quotes. */
export function fold(text: string): string {
  return text.replace(
    /("(?:[^"]|"")*")|\s+|[A-Z]/g,
    (found, quoted?: string) => quoted ?? found.trim().toLowerCase(),
  );
}

function quoted(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : quoteIdentifier(name);
}

function argumentCount(types: string | undefined): number | undefined {
  return types === undefined ? undefined : types === "" ? 0 : types.split(",").length;
}
