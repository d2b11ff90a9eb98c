/** A session as a person reads it on a terminal: questions, calls, answers. */
import { displayWidth } from "../src/common/width.ts";

/** Where to print, and how. */
export interface ScreenOptions {
  readonly write: (text: string) => void;
  readonly color: boolean;
  /** Columns. */
  readonly width: number;
}

/** The process's own terminal; plain text, 120 columns wide, where stdout is something else. */
export function terminal(): ScreenOptions {
  const isTerminal = Deno.stdout.isTerminal();
  const columns = isTerminal ? Deno.consoleSize().columns : 120;
  return {
    write: (text) => void Deno.stdout.writeSync(new TextEncoder().encode(text)),
    color: isTerminal && !Deno.noColor,
    width: Math.min(Math.max(columns, 40), 140),
  };
}

type Style = "bold" | "dim" | "cyan" | "green" | "red";
const styles: Readonly<Record<Style, string>> = { bold: "1", dim: "2", cyan: "36", green: "32", red: "31" };

/** Lines of an answer that are shown. */
const mostLines = 32;

/** Prints a session. Nothing is ever redrawn, so that it reads the same in a pipe or a log. */
export class Screen {
  readonly #options: ScreenOptions;

  constructor(options: ScreenOptions) {
    this.#options = options;
  }

  title(text: string): void {
    this.#line("");
    this.#line(this.#style("bold", text));
  }

  paragraph(text: string): void {
    for (const line of wrap(text, this.#options.width)) this.#line(line);
  }

  /** A long part: says what begins; the returned function says how it went and how long it took. */
  begin(text: string): (outcome: string) => void {
    this.#options.write(`  ${text} … `);
    const started = performance.now();
    return (outcome) => this.#line(`${outcome} ${this.#style("dim", duration(performance.now() - started))}`);
  }

  question(text: string): void {
    this.#line("");
    this.#line(this.#style("bold", `▸ ${text}`));
  }

  /** A call: the tool's name and, below it, what it is given. */
  call(tool: string, given: string): void {
    const [first = "", ...rest] = given.split("\n");
    const together = rest.length === 0;
    this.#line(`  ${this.#style("cyan", tool)}${together ? `  ${first}` : ""}`.trimEnd());
    if (!together) { for (const line of [first, ...rest]) this.#line(`    ${line}`); }
  }

  /** An answer, its lines cut at the edge, a screenful of them; a refusal wrapped, since it is prose. */
  answer(text: string, outcome: "answered" | "refused", ms: number): void {
    const style = outcome === "answered" ? "green" : "red";
    const room = this.#options.width - 4;
    const lines = text.trimEnd().split("\n")
      .flatMap((line) => outcome === "answered" ? [cut(line, room)] : wrap(line, room));
    const more = lines.length - mostLines;
    const shown = more > 1 ? [...lines.slice(0, mostLines), `… ${more} more lines`] : lines;
    for (const line of shown) this.#line(`  ${this.#style(style, "│")} ${line}`.trimEnd());
    this.#line(`  ${this.#style(style, "╵")} ${this.#style("dim", `${outcome} in ${duration(ms)}`)}`);
  }

  /** Something to paste: one line, however long. */
  paste(text: string): void {
    this.#line("");
    this.#line(this.#style("cyan", text));
    this.#line("");
  }

  #line(text: string): void {
    this.#options.write(`${text}\n`);
  }

  #style(style: Style, text: string): string {
    return this.#options.color ? `\x1b[${styles[style]}m${text}\x1b[0m` : text;
  }
}

function duration(ms: number): string {
  return ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function cut(line: string, width: number): string {
  if (displayWidth(line) <= width) return line;
  let kept = [...line].slice(0, width - 1);
  while (displayWidth(kept.join("")) > width - 1) kept = kept.slice(0, -1);
  return `${kept.join("")}…`;
}

/** Breaks prose at spaces. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && displayWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}
