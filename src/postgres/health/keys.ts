/** Section `keys`: foreign keys that deletes pay for, and tables whose rows nothing tells apart. Nothing of it ails. */
import { count, plural } from "../../common/units.ts";
import { visible } from "../../common/visible.ts";
import { foreignSql, keylessSql } from "./keys_sql.ts";
import { type Assessment, type Finding, numberOf, type Section } from "./section.ts";

type Row = Readonly<Record<string, string | null>>;

/** Of each kind, how many are named. */
const named = 3;

export const keys: Section = {
  name: "keys",
  async assess(ask, _server, limits): Promise<Assessment> {
    const { foreign, keyless } = await ask(async (transaction) => ({
      foreign: await transaction.query(foreignSql, [String(limits.keyRows)]),
      keyless: await transaction.query(keylessSql, [String(limits.keyRows)]),
    }));
    // Where no row of the other table was ever deleted, an index would perhaps be for nothing.
    const paid = foreign.filter((row) => (numberOf(row.deleted) ?? 0) > 0);
    return {
      summary: `of tables of at least ${count(limits.keyRows)} rows, ${
        plural(foreign.length, "foreign key")
      } without an index${unpaid(foreign.length, paid.length)} and ${
        plural(keyless.length, "table")
      } without a key`,
      findings: [
        ...(paid.length === 0 ? [] : [foreignKeys(paid)]),
        ...(keyless.length === 0 ? [] : [keylessTables(keyless)]),
      ],
    };
  },
};

/** Why fewer foreign keys are named than there are. */
function unpaid(all: number, paid: number): string {
  const rest = all - paid;
  if (rest === 0) return "";
  return ` (${paid === 0 ? "" : `${count(rest)} `}to ${
    rest === 1 ? "a table" : "tables"
  } in which no deletes were counted)`;
}

/** How many rows an index or a key is missing for; of some partitions only, how many of them. */
function rowsOf({ rows, lacking, leaves }: Row): string {
  const part = lacking !== leaves ? ` in ${lacking} of ${leaves} partitions` : "";
  return `${plural(numberOf(rows) ?? 0, "row")}${part}`;
}

function foreignKeys(rows: readonly Row[]): Finding {
  const shown = rows.slice(0, named);
  const list = shown.map((row) =>
    `${visible(row.table ?? "")} (${visible(row.columns ?? "")}), ${rowsOf(row)}, to ${
      visible(row.referenced ?? "")
    }, ${plural(numberOf(row.deleted) ?? 0, "row")} deleted`
  );
  return {
    verdict: "notice",
    text: `${
      plural(rows.length, "foreign key")
    } without an index: each DELETE of a row that it may refer to, or change of its key, reads the referring table whole: ${
      list.join("; ")
    }${others(rows)}`,
    statements: shown.map(({ table, columns, partitioned }) =>
      `CREATE INDEX ${partitioned === "t" ? "" : "CONCURRENTLY "}ON ${table} (${columns});`
    ),
    ...(shown.some(({ partitioned }) => partitioned === "t")
      ? { caution: "without CONCURRENTLY, which a partitioned table does not take, writes wait for it" }
      : {}),
  };
}

function keylessTables(rows: readonly Row[]): Finding {
  const list = rows.slice(0, named).map((row) => `${visible(row.table ?? "")} (${rowsOf(row)})`);
  return {
    verdict: "notice",
    text: `${
      plural(rows.length, "table")
    } without a primary key or a unique index of NOT NULL columns, so that rows may be the same: ${
      list.join(", ")
    }${others(rows)}`,
  };
}

function others(rows: readonly Row[]): string {
  return rows.length > named
    ? `; and ${plural(rows.length - named, "other")}: describe_table shows a table's keys and indexes`
    : "";
}
