/**
 * Whether a text is one statement that only reads, by its parse tree alone: an allow-list of nodes, walked
 * through every field and every nested list.
 */
import { CallError } from "../common/errors.ts";
import { isRecord } from "../common/record.ts";
import { commandName } from "./command_name.ts";
import { NODES } from "./grammar.ts";
import { MAX_DEPTH, parseStatements } from "./parser.ts";

/** A node of the parse tree: its type's name and its fields. */
export interface ParseNode {
  readonly type: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What a statement is. */
export type StatementKind = "select" | "explain" | "show";

/** The options of EXPLAIN that only choose what is printed, and ANALYZE, which runs a statement that only reads. */
const EXPLAIN_OPTIONS = new Set([
  "analyze",
  "verbose",
  "costs",
  "settings",
  "generic_plan",
  "buffers",
  "serialize",
  "wal",
  "timing",
  "summary",
  "memory",
  "format",
]);

const POSSIBLE =
  "Only SELECT (with WITH, VALUES, TABLE and set operations), EXPLAIN of those, and SHOW can be run";

/** Why a part of a statement that PostgreSQL knows is refused. */
const REASONS: Readonly<Record<string, string>> = {
  "SelectStmt.intoClause": "SELECT INTO writes a table: leave INTO out",
  "SelectStmt.lockingClause": "FOR UPDATE and FOR SHARE lock rows: leave the clause out",
  InsertStmt: "INSERT writes",
  UpdateStmt: "UPDATE writes",
  DeleteStmt: "DELETE writes",
  MergeStmt: "MERGE writes",
  TransactionStmt:
    "every statement runs in a read-only transaction of its own, which can't be ended or changed",
  CopyStmt: "COPY reads and writes files",
  DoStmt: "DO runs code",
  CallStmt: "CALL runs a procedure",
  ExecuteStmt: "EXECUTE runs a statement that can't be seen here",
  VariableSetStmt: "SET and RESET change the session",
  LockStmt: "LOCK locks tables",
  SetToDefault: "DEFAULT belongs to INSERT and UPDATE",
};

/** A node's own name, e.g. `{"ColumnRef": {…}}`; undefined for `{}`, which is a NULL in a list. */
export function parseNode(value: unknown): ParseNode | undefined {
  if (!isRecord(value)) throw defect("a node that is not an object");
  const [type, ...more] = Object.keys(value);
  if (type === undefined) return undefined;
  const fields = value[type];
  if (more.length > 0 || !isRecord(fields)) throw defect("a node without one type");
  return { type, fields };
}

/** The nodes directly below, each with the field it stands in; NULLs are left out. */
export function children(node: ParseNode): readonly { readonly field: string; readonly node: ParseNode }[] {
  const specs = NODES.get(node.type);
  const found: { readonly field: string; readonly node: ParseNode }[] = [];
  // Own fields only: an object also has what its prototype has, e.g. `constructor`.
  for (const field of Object.keys(node.fields)) {
    const spec = specs?.get(field);
    if (spec === undefined || spec.holds === "value") continue;
    const value = node.fields[field];
    if (spec.holds === "typed") {
      if (!isRecord(value)) throw defect(`${node.type}.${field}`);
      found.push({ field, node: { type: spec.type, fields: value } });
      continue;
    }
    for (const item of spec.holds === "nodes" ? asList(value) : [value]) {
      const child = parseNode(item);
      if (child !== undefined) found.push({ field, node: child });
    }
  }
  return found;
}

/** Exactly one statement, of a kind that only reads. Throws {@linkcode CallError} `refused` or `invalid`. */
export function readStatement(sql: string): { readonly kind: StatementKind; readonly node: ParseNode } {
  const statements = rawStatements(parseStatements(sql));
  const [node, ...more] = statements;
  if (node === undefined) {
    throw new CallError(
      "invalid",
      "Cannot run the statement as there is none: the text holds only comments or semicolons",
      {
        hint: POSSIBLE,
      },
    );
  }
  if (more.length > 0) {
    throw new CallError("refused", `Cannot run the text as it holds ${statements.length} statements`, {
      hint: "Send one statement at a time",
    });
  }
  if (node.type === "SelectStmt") {
    checkNode(node, 0);
    return { kind: "select", node };
  }
  if (node.type === "VariableShowStmt") {
    checkNode(node, 0);
    return { kind: "show", node };
  }
  if (node.type === "ExplainStmt") {
    checkExplain(node);
    return { kind: "explain", node };
  }
  throw nodeRefusal(node);
}

/** The statements of a text as nodes, not yet checked. */
export function rawStatements(tree: unknown): ParseNode[] {
  if (!isRecord(tree)) throw defect("no tree");
  return asList(tree["stmts"] ?? []).map((raw) => {
    const node = isRecord(raw) ? parseNode(raw["stmt"]) : undefined;
    if (node === undefined) throw defect("a statement without a node");
    return node;
  });
}

function checkExplain(node: ParseNode): void {
  checkNode(node, 0);
  for (const child of children(node)) {
    if (child.field === "query" && child.node.type !== "SelectStmt") {
      throw nodeRefusal(child.node, "EXPLAIN of it");
    }
    if (child.field === "options") {
      const name = String(child.node.fields["defname"]).toLowerCase();
      if (!EXPLAIN_OPTIONS.has(name)) {
        throw new CallError(
          "refused",
          `Cannot run EXPLAIN with the option ${name} as it is not known to be harmless`,
          {
            hint: `Use ${[...EXPLAIN_OPTIONS].join(", ")}`,
          },
        );
      }
    }
  }
}

/** Checks a node and everything below against the allow-list. Throws {@linkcode CallError} `refused`. */
export function checkNode(node: ParseNode, depth: number): void {
  if (depth > MAX_DEPTH) {
    throw new CallError("refused", `Cannot run the statement as it nests more than ${MAX_DEPTH} levels deep`);
  }
  const known = NODES.get(node.type);
  if (known === undefined) throw nodeRefusal(node);
  for (const name of Object.keys(node.fields)) {
    const spec = known.get(name);
    if (spec === undefined || spec.holds === "value" && !isPlain(node.fields[name])) {
      throw refusal(fieldReason(`${node.type}.${name}`));
    }
  }
  for (const child of children(node)) {
    if (child.field === "ctequery" && child.node.type !== "SelectStmt") {
      throw nodeRefusal(child.node, "WITH");
    }
    checkNode(child.node, depth + 1);
  }
}

function nodeRefusal(node: ParseNode, where?: string): CallError {
  return refusal(REASONS[node.type] ?? unlisted(commandName(node)), where);
}

function fieldReason(what: string): string {
  return REASONS[what] ?? unlisted(`a parse node ${what}`);
}

function unlisted(what: string): string {
  return `${what} is not on the list of what only reads`;
}

function refusal(reason: string, where?: string): CallError {
  return new CallError(
    "refused",
    `Cannot run the statement as ${reason}${where === undefined ? "" : ` (in ${where})`}`,
    {
      hint: POSSIBLE,
    },
  );
}

function isPlain(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** The items of a list field. */
export function asList(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw defect("a list that is none");
  return value;
}

/** The tree is not built as it is known here: fail closed. */
function defect(what: string): CallError {
  return new CallError("refused", `Cannot run the statement as its parse tree is not understood: ${what}`);
}
