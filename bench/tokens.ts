/** What tools and answers cost a model: tokens by a real tokenizer (the o200k encoding), and bytes. */
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import type { StdioClient } from "./stdio_client.ts";

/** What one program's tools cost. */
export interface ListCost {
  readonly name: string;
  readonly tools: number;
  /** Without output schemas, which a model is not shown. */
  readonly tokens: number;
  readonly bytes: number;
}

/** Tokens of a text. */
export function tokens(text: string): number {
  return encode(text).length;
}

/** What `tools/list` costs. */
export async function listCost(name: string, client: StdioClient): Promise<ListCost> {
  const { tools } = await client.request("tools/list");
  if (!Array.isArray(tools)) throw new Error(`${name} lists no tools`);
  const lean = tools.map(({ outputSchema: _, ...tool }: Record<string, unknown>) => tool);
  const text = JSON.stringify(lean);
  return { name, tools: tools.length, tokens: tokens(text), bytes: new TextEncoder().encode(text).length };
}
