/**
 * What a stored text runs: the body of a function in SQL or plpgsql, a view's definition, the expression of a
 * policy or of a domain's check. Each passes the same allow-list as a caller's statement.
 */
import { CallError } from "../common/errors.ts";
import { isRecord } from "../common/record.ts";
import { allowHint } from "./allowed_functions.ts";
import type { FoundFunction } from "./catalogue.ts";
import { callsRowtype, defaultsOf } from "./declarations.ts";
import { parsePlpgsql, parseStatements, tokens } from "./parser.ts";
import { referencesOf } from "./mentions.ts";
import { mergeReferences, type References } from "./references.ts";
import { asList, checkNode, type ParseNode, parseNode, rawStatements, readStatement } from "./statement.ts";

/** Texts read before: the text itself is the key, so that a changed definition is another one. */
const known = new Map<string, References>();
const MAX_KNOWN = 500;

function remember(key: string, read: () => References): References {
  const before = known.get(key);
  if (before !== undefined) return before;
  const references = read();
  const oldest = known.size < MAX_KNOWN ? undefined : known.keys().next().value;
  if (oldest !== undefined) known.delete(oldest);
  known.set(key, references);
  return references;
}

/** What a query mentions, which must be a SELECT. */
export function readQuery(sql: string): References {
  return remember(`query:${sql}`, () => readSelectText(sql));
}

function readSelectText(sql: string): References {
  const { kind, node } = readStatement(sql);
  if (kind !== "select") throw new CallError("refused", "Cannot run the body as it is not a SELECT");
  return referencesOf(node);
}

/** What an expression mentions. */
export function readExpression(expression: string): References {
  return readQuery(`SELECT ${expression}`);
}

/** What a function's body mentions. Throws {@linkcode CallError} where it does more than read, or can't be read. */
export function readBody(found: FoundFunction): References {
  return remember(JSON.stringify([found.language, found.definition, found.body]), () => readFunction(found));
}

function readFunction(found: FoundFunction): References {
  if (found.language === "plpgsql") return readPlpgsql(found);
  if (found.definition !== null) return readStandardBody(found.definition);
  return mergeReferences(rawStatements(parseStatements(found.body ?? "")).map(readSelect));
}

function readSelect(node: ParseNode): References {
  if (node.type !== "SelectStmt") {
    throw new CallError(
      "refused",
      `Cannot run the body as it holds ${
        node.type.replace(/Stmt$/, "").toUpperCase()
      }, which is not a SELECT`,
    );
  }
  checkNode(node, 0);
  return referencesOf(node);
}

/** `BEGIN ATOMIC … END` and `RETURN expression` (CREATE FUNCTION, sql_body). */
function readStandardBody(definition: string): References {
  const [create] = rawStatements(parseStatements(definition));
  const body = create === undefined ? undefined : parseNode(create.fields["sql_body"]);
  if (body?.type === "ReturnStmt") {
    const value = parseNode(body.fields["returnval"]);
    return mergeReferences(value === undefined ? [] : [readReturn(value)]);
  }
  const nodes = body?.type === "List" ? flatten(body) : [];
  if (nodes.length === 0) throw new CallError("refused", "Cannot run the body as it is not understood");
  return mergeReferences(nodes.map(readSelect));
}

function readReturn(value: ParseNode): References {
  checkNode(value, 0);
  return referencesOf(value);
}

function flatten(list: ParseNode): ParseNode[] {
  return asList(list.fields["items"]).flatMap((item) => {
    const node = parseNode(item);
    return node === undefined ? [] : node.type === "List" ? flatten(node) : [node];
  });
}

/** Statements and parts of plpgsql that only read by themselves (plpgsql.h); the SQL in them is read too. */
const PLPGSQL_NODES = new Set([
  "PLpgSQL_function",
  "PLpgSQL_var",
  "PLpgSQL_rec",
  "PLpgSQL_row",
  "PLpgSQL_recfield",
  "PLpgSQL_type",
  "PLpgSQL_alias",
  "PLpgSQL_expr",
  "PLpgSQL_stmt_block",
  "PLpgSQL_exception_block",
  "PLpgSQL_exception",
  "PLpgSQL_condition",
  "PLpgSQL_stmt_assign",
  "PLpgSQL_stmt_if",
  "PLpgSQL_if_elsif",
  "PLpgSQL_stmt_case",
  "PLpgSQL_case_when",
  "PLpgSQL_stmt_loop",
  "PLpgSQL_stmt_while",
  "PLpgSQL_stmt_fori",
  "PLpgSQL_stmt_fors",
  "PLpgSQL_stmt_forc",
  "PLpgSQL_stmt_foreach_a",
  "PLpgSQL_stmt_exit",
  "PLpgSQL_stmt_return",
  "PLpgSQL_stmt_return_next",
  "PLpgSQL_stmt_return_query",
  "PLpgSQL_stmt_raise",
  "PLpgSQL_raise_option",
  "PLpgSQL_stmt_assert",
  "PLpgSQL_stmt_execsql",
  "PLpgSQL_stmt_perform",
  "PLpgSQL_stmt_getdiag",
  "PLpgSQL_diag_item",
  "PLpgSQL_stmt_open",
  "PLpgSQL_stmt_fetch",
  "PLpgSQL_stmt_close",
]);

/** Fields with a query that is put together at run time. */
const DYNAMIC = new Set(["dynquery"]);

/** RawParseMode (parser.h) of the text in a PLpgSQL_expr. */
const MODE = { statement: 0, expression: 2, assignments: new Set([3, 4, 5]) };

function readPlpgsql(read: FoundFunction): References {
  const definition = read.definition ?? "";
  const body = read.body ?? "";
  const found: References[] = [];
  const visit = (value: unknown, depth: number): void => {
    if (depth > 500) throw new CallError("refused", "Cannot run the body as it nests too deeply");
    if (Array.isArray(value)) return value.forEach((item) => visit(item, depth + 1));
    if (!isRecord(value)) return;
    for (const [name, field] of Object.entries(value)) {
      if (DYNAMIC.has(name)) throw dynamic(read);
      if (name.startsWith("PLpgSQL_")) {
        if (name === "PLpgSQL_stmt_dynexecute" || name === "PLpgSQL_stmt_dynfors") throw dynamic(read);
        if (!PLPGSQL_NODES.has(name)) {
          throw new CallError(
            "refused",
            `Cannot run the body as ${
              name.replace("PLpgSQL_stmt_", "").toUpperCase()
            } is not on the list of what only reads`,
          );
        }
        if (name === "PLpgSQL_expr" && isRecord(field)) found.push(readPlpgsqlExpression(field));
        if (name === "PLpgSQL_type" && isRecord(field)) found.push(readType(String(field["typname"])));
      }
      visit(field, depth + 1);
    }
  };
  const tree = parseBody(definition, body);
  if (!isRecord(tree) || asList(tree["plpgsql_funcs"]).length !== 1) {
    throw new CallError("refused", "Cannot run the body as it is not understood");
  }
  visit(tree, 0);
  // Those of scalars are in the tree, too.
  found.push(...defaultsOf(body).map(readExpression));
  // `%ROWTYPE` is blanked out for the parser, and could be an operator between two names.
  if (ROWTYPE.test(body)) found.push(readExpression("NULL % NULL"));
  return mergeReferences(found);
}

const ROWTYPE = /%\s*rowtype/i;

/** The parser knows no catalogue: a variable of type `t%ROWTYPE` is read as one of type `t`. */
function parseBody(definition: string, body: string): unknown {
  try {
    return parsePlpgsql(definition);
  } catch (error) {
    const at = definition.lastIndexOf(body);
    if (at < 0 || !ROWTYPE.test(body)) throw error;
    if (callsRowtype(body)) {
      throw new CallError("refused", "Cannot run the body as %ROWTYPE in it is not understood");
    }
    const source = new TextEncoder().encode(body);
    const all = tokens(body);
    for (const [index, token] of all.entries()) {
      const next = all[index + 1];
      if (token.text === "%" && next?.text.toLowerCase() === "rowtype") {
        source.fill(0x20, token.start, next.end);
      }
    }
    return parsePlpgsql(
      definition.slice(0, at) + new TextDecoder().decode(source) + definition.slice(at + body.length),
    );
  }
}

function readPlpgsqlExpression(expression: Readonly<Record<string, unknown>>): References {
  const { query, parseMode } = expression;
  if (typeof query !== "string" || typeof parseMode !== "number") {
    throw new CallError("refused", "Cannot run the body as an expression in it is not understood");
  }
  if (parseMode === MODE.statement) return readQuery(query);
  if (parseMode === MODE.expression) return readExpression(query);
  if (!MODE.assignments.has(parseMode)) {
    throw new CallError("refused", "Cannot run the body as an expression in it is not understood");
  }
  return readAssignment(query);
}

/** `target := expression`: the first `:=` or `=` outside brackets divides them; a subscript is read too. */
function readAssignment(query: string): References {
  let nesting = 0;
  for (const token of tokens(query)) {
    if (token.text === "[" || token.text === "(") nesting++;
    if (token.text === "]" || token.text === ")") nesting--;
    if (nesting === 0 && (token.text === ":=" || token.text === "=")) {
      const source = new TextEncoder().encode(query);
      const decode = (part: Uint8Array) => new TextDecoder().decode(part);
      return mergeReferences([
        readExpression(decode(source.subarray(0, token.start))),
        readExpression(decode(source.subarray(token.end))),
      ]);
    }
  }
  throw new CallError("refused", "Cannot run the body as an assignment in it is not understood");
}

/** A variable's type: a value that is assigned to it passes the type's checks. */
function readType(type: string): References {
  if (/%\s*(row)?type\s*$/i.test(type)) {
    // Of a column or table, whose types the body's own queries reach or that hold no check.
    const relation = type.replace(/%.*$/s, "").trim();
    const column = /%\s*type\s*$/i.test(type) && relation.includes(".");
    return readExpression(`NULL::${column ? relation.replace(/\.[^.]*$/, "") : relation}`);
  }
  return readExpression(`NULL::${type}`);
}

function dynamic({ schema, name, arguments: types }: FoundFunction): CallError {
  return new CallError(
    "refused",
    "Cannot run the body as it runs SQL from a string (EXECUTE), which can't be checked",
    { hint: allowHint(schema, name, types) },
  );
}
