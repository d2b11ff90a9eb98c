/** What the entries of `DB_ALLOW_FUNCTIONS` stand for in the database, for `--check`. */
import { visible } from "../common/visible.ts";
import { fold, readEntry } from "./allowed_functions.ts";
import { useCatalogueAlone } from "./catalogue_session.ts";
import type { Cell, Transaction } from "./database.ts";
import { refusedReason } from "./functions.ts";

/** One entry, in the words of `--check`. */
export interface AllowedLine {
  readonly text: string;
  /** It does not do what was meant by it. */
  readonly isWrong: boolean;
}

/** Functions and foreign tables of the names in `$1`, a JSON list; of PostgreSQL's own when the oid is below 16384. */
const namedSql = `
select n.nspname as schema, p.proname as name, oidvectortypes(p.proargtypes) as arguments, p.pronargs as inputs,
  concat_ws(', ', case p.provolatile when 'v' then 'volatile' when 's' then 'stable' else 'immutable' end,
    case when p.prosecdef then 'SECURITY DEFINER' end) as label,
  pg_get_userbyid(p.proowner) as owner, (select r.rolsuper from pg_catalog.pg_roles r where r.oid = p.proowner) as safe,
  p.oid < 16384 or exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_proc'::regclass
    and d.objid = p.oid and d.deptype = 'e') as brought
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where p.prokind <> 'p' and p.proname = any (array(select jsonb_array_elements_text($1::jsonb)))
union all
select n.nspname, c.relname, null, null, 'a foreign table', pg_get_userbyid(c.relowner), true, false
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'f' and c.relname = any (array(select jsonb_array_elements_text($1::jsonb)))
order by 1, 2, 3 limit 1000`;

/** Asks the catalogue; a line for each entry, none of which is shown in other words than its own. */
export async function allowedLines(
  transaction: Transaction,
  entries: readonly string[],
): Promise<readonly AllowedLine[]> {
  if (entries.length === 0) return [];
  await useCatalogueAlone(transaction);
  const read = entries.map((text) => ({ text, entry: readEntry(text) }));
  const names = JSON.stringify(read.flatMap(({ entry }) => entry === undefined ? [] : [entry.name]));
  const rows = await transaction.query(namedSql, [names]);
  return read.map(({ text, entry }) => {
    const found = rows.filter((row) =>
      row.name === entry?.name && (entry?.schema === undefined || row.schema === entry.schema) &&
      (entry?.types === undefined || fold(row.arguments ?? "") === entry.types && row.arguments !== null)
    );
    const line = lineOf(found, entry?.schema === undefined);
    return { ...line, text: visible(`${text}: ${line.text}`) };
  });
}

function lineOf(found: readonly Row[], isBare: boolean): AllowedLine {
  if (found.length === 0) {
    return {
      text: "no function or foreign table of this database; correct it or take it out",
      isWrong: true,
    };
  }
  const acting = found.flatMap((row) => {
    const reason = row.brought === "t" ? refusedReason(row.name ?? "", Number(row.inputs)) : undefined;
    return reason === undefined || reason.reads === true ? [] : [reason.because];
  });
  if (acting.length === found.length) {
    return { text: `stays refused, as ${acting[0]}; take it out`, isWrong: true };
  }
  const called = found.slice(0, 3).map((row) =>
    `${row.schema}.${row.name}${row.arguments === null ? "" : `(${row.arguments})`}, ${row.label}${
      row.safe === "t" ? "" : `, of the role ${row.owner}, who can change what it does`
    }`
  );
  const others = found.length - called.length;
  const all = `${called.join("; ")}${others > 0 ? `; ${others} more` : ""}`;
  return isBare
    ? { text: `${all}; write its schema, or any function that is given this name is called`, isWrong: true }
    : { text: all, isWrong: false };
}

type Row = Readonly<Record<string, Cell>>;
