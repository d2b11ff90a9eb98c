/** What a plan sorts by, as far as an index could give the rows in that order. */
import { CallError } from "../common/errors.ts";
import { quoteIdentifier } from "./identifier.ts";
import { compared, type Comparison, nodesOf } from "./plan_condition.ts";
import { parseStatements } from "./parser.ts";
import { asList, type ParseNode, parseNode, rawStatements } from "./statement.ts";

/** One key of a sort. */
export interface SortKey extends Pick<Comparison, "column" | "alias" | "path" | "wrapper" | "cast"> {
  /** What follows the column in the definition of an index: ` COLLATE "C" DESC NULLS LAST`, or nothing. */
  readonly suffix: string;
}

const directions: Readonly<Record<string, string>> = {
  SORTBY_DEFAULT: "",
  SORTBY_ASC: "",
  SORTBY_DESC: " DESC",
};
const nulls: Readonly<Record<string, string>> = {
  SORTBY_NULLS_DEFAULT: "",
  SORTBY_NULLS_FIRST: " NULLS FIRST",
  SORTBY_NULLS_LAST: " NULLS LAST",
};

/** Reads one `Sort Key` as a plan prints it; undefined for what no index of columns is known to give. */
export function readSortKey(text: string): SortKey | undefined {
  let sort: ParseNode | undefined;
  try {
    const [statement] = rawStatements(parseStatements(`select order by ${text}`));
    const [first, ...more] = asList(statement?.fields["sortClause"] ?? []);
    sort = more.length > 0 ? undefined : parseNode(first);
  } catch (error) {
    if (error instanceof CallError) return undefined;
    throw error;
  }
  const direction = directions[String(sort?.fields["sortby_dir"])];
  const order = nulls[String(sort?.fields["sortby_nulls"])];
  let [node] = nodesOf([sort?.fields["node"]]);
  if (direction === undefined || order === undefined || node === undefined) return undefined;
  let collation = "";
  if (node.type === "CollateClause") {
    const names = nodesOf(node.fields["collname"]).map((part) => String(part.fields["sval"]));
    collation = ` COLLATE ${names.map(quoteIdentifier).join(".")}`;
    [node] = nodesOf([node.fields["arg"]]);
  }
  const found = node === undefined ? undefined : compared(node, "range");
  return found === undefined ? undefined : { ...found, suffix: collation + direction + order };
}
