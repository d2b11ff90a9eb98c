/** Compares the two forms of an answer word by word, for tools whose texts have little prose of their own. */
import assert from "@std/assert";
import { visibleStrings } from "../../src/common/answer.ts";
import type { Presentation, Tool } from "../../src/common/tool.ts";
import { visible } from "../../src/common/visible.ts";

/**
 * The tools whose forms are compared, with what their texts alone say: words that make a sentence or a heading, sums,
 * and amounts in units that the structured form does without.
 */
const proseOf: Readonly<Record<string, RegExp>> = {
  get_pods: /^(?:in|is|no|none|the|ago|among|more|last|ended|ip|node|<none)$/,
  get_pod_logs: /^(?:of|all|the|last|matching|pods|containers|run|before|restarted|times|\d+)$/,
  describe_pod: /^(?:old|over|x\d+)$/,
  get_services: /^(?:in|no|empty|external|\d+)$/,
  get_deployments: /^(?:in|no|of|has|old|rolled|out|rollout|up-to-date|without)$/,
  get_events: /^(?:in|no|of|the|time|ages|are|since|occurrence|and|more|first|folded|from|over|normal|x\d+)$/,
  get_nodes: /^(?:for|status|requested|roles|taints|empty|schedulingdisabled|\d+m|[\d.]+[kmgt]i)$/,
  top_pods: /^(?:in|of|limit|\d+m|[\d.]+[kmgt]i)$/,
  describe_resource: /^(?:old|for|normal)$/,
  list_resources: /^(?:no|empty)$/,
  list_contexts: /^not$/,
  service_health_report: /^and$/,
  rank_services_by_error_rate:
    /^(?:last|day|before|unknown|traffic|and|has|samples|now|nothing|same|time|counted|by|the|[\d.]+%?)$/,
};

/** Whether a tool's forms can be compared word by word. */
export function hasLittleProse(tool: Tool): boolean {
  return tool.name in proseOf;
}

/** Throws unless the structured form has every word that the text has. */
export function assertEveryWord(
  tool: Tool,
  answer: Presentation<Readonly<Record<string, unknown>>>,
): void {
  const prose = proseOf[tool.name] ?? /^$/;
  const { text, structured } = answer;
  // Cut in the middle, the forms hold different parts.
  if (text.includes("[Cut: the first ")) return;
  const told = plain(strings(visibleStrings(structured)).join("\n"));
  const words = plain(visible(text, { keepLines: true })).replace(/ and \d+ more/g, "")
    .match(/[\w<][\w.:%-]*\w/g) ?? [];
  const untold = [...new Set(words)].filter((word) => !prose.test(word) && !told.includes(word));
  assert.deepEqual(untold, [], `only in the text:\n${text}`);
}

/** Throws unless the fields are in the schema's order, which is that of what matters. */
export function assertOrder(tool: Tool, structured: unknown): void {
  assert.equal(JSON.stringify(structured), JSON.stringify(tool.output.parse(structured)));
}

/** Without what the forms may write differently: capitals, line ends spelt out, commas between thousands. */
function plain(text: string): string {
  return text.toLowerCase().replaceAll("\\n", "\n").replace(/(?<=\d),(?=\d{3})/g, "");
}

/** All keys and values, as they are. */
function strings(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [String(value)];
  if (Array.isArray(value)) return value.flatMap(strings);
  return Object.entries(value).flatMap(([key, inner]) => [key, ...strings(inner)]);
}
