/** Whether the server reads the same text as the parser did: the session's settings, its version, long names. */
import { CallError } from "../common/errors.ts";
import type { Found } from "./catalogue.ts";
import { NODE_SINCE } from "./grammar.ts";
import type { References } from "./references.ts";

/**
 * PostgreSQL cuts names to 63 bytes, at a character's end by its own encoding: a name that may be cut in
 * another place there than here could stand for something else.
 */
export function refuseNames(references: References): void {
  const names = [references.functions, references.relations, references.operators, references.types].flat()
    .flatMap(({ schema, name }) => [schema ?? "", name]);
  for (const name of names) {
    // deno-lint-ignore no-control-regex -- ASCII is meant
    if (name.length > 15 && !/^[\x00-\x7f]*$/.test(name) && new TextEncoder().encode(name).length >= 60) {
      throw new CallError(
        "refused",
        "Cannot run the statement as a name in it is too long to be read in one way only",
        {
          hint: "Names with characters beyond ASCII may have 59 bytes",
        },
      );
    }
  }
}

/** Fails closed unless the server reads the same text as the parser did, in a transaction that only reads. */
export function checkSession({ session }: Found, references: References): void {
  const expected: [string, string, string][] = [
    ["standard_conforming_strings", session.standardConformingStrings, "on"],
    ["client_encoding", session.clientEncoding, "UTF8"],
    ["transaction_read_only", session.readOnly, "on"],
    ["max_identifier_length", String(session.maxIdentifierLength), "63"],
  ];
  for (const [name, value, wanted] of expected) {
    if (value !== wanted) {
      throw new CallError(
        "refused",
        `Cannot run the statement as the session has ${name} = ${value} and not ${wanted}`,
      );
    }
  }
  const major = Math.floor(session.version / 10_000);
  for (const node of references.nodes) {
    const since = NODE_SINCE.get(node);
    if (since !== undefined && major < since) {
      throw new CallError(
        "refused",
        `Cannot run the statement as it uses SQL/JSON that PostgreSQL knows from ${since} on, and this is ${major}`,
      );
    }
  }
  // Before 16 this is a name like any other, of a table if it stands in FROM.
  if (
    major < 16 &&
    references.functions.some(({ schema, name }) => schema === "pg_catalog" && name === "system_user")
  ) {
    throw new CallError(
      "refused",
      `Cannot run the statement as it uses system_user, which PostgreSQL knows from 16 on, and this is ${major}`,
    );
  }
  if (session.serverEncoding !== "UTF8") {
    for (const { name } of [...references.functions, ...references.relations]) {
      // The server folds such letters by its own encoding.
      if (name !== name.toLowerCase() && /[^ -~]/.test(name)) {
        throw new CallError(
          "refused",
          `Cannot run the statement as the server may fold the name ${name} in another way`,
        );
      }
    }
  }
}
