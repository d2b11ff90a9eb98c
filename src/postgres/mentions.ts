/** Reads a statement's parse tree for what it mentions. */
import { isRecord } from "../common/record.ts";
import type {
  ArgumentType,
  ColumnReference,
  FunctionReference,
  Name,
  References,
  RelationReference,
} from "./references.ts";
import { isStar, isUncomputed } from "./exists.ts";
import { literalText, tablesOfStatistics } from "./literals.ts";
import { asList, children, type ParseNode, parseNode } from "./statement.ts";

/** Names of common table expressions in scope, innermost first. */
interface Scope {
  /** By name: which one of its WITH it is. */
  readonly ctes: ReadonlyMap<string, number>;
  /** So many of them can be seen. */
  readonly visible: number;
  readonly outer: Scope | undefined;
}

/** A SELECT that is being read: the relations that stand directly in its FROM. */
interface Frame {
  readonly relations: MutableRelation[];
  starred: boolean;
}

type MutableRelation = { -readonly [K in keyof RelationReference]: RelationReference[K] };

/** Operators that are used without being written: by ORDER BY, GROUP BY, DISTINCT, IN, CASE, USING, BETWEEN … */
const IMPLIED_OPERATORS = ["=", "<>", "<", ">", "<=", ">="];

/** Reads what a checked statement mentions. */
export function referencesOf(statement: ParseNode): References {
  return new Collector().collect(statement);
}

class Collector {
  readonly #relations: MutableRelation[] = [];
  readonly #functions = new Map<string, FunctionReference>();
  readonly #operators = new Map<string, Name>();
  readonly #types = new Map<string, Name>();
  readonly #columns = new Map<string, ColumnReference>();
  readonly #settings = new Set<string | undefined>();
  readonly #nodes = new Set<string>();
  readonly #joinAliases = new Set<string>();
  readonly #otherAliases = new Set<string>();
  #unnamedRanges = false;
  #parameters = 0;

  collect(statement: ParseNode): References {
    for (const name of IMPLIED_OPERATORS) this.#operator({ schema: undefined, name });
    this.#visit(statement, undefined, undefined);
    return {
      relations: this.#relations,
      functions: [...this.#functions.values()],
      operators: [...this.#operators.values()],
      types: [...this.#types.values()],
      columns: [...this.#columns.values()],
      settings: [...this.#settings],
      nodes: [...this.#nodes],
      joinAliases: [...this.#joinAliases],
      otherAliases: [...this.#otherAliases],
      bound: [],
      unnamedRanges: this.#unnamedRanges,
      parameters: this.#parameters,
    };
  }

  #visit(node: ParseNode, scope: Scope | undefined, frame: Frame | undefined): void {
    this.#nodes.add(node.type);
    switch (node.type) {
      case "SelectStmt":
        return this.#select(node, scope);
      case "RangeVar":
        return this.#relation(node, scope, frame);
      case "JoinExpr":
        return this.#join(node, scope, frame);
      case "ColumnRef":
        return this.#column(node, frame);
      case "FuncCall":
        this.#call(node);
        break;
      case "RangeFunction":
      case "RangeSubselect":
      case "RangeTableFunc":
      case "JsonTable":
        this.#range(node);
        break;
      case "RangeTableSample":
        this.#function({
          ...qualified(node.fields["method"]),
          count: 1,
          how: "sample",
          argumentNames: false,
        });
        break;
      case "A_Expr":
        this.#expression(node);
        break;
      case "SubLink":
        if (node.fields["operName"] !== undefined) this.#operator(qualified(node.fields["operName"]));
        if (node.fields["subLinkType"] === "EXISTS_SUBLINK") return this.#exists(node, scope, frame);
        break;
      case "SortBy":
        if (node.fields["useOp"] !== undefined) this.#operator(qualified(node.fields["useOp"]));
        break;
      case "TypeName":
        this.#type(node);
        break;
      case "A_Indirection":
        for (const child of children(node)) {
          if (child.field === "indirection" && child.node.type === "String") {
            this.#field(text(child.node.fields["sval"]));
          }
        }
        break;
      case "ParamRef":
        this.#parameters = Math.max(this.#parameters, Number(node.fields["number"] ?? 0));
        break;
      case "VariableShowStmt":
        this.#settings.add(text(node.fields["name"]).toLowerCase());
        break;
    }
    for (const child of children(node)) this.#visit(child.node, scope, frame);
  }

  #exists(node: ParseNode, scope: Scope | undefined, frame: Frame | undefined): void {
    for (const { field, node: child } of children(node)) {
      if (field === "subselect" && isUncomputed(child)) this.#select(child, scope, true);
      else this.#visit(child, scope, frame);
    }
  }

  #select(node: ParseNode, outer: Scope | undefined, uncomputed = false): void {
    this.#nodes.add(node.type);
    let scope = outer;
    const clause = node.fields["withClause"];
    if (isRecord(clause)) {
      const ctes = asList(clause["ctes"]).flatMap((item) => parseNode(item) ?? []);
      // Of two with one name, which PostgreSQL refuses, the first.
      const names = new Map(ctes.map((cte, at) => [text(cte.fields["ctename"]), at] as const).reverse());
      if (clause["recursive"] === true) scope = { ctes: names, visible: ctes.length, outer };
      for (const [index, cte] of ctes.entries()) {
        this.#visit(cte, scope, undefined);
        // Without RECURSIVE, a WITH query sees only those before it.
        if (clause["recursive"] !== true) scope = { ctes: names, visible: index + 1, outer };
      }
    }
    const frame: Frame = { relations: [], starred: false };
    for (const child of children(node)) {
      if (uncomputed && child.field === "targetList" && isStar(child.node)) continue;
      if (child.field !== "withClause") this.#visit(child.node, scope, frame);
    }
    if (frame.starred) { for (const relation of frame.relations) relation.whole = true; }
    const [statistics, another] = frame.relations.filter(({ name }) => name === "pg_stats");
    if (statistics !== undefined && another === undefined) {
      statistics.statisticsOf = tablesOfStatistics(node);
    }
  }

  /** A range without an alias has the name of its function; of a syntax, one that depends on the version. */
  #range(node: ParseNode): void {
    const { alias, functions } = node.fields;
    if (isRecord(alias)) return void this.#otherAliases.add(text(alias["aliasname"]));
    if (functions === undefined) this.#unnamedRanges = true;
    for (const item of asList(functions ?? []).flatMap((each) => parseNode(each) ?? [])) {
      // Each item is a list of the call and of its column definitions.
      const [call] = children(item);
      if (call?.node.type === "FuncCall") {
        this.#otherAliases.add(qualified(call.node.fields["funcname"]).name);
      } else {
        this.#unnamedRanges = true;
      }
    }
  }

  #relation(node: ParseNode, scope: Scope | undefined, frame: Frame | undefined): void {
    const { schemaname, relname, alias, inh } = node.fields;
    const name = text(relname);
    const renaming = isRecord(alias) ? alias : undefined;
    if (schemaname === undefined && inScope(scope, name)) {
      this.#otherAliases.add(renaming === undefined ? name : text(renaming["aliasname"]));
      return;
    }
    const relation: MutableRelation = {
      schema: schemaname === undefined ? undefined : text(schemaname),
      name,
      alias: renaming === undefined ? name : text(renaming["aliasname"]),
      descend: inh === true,
      renamed: renaming?.["colnames"] !== undefined,
      whole: false,
    };
    this.#relations.push(relation);
    frame?.relations.push(relation);
  }

  #join(node: ParseNode, scope: Scope | undefined, outer: Frame | undefined): void {
    const frame: Frame = { relations: [], starred: false };
    for (const child of children(node)) this.#visit(child.node, scope, frame);
    const { alias, isNatural, usingClause } = node.fields;
    for (const relation of frame.relations) {
      if (isNatural === true || frame.starred) relation.whole = true;
      if (isRecord(alias) && alias["colnames"] !== undefined) relation.renamed = true;
      outer?.relations.push(relation);
    }
    if (isRecord(alias)) {
      this.#joinAliases.add(text(alias["aliasname"]));
      this.#otherAliases.add(text(alias["aliasname"]));
    }
    const using = node.fields["join_using_alias"];
    if (isRecord(using)) this.#otherAliases.add(text(using["aliasname"]));
    for (const name of asList(usingClause ?? []).flatMap((item) => parseNode(item) ?? [])) {
      this.#field(text(name.fields["sval"]));
    }
  }

  #column(node: ParseNode, frame: Frame | undefined): void {
    const parts = asList(node.fields["fields"]).flatMap((item) => parseNode(item) ?? []);
    const star = parts.some((part) => part.type === "A_Star");
    const fields = parts.filter((part) => part.type === "String").map((part) => text(part.fields["sval"]));
    if (star && fields.length === 0 && frame !== undefined) frame.starred = true;
    this.#columns.set(JSON.stringify([fields, star]), { fields, star });
    const last = fields.at(-1);
    if (!star && fields.length > 1 && last !== undefined) {
      this.#notation(last, fields.at(-2));
    }
  }

  /** `(x).name`, or a column named in USING. */
  #field(name: string): void {
    this.#columns.set(JSON.stringify([[name], false]), { fields: [name], star: false });
    this.#notation(name, undefined);
  }

  /** x.f is a column, a call of f on whatever x is, row or not, or a cast to a type f. */
  #notation(name: string, qualifier: string | undefined): void {
    this.#function({ schema: undefined, name, count: 1, how: "notation", argumentNames: false, qualifier });
    if (name === "current_setting") this.#settings.add(undefined);
    this.#types.set(JSON.stringify({ schema: undefined, name }), { schema: undefined, name });
  }

  #call(node: ParseNode): void {
    const name = qualified(node.fields["funcname"]);
    const args = asList(node.fields["args"] ?? []);
    const count = args.length + asList(node.fields["agg_order"] ?? []).length *
        (node.fields["agg_within_group"] === true ? 1 : 0);
    const argumentNames = args.some((each) => parseNode(each)?.type === "NamedArgExpr");
    const plain = node.fields["agg_within_group"] !== true && node.fields["func_variadic"] !== true;
    const types = plain ? args.map(argumentType) : [];
    const argumentTypes = count > 0 && types.every((type) => type !== undefined) ? types : undefined;
    this.#function({ ...name, count, how: "call", argumentNames, argumentTypes });
    // f(x) is also a cast where f is a type.
    if (count === 1) this.#types.set(JSON.stringify(name), name);
    if (name.name === "current_setting") {
      this.#settings.add(literalText(args[0])?.toLowerCase());
    }
  }

  #expression(node: ParseNode): void {
    const name = qualified(node.fields["name"]);
    // BETWEEN stands for comparisons, which are implied for every statement.
    if (!text(node.fields["kind"]).includes("BETWEEN")) this.#operator(name);
    // LIKE may be planned as a range of the prefix operators, and NOT IN as <>: both are implied or built in.
  }

  #type(node: ParseNode): void {
    const names = node.fields["names"];
    if (names === undefined) return;
    if (node.fields["pct_type"] === true) {
      // relation.column%TYPE: the relation's row type reaches all its columns' types.
      const parts = asList(names).flatMap((item) => parseNode(item) ?? []).map((part) =>
        text(part.fields["sval"])
      );
      const [relation = "", schema] = parts.slice(0, -1).reverse();
      const name = { schema, name: relation };
      this.#types.set(JSON.stringify(name), name);
      return;
    }
    const name = qualified(names);
    this.#types.set(JSON.stringify(name), name);
  }

  #function(reference: FunctionReference): void {
    const { schema, name, count, how, argumentNames, argumentTypes, qualifier } = reference;
    const key = JSON.stringify([schema, name, count, how, argumentNames, argumentTypes, qualifier]);
    this.#functions.set(key, reference);
  }

  #operator(name: Name): void {
    this.#operators.set(JSON.stringify(name), name);
  }
}

function inScope(scope: Scope | undefined, name: string): boolean {
  for (let each = scope; each !== undefined; each = each.outer) {
    if ((each.ctes.get(name) ?? Infinity) < each.visible) return true;
  }
  return false;
}

/** Of an expression whose type the text alone shows, whatever the server's catalogue holds. */
function argumentType(value: unknown): ArgumentType | undefined {
  const node = parseNode(value);
  if (node?.type === "TypeCast") {
    const type = node.fields["typeName"];
    if (!isRecord(type) || type["pct_type"] === true || type["setof"] === true) return undefined;
    return { ...qualified(type["names"]), array: type["arrayBounds"] !== undefined };
  }
  if (node?.type !== "A_Const") return undefined;
  const name = node.fields["ival"] !== undefined
    ? "int4"
    : node.fields["boolval"] !== undefined
    ? "bool"
    : "";
  return name === "" ? undefined : { schema: "pg_catalog", name, array: false };
}

/** `schema.name` or `name` from a list of strings; a leading database is left out. */
function qualified(value: unknown): Name {
  const parts = asList(value).flatMap((item) => parseNode(item) ?? []).map((part) =>
    text(part.fields["sval"])
  );
  const [name = "", schema] = parts.reverse();
  return { schema, name };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
