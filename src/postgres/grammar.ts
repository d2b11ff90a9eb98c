/**
 * The parse nodes that a statement may consist of, and their fields: everything that is not named here is
 * refused. Names are those of PostgreSQL's parsenodes.h and primnodes.h, as libpg-query 18 prints them.
 *
 * A field is written `name` for a plain value, `name:` for a node, `name*` for a list of nodes and
 * `name:Type` where the field's type is fixed and the tree leaves the type's name out.
 */

/** What a field of a node holds. */
export type Field =
  | { readonly holds: "value" }
  | { readonly holds: "node" }
  | { readonly holds: "nodes" }
  | { readonly holds: "typed"; readonly type: string };

const NOTATION: Readonly<Record<string, string>> = {
  // Statements
  SelectStmt:
    "distinctClause* targetList* fromClause* whereClause: groupClause* groupDistinct havingClause: windowClause* " +
    "valuesLists* sortClause* limitOffset: limitCount: limitOption withClause:WithClause op all larg:SelectStmt rarg:SelectStmt",
  ExplainStmt: "query: options*",
  VariableShowStmt: "name",
  // Clauses
  ResTarget: "name indirection* val: location",
  WithClause: "ctes* recursive location",
  CommonTableExpr:
    "ctename aliascolnames* ctematerialized ctequery: search_clause:CTESearchClause cycle_clause:CTECycleClause location",
  CTESearchClause: "search_col_list* search_breadth_first search_seq_column location",
  CTECycleClause:
    "cycle_col_list* cycle_mark_column cycle_mark_value: cycle_mark_default: cycle_path_column location",
  SortBy: "node: sortby_dir sortby_nulls useOp* location",
  GroupingSet: "kind content* location",
  WindowDef: "name refname partitionClause* orderClause* frameOptions startOffset: endOffset: location",
  DefElem: "defname arg: defaction location",
  // Relations
  RangeVar: "catalogname schemaname relname inh relpersistence alias:Alias location",
  RangeSubselect: "lateral subquery: alias:Alias",
  RangeFunction: "lateral ordinality is_rowsfrom functions* alias:Alias coldeflist*",
  RangeTableSample: "relation: method* args* repeatable: location",
  RangeTableFunc: "lateral docexpr: rowexpr: namespaces* columns* alias:Alias location",
  RangeTableFuncCol: "colname typeName:TypeName for_ordinality is_not_null colexpr: coldefexpr: location",
  JoinExpr: "jointype isNatural larg: rarg: usingClause* join_using_alias:Alias quals: alias:Alias",
  Alias: "aliasname colnames*",
  ColumnDef: "colname typeName:TypeName is_local collClause:CollateClause location",
  // Expressions
  ColumnRef: "fields* location",
  ParamRef: "number location",
  A_Expr: "kind name* lexpr: rexpr: rexpr_list_start rexpr_list_end location",
  A_Const: "ival:Integer fval:Float boolval:Boolean sval:String bsval:BitString isnull location",
  A_Star: "",
  A_Indices: "is_slice lidx: uidx:",
  A_Indirection: "arg: indirection*",
  A_ArrayExpr: "elements* list_start list_end location",
  TypeCast: "arg: typeName:TypeName location",
  TypeName: "names* setof pct_type typmods* typemod arrayBounds* location",
  CollateClause: "arg: collname* location",
  FuncCall:
    "funcname* args* agg_order* agg_filter: over:WindowDef agg_within_group agg_star agg_distinct func_variadic funcformat location",
  NamedArgExpr: "arg: name argnumber location",
  BoolExpr: "boolop args* location",
  NullTest: "arg: nulltesttype location",
  BooleanTest: "arg: booltesttype location",
  CaseExpr: "arg: args* defresult: location",
  CaseWhen: "expr: result: location",
  CoalesceExpr: "args* location",
  MinMaxExpr: "op args* location",
  GroupingFunc: "args* location",
  SQLValueFunction: "op typmod location",
  SubLink: "subLinkType testexpr: operName* subselect: location",
  RowExpr: "args* row_format location",
  XmlExpr: "op name named_args* args* xmloption indent location",
  XmlSerialize: "xmloption expr: typeName:TypeName indent location",
  // SQL/JSON
  JsonFormat: "format_type encoding location",
  JsonReturning: "format:JsonFormat typmod",
  JsonOutput: "typeName:TypeName returning:JsonReturning",
  JsonValueExpr: "raw_expr: format:JsonFormat",
  JsonArgument: "val:JsonValueExpr name",
  JsonBehavior: "btype expr: location",
  JsonFuncExpr:
    "op column_name context_item:JsonValueExpr pathspec: passing* output:JsonOutput on_empty:JsonBehavior " +
    "on_error:JsonBehavior wrapper quotes location",
  JsonTable:
    "context_item:JsonValueExpr pathspec:JsonTablePathSpec passing* columns* on_error:JsonBehavior alias:Alias lateral location",
  JsonTableColumn:
    "coltype name typeName:TypeName pathspec:JsonTablePathSpec format:JsonFormat wrapper quotes columns* " +
    "on_empty:JsonBehavior on_error:JsonBehavior location",
  JsonTablePathSpec: "string: name name_location location",
  JsonKeyValue: "key: value:JsonValueExpr",
  JsonObjectConstructor: "exprs* output:JsonOutput absent_on_null unique location",
  JsonArrayConstructor: "exprs* output:JsonOutput absent_on_null location",
  JsonArrayQueryConstructor: "query: output:JsonOutput format:JsonFormat absent_on_null location",
  JsonAggConstructor: "output:JsonOutput agg_filter: agg_order* over:WindowDef location",
  JsonObjectAgg: "constructor:JsonAggConstructor arg:JsonKeyValue absent_on_null unique",
  JsonArrayAgg: "constructor:JsonAggConstructor arg:JsonValueExpr absent_on_null",
  JsonIsPredicate: "expr: format:JsonFormat item_type unique_keys location",
  JsonParseExpr: "expr:JsonValueExpr output:JsonOutput unique_keys location",
  JsonScalarExpr: "expr: output:JsonOutput location",
  JsonSerializeExpr: "expr:JsonValueExpr output:JsonOutput location",
  // Values and lists
  List: "items*",
  Integer: "ival",
  Float: "fval",
  Boolean: "boolval",
  String: "sval",
  BitString: "bsval",
};

/** Fields by node type; a Map, so that a name such as `constructor` can't be found on a prototype. */
export const NODES: ReadonlyMap<string, ReadonlyMap<string, Field>> = new Map(
  Object.entries(NOTATION).map((
    [type, notation],
  ) => [type, new Map(notation.split(" ").filter(Boolean).map(field))]),
);

function field(notation: string): [string, Field] {
  const [name = "", type] = notation.replace("*", "").split(":");
  if (notation.endsWith("*")) return [name, { holds: "nodes" }];
  if (type === undefined) return [name, { holds: "value" }];
  return [name, type === "" ? { holds: "node" } : { holds: "typed", type }];
}

/**
 * First major version of PostgreSQL whose grammar knows a node. An older server reads the same text as
 * something else, e.g. `json_scalar(x)` as a call of a function of that name.
 */
export const NODE_SINCE: ReadonlyMap<string, number> = new Map([
  ["JsonObjectConstructor", 16],
  ["JsonArrayConstructor", 16],
  ["JsonArrayQueryConstructor", 16],
  ["JsonObjectAgg", 16],
  ["JsonArrayAgg", 16],
  ["JsonIsPredicate", 16],
  ["JsonFuncExpr", 17],
  ["JsonParseExpr", 17],
  ["JsonScalarExpr", 17],
  ["JsonSerializeExpr", 17],
  ["JsonTable", 17],
]);
