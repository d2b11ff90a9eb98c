/** The labels of an enum, for a text that is none of them. */
import { withOthers } from "../common/listing.ts";
import { nearest } from "../common/nearest.ts";
import { visible } from "../common/visible.ts";
import type { Transaction } from "./database.ts";
import type { ServerError } from "./database_errors.ts";
import { labelsSql } from "./relation_sql.ts";

/** Labels that are named; the others are counted. */
const shown = 12;

/** A text that an enum has no label of, and the enum as PostgreSQL prints it: qualified where the path does not have it. */
export interface UnknownLabel {
  readonly type: string;
  readonly label: string;
}

const identifier = '(?:"(?:[^"]|"")+"|[^\\s".:]+)';
const message = new RegExp(`^invalid input value for enum (${identifier}(?:\\.${identifier})?): "([^]*)"$`);

/** What a server that speaks English says of it; the same SQLSTATE stands for numbers and dates that are none. */
export function unknownLabel(error: ServerError): UnknownLabel | undefined {
  if (error.sqlState !== "22P02") return undefined;
  const [, type, label] = message.exec(error.message) ?? [];
  return type === undefined || label === undefined ? undefined : { type, label };
}

/** `priority is one of 'high', 'low'`, the nearest first and then in the enum's order. `schemas`: the session's path. */
export async function saysLabels(
  transaction: Transaction,
  { type, label }: UnknownLabel,
  schemas: readonly string[],
): Promise<string | undefined> {
  const rows = await transaction.query(labelsSql, [type, JSON.stringify(schemas)]);
  const labels = rows.map((row) => row.label ?? "");
  // Of another type then: a function has a path of its own.
  if (labels.length === 0 || labels.includes(label)) return undefined;
  const ordered = [...new Set([...nearest(label, labels), ...labels])];
  const named = ordered.slice(0, shown).map((name) => visible(`'${name.replaceAll("'", "''")}'`));
  return `${visible(type)} is one of ${withOthers(named, ordered.length - shown)}`;
}
