/**
 * What a statement mentions: relations, functions, operators, types, columns and settings, by name. What the
 * names stand for is for the server's catalogue to say.
 */
import { asList, children, isRecord, type ParseNode, parseNode } from "./statement.ts";

/** A name as written; without a schema it is looked up along the search path. */
export interface Name {
  readonly schema: string | undefined;
  readonly name: string;
}

/** A call, or what may be one. */
export interface FunctionReference extends Name {
  /** Arguments as written, those of WITHIN GROUP (ORDER BY …) included. */
  readonly count: number;
  /**
   * `call`: f(x); `notation`: x.f, which calls f(x) where x is a row without a column f; `sample`: the
   * method of TABLESAMPLE.
   */
  readonly how: "call" | "notation" | "sample";
}

export interface RelationReference extends Name {
  /** What its columns are qualified with. */
  readonly alias: string;
  /** Children and partitions are read too: no ONLY. */
  readonly descend: boolean;
  /** Its columns may have other names here: an alias with a column list. */
  readonly renamed: boolean;
  /** All its columns are read by `*`, or compared by NATURAL JOIN. */
  readonly whole: boolean;
}

/** `a.b` or `a.*`, as fields from the outside in; the star is left out of the fields. */
export interface ColumnReference {
  readonly fields: readonly string[];
  readonly star: boolean;
}

export interface References {
  readonly relations: readonly RelationReference[];
  readonly functions: readonly FunctionReference[];
  readonly operators: readonly Name[];
  readonly types: readonly Name[];
  readonly columns: readonly ColumnReference[];
  /** Settings read by SHOW and current_setting('…'); `undefined` where the name is computed. */
  readonly settings: readonly (string | undefined)[];
  /** Parse nodes that not every server's grammar knows. */
  readonly nodes: readonly string[];
  /** Names of joins with an alias, which stands for all that is joined. */
  readonly joinAliases: readonly string[];
}

/** Names of common table expressions in scope, innermost first. */
interface Scope {
  readonly ctes: ReadonlySet<string>;
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

/** What several texts mention together. */
export function mergeReferences(all: readonly References[]): References {
  return {
    relations: all.flatMap((each) => each.relations),
    functions: all.flatMap((each) => each.functions),
    operators: all.flatMap((each) => each.operators),
    types: all.flatMap((each) => each.types),
    columns: all.flatMap((each) => each.columns),
    settings: all.flatMap((each) => each.settings),
    nodes: all.flatMap((each) => each.nodes),
    joinAliases: all.flatMap((each) => each.joinAliases),
  };
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
      case "RangeTableSample":
        this.#function({ ...qualified(node.fields["method"]), count: 1, how: "sample" });
        break;
      case "A_Expr":
        this.#operators_of(node);
        break;
      case "SubLink":
        if (node.fields["operName"] !== undefined) this.#operator(qualified(node.fields["operName"]));
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
      case "VariableShowStmt":
        this.#settings.add(text(node.fields["name"]).toLowerCase());
        break;
    }
    for (const child of children(node)) this.#visit(child.node, scope, frame);
  }

  #select(node: ParseNode, outer: Scope | undefined): void {
    let scope = outer;
    const clause = node.fields["withClause"];
    if (isRecord(clause)) {
      const ctes = asList(clause["ctes"]).flatMap((item) => parseNode(item) ?? []);
      const names = ctes.map((cte) => text(cte.fields["ctename"]));
      if (clause["recursive"] === true) scope = { ctes: new Set(names), outer };
      for (const [index, cte] of ctes.entries()) {
        this.#visit(cte, scope, undefined);
        // Without RECURSIVE, a WITH query sees only those before it.
        if (clause["recursive"] !== true) scope = { ctes: new Set(names.slice(0, index + 1)), outer };
      }
    }
    const frame: Frame = { relations: [], starred: false };
    for (const child of children(node)) {
      if (child.field !== "withClause") this.#visit(child.node, scope, frame);
    }
    if (frame.starred) { for (const relation of frame.relations) relation.whole = true; }
  }

  #relation(node: ParseNode, scope: Scope | undefined, frame: Frame | undefined): void {
    const { schemaname, relname, alias, inh } = node.fields;
    const name = text(relname);
    if (schemaname === undefined && inScope(scope, name)) return;
    const renaming = isRecord(alias) ? alias : undefined;
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
    if (isRecord(alias)) this.#joinAliases.add(text(alias["aliasname"]));
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
      this.#function({ schema: undefined, name: last, count: 1, how: "notation" });
    }
  }

  /** `(row).name`, or a column named in USING: a column, or a call of a function on the row. */
  #field(name: string): void {
    this.#columns.set(JSON.stringify([[name], false]), { fields: [name], star: false });
    this.#function({ schema: undefined, name, count: 1, how: "notation" });
  }

  #call(node: ParseNode): void {
    const name = qualified(node.fields["funcname"]);
    const args = asList(node.fields["args"] ?? []);
    const count = args.length + asList(node.fields["agg_order"] ?? []).length *
        (node.fields["agg_within_group"] === true ? 1 : 0);
    this.#function({ ...name, count, how: "call" });
    // f(x) is also a cast where f is a type.
    if (count === 1) this.#types.set(JSON.stringify(name), name);
    if (name.name === "current_setting") {
      const first = args[0] === undefined ? undefined : parseNode(args[0]);
      const value = first?.type === "A_Const" ? first.fields["sval"] : undefined;
      this.#settings.add(isRecord(value) ? text(value["sval"]).toLowerCase() : undefined);
    }
  }

  #operators_of(node: ParseNode): void {
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
    const { schema, name, count, how } = reference;
    this.#functions.set(JSON.stringify([schema, name, count, how]), reference);
  }

  #operator(name: Name): void {
    this.#operators.set(JSON.stringify(name), name);
  }
}

function inScope(scope: Scope | undefined, name: string): boolean {
  for (let each = scope; each !== undefined; each = each.outer) {
    if (each.ctes.has(name)) return true;
  }
  return false;
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
