/**
 * What a server must say of a transaction before anything of a caller's is sent, and when a verdict may be kept. A fake
 * session: no real server begins another transaction than it was told to.
 */
import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import type { Statement } from "../../src/postgres/exchange.ts";
import type { Session } from "../../src/postgres/session.ts";
import { type Beginning, beginReading } from "../../src/postgres/transaction_bounds.ts";
import { Verdicts } from "../../src/postgres/verdicts.ts";

const good = {
  read_only: "on",
  standard_conforming_strings: "on",
  client_encoding: "UTF8",
  pid: "7",
  in_recovery: "f",
  session: "mine",
  snapshot: "10:10:",
  path_schemas: '["pg_catalog","public"]',
};

interface Said {
  /** The row that the beginning answers. */
  readonly row?: Partial<Record<keyof typeof good, string>>;
  /** What the server reports of itself, unasked. */
  readonly reported?: Readonly<Record<string, string>>;
  readonly status?: Session["status"];
  /** Another process than the one that has logged in answers. */
  readonly isPooled?: boolean;
}

/** How a transaction begins with a server that says so. */
function begin({ row = {}, reported = {}, status = "T", isPooled = false }: Said = {}): Promise<Beginning> {
  const session = {
    status,
    parameters: new Map(Object.entries({ server_version: "15.18 (Debian 15.18-0+deb12u1)", ...reported })),
    verdicts: new Verdicts(),
    direct: true,
    recognise(pid: string) {
      this.direct = !isPooled && pid === "7";
    },
    runTogether(statements: readonly Statement[]) {
      const reader = statements.at(-1)?.options.reader;
      const said = Object.entries({ ...good, ...row });
      const column = { typeOid: 25, typmod: -1 };
      if (reader !== undefined) reader.columns = said.map(([name]) => ({ name, ...column }));
      reader?.rows.push(said.map(([, value]) => value));
      return statements.map(() => Promise.resolve(false));
    },
  };
  // As much of a session as a beginning uses.
  return beginReading(session as unknown as Session, 1_000);
}

const refused: readonly (readonly [string, Said])[] = [
  ["is in no transaction", { status: "I" }],
  ["is in one that failed", { status: "E" }],
  ["is in a transaction that writes", { row: { read_only: "off" } }],
  ["reads backslashes in strings", { row: { standard_conforming_strings: "off" } }],
  ["reads another encoding", { row: { client_encoding: "SJIS" } }],
  ["reports that it reads backslashes, whatever it answers", {
    reported: { standard_conforming_strings: "off" },
  }],
  ["reports another encoding, whatever it answers", { reported: { client_encoding: "GBK" } }],
];
for (const [what, said] of refused) {
  Deno.test(`a server that ${what} is asked nothing`, async () => {
    await assert.rejects(
      begin(said),
      (error: unknown) => error instanceof CallError && error.kind === "refused",
    );
  });
}

const comparable: readonly (readonly [string, Said, boolean])[] = [
  ["the server itself", {}, true],
  ["one that reports what it answers", { reported: { client_encoding: "UTF8" } }, true],
  ["a beta", { reported: { server_version: "19beta2" } }, true],
  ["a standby", { row: { in_recovery: "t" } }, false],
  ["a pooler that gives each transaction another process", { isPooled: true }, false],
  ["one that numbers its transactions otherwise", { reported: { server_version: "15.2-YB-2.25" } }, false],
];
for (const [what, said, isKept] of comparable) {
  Deno.test(`a verdict ${isKept ? "may be kept" : "is not kept"} on ${what}`, async () => {
    const { state } = await begin(said);
    assert.deepEqual(state, isKept ? { session: "mine", snapshot: "10:10:" } : undefined);
  });
}
