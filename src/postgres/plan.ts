/**
 * A plan as `EXPLAIN (FORMAT JSON)` prints it: https://www.postgresql.org/docs/current/sql-explain.html. Fields come and
 * go between versions (14 to 18), so that each is read only when it is there and of the type it should have.
 */
import { CallError } from "../common/errors.ts";
import { isRecord } from "../common/record.ts";
import { shareOut } from "./plan_time.ts";

/** One node of a plan, with the nodes that feed it. */
export class PlanNode {
  readonly parent: PlanNode | undefined;
  readonly children: readonly PlanNode[];
  /** 0 for the top node. */
  readonly depth: number;
  /** e.g. `Seq Scan`, `Nested Loop`, `Aggregate`. */
  readonly type: string;
  /** Rows per loop that the planner expected; below a Gather, of one process. */
  readonly estimatedRows: number;
  /** Rows per loop that came: rounded before PostgreSQL 18. Undefined when it was not run. */
  readonly rows: number | undefined;
  /** How often it ran, in all processes; 0 is never. Undefined when the statement was not run. */
  readonly loops: number | undefined;
  /** How many processes shared its loops; as many as the planner counts on when it was not run, which may be 2.4. */
  readonly processes: number;
  /** Milliseconds of its own, without the nodes below, by the clock; undefined when it was not timed. */
  selfMs: number | undefined;
  /** Its own part of the whole, 0 to 1: of the time where it was measured, else of the cost. */
  share = 0;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(fields: Readonly<Record<string, unknown>>, parent?: PlanNode) {
    this.#fields = fields;
    this.parent = parent;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
    this.type = this.text("Node Type") ?? "a node without a type";
    this.estimatedRows = this.number("Plan Rows") ?? 0;
    this.loops = this.number("Actual Loops");
    this.rows = this.loops === undefined ? undefined : this.number("Actual Rows") ?? 0;
    this.processes = parent === undefined ? 1 : processesOf(this, parent);
    const plans = fields["Plans"];
    this.children = Array.isArray(plans)
      ? plans.filter(isRecord).map((child) => new PlanNode(child, this))
      : [];
  }

  number(name: string): number | undefined {
    const value = this.#fields[name];
    return typeof value === "number" && Number.isFinite(value) ? value : undefined;
  }

  text(name: string): string | undefined {
    const value = this.#fields[name];
    return typeof value === "string" ? value : undefined;
  }

  /** Whether a field is true. */
  flag(name: string): boolean {
    return this.#fields[name] === true;
  }

  /** A list of texts, e.g. `Sort Key`. */
  list(name: string): readonly string[] {
    const value = this.#fields[name];
    return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
  }

  /** Fields below a field, e.g. of `Full-sort Groups`; of each process for `Workers`. */
  parts(name: string): readonly Readonly<Record<string, unknown>>[] {
    const value = this.#fields[name];
    return (Array.isArray(value) ? value : [value]).filter(isRecord);
  }

  /** How it hangs on its parent: `Outer`, `Inner`, `Member`, `InitPlan`, `SubPlan`, `Subquery`. */
  get role(): string | undefined {
    return this.text("Parent Relationship");
  }

  /** The child that the rows come from first: the outer side of a join, the input of a sort. */
  get outer(): PlanNode | undefined {
    return this.children.find((child) => child.role === "Outer");
  }

  /** The inner side of a join. */
  get inner(): PlanNode | undefined {
    return this.children.find((child) => child.role === "Inner");
  }

  /** The scan of a table that it is, or that a chain of nodes with one input below it reads from. */
  get scanBelow(): PlanNode | undefined {
    if (this.text("Relation Name") !== undefined) return this;
    const [only, ...more] = this.children;
    return only === undefined || more.length > 0 ? undefined : only.scanBelow;
  }

  /** Rows of all loops and processes; undefined when it was not run. */
  get totalRows(): number | undefined {
    return this.rows === undefined ? undefined : this.rows * (this.loops ?? 0);
  }

  /** How often it ran one after the other: its loops by process. */
  get runs(): number {
    return this.loops === undefined ? 1 : this.loops / this.processes;
  }

  /** A count per loop, e.g. `Rows Removed by Filter`, for all loops. */
  total(name: string): number {
    return (this.number(name) ?? 0) * (this.loops ?? 1);
  }

  /** The share of it and of what is below it. */
  get sharedBelow(): number {
    return Math.min(1, this.children.reduce((sum, child) => sum + child.sharedBelow, this.share));
  }

  /** It and all below it, as EXPLAIN prints them. */
  *all(): Generator<PlanNode> {
    yield this;
    for (const child of this.children) yield* child.all();
  }

  /** Its ancestors, the nearest first. */
  *ancestors(): Generator<PlanNode> {
    for (let node = this.parent; node !== undefined; node = node.parent) yield node;
  }

  /** Whether its own expressions hold what matches. */
  mentions(pattern: RegExp): boolean {
    return Object.entries(this.#fields).some(([name, value]) =>
      name !== "Plans" && name !== "Subplan Name" &&
      (Array.isArray(value) ? value : [value]).some((each) => typeof each === "string" && pattern.test(each))
    );
  }
}

/** Just-in-time compilation of one statement. */
export interface JustInTime {
  readonly functions: number;
  readonly ms: number;
}

/** A whole plan. */
export interface Plan {
  readonly root: PlanNode;
  /** All nodes as EXPLAIN prints them. */
  readonly nodes: readonly PlanNode[];
  /** Whether it was run, and not only planned. */
  readonly measured: boolean;
  readonly planningMs: number | undefined;
  readonly executionMs: number | undefined;
  readonly jit: JustInTime | undefined;
  /** Settings of the planner that are not the default: [name, value]. */
  readonly settings: readonly (readonly [string, string])[];
}

/** Reads the one cell that `EXPLAIN (FORMAT JSON)` answers with. Throws {@linkcode CallError} `failed` when it is none. */
export function readPlan(json: string): Plan {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw new CallError("failed", "Cannot read the plan as the server's JSON is not well-formed", { cause });
  }
  const whole: unknown = Array.isArray(parsed) ? parsed[0] : undefined;
  const top = isRecord(whole) ? whole["Plan"] : undefined;
  if (!isRecord(whole) || !isRecord(top)) {
    throw new CallError("failed", "Cannot read the plan as the server's JSON holds none");
  }
  const root = new PlanNode(top);
  const executionMs = numberOf(whole["Execution Time"]);
  shareOut(root, executionMs);
  const settings = isRecord(whole["Settings"]) ? Object.entries(whole["Settings"]) : [];
  return {
    root,
    nodes: [...root.all()],
    measured: root.loops !== undefined,
    planningMs: numberOf(whole["Planning Time"]),
    executionMs,
    jit: readJit(whole["JIT"]),
    settings: settings.map(([name, value]) => [name, String(value)] as const),
  };
}

function readJit(jit: unknown): JustInTime | undefined {
  const timing = isRecord(jit) ? jit["Timing"] : undefined;
  const ms = isRecord(timing) ? numberOf(timing["Total"]) : undefined;
  if (!isRecord(jit) || ms === undefined) return undefined;
  return { functions: numberOf(jit["Functions"]) ?? 0, ms };
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** A Gather's input runs in the workers and mostly in the leader too: who took part shows in its loops. */
function processesOf(node: PlanNode, parent: PlanNode): number {
  if (node.role === "InitPlan") return 1;
  if (parent.type !== "Gather" && parent.type !== "Gather Merge") return parent.processes;
  if (node.loops === undefined) return expectedProcesses(parent);
  return Math.max(1, node.loops / Math.max(1, parent.loops ?? 1));
}

/** By what the planner divides rows: the leader takes part the less, the more workers it waits for (get_parallel_divisor). */
function expectedProcesses(gather: PlanNode): number {
  const workers = gather.number("Workers Planned") ?? 0;
  return workers + Math.max(0, 1 - 0.3 * workers);
}
