/** Reads libpq's connection URIs: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS */
import { StartError } from "../common/errors.ts";
import {
  type ServerAddress,
  type SessionAttributes,
  sessionAttributes,
  type SslMode,
  sslModes,
} from "./settings.ts";

/** What a URI says; what it leaves out is undefined. */
export interface ConnectionUri {
  readonly hosts: readonly ServerAddress[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  readonly sslMode: SslMode | undefined;
  readonly sslRootCertPath: string | undefined;
  readonly targetSessionAttrs: SessionAttributes | undefined;
}

/** Parameters that change nothing here, so that URIs of managed services can be pasted as they are. */
const ignoredParameters = new Set(["application_name", "connect_timeout", "keepalives", "gssencmode"]);

/**
 * Parses a URI. Throws {@linkcode StartError}, which names the part that is wrong and never its value.
 * As in libpq, special characters in the user, password, database and host must be percent-encoded.
 */
export function parseConnectionUri(uri: string): ConnectionUri {
  const match = /^postgres(?:ql)?:\/\/([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(uri.trim());
  if (match === null) {
    throw new StartError("DATABASE_URL must have the form postgres://user:password@host:port/database");
  }
  const [, authority = "", path = "", query = ""] = match;
  const at = authority.lastIndexOf("@");
  const userInfo = at < 0 ? "" : authority.slice(0, at);
  const colon = userInfo.indexOf(":");
  const parameters = readParameters(query);
  const hostText = authority.slice(at + 1);
  return {
    hosts: readHosts(hostText === "" ? parameters.get("host") ?? "" : hostText, parameters.get("port")),
    user: nonEmpty(decode(colon < 0 ? userInfo : userInfo.slice(0, colon), "user")) ?? parameters.get("user"),
    password: nonEmpty(decode(colon < 0 ? "" : userInfo.slice(colon + 1), "password")) ??
      parameters.get("password"),
    database: nonEmpty(decode(path, "database")) ?? parameters.get("dbname"),
    sslMode: oneOf("sslmode", sslModes, parameters.get("sslmode")),
    sslRootCertPath: parameters.get("sslrootcert"),
    targetSessionAttrs: oneOf(
      "target_session_attrs",
      sessionAttributes,
      parameters.get("target_session_attrs"),
    ),
  };
}

const knownParameters = new Set([
  "dbname",
  "host",
  "password",
  "port",
  "sslmode",
  "sslrootcert",
  "target_session_attrs",
  "user",
]);

function readParameters(query: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split("&").filter((text) => text !== "")) {
    const equals = pair.indexOf("=");
    const name = decode(equals < 0 ? pair : pair.slice(0, equals), "query");
    const value = decode(equals < 0 ? "" : pair.slice(equals + 1), "query");
    if (ignoredParameters.has(name)) continue;
    if (name === "channel_binding" && value !== "require") continue;
    if (!knownParameters.has(name)) {
      const safeName = /^[a-z_]{1,40}$/.test(name) ? `the parameter ${name}` : "a parameter";
      throw new StartError(`DATABASE_URL has ${safeName}, which postgres-mcp can't honour: remove it`);
    }
    parameters.set(name, value);
  }
  return parameters;
}

function readHosts(text: string, defaultPort: string | undefined): readonly ServerAddress[] {
  const hosts = text === "" ? ["localhost"] : text.split(",");
  return hosts.map((item) => {
    const match = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d*))?$/.exec(item);
    if (match === null) {
      throw new StartError("DATABASE_URL has a host that can't be read: percent-encode the password");
    }
    const port = Number(nonEmpty(match[3] ?? "") ?? defaultPort ?? "5432");
    if (!(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
      throw new StartError("DATABASE_URL has a port that is not a whole number from 1 to 65535");
    }
    return { host: nonEmpty(decode(match[1] ?? match[2] ?? "", "host")) ?? "localhost", port };
  });
}

function decode(text: string, part: string): string {
  try {
    const decoded = decodeURIComponent(text);
    if (!decoded.includes("\0")) return decoded;
  } catch {
    // Falls through to the same answer.
  }
  throw new StartError(
    `DATABASE_URL has a ${part} that is not percent-encoded: write % as %25, @ as %40, / as %2F`,
  );
}

function nonEmpty(text: string): string | undefined {
  return text === "" ? undefined : text;
}

function oneOf<const Word extends string>(
  name: string,
  words: readonly Word[],
  value: string | undefined,
): Word | undefined {
  if (value === undefined) return undefined;
  const word = words.find((candidate) => candidate === value);
  if (word === undefined) {
    throw new StartError(`DATABASE_URL has ${name} that is not one of ${words.join(", ")}`);
  }
  return word;
}
