/** Which PostgreSQL server postgres-mcp talks to, and what one call may cost: the `DB_*` variables or `DATABASE_URL`. */
import type { Environment, Secret } from "../common/env.ts";
import { StartError } from "../common/errors.ts";
import { parseConnectionUri } from "./connection_uri.ts";

/** libpq's sslmodes that postgres-mcp knows: https://www.postgresql.org/docs/current/libpq-ssl.html */
export const sslModes = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;
export type SslMode = (typeof sslModes)[number];

/** libpq's target_session_attrs: https://www.postgresql.org/docs/current/libpq-connect.html */
export const sessionAttributes = [
  "any",
  "read-write",
  "read-only",
  "primary",
  "standby",
  "prefer-standby",
] as const;
export type SessionAttributes = (typeof sessionAttributes)[number];

/** One server, or the folder of its Unix socket when `host` begins with a slash. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** How to reach the database. */
export interface DatabaseSettings {
  readonly hosts: readonly ServerAddress[];
  readonly database: string;
  readonly user: string;
  /** Asked again for each connection, so that a rotated file is picked up. */
  readonly password: Secret;
  readonly sslMode: SslMode;
  /** PEM text of the certificate authorities to trust. */
  readonly sslRootCert: string | undefined;
  readonly targetSessionAttrs: SessionAttributes;
  readonly poolSize: number;
  readonly statementTimeoutMs: number;
  /** The most rows one call may ask for, and the number it gets when it asks for none. */
  readonly maxRows: number;
  /** Functions and foreign tables that are allowed by name: `name`, `schema.name` or `schema.name(types)`. */
  readonly allowFunctions: readonly string[];
}

const separateVariables = [
  "DB_HOST",
  "DB_PORT",
  "DB_NAME",
  "DB_USER",
  "DB_PASSWORD",
  "DB_PASSWORD_FILE",
] as const;

/** Reads the settings. Throws {@linkcode StartError} for a variable that is set but wrong. */
export function readDatabaseSettings(environment: Environment): DatabaseSettings {
  const url = environment.secret("DATABASE_URL");
  const common = {
    poolSize: environment.integer("DB_POOL_SIZE", { fallback: 4, min: 1, max: 100 }),
    statementTimeoutMs: environment.integer("STATEMENT_TIMEOUT_MS", {
      fallback: 30_000,
      min: 1,
      max: 3_600_000,
    }),
    maxRows: environment.integer("MAX_ROWS", { fallback: 200, min: 1, max: 100_000 }),
    allowFunctions: environment.list("DB_ALLOW_FUNCTIONS"),
  };
  const sslMode = environment.choice("DB_SSLMODE", sslModes, "prefer");
  const sslRootCert = environment.file("DB_SSLROOTCERT");

  const uri = url();
  if (uri !== undefined) {
    const both = separateVariables.find((name) => environment.text(name) !== undefined);
    if (both !== undefined) throw new StartError(`DATABASE_URL and ${both} are both set: unset one of them`);
    const parsed = parseConnectionUri(uri);
    if (parsed.sslRootCertPath !== undefined) {
      throw new StartError("DATABASE_URL names sslrootcert: name that file in DB_SSLROOTCERT instead");
    }
    const user = parsed.user ?? "postgres";
    return {
      ...common,
      hosts: parsed.hosts,
      database: parsed.database ?? user,
      user,
      // The whole URL may come from a file that is rotated.
      password: () => {
        const current = url();
        return current === undefined ? undefined : parseConnectionUri(current).password;
      },
      sslMode: parsed.sslMode ?? sslMode,
      sslRootCert,
      targetSessionAttrs: parsed.targetSessionAttrs ?? "any",
    };
  }
  return {
    ...common,
    hosts: [{
      host: environment.text("DB_HOST") ?? "localhost",
      port: environment.integer("DB_PORT", { fallback: 5432, min: 1, max: 65_535 }),
    }],
    database: environment.text("DB_NAME") ?? "tododb",
    user: environment.text("DB_USER") ?? "postgres",
    password: environment.secret("DB_PASSWORD"),
    sslMode,
    sslRootCert,
    targetSessionAttrs: "any",
  };
}
