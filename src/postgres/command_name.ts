/** What a person calls a statement: the words it starts with, from its node of the parse tree. */
import type { ParseNode } from "./statement.ts";

/** Statements whose node is not named as they are written; `*` is the kind of object. */
const COMMANDS: ReadonlyMap<string, string> = new Map([
  ["IndexStmt", "CREATE INDEX"],
  ["ViewStmt", "CREATE VIEW"],
  ["RuleStmt", "CREATE RULE"],
  ["CreateStmt", "CREATE TABLE"],
  ["CreateTableAsStmt", "CREATE *"],
  ["CreateTableSpaceStmt", "CREATE TABLESPACE"],
  ["DropTableSpaceStmt", "DROP TABLESPACE"],
  ["CreateSeqStmt", "CREATE SEQUENCE"],
  ["CreateTrigStmt", "CREATE TRIGGER"],
  ["CreateStatsStmt", "CREATE STATISTICS"],
  ["CreateEnumStmt", "CREATE TYPE"],
  ["CreateRangeStmt", "CREATE TYPE"],
  ["CompositeTypeStmt", "CREATE TYPE"],
  ["CreatedbStmt", "CREATE DATABASE"],
  ["DropdbStmt", "DROP DATABASE"],
  ["DefineStmt", "CREATE *"],
  ["DropStmt", "DROP *"],
  ["AlterTableStmt", "ALTER *"],
  ["RenameStmt", "ALTER *"],
  ["AlterOwnerStmt", "ALTER *"],
  ["AlterObjectSchemaStmt", "ALTER *"],
  ["AlterSeqStmt", "ALTER SEQUENCE"],
  ["AlterEnumStmt", "ALTER TYPE"],
  ["RefreshMatViewStmt", "REFRESH MATERIALIZED VIEW"],
  ["SecLabelStmt", "SECURITY LABEL"],
  ["CheckPointStmt", "CHECKPOINT"],
]);

/** Where the parser has another word for a kind of object: a constraint's statement is named after its table. */
const OBJECTS: ReadonlyMap<string, string> = new Map([
  ["MATVIEW", "MATERIALIZED VIEW"],
  ["TABCONSTRAINT", "TABLE"],
  ["DOMCONSTRAINT", "DOMAIN"],
]);

/** `CREATE INDEX` for an IndexStmt, `DROP TABLE` for a DropStmt of one; a node that is no statement as it is. */
export function commandName({ type, fields }: ParseNode): string {
  if (!type.endsWith("Stmt")) return `a parse node ${type}`;
  // The parser leaves out what is false.
  if (type === "GrantStmt" || type === "GrantRoleStmt") {
    return fields["is_grant"] === true ? "GRANT" : "REVOKE";
  }
  if (type === "CreateFunctionStmt" && fields["is_procedure"] === true) return "CREATE PROCEDURE";
  if (type === "VacuumStmt") return fields["is_vacuumcmd"] === true ? "VACUUM" : "ANALYZE";
  const command = COMMANDS.get(type) ?? type.slice(0, -4).replace(/([a-z])([A-Z])/g, "$1 $2").toUpperCase();
  return command.replace("*", objectName(fields)).trim();
}

function objectName(fields: ParseNode["fields"]): string {
  const part = fields["renameType"] === "OBJECT_COLUMN" || fields["renameType"] === "OBJECT_ATTRIBUTE";
  const names = [part ? "relationType" : "renameType", "removeType", "objtype", "objectType", "kind"];
  const kind = names.flatMap((name) => /^OBJECT_([A-Z_]+)$/.exec(String(fields[name]))?.[1] ?? [])[0] ?? "";
  return OBJECTS.get(kind) ?? kind.replaceAll("_", " ");
}
